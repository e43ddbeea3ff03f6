"""The exact Equal-Info code: W bits for each window of text, coded and decoded with no look-ahead.

A prefix of text owns an interval [lo, lo+n) of the codes [0, 2^W). It keeps its first code, lo, for
itself ("stop here") and shares the others among its 257 children; the empty prefix keeps none, and
gives each child one code before it shares the rest. Encoding walks down while the next symbol owns
a code, then writes lo. Decoding walks towards the code until it is lo. docs/exact-code.md has the
proofs: lossless, and every code means exactly one non-empty text.

`tests/coding/reference.py` writes it down in Python integers. Here many windows run side by side.
With m points to share, q = floor(m / 2^P) and r = m mod 2^P, the share floor(f m / 2^P) is
f q + floor(f r / 2^P), and the remainders depend on f and r alone. So the work over all 257 symbols
is done in int64 whatever W is ("small" parts, compiled), and only three products a step are wide:
int64 arrays up to W = 62, arrays of Python integers above.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.apportionment import threshold
from equalinfo.coding.bits import NARROW_BITS, check_window_bits
from equalinfo.coding.intervals import Intervals, Lanes, Wide
from equalinfo.jit import njit
from equalinfo.m1.base import Frequencies, check_precision


@dataclass(frozen=True)
class ExactCode:
    """The exact Equal-Info code with W-bit windows, as `equalinfo.coding.drive` drives it.

    Attributes:
      window_bits: W, 9..128.
      precision: P of the model's frequencies.
    """

    window_bits: int
    precision: int

    def __post_init__(self) -> None:
        """Refuse widths that cannot work."""
        check_window_bits(self.window_bits)
        check_precision(self.precision)

    def encoder(self, lanes: int) -> "ExactEncoder":
        """Return an encoder of `lanes` windows at once, all empty."""
        return ExactEncoder(self, lanes)

    def decoder(self, lanes: int) -> "ExactDecoder":
        """Return a decoder of `lanes` windows at once."""
        return ExactDecoder(self, lanes)


class _Prefixes(Intervals):
    """A prefix of text a lane, with the codes it owns."""

    def __init__(self, code: ExactCode, lanes: int) -> None:
        super().__init__(lanes, 1 << code.window_bits, code.window_bits <= NARROW_BITS)
        self.precision = code.precision

    def shares(self, lanes: Lanes) -> tuple[npt.NDArray[np.bool_], Wide, Lanes]:
        """Return root flags, and the points that each lane's prefix shares, q 2^P + r, as q, r."""
        root = self.lengths[lanes] == 0
        shared = self.size[lanes] - np.where(root, NUM_SYMBOLS, 1)
        q = shared >> self.precision
        r = shared & ((1 << self.precision) - 1)
        return root, q, r.astype(np.int64)

    def child(
        self, q: Wide, below: Lanes, frequency: Lanes, start: Lanes, count: Lanes
    ) -> tuple[Wide, Wide]:
        """Return start and count of a child: small parts, plus q points per unit of frequency."""
        kind = self.low.dtype
        return (
            below.astype(kind) * q + start.astype(kind),
            frequency.astype(kind) * q + count.astype(kind),
        )


class ExactEncoder(_Prefixes):
    """Windows being filled, one a lane."""

    def extend(
        self, table: Frequencies, rows: Lanes, symbols: npt.NDArray[np.int32], lanes: Lanes
    ) -> npt.NDArray[np.bool_]:
        """Add a symbol to each of some windows, where it fits.

        Args:
          table: uint32[any, 257] frequencies.
          rows: int64[k], the row of `table` that holds for each.
          symbols: int32[k].
          lanes: int64[k], which lanes they go to; no lane twice.

        Returns:
          bool[k]: False where the symbol does not fit, and the window is as before.
        """
        root, q, r = self.shares(lanes)
        start, count = self.child(q, *_small_parts(table, rows, symbols, r, root, self.precision))
        fits = (count > 0).astype(np.bool_)
        taken = lanes[fits]
        self.low[taken] += start[fits]
        self.size[taken] = count[fits]
        self.lengths[taken] += 1
        return fits

    def close(self, lane: int) -> tuple[int, int]:
        """End the lane's window and start an empty one.

        Returns:
          The window's code and the number of symbols it stands for.
        """
        code, length = int(self.low[lane]), int(self.lengths[lane])
        self.restart(lane)
        return code, length


