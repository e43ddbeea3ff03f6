"""What an executor is given: what to do with each task, and with all results."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class JobFailedError(RuntimeError):
    """The job cannot be finished as asked; says why."""


@contextmanager
def naming(file: str) -> Iterator[None]:
    """Turn an error into a JobFailedError that says of which file it is."""
    try:
        yield
    except JobFailedError:
        raise
    except Exception as error:
        raise JobFailedError(f"{file}: {type(error).__name__}: {error}") from error


class Work(ABC, Generic[Task, Result]):
    """A command's work. It is pickled: workers may be other processes, or other machines."""

    @property
    @abstractmethod
    def outcome(self) -> str:
        """A file for executors that have no other way to bring back a reason or a value."""

    @abstractmethod
    def do(self, task: Task) -> Result:
        """Do one task, on a worker.

        Raises:
          JobFailedError: it cannot be done; says why, and of which input.
        """

    @abstractmethod
    def finish(self, results: Sequence[Result]) -> Any:
        """Take the results of all tasks, in any order; gives a JSON value for the launcher.

        Raises:
          JobFailedError: they are not what was asked for.
        """

    def counts(self, result: Result) -> Mapping[str, int]:
        """What a runner's monitoring adds up."""
        return {}

    def finish_all(self, results: Sequence[Result], tasks: int) -> Any:
        """`finish`, where there is one result for each of so many tasks.

        Raises:
          JobFailedError: there is not; or as `finish`.
        """
        if len(results) != tasks:
            raise JobFailedError(
                f"{tasks} files were asked for, the runner brought back {len(results)}. It lost or "
                "doubled results: leave out --runner to use processes of this machine."
            )
        return self.finish(results)


class SpreadWork(Work[Task, Result]):
    """Work whose tasks can be cut into parts, so that many workers do one task."""

    @abstractmethod
    def done(self, task: Task) -> Result | None:
        """The result of a task that an earlier job has done; None: it is to be done."""

    @abstractmethod
    def parts(self, task: Task) -> Iterator[Any]:
        """What to spread."""

    @abstractmethod
    def do_part(self, part: Any) -> Any:
        """Do a part, on any worker."""

    @abstractmethod
    def gather(self, parts: Iterable[Any]) -> Result:
        """Make the result of all parts of a task, in their order; takes one at a time."""

    @abstractmethod
    def key(self, part: Any) -> tuple[int, int]:
        """The task's number, and the part's within it; before and after `do_part`."""


class Executor(ABC):
    """Something that runs `Work`: a dataclass, whose fields are its options."""

    spreads: ClassVar[bool] = False
    """It can cut tasks into parts."""

    @property
    def here(self) -> bool:
        """What `Work.outcome` names need not be reached by other machines."""
        return True

    @property
    def spreads_models(self) -> bool:
        """By default it cuts tasks into parts where a neural model runs."""
        return False

    def checked(self, more: Sequence[str], paths: Sequence[str]) -> "Executor":
        """The executor, where its options and these can be used.

        Args:
          more: what is left of the command line.
          paths: of inputs and outputs.

        Raises:
          ValueError: they cannot; says why, and what to do.
        """
        if more:
            raise ValueError(f"unknown option {more[0]}; options of Beam go with --runner.")
        return self

    @abstractmethod
    def run(self, work: Work[Any, Any], tasks: Sequence[Any], spread: bool = False) -> Any:
        """Do all tasks, and finish; gives what `Work.finish` gives.

        Args:
          work: to do; with `spread`, a `SpreadWork`.
          tasks: each is done once.
          spread: cut tasks into parts.

        Raises:
          JobFailedError: a task failed, or a worker, or the executor; says why.
        """
