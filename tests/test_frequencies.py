"""What would go wrong silently: a sum off by one, a zero, a tie the other way, NaN passed on."""

import decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo import frequencies as fq
from equalinfo.apportionment import threshold, winners
from equalinfo.m1.frozen.reference import reference_share

PRECISIONS = [9, 10, 14, 16, 20]


def test_counts_by_hand() -> None:
    # 512 - 257 = 255 points: symbol 0 has 2/3 of them, 170, symbol 256 the other 85.
    counts = np.zeros(257, np.int64)
    counts[[0, 256]] = 2, 1
    assert fq.from_counts(counts, 9).tolist() == [171] + [1] * 255 + [86]


def test_ties_go_to_the_lower_symbol() -> None:
    # 255 points for 257 equal symbols: all floors are 0, and the last two symbols miss out.
    expected = [2] * 255 + [1, 1]
    assert fq.from_counts(np.ones(257, np.int64), 9).tolist() == expected


def test_certainty_keeps_one_point_for_each_other_symbol() -> None:
    certain = np.zeros(257, np.int64)
    certain[97] = 1
    for precision in PRECISIONS:
        row = fq.from_counts(certain, precision)
        assert row[97] == 2**precision - 256
        fq.check(row, precision)


def test_huge_counts_do_not_overflow() -> None:
    row = fq.from_counts(np.full(257, 2**62, np.int64), 20)
    fq.check(row, 20)
    assert row.max() - row.min() == 1


@settings(deadline=None, max_examples=100)
@given(
    values=st.lists(st.integers(0, 2**14 - 1) | st.integers(0, 3), min_size=1, max_size=80),
    data=st.data(),
)
def test_threshold_marks_the_same_winners(values: list[int], data: st.DataObject) -> None:
    left = data.draw(st.integers(0, len(values)))
    limit, ties = threshold(np.array(values, np.int32), left)
    marked = []
    for value in values:
        tie = value == limit and ties > 0
        ties -= tie
        marked.append(value > limit or tie)
    assert marked == winners(values, left)


def test_cumulative() -> None:
    rows = fq.from_counts(np.arange(257), 14)[None]
    out = fq.cumulative(rows)
    assert out.shape == (1, 258)
    assert out[0, 0] == 0
    assert out[0, -1] == 2**14
    assert np.array_equal(np.diff(out[0].astype(np.int64)), rows[0])


def test_other_refusals() -> None:
    with pytest.raises(ValueError, match="precision=8"):
        fq.from_counts(np.ones(257, np.int64), 8)
    with pytest.raises(ValueError, match="integers"):
        fq.from_counts(np.ones(257))
    with pytest.raises(ValueError, match="sum 0"):
        fq.from_counts(np.zeros(257, np.int64))
    good = fq.from_counts(np.ones(257, np.int64), 14)
    with pytest.raises(ValueError, match=r"sum to 16384; expected 2\^16"):
        fq.check(good, 16)
    with pytest.raises(ValueError, match="expected integers"):
        fq.check(good.astype(np.float32), 14)
    wrapped = np.ones(257, np.int64)
    wrapped[:5] = [2**62] * 4 + [2**14 - 252]  # sums to 2^14 modulo 2^64
    with pytest.raises(ValueError, match=r"symbol 0 in row 0 is not in 1\.\.2\^14"):
        fq.check(wrapped, 14)
    good[5] = 0
    with pytest.raises(ValueError, match="symbol 5"):
        fq.check(good, 14)


def rows_of_log2() -> np.ndarray:
    """int16[n, 257]: random rows and nasty ones."""
    rng = np.random.default_rng(4)
    low, high = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    rows = [rng.normal(size=257) * scale for scale in (1, 50, 1000, 4000, 20_000)]
    rows += [rng.integers(low, high, 257, endpoint=True) for _ in range(3)]
    rows += [rng.integers(0, few, 257) * step for few in (2, 3, 5) for step in (1, 1024, 5000)]
    rows += [np.full(257, value) for value in (0, low, high, -7)]
    for place, top, rest in ((0, high, low), (256, high, low), (97, 5, -3), (97, 0, -20 * 1024)):
        row = np.full(257, rest)
        row[place] = top
        rows.append(row)
    rows += [np.where(np.arange(257) % 2, low, high), np.arange(257) * 255 + low]
    return np.clip(np.rint(np.array(rows)), low, high).astype(np.int16)