class ExactDecoder(_Prefixes):
    """Codes being read, one a lane."""

    def __init__(self, code: ExactCode, lanes: int) -> None:
        super().__init__(code, lanes)
        self.codes: Wide = np.zeros_like(self.low)

    def begin(self, lane: int, code: int) -> None:
        """Start reading `code`, a number in [0, 2^W)."""
        self.restart(lane)
        self.codes[lane] = code

    def descend(
        self, table: Frequencies, rows: Lanes, lanes: Lanes
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """Read the next symbol of each of some windows that are not finished.

        Args:
          table: uint32[any, 257] frequencies.
          rows: int64[k], the row of `table` that holds for each.
          lanes: int64[k].

        Returns:
          int32[k] symbols, and bool[k]: True where that was the window's last.
        """
        root, q, r = self.shares(lanes)
        target = self.codes[lanes] - self.low[lanes] - np.where(root, 0, 1)
        some = q > 0
        # target = tq q + tr. Small parts are below `bound`: larger values need not be told apart.
        bound = (1 << self.precision) + NUM_SYMBOLS
        divisor = np.where(some, q, 1)
        tq = np.where(some, target // divisor, 0).astype(np.int64)
        tr = np.minimum(np.where(some, target % divisor, target), bound).astype(np.int64)
        q_small = np.minimum(q, bound).astype(np.int64)
        symbols, *parts = _find(table, rows, q_small, r, tq, tr, root, self.precision)
        start, self.size[lanes] = self.child(q, *parts)
        self.low[lanes] += start
        self.lengths[lanes] += 1
        return symbols, (self.low[lanes] == self.codes[lanes]).astype(np.bool_)

    def result(self, lane: int) -> tuple[int, bool]:
        """Return the number of symbols in a finished window, and True: every code is valid."""
        return int(self.lengths[lane]), True


@njit(cache=True, nogil=True)
def _small_shares(
    row: Frequencies,
    r: int,
    precision: int,
    shares: npt.NDArray[np.int32],
    remainders: npt.NDArray[np.int32],
) -> None:
    """Fill shares[257]: floor(f r / 2^P), and one more for each of the largest remainders.

    In vectors of 32 bits, and so that nothing wraps but what is masked: f and r / 2^9 are at most
    2^20 and 2^11. numba widens what is not cast back.
    """
    mask, nine = np.uint32((1 << precision) - 1), np.uint32(9)
    whole, high, low = np.uint32(r), np.uint32(r >> 9), np.uint32(r & 511)
    shift = np.uint32(precision - 9)
    given = np.uint32(0)
    for symbol in range(NUM_SYMBOLS):
        f = np.uint32(row[symbol])
        upper = np.uint32(np.uint32(f * high) + np.uint32(np.uint32(f * low) >> nine))
        share = np.uint32(upper >> shift)
        shares[symbol] = np.int32(share)
        remainders[symbol] = np.int32(np.uint32(f * whole) & mask)
        given = np.uint32(given + share)
    limit, ties = threshold(remainders, np.int64(r) - np.int64(given))
    last = np.int32(limit)
    for symbol in range(NUM_SYMBOLS):
        shares[symbol] += np.int32(remainders[symbol] > last)
    symbol = 0
    while ties > 0:
        if remainders[symbol] == last:
            shares[symbol] += np.int32(1)
            ties -= 1
        symbol += 1


@njit(cache=True, nogil=True)
def _small_parts(
    table: Frequencies,
    rows: Lanes,
    symbols: npt.NDArray[np.int32],
    r: Lanes,
    root: npt.NDArray[np.bool_],
    precision: int,
) -> tuple[Lanes, Lanes, Lanes, Lanes]:
    """For one symbol a lane: frequency below it, its own, small start and small count."""
    size = rows.size
    below, frequency = np.zeros(size, np.int64), np.zeros(size, np.int64)
    start, count = np.zeros(size, np.int64), np.zeros(size, np.int64)
    shares, remainders = np.empty(NUM_SYMBOLS, np.int32), np.empty(NUM_SYMBOLS, np.int32)
    for index in range(size):
        row = table[rows[index]]
        _small_shares(row, r[index], precision, shares, remainders)
        wanted = np.int64(symbols[index])
        place, total = np.int32(0), np.uint32(0)
        for symbol in range(wanted):
            place += shares[symbol]
            total += row[symbol]
        below[index], frequency[index] = total, row[wanted]
        # At the root each child has a code of its own; elsewhere the prefix keeps one.
        start[index] = place + (wanted if root[index] else 1)
        count[index] = shares[wanted] + (1 if root[index] else 0)
    return below, frequency, start, count


@njit(cache=True, nogil=True)
def _find(
    table: Frequencies,
    rows: Lanes,
    q: Lanes,
    r: Lanes,
    tq: Lanes,
    tr: Lanes,
    root: npt.NDArray[np.bool_],
    precision: int,
) -> tuple[npt.NDArray[np.int32], Lanes, Lanes, Lanes, Lanes]:
    """Find the child that owns point tq q + tr (tr < q, or q = 0) and return its small parts.

    `q` and `tr` may be cut at any bound that no small start exceeds.
    """
    size = rows.size
    found = np.zeros(size, np.int32)
    below, frequency = np.zeros(size, np.int64), np.zeros(size, np.int64)
    start, count = np.zeros(size, np.int64), np.zeros(size, np.int64)
    shares, remainders = np.empty(NUM_SYMBOLS, np.int32), np.empty(NUM_SYMBOLS, np.int32)
    for index in range(size):
        row = table[rows[index]]
        _small_shares(row, r[index], precision, shares, remainders)
        extra = 1 if root[index] else 0
        place, total = np.int64(0), np.int64(0)
        for symbol in range(NUM_SYMBOLS):
            share = np.int64(shares[symbol]) + extra
            next_place = place + share
            next_total = total + np.int64(row[symbol])
            # Is the end of this child, next_total q + next_place, above the point?
            ahead = tq[index] - next_total
            if q[index] == 0:
                inside = next_place > tr[index]
            elif ahead < 0:
                inside = True
            else:
                inside = next_place > ahead * q[index] + tr[index]
            if inside:
                found[index], below[index], frequency[index] = symbol, total, row[symbol]
                start[index], count[index] = place + (1 - extra), share
                break
            place, total = next_place, next_total
    return found, below, frequency, start, count


@njit(cache=True, nogil=True)
def child_points(
    n: int,
    frequencies: Frequencies,
    precision: int,
    root: bool,
    starts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
) -> None:
    """Fill starts and counts (int64[257] each) of the children of a prefix of n <= 2^62 codes."""
    shared = n - NUM_SYMBOLS if root else n - 1
    q = shared >> precision
    shares, remainders = np.empty(NUM_SYMBOLS, np.int32), np.empty(NUM_SYMBOLS, np.int32)
    _small_shares(frequencies, shared & ((1 << precision) - 1), precision, shares, remainders)
    place = 0 if root else 1
    for symbol in range(NUM_SYMBOLS):
        counts[symbol] = shares[symbol] + np.int64(frequencies[symbol]) * q + (1 if root else 0)
        starts[symbol] = place
        place += counts[symbol]
