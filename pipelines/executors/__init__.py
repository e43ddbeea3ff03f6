"""Who does the work: processes of this machine, a task array, a Dask cluster, a Beam runner.

Each is a file of its own, with its options, and imports what it needs when it runs. The bytes are
the same.
"""
