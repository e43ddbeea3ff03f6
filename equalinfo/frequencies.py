"""Frequencies of the 257 symbols that sum to 2^P, each at least 1: from counts or integer logits.

Rule, for every source: with M = 2^P - 257 points to share, f = 1 + floor(p M); the points left over
go one each to the largest remainders, ties to the lower symbol. So each symbol can be coded, and
each frequency is within one point of 1 + p M.

Everything is integer, here and below: all machines get the same frequencies, and the same tokens.
"""

import math

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.apportionment import threshold, winners
from equalinfo.jit import njit
from equalinfo.m1.base import DEFAULT_PRECISION, Frequencies, check_precision

LOG2_BITS = 10
"""Integer logits count 2^-LOG2_BITS bits."""

_WEIGHT_BITS = 20


def exp2_table(bits: int, scale_bits: int) -> npt.NDArray[np.int64]:
    """round(2^scale_bits 2^(-i / 2^bits)) for i in [0, 2^bits), in integer arithmetic alone."""
    places = 120  # of the fixed point: many more than are kept
    roots = []  # 2^(-1/2), 2^(-1/4), ...
    root = 1 << (places - 1)
    for _ in range(bits):
        root = math.isqrt(root << places)
        roots.append(root)
    table = [1 << places]
    for root in roots:
        # Twice as fine: each value, and each value times the smallest step.
        table = [x for value in table for x in (value, value * root >> places)]
    half = 1 << (places - scale_bits - 1)
    return np.array([(value + half) >> (places - scale_bits) for value in table], np.int64)


LOG2_WEIGHTS = exp2_table(LOG2_BITS, _WEIGHT_BITS)


def check(frequencies: npt.NDArray[np.integer], precision: int) -> None:
    """Raise ValueError unless `frequencies` is integer[..., 257], each >= 1, of sum 2^precision."""
    check_precision(precision)
    if frequencies.ndim < 1 or frequencies.shape[-1] != NUM_SYMBOLS:
        raise ValueError(
            f"frequencies have shape {frequencies.shape}; expected [..., {NUM_SYMBOLS}], "
            "one per byte and one for EOS."
        )
    if not np.issubdtype(frequencies.dtype, np.integer):
        raise ValueError(
            f"frequencies are {frequencies.dtype}; expected integers. Build them with "
            "equalinfo.frequencies."
        )
    rows = frequencies.reshape(-1, NUM_SYMBOLS).astype(np.int64)
    outside = np.argwhere((rows < 1) | (rows > 1 << precision))  # the sum of larger ones could wrap
    if outside.size:
        row, symbol = outside[0]
        raise ValueError(
            f"frequency {rows[row, symbol]} of symbol {symbol} in row {row} is not in "
            f"1..2^{precision}: that symbol could not be coded. Build them with "
            "equalinfo.frequencies."
        )
    sums = rows.sum(axis=-1)
    wrong = np.flatnonzero(sums != 1 << precision)
    if wrong.size:
        raise ValueError(
            f"frequencies in row {wrong[0]} sum to {sums[wrong[0]]}; expected 2^{precision} = "
            f"{1 << precision}. Build them with equalinfo.frequencies."
        )


