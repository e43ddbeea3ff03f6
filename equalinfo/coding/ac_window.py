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
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equalinfo.coding.exact import NextFrequencies, check_window_bits
from equalinfo.m1.base import check_precision

if TYPE_CHECKING:
    from equalinfo.coding.ac_window_lanes import PaperDecoder, PaperEncoder

GUARD_BITS = 2
"""S - W - P: a child of a text that fits keeps at least 2^2 points, so it is never empty."""


@dataclass(frozen=True)
class PaperWindow:
    """The paper's code with W-bit windows, as `equalinfo.coding.lanes` drives it.

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
        check_widths(self.window_bits, self.precision)

    def encoder(self, lanes: int) -> "PaperEncoder":
        """Return an encoder of `lanes` windows at once, all empty."""
        from equalinfo.coding.ac_window_lanes import PaperEncoder

        return PaperEncoder(self, lanes)

    def decoder(self, lanes: int) -> "PaperDecoder":
        """Return a decoder of `lanes` windows at once."""
        from equalinfo.coding.ac_window_lanes import PaperDecoder

        return PaperDecoder(self, lanes)


def check_widths(window_bits: int, precision: int) -> None:
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


def _child(low: int, size: int, start: int, end: int, precision: int) -> tuple[int, int]:
    first = size * start >> precision
    return low + first, (size * end >> precision) - first


def encode_reference(
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
    check_widths(window_bits, precision)
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


def decode_reference(
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
    check_widths(window_bits, precision)
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
