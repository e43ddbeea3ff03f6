"""The shards on a Dask cluster, without Beam: `--dask ADDRESS`.

Not Beam's DaskRunner, which loses data (measured, apache-beam 2.77).
"""

from collections.abc import Sequence
from functools import partial

from pipelines import worker
from pipelines.limits import JobFailedError
from pipelines.output import Job
from pipelines.shard import ShardReport, ShardTask


def compress(address: str, job: Job, tasks: Sequence[ShardTask]) -> list[ShardReport]:
    """Compress all input files on the workers of a scheduler; the reports, in any order.

    The workers must be able to import `pipelines` and to reach the files.

    Raises:
      JobFailedError: the scheduler is not there, or a worker failed; says why.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise JobFailedError(
            f"--dask needs Dask's scheduler ({error}): pip install 'equalinfo[dask]'."
        ) from error
    try:
        with Client(address, timeout="30s") as client:
            futures = client.map(partial(worker.compress, job), tasks, pure=False)
            return list(client.gather(futures))
    except Exception as error:
        raise JobFailedError(f"Dask at {address}: {type(error).__name__}: {error}") from error
