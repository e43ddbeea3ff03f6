"""The paper's windows: arithmetic coding into W bits, padded with zeros [paper 3.3, A.5, D.5].

Not the exact code. It is here for comparison, with its decoder and its defect. `delay=False`
(greedy, the paper's default) is **not lossless**: after text s the encoder stops because the next
symbol does not fit, while a likelier one would have fitted with the same padded code; the decoder,
which takes the longest text with that code, reads the likelier one too. Measured with a byte n-gram
M1 on C4 at W=16, 23.8% of windows decode wrongly. `delay=True` is lossless (docs/exact-code.md).

Integer fixed point with S = W + P + 2 bits: a text owns [low, low + range) of [0, 2^S), the empty
text all of it. A child with cumulative frequency F to F' takes the part of it from
floor(range F / 2^P) to floor(range F' / 2^P). A text *fits* while its interval holds an aligned
cell of 2^(S-W). Its code is the shortest bit string whose cell lies in the interval (the lowest
such cell), padded with zeros to W bits.

`tests/coding/reference.py` writes it down in Python integers. Here many windows run side by side:
int64 arrays while S + P <= 62 (W up to 28 at P = 16, 32 at P = 14), Python integers above.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equalinfo.coding.bits import check_window_bits
from equalinfo.coding.intervals import Intervals, Lanes, Wide, interval_of, symbol_at
from equalinfo.jit import njit
from equalinfo.m1.base import Frequencies, check_precision

GUARD_BITS = 2
"""S - W - P: a child of a text that fits keeps at least 2^2 points, so it is never empty."""


@dataclass(frozen=True)
class PaperCode:
    """The paper's code with W-bit windows, as `equalinfo.coding.drive` drives it.

    Attributes:
      window_bits: W, precision..128.
      precision: P of the model's frequencies.
      delay: the lossless variant: symbols at the window's end that only add zero bits to the code
        are left for the next window [paper A.5].
    """

    window_bits: int
    precision: int
    delay: bool = False

    def __post_init__(self) -> None:
        """Refuse windows that a rare symbol might not fit."""
        check_fit(self.window_bits, self.precision)

    def encoder(self, lanes: int) -> "PaperEncoder":
        """Return an encoder of `lanes` windows at once, all empty."""
        return PaperEncoder(self, lanes)

    def decoder(self, lanes: int) -> "PaperDecoder":
        """Return a decoder of `lanes` windows at once."""
        return PaperDecoder(self, lanes)


def check_fit(window_bits: int, precision: int) -> None:
    """Raise ValueError unless every symbol fits an empty window: W >= P.

    A symbol of frequency f owns f cells of 2^-P of the empty window, so W >= P is enough; with
    f = 1 at an odd place it is needed.
    """
    check_window_bits(window_bits)
    check_precision(precision)
    if window_bits < precision:
        raise ValueError(
            f"window_bits={window_bits} cannot hold every symbol at precision={precision}: the "
            f"rarest byte costs {precision} bits. Use window_bits >= {precision}, or "
            "method 'equal_info', which takes 9 and more."
        )


def padded_code(low: int, size: int, window_bits: int, scale_bits: int) -> int:
    """Return the padded code of [low, low + size), or -1 where no cell of W bits lies in it."""
    if size < 1:
        return -1
    # The largest power of two that fits in length: aligned, it, or else one of its halves, lies
    # inside, unless that is already below the smallest cell.
    cell = 1 << (size.bit_length() - 1)
    while cell >= 1 << (scale_bits - window_bits):
        start = -(-low // cell) * cell
        if start + cell <= low + size:
            return start >> (scale_bits - window_bits)
        cell //= 2
    return -1


@njit(cache=True, nogil=True)
def _padded_codes_narrow(low: Lanes, size: Lanes, window_bits: int, scale_bits: int) -> Lanes:
    """`padded_code` of each lane, in int64."""
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


class _Texts(Intervals):
    """A text a lane, with its part of [0, 2^S)."""

    def __init__(self, code: PaperCode, lanes: int) -> None:
        self.window_bits, self.precision = code.window_bits, code.precision
        self.delay = code.delay
        self.scale_bits = code.window_bits + code.precision + GUARD_BITS
        super().__init__(lanes, 1 << self.scale_bits, self.scale_bits + code.precision <= 62)

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


class PaperEncoder(_Texts):
    """Windows being filled, one a lane."""

    def __init__(self, code: PaperCode, lanes: int) -> None:
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


class PaperDecoder(_Texts):
    """Codes being read, one a lane."""

    def __init__(self, code: PaperCode, lanes: int) -> None:
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
