import math

import numpy as np
import pytest

from experiments.analysis.divergence import kl_percentiles, ngram_kl, random_bits, token_bits


def bits_of(values, width: int) -> np.ndarray:
    return np.array([int(b) for v in values for b in f"{v:0{width}b}"], np.uint8)


def test_bits_of_tokens_are_big_endian():
    ids = np.array([3, 4, 3 + 0b101, 3 + 0b110], np.int32)
    assert token_bits(ids, 3).tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 1, 1, 1, 0]
    assert token_bits(np.array([3 + 0xFFFE], np.int32), 16).tolist() == [1] * 15 + [0]


@pytest.mark.parametrize(
    ("ids", "message"),
    [([4, 0], "token 1: id 0 is a special id"), ([11], "token 8 at index 0 does not fit 3 bits")],
)
def test_what_is_no_code_is_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        token_bits(np.array(ids, np.int32), 3)


@pytest.mark.parametrize("n", [1, 3, 8])
def test_a_counter_is_uniform(n):
    assert ngram_kl(bits_of(range(1 << n), n), n, overlapping=False) == 0


def test_a_de_bruijn_sequence_is_uniform_where_n_grams_overlap():
    # Each 3-gram of bits once, the last two of them around the end.
    assert ngram_kl(np.array([0, 0, 0, 1, 0, 1, 1, 1, 0, 0]), 3) == 0


@pytest.mark.parametrize("overlapping", [True, False])
def test_constant_bits_are_n_bits_away(overlapping):
    for n in (1, 4, 16):
        assert ngram_kl(np.zeros(64, np.uint8), n, overlapping) == pytest.approx(n)


def test_overlap_tells_what_tokens_do_not_see():
    bits = np.array([0, 1] * 500, np.uint8)
    assert ngram_kl(bits, 2, overlapping=False) == pytest.approx(2)
    # 500 times 01, 499 times 10
    assert ngram_kl(bits, 2) == pytest.approx(1, abs=1e-5)


def test_estimators_by_hand():
    # 2-bit tokens 00 00 01 11: entropy 1.5 bits of 2; 3 seen among 4.
    bits = bits_of([0, 0, 1, 3], 2)
    assert ngram_kl(bits, 2, overlapping=False) == pytest.approx(0.5)
    corrected = ngram_kl(bits, 2, overlapping=False, estimator="miller_madow")
    assert corrected == pytest.approx(0.5 - 2 / (8 * math.log(2)))


def test_what_does_not_fill_a_token_is_left_out():
    assert ngram_kl(np.array([0, 1, 1, 0, 1]), 2, overlapping=False) == pytest.approx(1)


def test_miller_madow_is_less_biased_on_random_bits():
    rng = np.random.default_rng(1)
    runs = [random_bits(8 * 1024, rng) for _ in range(20)]
    plug_in, corrected = (
        np.mean([ngram_kl(bits, 8, False, estimator) for bits in runs])
        for estimator in ("plug_in", "miller_madow")
    )
    # The true value is 0; plug-in is above it by about 255 / (2 * 1024 ln 2).
    assert plug_in == pytest.approx(255 / (2048 * math.log(2)), rel=0.15)
    assert abs(corrected) < plug_in / 5


def test_percentiles_are_of_disjoint_samples_in_order():
    # Samples of 4 bits: constant, constant, balanced, constant; the last bit is left over.
    bits = np.array([0] * 4 + [1] * 4 + [0, 1, 1, 0] + [1] * 4 + [0], np.uint8)
    got = kl_percentiles(bits, [1, 2], samples=4, percentiles=(0, 50, 100), overlapping=False)
    assert got.shape == (2, 3)
    np.testing.assert_allclose(got, [[0, 1, 1], [1, 2, 2]])


def test_percentiles_rise_with_the_percentile():
    bits = random_bits(100 * 500, np.random.default_rng(3))
    got = kl_percentiles(bits, range(1, 7))
    assert got.shape == (6, 3)
    assert np.all(np.diff(got, axis=1) > 0)


def test_too_little_data_is_refused_and_says_how_much_is_needed():
    with pytest.raises(ValueError, match=r"1599 bits are too few .* at least 1600 are needed"):
        kl_percentiles(np.zeros(1599, np.uint8), [1, 16])
    with pytest.raises(ValueError, match="3 bits hold no n-gram of n=4"):
        ngram_kl(np.zeros(3, np.uint8), 4)


def test_bytes_for_bits_are_refused():
    with pytest.raises(ValueError, match="expected uint8"):
        ngram_kl(np.array([0, 7, 255], np.uint8), 1)
    with pytest.raises(ValueError, match="n=25 is outside"):
        ngram_kl(np.zeros(64, np.uint8), 25)
    with pytest.raises(ValueError, match="is not plug_in or miller_madow"):
        ngram_kl(np.zeros(64, np.uint8), 2, estimator="other")


def test_random_bits():
    assert [len(random_bits(m)) for m in (0, 1, 8, 9)] == [0, 1, 8, 9]
    one, two = (random_bits(999, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert set(one.tolist()) == {0, 1}
