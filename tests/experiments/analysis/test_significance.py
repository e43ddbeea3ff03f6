import math

import numpy as np
import pytest
from scipy import stats

from experiments.analysis.significance import Sample, summarize, welch


def test_summary_by_hand():
    assert summarize([1.0, 2.0, 3.0]) == Sample(2.0, 1.0, 3)
    one = summarize([4.0])
    assert (one.mean, one.n) == (4.0, 1) and math.isnan(one.std)


def test_from_summaries_as_from_the_scores():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 0.01, 5), rng.normal(1.01, 0.03, 7)
    expected = stats.ttest_ind(a, b, equal_var=False).pvalue
    assert welch(summarize(a), summarize(b)) == pytest.approx(expected, rel=1e-9)


def test_bytes_and_sentencepiece_of_table_11_differ():
    assert welch(Sample(1.2899, 0.0020, 5), Sample(1.1171, 0.0006, 5)) < 1e-7


def test_methods_within_their_spread_do_not_differ():
    assert welch(Sample(1.2899, 0.0020, 5), Sample(1.2902, 0.0020, 5)) > 0.5