def from_counts(counts: npt.ArrayLike, precision: int = DEFAULT_PRECISION) -> Frequencies:
    """Share 2^precision points by integer counts, in exact integer arithmetic.

    Args:
      counts: int64[257], each >= 0, at least one > 0.
      precision: P.

    Returns:
      uint32[257], each >= 1, summing to 2^precision.

    Raises:
      ValueError: wrong shape or type, a negative count, or nothing counted.
    """
    check_precision(precision)
    array = np.asarray(counts)
    if array.shape != (NUM_SYMBOLS,) or not np.issubdtype(array.dtype, np.integer):
        raise ValueError(
            f"counts are {array.dtype}{list(array.shape)}; expected integers [{NUM_SYMBOLS}]."
        )
    values = [int(value) for value in array]
    total = sum(values)
    if min(values) < 0 or total == 0:
        raise ValueError(
            f"counts have minimum {min(values)} and sum {total}; expected each >= 0 and a sum >= 1."
        )
    points = (1 << precision) - NUM_SYMBOLS
    floors = [value * points // total for value in values]
    bonus = winners([value * points % total for value in values], points - sum(floors))
    return np.array([1 + f + b for f, b in zip(floors, bonus, strict=True)], np.uint32)


def from_log2(logits: npt.NDArray[np.int16], precision: int = DEFAULT_PRECISION) -> Frequencies:
    """Shares 2^precision points by weights 2^logit, all in integers: the same on every machine.

    A weight is 2^20 for the largest logit of its row, and round(2^20 2^-f) >> w at a distance of
    w + f bits below (w whole, f < 1). The weights are shared as `from_counts` shares counts.

    Args:
      logits: int16[..., 257], log2 in 1/1,024, up to a constant a row.
      precision: P.

    Returns:
      uint32[..., 257], each >= 1, rows sum to 2^precision.
    """
    check_precision(precision)
    array = np.ascontiguousarray(logits)
    if array.ndim < 1 or array.shape[-1] != NUM_SYMBOLS or array.dtype != np.int16:
        raise ValueError(
            f"logits are {array.dtype}{list(array.shape)}; expected int16[..., {NUM_SYMBOLS}]."
        )
    out = np.empty(array.shape, np.uint32)
    share_log2_rows(
        array.reshape(-1, NUM_SYMBOLS), LOG2_WEIGHTS, precision, out.reshape(-1, NUM_SYMBOLS)
    )
    return out


def cumulative(frequencies: Frequencies) -> Frequencies:
    """Return uint32[..., 258]: the sum of the frequencies of all lower symbols, 2^P at the end."""
    out = np.zeros((*frequencies.shape[:-1], frequencies.shape[-1] + 1), np.uint32)
    np.cumsum(frequencies, axis=-1, dtype=np.uint32, out=out[..., 1:])
    return out


@njit(cache=True, nogil=True)
def _share_log2(
    row: npt.NDArray[np.int16],
    table: npt.NDArray[np.int64],
    precision: int,
    symbols: npt.NDArray[np.int64],
    remainders: npt.NDArray[np.int32],
    shares: npt.NDArray[np.int32],
) -> int:
    """`from_log2` of one row: who gets more than one point, and how many more.

    Most symbols lie more than 21 bits below the largest, and get their one point only.

    Args:
      row: int16[257].
      table: `LOG2_WEIGHTS`.
      precision: P.
      symbols: int64[258], filled with those symbols, ascending.
      remainders: scratch memory, int32[257].
      shares: int32[257], filled with what each of them gets.

    Returns:
      How many there are.
    """
    largest = row[0]
    for symbol in range(NUM_SYMBOLS):
        largest = max(largest, row[symbol])
    below = np.int32(_WEIGHT_BITS + 1) << np.int32(LOG2_BITS)
    lowest = np.int16(max(np.int32(largest) - below + np.int32(1), np.int32(-1 << 15)))
    size = np.uint64(0)
    for begin in range(0, NUM_SYMBOLS - 1, 16):
        found = np.int16(0)  # in vectors: most blocks hold none
        for symbol in range(begin, begin + 16):
            found |= np.int16(row[symbol] >= lowest)
        if found:
            for symbol in range(begin, begin + 16):
                symbols[size] = symbol
                size += np.uint64(row[symbol] >= lowest)
    symbols[size] = NUM_SYMBOLS - 1
    size += np.uint64(row[NUM_SYMBOLS - 1] >= lowest)
    total = np.int32(0)
    for index in range(size):
        distance = np.uint64(np.int32(largest) - np.int32(row[symbols[index]]))
        weight = table[distance & np.uint64((1 << LOG2_BITS) - 1)]
        shares[index] = np.int32(weight >> np.int64(distance >> np.uint64(LOG2_BITS)))
        total += shares[index]
    # Integers below 2^53 in floats, which have vectors of them on more CPUs than int64 has: the
    # quotient is off by one at most, and the remainder, exact, tells.
    points, whole = np.float64((1 << precision) - NUM_SYMBOLS), np.float64(total)
    inverse = 1.0 / whole
    left = np.int32((1 << precision) - NUM_SYMBOLS)
    for index in range(size):
        product = np.float64(shares[index]) * points
        share = np.floor(product * inverse)
        remainder = product - share * whole
        down, up = np.int32(remainder < 0.0), np.int32(remainder >= whole)
        remainders[index] = np.int32(remainder) + (down - up) * total
        shares[index] = np.int32(share) + up - down
        left -= shares[index]
    limit, ties = threshold(remainders[:size], left)
    for index in range(size):
        shares[index] += np.int32(remainders[index] > limit)
    for index in range(size if ties else 0):
        if remainders[index] == limit and ties > 0:
            shares[index] += np.int32(1)
            ties -= 1
    return int(size)


@njit(cache=True, nogil=True)
def share_log2_rows(
    rows: npt.NDArray[np.int16],
    table: npt.NDArray[np.int64],
    precision: int,
    out: npt.NDArray[np.uint32],
) -> None:
    """`from_log2` of int16[n, 257]."""
    symbols = np.empty(NUM_SYMBOLS + 1, np.int64)
    remainders, shares = np.empty(NUM_SYMBOLS, np.int32), np.empty(NUM_SYMBOLS, np.int32)
    for index in range(rows.shape[0]):
        size = _share_log2(rows[index], table, precision, symbols, remainders, shares)
        out[index] = 1
        for i in range(size):
            out[index, symbols[i]] += np.uint32(shares[i])


@njit(cache=True, nogil=True)
def intervals_log2(
    rows: npt.NDArray[np.int16],
    table: npt.NDArray[np.int64],
    precision: int,
    coded: npt.NDArray[np.int64],
    starts: npt.NDArray[np.uint32],
    sizes: npt.NDArray[np.uint32],
) -> None:
    """Fill starts[n] and sizes[n] with the interval that row i gives to coded[i]."""
    symbols = np.empty(NUM_SYMBOLS + 1, np.int64)
    remainders, shares = np.empty(NUM_SYMBOLS, np.int32), np.empty(NUM_SYMBOLS, np.int32)
    for index in range(coded.shape[0]):
        size = _share_log2(rows[index], table, precision, symbols, remainders, shares)
        start, own = coded[index], 1  # a point for each
        for i in range(size):
            start += shares[i] * (symbols[i] < coded[index])
            own += shares[i] * (symbols[i] == coded[index])
        starts[index], sizes[index] = start, own
