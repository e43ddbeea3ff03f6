"""What `python -m pipelines.verify` checks, from the whole directory down to the single record."""
