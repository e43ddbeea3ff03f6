"""All texts that a window of the exact code can hold, asked from M1.

A text that owns n points keeps the first as its own code and shares the others among its children,
so only texts with n >= 2 have children, and only they need M1's frequencies. M1 reads them in
lanes. A lane that has read a text goes on to its largest child, one step away; the other children
wait for a lane that reads them from the root. So a long text (a run of blanks) costs its length
once, not the sum over its prefixes.
"""

import heapq
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit
from tqdm import tqdm

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.coding.exact_lanes import child_points
from equalinfo.frequencies import check
from equalinfo.m1.base import Frequencies, FrequencyModel

Integers = npt.NDArray[np.int64]


class _Job(NamedTuple):
    """A text that has children. The largest come first: their descendants are the longest."""

    negative_points: int
    low: int
    text: tuple[int, ...]


def enumerate_texts(
    model: FrequencyModel, window_bits: int, context: int, lanes: int, progress: bool
) -> tuple[npt.NDArray[np.uint16], Integers]:
    """The text of every code of W bits.

    Args:
      model: M1.
      window_bits: W.
      context: symbols of left context that M1 sees.
      lanes: texts that M1 reads together; the result does not depend on it.
      progress: draw a bar over the codes.

    Returns:
      texts: uint16[total], in code order; offsets: int64[2^W + 1].
    """
    table = _Table(1 << window_bits, model.precision)
    with tqdm(total=1 << window_bits, desc="compile", unit="code", disable=not progress) as bar:
        (waiting,) = table.expand([_Job(-(1 << window_bits), 0, ())], model.root()[None])
        heapq.heapify(waiting)
        lanes = max(1, min(lanes, len(waiting)))
        state = model.start(lanes, context)
        jobs: list[_Job | None] = [None] * lanes
        read = [0] * lanes  # symbols of the job that the lane has read
        while True:
            bar.update(table.settled - bar.n)
            active: list[tuple[int, _Job]] = []
            for lane in range(lanes):
                if jobs[lane] is None and waiting:
                    jobs[lane], read[lane] = heapq.heappop(waiting), 0
                job = jobs[lane]
                if job is not None:
                    active.append((lane, job))
            if not active:
                return table.texts()
            symbols, reset = np.zeros(lanes, np.int32), np.zeros(lanes, np.bool_)
            for lane, job in active:
                symbols[lane], reset[lane] = job.text[read[lane]], read[lane] == 0
                read[lane] += 1
            frequencies = model.step(state, symbols, reset)
            arrived = [(lane, job) for lane, job in active if read[lane] == len(job.text)]
            rows = [lane for lane, _ in arrived]
            children = table.expand([job for _, job in arrived], frequencies[rows])
            for lane, own in zip(rows, children, strict=True):
                largest = min(own, default=None)
                jobs[lane] = largest
                for child in own:
                    if child is not largest:
                        heapq.heappush(waiting, child)


class _Table:
    """Parent, last symbol and length of the text of every code, filled as M1 answers."""

    def __init__(self, num_codes: int, precision: int) -> None:
        self.settled = 0
        self._precision = precision
        self._parents = np.full(num_codes, -1, np.int64)
        self._symbols = np.empty(num_codes, np.uint16)
        self._lengths = np.zeros(num_codes, np.int64)

    def expand(self, jobs: list[_Job], frequencies: Frequencies) -> list[list[_Job]]:
        """Write down the children of each job's text; return those that have children again.

        Args:
          jobs: either the root alone, or none of them the root.
          frequencies: uint32[jobs, 257], what follows each text.
        """
        check(frequencies, self._precision)
        lows = np.array([job.low for job in jobs], np.int64)
        points = -np.array([job.negative_points for job in jobs], np.int64)
        root = bool(jobs) and not jobs[0].text
        rows, symbols, child_lows, counts = _children(
            lows, points, frequencies, self._precision, root
        )
        depths = np.array([len(job.text) for job in jobs], np.int64)
        self._parents[child_lows] = -1 if root else lows[rows]
        self._symbols[child_lows] = symbols
        self._lengths[child_lows] = depths[rows] + 1
        self.settled += len(child_lows)
        out: list[list[_Job]] = [[] for _ in jobs]
        more = counts >= 2
        for row, symbol, low, count in zip(
            *(column[more].tolist() for column in (rows, symbols, child_lows, counts)), strict=True
        ):
            out[row].append(_Job(-count, low, (*jobs[row].text, symbol)))
        return out

    def texts(self) -> tuple[npt.NDArray[np.uint16], Integers]:
        """uint16[total] in code order, and int64[codes + 1] offsets."""
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self._lengths)])
        texts = np.empty(int(offsets[-1]), np.uint16)
        _copy_from_parents(self._parents, self._symbols, offsets, texts)
        return texts, offsets


def _children(
    lows: Integers, points: Integers, frequencies: Frequencies, precision: int, root: bool
) -> tuple[Integers, npt.NDArray[np.uint16], Integers, Integers]:
    """Children that own points: row of the parent, symbol, first point, number of points."""
    room = int(np.minimum(points, NUM_SYMBOLS).sum())
    rows, lows_out, counts_out = (np.empty(room, np.int64) for _ in range(3))
    symbols = np.empty(room, np.uint16)
    n = _fill_children(
        lows, points, frequencies, precision, root, rows, symbols, lows_out, counts_out
    )
    return rows[:n], symbols[:n], lows_out[:n], counts_out[:n]


@njit(cache=True, nogil=True)
def _fill_children(
    lows: Integers,
    points: Integers,
    frequencies: Frequencies,
    precision: int,
    root: bool,
    rows: Integers,
    symbols: npt.NDArray[np.uint16],
    lows_out: Integers,
    counts_out: Integers,
) -> int:
    starts = np.empty(NUM_SYMBOLS, np.int64)
    counts = np.empty(NUM_SYMBOLS, np.int64)
    n = 0
    for row in range(len(lows)):
        child_points(points[row], frequencies[row], precision, root, starts, counts)
        for symbol in range(NUM_SYMBOLS):
            if counts[symbol] > 0:
                rows[n] = row
                symbols[n] = symbol
                lows_out[n] = lows[row] + starts[symbol]
                counts_out[n] = counts[symbol]
                n += 1
    return n


@njit(cache=True, nogil=True)
def _copy_from_parents(
    parents: Integers,
    symbols: npt.NDArray[np.uint16],
    offsets: Integers,
    texts: npt.NDArray[np.uint16],
) -> None:
    for code in range(len(parents)):  # a parent's code is below its children's
        place = offsets[code]
        parent = parents[code]
        if parent >= 0:
            for i in range(offsets[parent], offsets[parent + 1]):
                texts[place] = texts[i]
                place += 1
        texts[place] = symbols[code]
