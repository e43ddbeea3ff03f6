"""Blocks of work on threads; what runs there is compiled and holds no GIL."""

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from equalinfo.cores import num_cores

_FEWEST = 16  # items that are worth a thread


THREADS_VARIABLE = "EQUALINFO_THREADS"


def num_threads() -> int:
    """Threads to run M1 on: EQUALINFO_THREADS, else the CPUs that this process may use.

    Raises:
      ValueError: EQUALINFO_THREADS is no positive number.
    """
    if wanted := os.environ.get(THREADS_VARIABLE):
        if not wanted.isdecimal() or int(wanted) < 1:
            raise ValueError(f"{THREADS_VARIABLE}={wanted!r} is not a number of threads.")
        return int(wanted)
    return num_cores()


def spread(run: Callable[[int, int], object], size: int, most: int, threads: int) -> None:
    """Call run(begin, end) for all of range(size), in blocks of at most `most`.

    Args:
      run: may be called from several threads at once.
      size: items; 0 calls nothing.
      most: items of a block.
      threads: blocks at the same time.
    """
    blocks = -(-size // most)
    if size >= threads * min(most, _FEWEST):
        blocks = max(blocks, threads)
    cuts = [size * block // max(blocks, 1) for block in range(blocks + 1)]
    parts = list(itertools.pairwise(cuts))
    if len(parts) < 2 or threads == 1:
        for part in parts:
            run(*part)
        return
    waiting = iter(parts)

    def work() -> None:
        for part in waiting:
            run(*part)

    # This thread takes part: to wake one more, and itself in the end, may take as long as a block.
    others = [_pool(threads - 1).submit(work) for _ in range(min(threads, len(parts)) - 1)]
    try:
        work()
    finally:
        for other in others:
            if not other.cancel():
                other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="equalinfo-m1")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked child has no threads yet
