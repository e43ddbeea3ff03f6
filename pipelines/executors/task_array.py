"""A part of the tasks in this process: one of a task array (SLURM, Kubernetes, `xargs`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from equalinfo.data.options import positive
from equalinfo.flags import flag
from pipelines.executors.work import Executor, Work


@dataclass(frozen=True)
class TaskArray(Executor):
    """Every `num_tasks`-th task, from `task_index` on.

    Nothing is finished here: the same command without a part does that when all parts are done.
    """

    task_index: int | None = flag(None, type=int, help="do this part of --num_tasks, from 0")
    num_tasks: int | None = flag(
        None, type=positive, help="parts of a task array, on SLURM for example"
    )

    def checked(self, more: Sequence[str], paths: Sequence[str]) -> Executor:
        """See `Executor.checked`."""
        if self.task_index is None or self.num_tasks is None:
            raise ValueError("--task_index and --num_tasks go together: part 0 of 8, for example.")
        if not 0 <= self.task_index < self.num_tasks:
            raise ValueError(
                f"--task_index={self.task_index} is not in 0..{self.num_tasks - 1} "
                f"(--num_tasks={self.num_tasks})."
            )
        return super().checked(more, paths)

    def run(self, work: Work[Any, Any], tasks: Sequence[Any], spread: bool = False) -> int:
        """Do this part; gives how many tasks it has. See `Executor.run`."""
        mine = self.share(tasks)
        for task in mine:
            work.do(task)
        return len(mine)

    def share(self, tasks: Sequence[Any]) -> Sequence[Any]:
        """The tasks of this part."""
        return tasks[self.task_index :: self.num_tasks]
