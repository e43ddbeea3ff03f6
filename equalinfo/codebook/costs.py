"""Shares of tokens as costs, in integers: a float logarithm may round differently elsewhere."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

SCALE = 256
"""Units of a bit."""

_DIGITS = 16  # binary digits of a logarithm behind the point
_SEEN = 20  # what an occurrence weighs; each text has one unit more, so that none costs infinitely


def log2(values: Integers) -> Integers:
    """Logarithms times 2^16, rounded down: int64[n], for values of 1 to 2^63 - 1."""
    mantissa = values.astype(np.uint64)
    whole = np.zeros(len(values), np.int64)
    for shift in (32, 16, 8, 4, 2, 1):
        large = mantissa >> np.uint64(shift) > 0
        whole += large * shift
        mantissa = np.where(large, mantissa >> np.uint64(shift), mantissa)
    left = np.maximum(31 - whole, 0).astype(np.uint64)
    right = np.maximum(whole - 31, 0).astype(np.uint64)
    mantissa = values.astype(np.uint64) << left >> right  # in [2^31, 2^32)
    fraction = np.zeros(len(values), np.int64)
    for _ in range(_DIGITS):  # square, and see whether it passes 2
        mantissa = mantissa * mantissa >> np.uint64(31)
        passed = mantissa >> np.uint64(32)
        mantissa >>= passed
        fraction = fraction << 1 | passed.astype(np.int64)
    return whole << _DIGITS | fraction


def information(counts: Integers) -> Integers:
    """-log2 of each text's share of the tokens, in 1/256 bit, rounded up, at least 1: int64[n].

    Args:
      counts: int64[n], occurrences, below 2^50 in all.
    """
    weights = counts * _SEEN + 1
    return np.maximum(bits(weights, int(weights.sum())), 1)


def bits(counts: Integers, total: int) -> Integers:
    """-log2(count / total) in 1/256 bit, rounded up: int64[n]."""
    unit = _DIGITS - 8
    return (log2(np.array([total]))[0] - log2(counts) + (1 << unit) - 1) >> unit