@pytest.mark.parametrize("precision", range(9, 21))
def test_log2_becomes_what_the_reference_says(precision: int) -> None:
    rows = rows_of_log2()
    out = fq.from_log2(rows, precision)
    assert out.dtype == np.uint32
    fq.check(out, precision)
    for row, found in zip(rows, out, strict=True):
        expected = reference_share(row.astype(np.int64), precision)
        np.testing.assert_array_equal(found, expected)
        # One row at a time, in other shapes and from other memory.
        np.testing.assert_array_equal(fq.from_log2(row, precision), expected)
    turned = np.asfortranarray(rows)[None, ::-1]
    np.testing.assert_array_equal(fq.from_log2(turned, precision), out[None, ::-1])


def test_log2_by_hand() -> None:
    # 255 points for 257 equal symbols: the last two miss out.
    assert fq.from_log2(np.zeros(257, np.int16), 9).tolist() == [2] * 255 + [1, 1]
    # One bit less is half the weight: 255 points are shared 2 : 1.
    row = np.full(257, -(1 << 15), np.int16)
    row[[3, 256]] = 1024, 0
    assert fq.from_log2(row, 9).tolist() == [1] * 3 + [171] + [1] * 252 + [86]
    # Twenty-one bits less weigh nothing, twenty a millionth.
    row = np.full(257, -21 * 1024, np.int16)
    row[0] = 0
    assert fq.from_log2(row, 20).tolist() == [2**20 - 256] + [1] * 256
    row[1] = -20 * 1024
    assert fq.from_log2(row, 20)[:2].tolist() == [2**20 - 257, 2]


def test_the_table_of_powers_is_right_to_the_last_bit() -> None:
    for bits, scale in ((10, 20), (3, 8), (1, 40), (0, 5)):
        with decimal.localcontext(decimal.Context(prec=60)):
            steps = [scale - decimal.Decimal(i) / 2**bits for i in range(2**bits)]
            expected = [int((2**step).to_integral_value()) for step in steps]
        assert fq.exp2_table(bits, scale).tolist() == expected
    assert fq.LOG2_WEIGHTS.tolist() == fq.exp2_table(10, 20).tolist()
    assert np.all(np.diff(fq.LOG2_WEIGHTS) < 0)


@pytest.mark.parametrize("precision", [9, 16, 20])
def test_intervals_of_log2_are_those_of_the_frequencies(precision: int) -> None:
    rows = rows_of_log2()
    symbols = np.arange(len(rows)) * 16 % 257
    symbols[:3] = 0, 256, 255
    starts, sizes = np.empty((2, len(rows)), np.uint32)
    fq.intervals_log2(rows, fq.LOG2_WEIGHTS, precision, symbols, starts, sizes)
    out = fq.from_log2(rows, precision)
    where = np.arange(len(rows)), symbols
    np.testing.assert_array_equal(starts, fq.cumulative(out)[where])
    np.testing.assert_array_equal(sizes, out[where])


def test_other_kinds_of_log2_are_refused() -> None:
    for wrong in (np.zeros(257, np.int32), np.zeros(257), np.zeros(256, np.int16), np.int16(3)):
        with pytest.raises(ValueError, match=r"expected int16\[\.\.\., 257\]"):
            fq.from_log2(wrong)
    with pytest.raises(ValueError, match="precision=21"):
        fq.from_log2(np.zeros(257, np.int16), 21)
    assert fq.from_log2(np.zeros((0, 257), np.int16)).shape == (0, 257)
