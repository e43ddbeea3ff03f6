"""A part of the tasks in this process: one of a task array (SLURM, Kubernetes, `xargs`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.executors.work import Work


@dataclass(frozen=True)
class TaskArray:
    """Every `number`-th task, from `index` on.

    Nothing is finished here: the same command without a part does that when all parts are done.
    """

    index: int
    number: int
    spreads_models = False
    here = True

    def run(self, work: Work[Any, Any], tasks: Sequence[Any], spread: bool = False) -> int:
        """Do this part; gives how many tasks it has. See `Executor.run`."""
        mine = self.share(tasks)
        for task in mine:
            work.do(task)
        return len(mine)

    def share(self, tasks: Sequence[Any]) -> Sequence[Any]:
        """The tasks of this part."""
        return tasks[self.index :: self.number]
