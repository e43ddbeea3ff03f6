"""The exact Equal-Info code: W bits for each window of text, coded and decoded with no look-ahead.

A prefix of text owns an interval [lo, lo+n) of the codes [0, 2^W). It keeps its first code, lo, for
itself ("stop here") and shares the others among its 257 children; the empty prefix keeps none, and
gives each child one code before it shares the rest. Encoding walks down while the next symbol owns
a code, then writes lo. Decoding walks towards the code until it is lo. docs/exact-code.md has the
proofs: lossless, and every code means exactly one non-empty text.

This file is the reference, in plain Python integers, and the arithmetic that the fast coders
(`equalinfo.coding.exact_lanes`) must equal.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.apportionment import winners
from equalinfo.coding.bits import MAX_WINDOW_BITS, MIN_WINDOW_BITS
from equalinfo.m1.base import Frequencies, check_precision

NextFrequencies = Callable[[list[int]], Frequencies]
"""From the symbols of the window so far to uint32[257], the frequencies of the next one."""


def check_window_bits(window_bits: int) -> None:
    """Raise ValueError unless 9 <= window_bits <= 128."""
    if not MIN_WINDOW_BITS <= window_bits <= MAX_WINDOW_BITS:
        raise ValueError(
            f"window_bits={window_bits} is outside {MIN_WINDOW_BITS}..{MAX_WINDOW_BITS}: fewer "
            f"bits cannot tell {NUM_SYMBOLS} symbols apart. Use one of 16, 24, 32, 64, 128."
        )


def children(
    n: int, frequencies: npt.NDArray[np.integer], precision: int, root: bool
) -> list[tuple[int, int]]:
    """Share the codes of a prefix among its children.

    Args:
      n: codes the prefix owns: 2^W at the root, at least 1 elsewhere.
      frequencies: uint32[257], summing to 2^precision.
      precision: P.
      root: whether the prefix is empty.

    Returns:
      For each symbol (start relative to the prefix's lo, count); contiguous and in symbol order.
      Counts are >= 1 at the root, and sum to n there and to n - 1 elsewhere.
    """
    shared = n - NUM_SYMBOLS if root else n - 1
    products = [int(frequency) * shared for frequency in frequencies]
    counts = [product >> precision for product in products]
    remainders = [product & ((1 << precision) - 1) for product in products]
    bonus = winners(remainders, shared - sum(counts))
    start = 0 if root else 1
    out = []
    for count, extra in zip(counts, bonus, strict=True):
        count += extra + root
        out.append((start, count))
        start += count
    return out


def encode_reference(
    symbols: Sequence[int], next_frequencies: NextFrequencies, window_bits: int, precision: int
) -> list[tuple[int, int]]:
    """Code a text, window after window.

    Args:
      symbols: numbers in 0..256.
      next_frequencies: M1; it sees the current window only.
      window_bits: W.
      precision: P of the frequencies.

    Returns:
      For each window (code, number of symbols).
    """
    check_window_bits(window_bits)
    check_precision(precision)
    out = []
    window: list[int] = []
    low, n = 0, 1 << window_bits
    for symbol in symbols:
        start, count = children(n, next_frequencies(window), precision, not window)[symbol]
        if count == 0:
            out.append((low, len(window)))
            window, low, n = [], 0, 1 << window_bits
            start, count = children(n, next_frequencies(window), precision, True)[symbol]
        window.append(int(symbol))
        low, n = low + start, count
    if window:
        out.append((low, len(window)))
    return out


def decode_reference(
    code: int, next_frequencies: NextFrequencies, window_bits: int, precision: int
) -> list[int]:
    """Return the one text that `code` means, at least one symbol."""
    check_window_bits(window_bits)
    check_precision(precision)
    if not 0 <= code < 1 << window_bits:
        raise ValueError(f"code {code} does not fit {window_bits} bits.")
    window: list[int] = []
    low, n = 0, 1 << window_bits
    while not window or code != low:
        shares = children(n, next_frequencies(window), precision, not window)
        symbol = next(
            index
            for index, (start, count) in enumerate(shares)
            if low + start <= code < low + start + count
        )
        start, count = shares[symbol]
        window.append(symbol)
        low, n = low + start, count
    return window
