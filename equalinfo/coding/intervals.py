"""What the codes share: an interval a lane, and where symbols lie in [0, 2^P)."""

from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.jit import njit
from equalinfo.m1.base import Frequencies

Lanes = npt.NDArray[np.int64]
Wide = npt.NDArray[Any]
"""int64[lanes] where all values fit, else an object array of Python integers."""


class Intervals:
    """An interval [low, low + size) a lane, and how many symbols led to it.

    Args:
      lanes: how many.
      whole: size of the interval of no symbols, which begins at 0.
      narrow: whether whatever is computed fits int64.
    """

    def __init__(self, lanes: int, whole: int, narrow: bool) -> None:
        """All lanes without symbols."""
        kind: Any = np.int64 if narrow else object
        self.whole, self.narrow = whole, narrow
        self.low: Wide = np.zeros(lanes, kind)
        self.size: Wide = np.full(lanes, whole, kind)
        self.lengths = np.zeros(lanes, np.int64)

    def restart(self, lane: int) -> None:
        """Forget the lane's symbols."""
        self.low[lane], self.size[lane], self.lengths[lane] = 0, self.whole, 0


@njit(cache=True, nogil=True)
def interval_of(
    table: Frequencies, rows: Lanes, symbols: npt.NDArray[np.int32]
) -> tuple[Lanes, Lanes]:
    """Return int64[k] starts (sum of lower frequencies) and int64[k] frequencies of the symbols.

    Args:
      table: uint32[any, 257].
      rows: int64[k], the row of `table` for each.
      symbols: int32[k].
    """
    starts, sizes = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)
    for index in range(rows.size):
        row = table[rows[index]]
        total = np.int64(0)
        for symbol in range(symbols[index]):
            total += row[symbol]
        starts[index], sizes[index] = total, row[symbols[index]]
    return starts, sizes


@njit(cache=True, nogil=True)
def symbol_at(
    table: Frequencies, rows: Lanes, targets: Lanes
) -> tuple[npt.NDArray[np.int32], Lanes, Lanes]:
    """Return int32[k] symbols whose interval holds the target, their starts and their frequencies.

    Args:
      table: uint32[any, 257].
      rows: int64[k], the row of `table` for each.
      targets: int64[k], each in [0, 2^P).
    """
    found = np.zeros(rows.size, np.int32)
    starts, sizes = np.zeros(rows.size, np.int64), np.zeros(rows.size, np.int64)
    for index in range(rows.size):
        row = table[rows[index]]
        total = np.int64(0)
        for symbol in range(NUM_SYMBOLS):
            if total + row[symbol] > targets[index]:
                found[index], starts[index], sizes[index] = symbol, total, row[symbol]
                break
            total += row[symbol]
    return found, starts, sizes
