"""Processes of this machine.

A worker ends when its launcher does, however that ends. Where a worker dies, the others end, and
the job fails at once. With one worker all is done in the launcher's own process.
"""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from equalinfo.data.options import positive
from equalinfo.flags import flag
from equalinfo.m1.frozen.threads import THREADS_VARIABLE, num_threads
from pipelines.executors.work import Executor, JobFailedError, SpreadWork, Work

_AHEAD = 4
"""Parts, for each worker, that are done or being done before the first of them is taken."""

_END = object()


@dataclass(frozen=True)
class Local(Executor):
    """So many processes."""

    spreads = True

    workers: int = flag(1, type=positive, help="processes of this machine")

    def checked(self, more: Sequence[str], paths: Sequence[str]) -> Executor:
        """See `Executor.checked`."""
        if self.workers > 1:
            num_threads()  # each gets a share of them: a number that is none is told now
        return super().checked(more, paths)

    @property
    def spreads_models(self) -> bool:
        """A file is hours of work for an M1, and there may be fewer files than workers."""
        return self.workers > 1

    def run(self, work: Work[Any, Any], tasks: Sequence[Any], spread: bool = False) -> Any:
        """See `Executor.run`."""
        if spread and isinstance(work, SpreadWork):
            results = _spread(work, tasks, self.workers)
        else:
            workers = max(1, min(self.workers, len(tasks)))
            results = list(map_in_order(work.do, tasks, workers))
        return work.finish_all(results, len(tasks))


def _spread(work: SpreadWork[Any, Any], tasks: Sequence[Any], workers: int) -> list[Any]:
    """The results of tasks; their parts are done by all workers."""
    results = []

    def parts() -> Iterator[Any]:
        for task in tasks:
            if (done := work.done(task)) is not None:
                results.append(done)
            else:
                yield from work.parts(task)

    done_parts = map_in_order(work.do_part, parts(), workers, ahead=_AHEAD * workers)
    for _, group in groupby(done_parts, lambda part: work.key(part)[0]):
        results.append(work.gather(group))
    return results


def map_in_order(
    function: Callable[[Any], Any], items: Iterable[Any], workers: int, ahead: int | None = None
) -> Iterator[Any]:
    """What `function` gives for each item, in their order.

    Args:
      function: pickled, as items and results are.
      items: read as workers become free.
      workers: processes; 1 for this one.
      ahead: most items that are done, or being done, before the first of them is taken; None: no
        limit.

    Raises:
      JobFailedError: what a worker raised; or one died, and how.
    """
    if workers == 1:
        yield from map(function, items)
        return
    waiting = enumerate(items)
    results: dict[int, Any] = {}
    sent = due = 0
    with _started(function, workers) as pool:
        idle, busy = list(pool), dict[Connection, int]()
        while True:
            while idle and (ahead is None or sent - due < ahead):
                number, item = next(waiting, (sent, _END))
                if item is _END:
                    break
                worker = idle.pop()
                worker.send(item)
                busy[worker.connection] = number
                sent += 1
            if not busy:
                return
            by_connection = {worker.connection: worker for worker in pool}
            for connection in wait(list(by_connection)):  # the idle, too: one may die
                worker = by_connection[connection]  # type: ignore[index]
                answer = worker.receive()
                results[busy.pop(worker.connection)] = answer
                idle.append(worker)
            while due in results:
                yield results.pop(due)
                due += 1


class _Worker:
    def __init__(self, process: SpawnProcess, connection: "Connection[Any, Any]") -> None:
        self.process = process
        self.connection = connection

    def send(self, item: Any) -> None:
        try:
            self.connection.send(item)
        except OSError as error:  # nobody reads
            raise self._died() from error

    def receive(self) -> Any:
        try:
            succeeded, answer = self.connection.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        if not succeeded:
            reason, stack = answer
            failure = JobFailedError(reason)
            failure.add_note(stack)
            raise failure
        return answer

    def _died(self) -> JobFailedError:
        self.process.join()
        return JobFailedError(
            f"a worker process died (exit status {self.process.exitcode}; -9: it was killed). "
            "Where the system did it for want of memory (see dmesg), use fewer --workers."
        )


@contextmanager
def _started(function: Callable[[Any], Any], workers: int) -> Iterator[list[_Worker]]:
    """Processes that apply `function`; they end with the block."""
    # Not forked: M1's threads, numba's and the bar's would be forked half.
    context = multiprocessing.get_context("spawn")
    pickled = pickle.dumps(function)
    threads = max(1, num_threads() // workers)
    pool: list[_Worker] = []
    try:
        with _ignoring_interrupts():
            for _ in range(workers):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_serve, args=(theirs, pickled, threads), daemon=True
                )
                process.start()
                theirs.close()  # so that its end shows at ours
                pool.append(_Worker(process, ours))
        yield pool
    finally:
        for worker in pool:
            worker.process.terminate()
        for worker in pool:
            worker.process.join()
            worker.connection.close()


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Processes started here ignore Ctrl-C: their launcher ends them, and says it once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: "Connection[Any, Any]", pickled: bytes, threads: int) -> None:
    """A worker: answer each item with (True, result) or (False, (reason, stack))."""
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    os.environ.setdefault(THREADS_VARIABLE, str(threads))  # an M1 in each must not take all
    function = pickle.loads(pickled)
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            answer = (True, function(item))
        except Exception as error:
            # Not the error itself: not each can be pickled, or be made again from that.
            from traceback import format_exc

            known = isinstance(error, JobFailedError)
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            answer = (False, (reason, format_exc()))
        connection.send(answer)


def _end_with_launcher() -> None:
    """Else a worker whose launcher was killed would go on, beside those of the next job."""
    launcher = multiprocessing.parent_process()
    assert launcher is not None
    launcher.join()
    os._exit(1)
