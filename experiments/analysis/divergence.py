"""How far from random bits are: KL divergence of their n-grams from uniform [paper 6.3, D.6].

A stream that a perfect coder wrote cannot be told from random bits: 0 at every n. On a sample of
finite size even random bits give more than 0, so a curve means something only beside that of
`random_bits` of the same number, and curves are comparable at equal sample size only.
"""

import math
import secrets
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from equalinfo.coding.bits import tokens_to_bits
from equalinfo.ids import ID_OFFSET

Bits = npt.NDArray[np.uint8]
Estimator = Literal["plug_in", "miller_madow"]

MAX_N = 24
"""2^n counts are held in memory."""


def token_bits(ids: npt.NDArray[np.int32], token_bits: int) -> Bits:
    """The bits of token ids, as a codec writes them.

    Args:
      ids: int32[n], code + 3; no padding.
      token_bits: N, 1..16.

    Returns:
      uint8[n * N] of 0 and 1, most significant bit first.
    """
    codes = np.asarray(ids, np.int64) - ID_OFFSET
    special = np.flatnonzero(codes < 0)
    if special.size:
        place = int(special[0])
        raise ValueError(
            f"token {place}: id {int(codes[place]) + ID_OFFSET} is a special id, which has no "
            "bits. Cut padding off, and take tokens of a method that writes bits."
        )
    return tokens_to_bits(codes, token_bits)


def ngram_kl(
    bits: Bits, n: int, overlapping: bool = True, estimator: Estimator = "plug_in"
) -> float:
    """KL divergence of the n-grams of bits from uniform over all 2^n: n minus their entropy.

    Args:
      bits: uint8[m] of 0 and 1.
      n: bits in an n-gram, 1..24.
      overlapping: n-grams at every bit; else one after the other, as n-bit tokens (what is left at
        the end is not counted).
      estimator: of the entropy. "plug_in" is that of the empirical distribution, too low by about
        (n-grams seen - 1) / (2 N ln 2) bits for N n-grams, which "miller_madow" adds.

    Returns:
      Bits; 0 where all n-grams are equally frequent. With "miller_madow" it can be below 0.
    """
    if estimator not in ("plug_in", "miller_madow"):
        raise ValueError(f"estimator={estimator!r} is not plug_in or miller_madow.")
    values = _ngrams(_checked(bits), n, overlapping)
    counts = np.bincount(values, minlength=1 << n)
    kl = float(stats.entropy(counts, np.ones(1 << n), base=2))
    if estimator == "plug_in":
        return kl
    seen = int(np.count_nonzero(counts))
    return kl - (seen - 1) / (2 * len(values) * math.log(2))


def kl_percentiles(
    bits: Bits,
    n_values: Sequence[int],
    samples: int = 100,
    percentiles: Sequence[float] = (5, 50, 95),
    overlapping: bool = True,
    estimator: Estimator = "plug_in",
) -> npt.NDArray[np.float64]:
    """Percentiles of `ngram_kl` over disjoint samples of equal size, one after the other.

    Args:
      bits: uint8[m]; each sample has floor(m / samples) of them. Well above 2^n n-grams a sample
        (n 2^n bits, where they do not overlap) keep the estimators' bias small.
      n_values: each n of the curve.
      samples: their number; 100 in the paper.
      percentiles: 0..100.
      overlapping: see `ngram_kl`.
      estimator: see `ngram_kl`.

    Returns:
      float64[len(n_values), len(percentiles)], bits.

    Raises:
      ValueError: a sample would not hold one n-gram of the longest n.
    """
    bits = _checked(bits)
    if samples < 1 or not len(n_values):
        raise ValueError(f"samples={samples}, n_values={list(n_values)}: give one or more of each.")
    size = len(bits) // samples
    if size < max(n_values):
        raise ValueError(
            f"{len(bits)} bits are too few for samples={samples} with n={max(n_values)}: at least "
            f"{samples * max(n_values)} are needed, and {samples << max(n_values)} for an estimate "
            "that means something. Give more tokens, or fewer samples."
        )
    # [samples, size]
    rows = bits[: samples * size].reshape(samples, size)
    values = [[ngram_kl(row, n, overlapping, estimator) for row in rows] for n in n_values]
    return np.percentile(np.array(values), percentiles, axis=1).T


def random_bits(m: int, rng: np.random.Generator | None = None) -> Bits:
    """The baseline: bits from which no n-gram can be told.

    Args:
      m: number of bits.
      rng: their source; None: the operating system, through `secrets`, as in the paper.

    Returns:
      uint8[m] of 0 and 1.
    """
    size = -(-m // 8)
    data = secrets.token_bytes(size) if rng is None else rng.bytes(size)
    return np.unpackbits(np.frombuffer(data, np.uint8), count=m)


def _ngrams(bits: Bits, n: int, overlapping: bool) -> npt.NDArray[np.int64]:
    """Values of the n-grams, int64[N]."""
    if not 1 <= n <= MAX_N:
        raise ValueError(f"n={n} is outside 1..{MAX_N}: 2^n n-grams are counted.")
    if len(bits) < n:
        raise ValueError(f"{len(bits)} bits hold no n-gram of n={n}. Give more tokens.")
    step = 1 if overlapping else n
    number = (len(bits) - n) // step + 1
    values = np.zeros(number, np.int64)
    for offset in range(n):
        values = 2 * values + bits[offset : offset + (number - 1) * step + 1 : step]
    return values


def _checked(bits: npt.ArrayLike) -> Bits:
    array = np.asarray(bits)
    if array.ndim != 1 or array.dtype.kind not in "iu" or np.any((array < 0) | (array > 1)):
        raise ValueError(
            f"bits are {array.dtype}{list(array.shape)}, expected uint8[m] of 0 and 1. "
            "Make them with token_bits or random_bits."
        )
    return array.astype(np.uint8, copy=False)
