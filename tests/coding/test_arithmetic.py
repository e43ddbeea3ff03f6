"""Whole-text arithmetic coding: equal to unbounded integers, carries included, and near entropy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo.coding import arithmetic
from equalinfo.coding.drive import decode_texts, encode_texts
from equalinfo.frequencies import cumulative, from_counts
from models import HashModel
from tests.coding import reference

symbols_of = st.lists(st.integers(0, 256) | st.sampled_from([94, 256]), max_size=80)
models = st.builds(
    HashModel,
    order=st.integers(0, 2),
    precision=st.sampled_from([9, 14, 16, 20]),
    peak=st.sampled_from([0, 4, 14, 50]),
    favourite=st.sampled_from([None, None, 0, 94, 256]),
)


def intervals(text: list[int], model: HashModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.array([model.next_frequencies(text[:place]) for place in range(len(text))])
    rows = rows.reshape(len(text), 257).astype(np.uint32)
    places = np.arange(len(text))
    return cumulative(rows)[places, text], rows[places, text], rows


@settings(deadline=None, max_examples=100)
@given(text=symbols_of, model=models, tail=symbols_of, data=st.data())
def test_fast_equals_reference(
    text: list[int], model: HashModel, tail: list[int], data: st.DataObject
) -> None:
    starts, sizes, rows = intervals(text, model)
    bits, settled = arithmetic.encode(starts, sizes, model.precision)
    assert bits.tolist() == reference.encode_text(starts.tolist(), sizes.tolist(), model.precision)
    assert reference.decode_text(bits.tolist(), rows.tolist(), model.precision) == text
    ideal = model.precision * len(text) - np.log2(sizes.astype(float)).sum()
    assert len(bits) < ideal + 2.01 + 0.001 * len(text)

    # Settled bits stay, whatever follows.
    assert (np.diff(settled) >= 0).all()
    assert not text or settled[-1] <= len(bits)
    if text:
        place = data.draw(st.integers(0, len(text) - 1))
        other = text[: place + 1] + tail
        changed, _ = arithmetic.encode(*intervals(other, model)[:2], model.precision)
        assert np.array_equal(changed[: settled[place]], bits[: settled[place]])


@settings(deadline=None, max_examples=40)
@given(
    texts=st.lists(symbols_of, max_size=4),
    model=models,
    lanes=st.integers(1, 3),
    pad=st.lists(st.integers(0, 1), max_size=15),
)
def test_texts_round_trip_whatever_follows_the_bits(
    texts: list[list[int]], model: HashModel, lanes: int, pad: list[int]
) -> None:
    examples = [np.array(text, np.uint16) for text in texts]
    coded = encode_texts(examples, model, context=8, lanes=lanes)
    for text, out in zip(texts, coded, strict=True):
        bits, settled = arithmetic.encode(*intervals(text, model)[:2], model.precision)
        assert np.array_equal(out.bits, bits)
        assert np.array_equal(out.settled, settled)
    padded = [np.concatenate([out.bits, np.array(pad, np.uint8)]) for out in coded]
    read = decode_texts(padded, [len(text) for text in texts], model, context=8, lanes=lanes)
    assert [text.tolist() for text in read] == texts


@pytest.mark.parametrize("lanes", [1, 3])
def test_only_a_code_is_read_where_padding_is_limited(lanes: int) -> None:
    model = HashModel(2, 14, 12)
    texts = [np.random.default_rng(n).integers(0, 257, n).astype(np.uint16) for n in (40, 0, 90)]
    lengths = [len(text) for text in texts]
    codes = [out.bits for out in encode_texts(texts, model, context=8)]

    def read(*bits: arithmetic.Bits) -> list[list[int]]:
        found = decode_texts(bits, lengths, model, context=8, lanes=lanes, max_padding=7)
        return [text.tolist() for text in found]

    def padded(bits: arithmetic.Bits, *more: int) -> arithmetic.Bits:
        return np.concatenate([bits, np.array(more, np.uint8)])

    assert read(*(padded(code, *[0] * 7) for code in codes)) == [text.tolist() for text in texts]
    for wrong, message in (
        (codes[2][:-1], "text 2: its .* bits are no code"),
        (padded(codes[2], *[0] * 8), "text 2: 8 bits are left over"),
        (padded(codes[2], 0, 1), "text 2: 2 bits are left over"),
    ):
        with pytest.raises(ValueError, match=message):
            read(*codes[:2], wrong)


def test_static_text_costs_its_entropy() -> None:
    rng = np.random.default_rng(0)
    row = from_counts(rng.integers(0, 1000, 257) ** 2, 14)
    text = rng.choice(257, size=100_000, p=row / row.sum()).astype(np.uint16)
    table = cumulative(row)
    bits, _ = arithmetic.encode(table[text], row[text], 14)
    ideal = -np.log2(row[text] / 2**14).sum()
    assert 0 <= len(bits) - ideal < 0.001 * ideal
    assert np.array_equal(arithmetic.decode_static(bits, table, len(text), 14), text)


def test_carries_run_far() -> None:
    # Symbols at both ends push low far up and leave long runs of ones before the next carry.
    row = np.ones(257, np.uint32)
    row[0], row[256] = 2**14 // 2 - 128, 2**14 // 2 - 127
    text = np.array(([256] * 40 + [0] * 40) * 5 + [128, 3], np.uint16)
    table = cumulative(row)
    bits, settled = arithmetic.encode(table[text], row[text], 14)
    assert bits.tolist() == reference.encode_text(table[text].tolist(), row[text].tolist(), 14)
    assert np.array_equal(arithmetic.decode_static(bits, table, len(text), 14), text)
    assert (np.diff(settled) >= 0).all()


def test_random_bits_read_as_some_text() -> None:
    model = HashModel(2, 14, 12)
    bits = np.random.default_rng(1).integers(0, 2, 3000).astype(np.uint8)
    (text,) = decode_texts([bits], [200], model, context=8)
    (again,) = encode_texts([text], model, context=8)
    same = again.settled[-1]
    assert same > 1000
    assert np.array_equal(again.bits[:same], bits[:same])


def test_refusals() -> None:
    one = np.array([1], np.uint32)
    with pytest.raises(ValueError, match="symbol 0 has the interval"):
        arithmetic.encode(np.array([2**14], np.uint32), one, 14)
    with pytest.raises(ValueError, match="symbol 0 has the interval"):
        arithmetic.encode(one, np.array([0], np.uint32), 14)
    with pytest.raises(ValueError, match="one of each"):
        arithmetic.encode(one, np.array([1, 1], np.uint32), 14)
    with pytest.raises(ValueError, match="cumulative"):
        arithmetic.decode_static(np.zeros(3, np.uint8), np.arange(258).astype(np.uint32), 1, 14)
    with pytest.raises(ValueError, match="0 texts but 1 lengths"):
        decode_texts([], [1], HashModel(), context=8)
    with pytest.raises(ValueError, match="text 0, place 1: symbol 300"):
        encode_texts([np.array([3, 300])], HashModel(), context=8)
