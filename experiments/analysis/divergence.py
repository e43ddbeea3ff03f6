"""How far from random bits are: KL divergence of their n-grams from uniform [paper 6.3, D.6].

A stream that a perfect coder wrote cannot be told from random bits: 0 at every n. On a sample of
finite size even random bits give more than 0, so a curve means something only beside that of
`random_bits` of the same number, and curves are comparable at equal sample size only.
"""

import math
import secrets
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

Bits = npt.NDArray[np.uint8]


def ngram_kl(bits: Bits, n: int, overlapping: bool = True) -> tuple[float, float]:
    """KL divergence of the n-grams of bits from uniform over all 2^n: n minus their entropy.

    Args:
      bits: uint8[m] of 0 and 1, m >= n.
      n: bits in an n-gram; 2^n counts are held in memory.
      overlapping: n-grams at every bit; else one after the other, as n-bit tokens (what is left at
        the end is not counted).

    Returns:
      Bits, 0 where all n-grams are equally frequent, by two estimates of the entropy: "plug-in",
      that of the empirical distribution, which is too low by about (n-grams seen - 1) / (2 N ln 2)
      bits for N n-grams; and "Miller-Madow", which adds that (and so can give less than 0).
    """
    step = 1 if overlapping else n
    number = (len(bits) - n) // step + 1
    values = np.zeros(number, np.int64)
    for offset in range(n):
        values = 2 * values + bits[offset : offset + (number - 1) * step + 1 : step]
    counts = np.bincount(values, minlength=1 << n)
    kl = float(stats.entropy(counts, np.ones(1 << n), base=2))
    return kl, kl - (int(np.count_nonzero(counts)) - 1) / (2 * number * math.log(2))


def kl_percentiles(
    bits: Bits,
    n_values: Sequence[int],
    samples: int = 100,
    percentiles: Sequence[float] = (5, 50, 95),
    overlapping: bool = True,
) -> npt.NDArray[np.float64]:
    """Percentiles of `ngram_kl` over disjoint samples of equal size, one after the other.

    Args:
      bits: uint8[m]; each sample has floor(m / samples) of them. Well above 2^n n-grams a sample
        (n 2^n bits, where they do not overlap) keep the estimators' bias small.
      n_values: each n of the curve.
      samples: their number; 100 in the paper.
      percentiles: 0..100.
      overlapping: see `ngram_kl`.

    Returns:
      float64[2, len(n_values), len(percentiles)], bits: plug-in and Miller-Madow.

    Raises:
      ValueError: a sample would not hold one n-gram of the longest n.
    """
    size = len(bits) // samples
    if size < max(n_values):
        raise ValueError(
            f"{len(bits)} bits are too few for samples={samples} with n={max(n_values)}: at least "
            f"{samples * max(n_values)} are needed, and {samples << max(n_values)} for an estimate "
            "that means something. Give more tokens, or fewer samples."
        )
    rows = bits[: samples * size].reshape(samples, size)
    # [n, samples, 2]
    values = np.array([[ngram_kl(row, n, overlapping) for row in rows] for n in n_values])
    return np.percentile(values, percentiles, axis=1).T


def random_bits(m: int) -> Bits:
    """The baseline, from which no n-gram can be told: uint8[m], of the system's random source."""
    data = np.frombuffer(secrets.token_bytes(-(-m // 8)), np.uint8)
    return np.unpackbits(data, count=m)
