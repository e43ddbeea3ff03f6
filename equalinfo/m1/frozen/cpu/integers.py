"""What all CPU kernels use: int32 arithmetic that stays int32 (numba makes int64 of it)."""

from typing import Any

import numpy as np
from numba import njit

from equalinfo.m1.frozen import arithmetic as a

i32 = np.int32
TOP = i32(a.INT8)


@njit(nogil=True, inline="always")
def multiply_high(x: Any, multiplier: Any) -> Any:
    """floor(x m / 2^12) for |x| < 2^24 and 0 <= m <= 2^15."""
    low = i32(i32(i32(x & i32(4095)) * multiplier) >> i32(12))
    return i32(i32(i32(x >> i32(12)) * multiplier) + low)


@njit(nogil=True, inline="always")
def clip(x: Any, limit: Any) -> Any:
    """Within -limit..limit."""
    return min(max(x, i32(-limit)), limit)


@njit(nogil=True)
def bit_length(x: Any) -> Any:
    """Of x >= 0."""
    bits = i32(0)
    while x:
        bits += i32(1)
        x >>= i32(1)
    return bits


@njit(nogil=True)
def square_root(x: Any) -> Any:
    """Rounded down."""
    root = np.int64(np.sqrt(float(x)))  # of a number below 2^31, then made exact
    while root * root > x:
        root -= 1
    while (root + 1) * (root + 1) <= x:
        root += 1
    return root
