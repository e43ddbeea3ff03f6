"""Integer functions, compared with Python's at the ends of their ranges and around."""

import math
from typing import Any

import numpy as np
import pytest

from equalinfo.m1.frozen.arithmetic import MAX_SUM, MULTIPLIER_BITS, norm_bits
from equalinfo.m1.frozen.cpu import integers as cpu_integers
from m1.frozen.models import Ints, draw


def around(points: list[int], top: int) -> Ints:
    """int64: all numbers next to these, in 0..top."""
    near = {point + step for point in points for step in (-2, -1, 0, 1, 2)}
    return np.array(sorted(x for x in near if 0 <= x <= top), np.int64)


def roots() -> Ints:
    squares = [root * root for root in [*draw("roots", 200, 0, 1 << 15).tolist(), 1 << 15]]
    return np.append(around([*range(40), *squares, 1 << 30], 1 << 30), draw("any", 500, 0, 1 << 30))


POWERS = around([1 << bit for bit in range(31)], (1 << 31) - 1)
X = draw("x", 3000, 1 - MAX_SUM, MAX_SUM - 1)
MULTIPLIERS = draw("m", 3000, 0, 1 << MULTIPLIER_BITS)
X[:6] = [1 - MAX_SUM, MAX_SUM - 1, 1 - MAX_SUM, MAX_SUM - 1, -1, 4095]
MULTIPLIERS[:6] = [1 << MULTIPLIER_BITS] * 2 + [0, 0] + [1 << MULTIPLIER_BITS] * 2


def test_on_the_cpu() -> None:
    for x in roots().tolist():
        assert cpu_integers.square_root(np.int32(x)) == math.isqrt(x)
    for x in POWERS.tolist():
        assert cpu_integers.bit_length(np.int32(x)) == x.bit_length()
    for x, m in zip(X.tolist(), MULTIPLIERS.tolist(), strict=True):
        assert cpu_integers.multiply_high(np.int32(x), np.int32(m)) == x * m >> 12


def test_in_jax() -> None:
    jax = pytest.importorskip("jax", reason="needs JAX: pip install 'equalinfo[train]'")
    from equalinfo.m1.frozen import jax_network

    def array(x: Ints) -> Any:
        return jax.numpy.asarray(x, np.int32)

    squares = roots()
    wanted = [math.isqrt(x) for x in squares.tolist()]
    assert jax_network._square_root(array(squares)).tolist() == wanted
    wanted = [x.bit_length() for x in POWERS.tolist()]
    assert jax_network._bit_length(array(POWERS)).tolist() == wanted
    x, m = array(X), array(MULTIPLIERS)
    np.testing.assert_array_equal(jax_network._multiply_high(x, m), X * MULTIPLIERS >> 12)
    for shift in (13, 14, 20, 43):
        rounded = X * MULTIPLIERS + (1 << shift - 1) >> shift
        np.testing.assert_array_equal(jax_network._multiply(x, m, shift), rounded)


def test_squares_of_a_norm_fit() -> None:
    for width in range(1, 1041):
        # A number that is rounded up may be 2^bits itself.
        assert width << 2 * norm_bits(width) <= 1 << 30
