"""The three codes as slow and obvious as can be, in Python integers; the fast ones must equal them.

`exact` is the code of `coding.exact`, `paper` that of `coding.paper`, `text` that of
`coding.arithmetic`.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.apportionment import winners
from equalinfo.coding.arithmetic import HALF, RANGE_BITS, TOP
from equalinfo.coding.bits import check_window_bits
from equalinfo.coding.paper import GUARD_BITS, check_fit, padded_code
from equalinfo.m1.base import Frequencies, check_precision

NextFrequencies = Callable[[list[int]], Frequencies]
"""From the symbols of the window so far to uint32[257], the frequencies of the next one."""


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


def encode_exact(
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


def encode_fewest(
    symbols: Sequence[int],
    next_frequencies: NextFrequencies,
    window_bits: int,
    precision: int,
    ahead: int,
) -> list[tuple[int, int]]:
    """The same with windows that leave up to `ahead` symbols to the next, see `coding.fewest`."""

    def full(begin: int, end: int | None = None) -> tuple[int, int]:
        return encode_exact(symbols[begin:end], next_frequencies, window_bits, precision)[0]

    out = []
    begin = 0
    while begin < len(symbols):
        stop = begin + full(begin)[1]
        if stop < len(symbols):
            places = range(max(begin + 1, stop - ahead), stop + 1)
            stop = max(places, key=lambda place: (place + full(place)[1], place))
        out.append(full(begin, stop))
        begin = stop
    return out


def decode_exact(
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


def encode_paper(
    symbols: Sequence[int],
    next_frequencies: NextFrequencies,
    window_bits: int,
    precision: int,
    delay: bool = False,
) -> list[tuple[int, int]]:
    """Code a text, window after window, M1 reset at each.

    Args:
      symbols: numbers in 0..256.
      next_frequencies: M1; it sees the current window only.
      window_bits: W.
      precision: P.
      delay: the lossless variant.

    Returns:
      For each window (code, number of symbols).
    """
    check_fit(window_bits, precision)
    scale_bits = window_bits + precision + GUARD_BITS
    out = []
    begin = 0
    while begin < len(symbols):
        window: list[int] = []
        low, size = 0, 1 << scale_bits
        codes: list[int] = []
        for symbol in symbols[begin:]:
            frequencies = [int(frequency) for frequency in next_frequencies(window)]
            start = sum(frequencies[:symbol])
            low, size = _child(low, size, start, start + frequencies[symbol], precision)
            code = padded_code(low, size, window_bits, scale_bits)
            if code < 0:
                break
            codes.append(code)
            window.append(int(symbol))
        length = codes.index(codes[-1]) + 1 if delay else len(codes)
        out.append((codes[-1], length))
        begin += length
    return out


def decode_paper(
    code: int,
    next_frequencies: NextFrequencies,
    window_bits: int,
    precision: int,
    delay: bool = False,
) -> tuple[list[int], bool]:
    """Read one window.

    Returns:
      The longest text with that code (with `delay` the shortest, not empty), and True. Where no
      text has it: the longest text on the way to it, and False.
    """
    check_fit(window_bits, precision)
    if not 0 <= code < 1 << window_bits:
        raise ValueError(f"code {code} does not fit {window_bits} bits.")
    scale_bits = window_bits + precision + GUARD_BITS
    point = code << (scale_bits - window_bits)
    window: list[int] = []
    best = 0
    low, size = 0, 1 << scale_bits
    while True:
        start = 0
        frequencies = [int(frequency) for frequency in next_frequencies(window)]
        symbol = 0
        while True:
            end = start + frequencies[symbol]
            child_low, child_size = _child(low, size, start, end, precision)
            if child_low <= point < child_low + child_size:
                break
            start, symbol = end, symbol + 1
        low, size = child_low, child_size
        found = padded_code(low, size, window_bits, scale_bits)
        if found < 0:
            return (window[:best], True) if best else (window, False)
        window.append(symbol)
        if found == code:
            best = len(window)
            if delay:
                return window, True


def _child(low: int, size: int, start: int, end: int, precision: int) -> tuple[int, int]:
    first = size * start >> precision
    return low + first, (size * end >> precision) - first


def encode_text(starts: Sequence[int], frequencies: Sequence[int], precision: int) -> list[int]:
    """Code a text, given each symbol's start and frequency in [0, 2^P); return bits, 0 or 1."""
    low, size, shift = 0, TOP, 0
    for start, frequency in zip(starts, frequencies, strict=True):
        first = size * int(start) >> precision
        size, low = (size * (int(start) + int(frequency)) >> precision) - first, low + first
        while size < HALF:
            low, size, shift = 2 * low, 2 * size, shift + 1
    cell = TOP
    while True:
        place = -(-low // cell)
        if (place + 1) * cell <= low + size:
            break
        cell //= 2
    length = shift + RANGE_BITS - cell.bit_length() + 1
    return [place >> bit & 1 for bit in range(length - 1, -1, -1)]


def decode_text(bits: Sequence[int], table: Sequence[Sequence[int]], precision: int) -> list[int]:
    """Read one symbol for each row of `table` (257 frequencies each)."""
    text = int("0" + "".join(map(str, bits)), 2)
    low, size, shift = 0, TOP, 0
    out = []
    for row in table:
        # The string, followed by zeros, as a number on the same scale as low.
        places = shift + RANGE_BITS - len(bits)
        point = text << places if places >= 0 else text >> -places
        total = 0
        symbol = 0
        while True:
            first = size * total >> precision
            last = size * (total + int(row[symbol])) >> precision
            if low + first <= point < low + last:
                break
            total, symbol = total + int(row[symbol]), symbol + 1
        out.append(symbol)
        low, size = low + first, last - first
        while size < HALF:
            low, size, shift = 2 * low, 2 * size, shift + 1
    return out
