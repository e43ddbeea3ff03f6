"""Whether two methods differ by more than their seeds do: Welch's t-test [paper Table 11]."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Sample:
    """Scores of one method over seeds.

    Attributes:
      mean: of the scores.
      std: with n - 1 in the denominator; NaN for one score.
      n: scores.
    """

    mean: float
    std: float
    n: int


def summarize(values: Sequence[float]) -> Sample:
    """Mean and spread of one score a seed."""
    array = np.asarray(values, np.float64)
    std = float(array.std(ddof=1)) if len(array) > 1 else math.nan
    return Sample(float(array.mean()), std, len(array))


def welch(a: Sample, b: Sample) -> float:
    """Two-sided p-value of equal means, whatever the variances, of two scores each or more.

    The paper's border is 0.05.
    """
    result = stats.ttest_ind_from_stats(
        a.mean, a.std, a.n, b.mean, b.std, b.n, equal_var=False, alternative="two-sided"
    )
    return float(result.pvalue)
