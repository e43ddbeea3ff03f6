"""Competitors take turns; the best turn of each counts."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Speed(NamedTuple):
    """Symbols (or operations) per second of wall clock, and cores kept busy meanwhile."""

    wall: float
    cores: float


Turn = Callable[[float], Speed]
"""Takes the seconds to spend at least."""


def local(run: Callable[[], int]) -> Turn:
    """A turn that calls `run`, which returns how much it did."""

    def turn(seconds: float) -> Speed:
        done, used, start = 0, time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds or not done:
            done += run()
        return Speed(done / elapsed, (time.process_time() - used) / elapsed)

    return turn


def in_turns(
    competitors: Mapping[str, Turn], rounds: int, seconds: float
) -> dict[str, list[Speed]]:
    """What each reaches in each round; a first, short turn warms up and does not count."""
    for turn in competitors.values():
        turn(0.0)
    speeds: dict[str, list[Speed]] = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, turn in competitors.items():
            speeds[name].append(turn(seconds))
    return speeds
