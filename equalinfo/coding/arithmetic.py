"""Arithmetic coding of a whole text into one bit string, for `ac` and `static_ac` [paper 3.3].

A text owns the interval [low, low + range) / 2^(32 + k), where k bits are settled up to a carry and
range is kept in [2^31, 2^32] by doubling. A symbol with cumulative frequency F to F' takes the part
from floor(range F / 2^P) to floor(range F' / 2^P) of it. At the end comes the shortest bit string
whose cell lies in the interval (the lowest such cell): it reads right whatever follows it. The
string does not say how many symbols it holds; the decoder is told.

Cost: range >= 2^31 and P <= 20 lose at most 2^-11 of a symbol's share (2^-17 at P = 14), and the
end less than two bits.

The encoder keeps `low` within 32 bits and carries into bits already written;
`tests/coding/reference.py` keeps all of `low` in one Python integer.
"""

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.coding.bits import Bits
from equalinfo.jit import njit
from equalinfo.m1.base import Frequencies, check_precision

RANGE_BITS = 32
TOP = 1 << RANGE_BITS
HALF = 1 << (RANGE_BITS - 1)


def encode(
    starts: npt.NDArray[np.uint32], frequencies: npt.NDArray[np.uint32], precision: int
) -> tuple[Bits, npt.NDArray[np.int64]]:
    """Code a text, given for each symbol the interval of [0, 2^P) that its model gave it.

    Args:
      starts: uint32[n], the sum of the frequencies of lower symbols.
      frequencies: uint32[n], each >= 1.
      precision: P, 9..20.

    Returns:
      uint8[m] of 0 and 1, exactly as many as needed (none for no symbols); and int64[n] `settled`:
      the first settled[i] bits cannot be changed by any symbol after i. Non-decreasing, <= m.

    Raises:
      ValueError: an interval that is empty or leaves [0, 2^P).
    """
    check_precision(precision)
    starts = np.ascontiguousarray(starts, np.uint32)
    frequencies = np.ascontiguousarray(frequencies, np.uint32)
    if starts.ndim != 1 or starts.shape != frequencies.shape:
        raise ValueError(
            f"starts {starts.shape} and frequencies {frequencies.shape}: expected [n] and [n], one "
            "of each for a symbol."
        )
    ends = starts.astype(np.int64) + frequencies
    bad = np.flatnonzero((frequencies < 1) | (ends > 1 << precision))
    if bad.size:
        raise ValueError(
            f"symbol {bad[0]} has the interval [{starts[bad[0]]}, {ends[bad[0]]}); expected it not "
            f"empty and inside [0, 2^{precision})."
        )
    # A symbol doubles at most P + 1 times: floor(2^31 / 2^P) >= 2^(31 - P).
    bits = np.empty(starts.size * (precision + 1) + RANGE_BITS, np.uint8)
    settled = np.empty(starts.size, np.int64)
    count = _encode(ends - frequencies, ends, precision, bits, settled)
    return bits[:count].copy(), settled


def check_is_code(bits: Bits, code: Bits, max_padding: int, what: str) -> None:
    """Whether `bits` are `code` and at most `max_padding` zeros.

    A decoder reads zeros behind the end and ignores what it does not need, so it makes some text of
    bits that were cut off or that go on: coding the text again tells.

    Raises:
      ValueError: they are not; the message begins with `what`.
    """
    if len(bits) < len(code) or not np.array_equal(bits[: len(code)], code):
        raise ValueError(
            f"{what}: its {len(bits)} bits are no code of a text of this length. They are cut off, "
            "changed, or those of another text, length or codec."
        )
    if len(bits) - len(code) > max_padding or bits[len(code) :].any():
        raise ValueError(
            f"{what}: {len(bits) - len(code)} bits are left over after its symbols, of which at "
            f"most {max_padding} may be, all 0. Give the bits of one text only, and its own length."
        )


def decode_static(
    bits: Bits, cumulative: npt.NDArray[np.uint32], num_symbols: int, precision: int
) -> Symbols:
    """Read a text coded with the same frequencies for every symbol.

    Args:
      bits: uint8[m] of 0 and 1; what follows them reads as zeros.
      cumulative: uint32[258], see `frequencies.cumulative`.
      num_symbols: how many symbols to read. The bits do not tell.
      precision: P.

    Returns:
      uint16[num_symbols].
    """
    check_precision(precision)
    if cumulative.shape != (NUM_SYMBOLS + 1,) or cumulative[-1] != 1 << precision:
        raise ValueError(
            f"cumulative has shape {cumulative.shape} and ends with {cumulative[-1]}; expected "
            f"[{NUM_SYMBOLS + 1}] and {1 << precision}. Use frequencies.cumulative."
        )
    counts = cumulative[1:].astype(np.int64) - cumulative[:-1]
    symbol_of = np.repeat(np.arange(NUM_SYMBOLS, dtype=np.uint16), counts)
    out = np.empty(num_symbols, np.uint16)
    _decode_static(
        np.ascontiguousarray(bits, np.uint8), cumulative.astype(np.int64), symbol_of, precision, out
    )
    return out


