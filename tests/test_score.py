"""The formulas give the paper's own tables."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo import score

# Bytes/token [paper Tables 2, 9, 10, 12, 17], uniform bits/byte [Table 3].
UNIFORM = [
    ("Bytes", 256, 1.0, 8.000),
    ("SentencePiece", 32_000, 4.28, 3.497),
    ("AC v=256", 256, 5.49, 1.457),
    ("AC v=65k", 65_536, 10.98, 1.457),
    ("StaticAC v=256", 256, 1.73, 4.624),
    ("EqualInfoAC b=16 v=256", 256, 2.66, 3.008),
    ("EqualInfoAC b=32 v=256", 256, 3.49, 2.292),
    ("EqualInfoAC b=64 v=256", 256, 4.16, 1.923),
    ("EqualInfoAC b=128 v=256", 256, 4.61, 1.735),
    ("GZip v=256", 256, 2.23, 3.587),
]

# (bytes/token, M1's parameters in millions), M FLOPs/byte of 25m, 113m, 403m, 2b [Tables 15, 16,
# 17].
FLOPS = [
    ("Bytes", 1.0, 0, (50.00, 226.00, 806.00, 4000.00)),
    ("SentencePiece", 4.28, 0, (11.69, 52.82, 188.37, 934.84)),
    ("AC v=256", 5.49, 3, (15.11, 47.17, 152.81, 734.60)),
    ("AC v=65k", 10.98, 3, (10.55, 26.58, 79.41, 370.30)),
    ("StaticAC v=256", 1.73, 0, (28.90, 130.64, 465.90, 2310.00)),
    ("EqualInfoAC 16, 256", 2.66, 3, (24.80, 90.96, 309.01, 1510.00)),
    ("EqualInfoAC 16, 65k", 5.31, 3, (15.42, 48.56, 157.79, 759.30)),
    ("EqualInfoAC 128, 65k", 9.22, 3, (11.42, 30.51, 93.42, 439.84)),
    ("GZip v=256", 2.23, 0, (22.42, 101.35, 361.43, 1790.00)),
    ("Delay 16, 256", 2.20, 3, (28.73, 108.73, 372.36, 1820.00)),
]


@pytest.mark.parametrize(("name", "vocab", "ratio", "expected"), UNIFORM)
def test_uniform_is_the_papers(name: str, vocab: int, ratio: float, expected: float) -> None:
    # The paper prints the ratio to two decimals and divides the unrounded one.
    assert score.uniform_bits_per_byte(vocab, ratio) == pytest.approx(expected, rel=0.006 / ratio)


@pytest.mark.parametrize(("name", "ratio", "m1", "expected"), FLOPS)
def test_flops_are_the_papers(
    name: str, ratio: float, m1: float, expected: tuple[float, ...]
) -> None:
    for millions, flops in zip((25, 113, 403, 2000), expected, strict=True):
        assert score.flops_per_byte(millions * 1e6, ratio, m1 * 1e6) / 1e6 == pytest.approx(
            flops, rel=3e-3
        )


def test_a_compiled_codebook_runs_no_m1() -> None:
    assert score.flops_per_byte(25e6, 5.0) == pytest.approx(10e6)
    assert score.flops_per_byte(25e6, 5.0, m1_parameters=3e6) == pytest.approx(16e6)


def test_bits_per_byte_is_the_papers_formula() -> None:
    tokens, num_bytes, loss = 512, 2720, 4.75
    expected = (tokens / num_bytes) * loss / math.log(2)
    assert score.bits_per_byte(tokens * loss, num_bytes) == pytest.approx(expected, rel=1e-12)


def test_bits_per_byte_shows_a_diverged_model() -> None:
    assert math.isnan(score.bits_per_byte(float("nan"), 10))


def test_uniform_scores_equal_uniform_bits() -> None:
    """A model that gives each of 2^16 codes the same probability scores `uniform`, exactly."""
    tokens, num_bytes = 1000, 5310
    nats = tokens * math.log(65_536)
    ratio = score.bytes_per_token(num_bytes, tokens)
    assert score.bits_per_byte(nats, num_bytes) == pytest.approx(
        score.uniform_bits_per_byte(65_536, ratio), rel=1e-12
    )


def test_unigram_by_hand() -> None:
    # Train: a=5, b=2, c=0 of 3 ids: p = 6/10, 3/10, 1/10. Valid: a, b, c, c over 8 bytes.
    bits = -(math.log2(0.6) + math.log2(0.3) + 2 * math.log2(0.1))
    got = score.unigram_bits_per_byte(np.array([5, 2, 0]), np.array([1, 1, 2]), 8)
    assert got == pytest.approx(bits / 8, rel=1e-12)


def test_unigram_entropy_by_hand() -> None:
    # 4, 2, 1, 1 of 8: 1.75 bits a token.
    got = score.unigram_entropy_bits_per_byte(np.array([4, 2, 1, 1, 0]), 16)
    assert got == pytest.approx(1.75 * 8 / 16, rel=1e-12)


@settings(deadline=None)
@given(
    st.integers(2, 40).flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(0, 1000), min_size=n, max_size=n),
            st.lists(st.integers(0, 1000), min_size=n, max_size=n).filter(any),
        )
    )
)
def test_own_entropy_is_the_lower_bound(pair: tuple[list[int], list[int]]) -> None:
    train, valid = (np.array(counts, np.int64) for counts in pair)
    entropy = score.unigram_entropy_bits_per_byte(valid, 100)
    assert entropy <= score.unigram_bits_per_byte(train, valid, 100) + 1e-9
    tokens = int(valid.sum())
    assert entropy <= score.uniform_bits_per_byte(len(valid), 100 / tokens) + 1e-9


def test_both_unigrams_agree_on_long_text() -> None:
    rng = np.random.default_rng(1)
    counts = score.token_counts([rng.geometric(0.2, 200_000).clip(1, 40)], 41)
    a = score.unigram_bits_per_byte(counts, counts, 1000)
    b = score.unigram_entropy_bits_per_byte(counts, 1000)
    assert a == pytest.approx(b, rel=1e-4)


def test_padding_is_not_counted() -> None:
    counts = score.token_counts([np.array([[5, 3, 0], [5, 0, 0]]), [3, 0]], 6)
    assert counts.tolist() == [0, 0, 0, 2, 0, 2]


@pytest.mark.parametrize("bad", [-1, 6])
def test_foreign_ids_are_an_error(bad: int) -> None:
    with pytest.raises(ValueError, match=f"array 1 holds token id {bad}"):
        score.token_counts([[1], [bad]], 6)


def test_different_vocabularies_are_an_error() -> None:
    with pytest.raises(ValueError, match="different vocabularies"):
        score.unigram_bits_per_byte(np.ones(3, np.int64), np.ones(4, np.int64), 1)


def test_empty_split_is_an_error() -> None:
    with pytest.raises(ValueError, match="num_bytes=0"):
        score.bits_per_byte(1.0, 0)
    with pytest.raises(ValueError, match="all zero"):
        score.unigram_entropy_bits_per_byte(np.zeros(4, np.int64), 1)
    with pytest.raises(ValueError, match="vector of integers"):
        score.unigram_entropy_bits_per_byte(np.ones((2, 2)), 1)
