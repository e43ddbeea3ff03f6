import math

import numpy as np
import pytest

from experiments.analysis.divergence import kl_percentiles, ngram_kl, random_bits


def bits_of(values, width: int) -> np.ndarray:
    return np.array([int(b) for v in values for b in f"{v:0{width}b}"], np.uint8)


@pytest.mark.parametrize("n", [1, 3, 8])
def test_a_counter_is_uniform(n):
    assert ngram_kl(bits_of(range(1 << n), n), n, overlapping=False)[0] == 0


def test_a_de_bruijn_sequence_is_uniform_where_n_grams_overlap():
    # Each 3-gram of bits once, the last two of them around the end.
    assert ngram_kl(np.array([0, 0, 0, 1, 0, 1, 1, 1, 0, 0]), 3)[0] == 0


@pytest.mark.parametrize("overlapping", [True, False])
def test_constant_bits_are_n_bits_away(overlapping):
    for n in (1, 4, 16):
        assert ngram_kl(np.zeros(64, np.uint8), n, overlapping)[0] == pytest.approx(n)


def test_overlap_tells_what_tokens_do_not_see():
    bits = np.array([0, 1] * 500, np.uint8)
    assert ngram_kl(bits, 2, overlapping=False)[0] == pytest.approx(2)
    # 500 times 01, 499 times 10
    assert ngram_kl(bits, 2)[0] == pytest.approx(1, abs=1e-5)


def test_estimators_by_hand():
    # 2-bit tokens 00 00 01 11: entropy 1.5 bits of 2; 3 seen among 4.
    bits = bits_of([0, 0, 1, 3], 2)
    plug_in, corrected = ngram_kl(bits, 2, overlapping=False)
    assert plug_in == pytest.approx(0.5)
    assert corrected == pytest.approx(0.5 - 2 / (8 * math.log(2)))


def test_what_does_not_fill_a_token_is_left_out():
    assert ngram_kl(np.array([0, 1, 1, 0, 1]), 2, overlapping=False)[0] == pytest.approx(1)


def test_miller_madow_is_less_biased_on_random_bits():
    runs = np.random.default_rng(1).integers(0, 2, (20, 8 * 1024))
    plug_in, corrected = np.mean([ngram_kl(bits, 8, False) for bits in runs], axis=0)
    # The true value is 0; plug-in is above it by about 255 / (2 * 1024 ln 2).
    assert plug_in == pytest.approx(255 / (2048 * math.log(2)), rel=0.15)
    assert abs(corrected) < plug_in / 5


def test_percentiles_are_of_disjoint_samples_in_order():
    # Samples of 4 bits: constant, constant, balanced, constant; the last bit is left over.
    bits = np.array([0] * 4 + [1] * 4 + [0, 1, 1, 0] + [1] * 4 + [0], np.uint8)
    got = kl_percentiles(bits, [1, 2], samples=4, percentiles=(0, 50, 100), overlapping=False)
    assert got.shape == (2, 2, 3)
    np.testing.assert_allclose(got[0], [[0, 1, 1], [1, 2, 2]])


def test_percentiles_rise_with_the_percentile():
    bits = np.random.default_rng(3).integers(0, 2, 100 * 500)
    got = kl_percentiles(bits, range(1, 7))
    assert got.shape == (2, 6, 3)
    assert np.all(np.diff(got, axis=2) > 0)


def test_too_little_data_is_refused_and_says_how_much_is_needed():
    with pytest.raises(ValueError, match=r"1599 bits are too few .* at least 1600 are needed"):
        kl_percentiles(np.zeros(1599, np.uint8), [1, 16])


def test_random_bits():
    assert [len(random_bits(m)) for m in (0, 1, 8, 9)] == [0, 1, 8, 9]
    assert set(random_bits(999).tolist()) == {0, 1}
