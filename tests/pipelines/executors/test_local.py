"""Processes of this machine: order, what fails and how, and how much is read ahead."""

import os
import signal
import time
from collections.abc import Iterator, Sequence

import pytest

from pipelines.executors.local import Local, map_in_order
from pipelines.executors.work import JobFailedError, Work


def _slowest_first(number: int) -> tuple[int, int]:
    time.sleep(0.3 if number == 0 else 0)
    return number * number, os.getpid()


def test_results_come_in_order_from_several_processes() -> None:
    found = list(map_in_order(_slowest_first, range(20), workers=2))
    assert [square for square, _ in found] == [number * number for number in range(20)]
    assert len({process for _, process in found}) == 2
    assert os.getpid() not in {process for _, process in found}


def test_one_worker_is_this_process() -> None:
    assert list(map_in_order(_slowest_first, [3], workers=1)) == [(9, os.getpid())]


def test_only_so_much_is_read_ahead() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(50):
            read.append(number)
            yield number

    for taken, _ in enumerate(map_in_order(_slowest_first, items(), workers=2, ahead=5)):
        assert len(read) <= taken + 1 + 5


class _LocalError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")  # cannot be made again from what it was pickled as


def _fail(number: int) -> int:
    if number == 3:
        raise _LocalError(1, 2)
    return number


def test_an_error_ends_it_with_its_reason_and_stack() -> None:
    taken = []
    with pytest.raises(JobFailedError, match=r"^_LocalError: 1 and 2\n") as caught:
        for result in map_in_order(_fail, range(10), workers=2):
            taken.append(result)
    assert taken == [0, 1, 2][: len(taken)]
    assert "raise _LocalError(1, 2)" in caught.value.__notes__[0]


def _die(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(100)
    return number


def test_a_dead_worker_ends_it_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(JobFailedError, match=r"a worker process died \(exit status -9"):
        list(map_in_order(_die, range(2), workers=2))
    assert time.monotonic() - start < 60


def test_nothing_to_do_is_done() -> None:
    class Counting(Work[int, int]):
        outcome = ""

        def do(self, task: int) -> int:
            return task

        def finish(self, results: Sequence[int]) -> int:
            return sum(results)

    assert Local(workers=2).run(Counting(), []) == 0