class TextDecoder:
    """Bit strings being read, one a lane, with frequencies that a model gives at each step.

    Args:
      lanes: how many.
      precision: P of the frequencies.
    """

    def __init__(self, lanes: int, precision: int) -> None:
        """Make room for `lanes` bit strings."""
        check_precision(precision)
        self.precision = precision
        self._bits = np.zeros((lanes, 1024), np.uint8)
        self._value = np.zeros(lanes, np.int64)
        self._range = np.full(lanes, TOP, np.int64)
        self._place = np.zeros(lanes, np.int64)

    def begin(self, lane: int, bits: Bits) -> None:
        """Start reading `bits`, uint8[m] of 0 and 1."""
        width = self._bits.shape[1]
        if len(bits) > width:
            self._bits = np.pad(self._bits, ((0, 0), (0, max(width, len(bits) - width))))
        self._bits[lane, : len(bits)] = bits
        self._bits[lane, len(bits) :] = 0
        self._value[lane], self._range[lane], self._place[lane] = 0, TOP, 0
        self._value[lane] = _pull(self._bits[lane], self._place, lane, RANGE_BITS)

    def descend(
        self,
        table: Frequencies,
        rows: npt.NDArray[np.int64],
        lanes: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int32]:
        """Read the next symbol of each of some lanes.

        Args:
          table: uint32[any, 257] frequencies.
          rows: int64[k], the row of `table` that holds for each.
          lanes: int64[k].

        Returns:
          int32[k] symbols.
        """
        symbols = np.empty(lanes.size, np.int32)
        _descend(
            table,
            rows,
            lanes,
            self._bits,
            self._value,
            self._range,
            self._place,
            self.precision,
            symbols,
        )
        return symbols


@njit(cache=True, nogil=True)
def _encode(
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    precision: int,
    bits: Bits,
    settled: npt.NDArray[np.int64],
) -> int:
    low, size, count = 0, TOP, 0
    zero = -1  # where the last 0 bit is, -1 for nowhere: a carry stops there
    for index in range(starts.size):
        first = size * int(starts[index]) >> precision
        last = size * int(ends[index]) >> precision
        low += first
        size = last - first
        if low >= TOP:
            low -= TOP
            zero = _carry(bits, count, zero)
        while size < HALF:
            bit = int(low >> (RANGE_BITS - 1))
            bits[count] = bit
            if bit == 0:
                zero = count
            count += 1
            low = 2 * (low - bit * HALF)
            size *= 2
        settled[index] = count if low + size <= TOP else zero
    cell = TOP
    length = 0
    while True:
        place = (low + cell - 1) // cell
        if (place + 1) * cell <= low + size:
            break
        cell //= 2
        length += 1
    if place >> length:
        _carry(bits, count, zero)
    for bit in range(length - 1, -1, -1):
        bits[count] = place >> bit & 1
        count += 1
    return count


@njit(cache=True, nogil=True)
def _carry(bits: Bits, count: int, zero: int) -> int:
    """Add one to the bits as a number; return where its last 0 is afterwards."""
    bits[zero] = 1
    for place in range(zero + 1, count):
        bits[place] = 0
    if zero + 1 < count:
        return count - 1
    zero -= 1
    while zero >= 0 and bits[zero] == 1:
        zero -= 1
    return zero


@njit(cache=True, nogil=True)
def _decode_static(
    bits: Bits,
    cumulative: npt.NDArray[np.int64],
    symbol_of: Symbols,
    precision: int,
    out: Symbols,
) -> None:
    value, size, place = 0, TOP, 0
    for _ in range(RANGE_BITS):
        value = 2 * value + (bits[place] if place < bits.size else 0)
        place += 1
    for index in range(out.size):
        # floor(size F / 2^P) <= v  <=>  F <= ((v + 1) 2^P - 1) / size
        symbol = symbol_of[(((value + 1) << precision) - 1) // size]
        first = size * cumulative[symbol] >> precision
        size = (size * cumulative[symbol + 1] >> precision) - first
        value -= first
        while size < HALF:
            value = 2 * value + (bits[place] if place < bits.size else 0)
            place += 1
            size *= 2
        out[index] = symbol


@njit(cache=True, nogil=True)
def _pull(bits: Bits, places: npt.NDArray[np.int64], lane: int, count: int) -> int:
    """Read `count` bits at places[lane] as a number, and move on."""
    value = 0
    for place in range(places[lane], places[lane] + count):
        value = 2 * value + (int(bits[place]) if place < bits.size else 0)
    places[lane] += count
    return value


@njit(cache=True, nogil=True)
def _descend(
    table: Frequencies,
    rows: npt.NDArray[np.int64],
    lanes: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint8],
    values: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    precision: int,
    symbols: npt.NDArray[np.int32],
) -> None:
    for index in range(lanes.size):
        lane = lanes[index]
        row = table[rows[index]]
        size = int(sizes[lane])
        # floor(size F / 2^P) <= v  <=>  F <= ((v + 1) 2^P - 1) / size
        target = (((int(values[lane]) + 1) << precision) - 1) // size
        total = 0
        symbol = 0
        while total + int(row[symbol]) <= target:
            total += int(row[symbol])
            symbol += 1
        first = size * total >> precision
        size = (size * (total + int(row[symbol])) >> precision) - first
        shift = 0
        while size < HALF:
            size *= 2
            shift += 1
        values[lane] = ((values[lane] - first) << shift) | _pull(bits[lane], places, lane, shift)
        sizes[lane] = size
        symbols[index] = symbol
