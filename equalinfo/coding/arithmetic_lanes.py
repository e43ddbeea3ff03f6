"""Read many arithmetic-coded texts side by side, one a lane, a model giving the frequencies.

The same integers as `arithmetic.decode_reference`; `equalinfo.coding.whole_text` drives it.
"""

import numpy as np
import numpy.typing as npt

from equalinfo.coding.arithmetic import HALF, RANGE_BITS, TOP, Bits
from equalinfo.jit import njit
from equalinfo.m1.base import Frequencies, check_precision


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
