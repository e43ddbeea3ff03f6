"""The workers of a Dask cluster, without Beam.

Not Beam's DaskRunner, which loses data (measured, apache-beam 2.77).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from equalinfo.flags import flag
from pipelines.executors.work import Executor, JobFailedError, Work


@dataclass(frozen=True)
class Dask(Executor):
    """The workers of the scheduler at an address; they can import `pipelines` and reach files."""

    address: str | None = flag(
        None, name="dask", metavar="ADDRESS", help="work on the cluster of this Dask scheduler"
    )

    def run(self, work: Work[Any, Any], tasks: Sequence[Any], spread: bool = False) -> Any:
        """See `Executor.run`."""
        try:
            from distributed import Client
        except ImportError as error:
            raise JobFailedError(
                f"--dask needs Dask's scheduler ({error}): pip install 'equalinfo[dask]'."
            ) from error
        try:
            with Client(self.address, timeout="30s") as client:
                futures = client.map(work.do, tasks, pure=False)
                results = list(client.gather(futures))
        except JobFailedError:
            raise
        except Exception as error:
            reason = f"Dask at {self.address}: {type(error).__name__}: {error}"
            raise JobFailedError(reason) from error
        return work.finish_all(results, len(tasks))
