"""The paper's windows, fast: many side by side, equal to the reference in `ac_window`.

int64 arrays while S + P <= 62 (W up to 28 at P = 16, 32 at P = 14), Python integers above.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.coding.ac_window import GUARD_BITS, PaperWindow, padded_code
from equalinfo.coding.intervals import interval_of, symbol_at
from equalinfo.jit import njit
from equalinfo.m1.base import Frequencies

Lanes = npt.NDArray[np.int64]
Wide = npt.NDArray[Any]


@njit(cache=True, nogil=True)
def _padded_codes_narrow(low: Lanes, size: Lanes, window_bits: int, scale_bits: int) -> Lanes:
    """`ac_window.padded_code` of each lane, in int64."""
    shift = scale_bits - window_bits
    smallest = np.int64(1) << shift
    out = np.full(low.size, -1, np.int64)
    for index in range(low.size):
        cell = smallest
        while 2 * cell <= size[index]:
            cell *= 2
        while cell >= smallest:
            start = (low[index] + cell - 1) // cell * cell
            if start + cell <= low[index] + size[index]:
                out[index] = start >> shift
                break
            cell //= 2
    return out


class _Intervals:
    """One interval [low, low + size) of [0, 2^S) a lane, and how many symbols led to it."""

    def __init__(self, code: PaperWindow, lanes: int) -> None:
        self.window_bits, self.precision = code.window_bits, code.precision
        self.delay = code.delay
        self.scale_bits = code.window_bits + code.precision + GUARD_BITS
        self.narrow = self.scale_bits + code.precision <= 62
        kind: Any = np.int64 if self.narrow else object
        self.low: Wide = np.zeros(lanes, kind)
        self.size: Wide = np.full(lanes, 1 << self.scale_bits, kind)
        self.lengths = np.zeros(lanes, np.int64)

    def restart(self, lane: int) -> None:
        self.low[lane] = 0
        self.size[lane] = 1 << self.scale_bits
        self.lengths[lane] = 0

    def child(self, lanes: Lanes, start: Lanes, frequency: Lanes) -> tuple[Wide, Wide, Wide]:
        """Return low, size and padded code (-1: does not fit) of a child of each lane's text."""
        kind = self.low.dtype
        size = self.size[lanes]
        first = size * start.astype(kind) >> self.precision
        last = size * (start + frequency).astype(kind) >> self.precision
        low, size = self.low[lanes] + first, last - first
        if self.narrow:
            return low, size, _padded_codes_narrow(low, size, self.window_bits, self.scale_bits)
        codes = np.empty(len(low), object)
        for index in range(len(low)):
            codes[index] = padded_code(low[index], size[index], self.window_bits, self.scale_bits)
        return low, size, codes


class PaperEncoder(_Intervals):
    """Windows being filled, one a lane."""

    def __init__(self, code: PaperWindow, lanes: int) -> None:
        """Start with all windows empty."""
        super().__init__(code, lanes)
        self.codes: list[list[int]] = [[] for _ in range(lanes)]

    def extend(
        self, table: Frequencies, rows: Lanes, symbols: npt.NDArray[np.int32], lanes: Lanes
    ) -> npt.NDArray[np.bool_]:
        """Add a symbol to each of some windows, where it fits; see `ExactEncoder.extend`."""
        low, size, codes = self.child(lanes, *interval_of(table, rows, symbols))
        fits = (codes >= 0).astype(np.bool_)
        taken = lanes[fits]
        self.low[taken], self.size[taken] = low[fits], size[fits]
        self.lengths[taken] += 1
        for lane, code in zip(taken.tolist(), codes[fits].tolist(), strict=True):
            self.codes[lane].append(code)
        return fits

    def close(self, lane: int) -> tuple[int, int]:
        """End the lane's window and start an empty one.

        Returns:
          The code, and the number of symbols it stands for: with `delay` perhaps fewer than were
          added, the others must be added again to the next windows.
        """
        codes = self.codes[lane]
        code = codes[-1]
        length = codes.index(code) + 1 if self.delay else len(codes)
        self.codes[lane] = []
        self.restart(lane)
        return code, length


class PaperDecoder(_Intervals):
    """Codes being read, one a lane."""

    def __init__(self, code: PaperWindow, lanes: int) -> None:
        """Make room for `lanes` codes."""
        super().__init__(code, lanes)
        self.codes: Wide = np.zeros_like(self.low)
        self.best = np.zeros(lanes, np.int64)

    def begin(self, lane: int, code: int) -> None:
        """Start reading `code`, a number in [0, 2^W)."""
        self.restart(lane)
        self.codes[lane] = code
        self.best[lane] = 0

    def descend(
        self, table: Frequencies, rows: Lanes, lanes: Lanes
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Read the next symbol of each of some windows that are not finished.

        Returns:
          int32[k] symbols on the way to the code, -1 where no more fits; bool[k] True where the
          window is finished. See `result` for how many of the symbols are its text.
        """
        point = self.codes[lanes] << (self.scale_bits - self.window_bits)
        # floor(size F / 2^P) <= v  <=>  F <= ((v + 1) 2^P - 1) / size
        ahead = ((point - self.low[lanes] + 1) << self.precision) - 1
        targets = (ahead // self.size[lanes]).astype(np.int64)
        symbols, start, frequency = symbol_at(table, rows, targets)
        low, size, codes = self.child(lanes, start, frequency)
        fits = (codes >= 0).astype(np.bool_)
        taken = lanes[fits]
        self.low[taken], self.size[taken] = low[fits], size[fits]
        self.lengths[taken] += 1
        match = (codes == self.codes[lanes]).astype(np.bool_)
        self.best[lanes[match]] = self.lengths[lanes[match]]
        finished = match if self.delay else np.zeros(len(lanes), np.bool_)
        return np.where(fits, symbols, -1).astype(np.int32), finished | ~fits

    def result(self, lane: int) -> tuple[int, bool]:
        """Of the symbols read: how many are the text, and whether that text has the code."""
        best = int(self.best[lane])
        return (best, True) if best else (int(self.lengths[lane]), False)
