"""The exact code: docs/exact-code.md claims it, this file tries to break it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo.coding.bits import codes_to_tokens
from equalinfo.coding.drive import decode_windows, encode_windows
from equalinfo.coding.exact import ExactCode, child_points
from equalinfo.m1.static import StaticModel
from models import HashModel
from tests.coding import reference

WIDTHS = [9, 12, 16, 24, 32, 62, 63, 64, 128]
symbols_of = st.lists(st.integers(0, 256) | st.sampled_from([32, 101, 256]), max_size=60)
models = st.builds(
    HashModel,
    order=st.integers(0, 3),
    precision=st.sampled_from([9, 14, 16]),
    peak=st.sampled_from([0, 3, 12, 40]),
)


@pytest.fixture
def worked_example() -> StaticModel:
    """P = 9: 'a' has 128 points of 512, 'b' 129, every other symbol 1. See docs/exact-code.md."""
    frequencies = np.ones(257, np.uint32)
    frequencies[[97, 98]] = 128, 129
    return StaticModel(frequencies, 9)


def test_worked_example_of_the_docs(worked_example: StaticModel) -> None:
    row = worked_example.frequencies
    root = reference.children(512, row, 9, True)
    assert root[:97] == [(2 * symbol, 2) for symbol in range(97)]
    assert root[97] == (194, 65)
    assert root[98] == (259, 65)
    assert root[99:129] == [(324 + 2 * place, 2) for place in range(30)]
    assert root[129:] == [(384 + place, 1) for place in range(128)]
    a = reference.children(65, row, 9, False)
    assert a[:32] == [(1 + symbol, 1) for symbol in range(32)]
    assert (a[97], a[98], sum(count for _, count in a)) == ((33, 16), (49, 16), 64)
    aa = reference.children(16, row, 9, False)
    assert (aa[0], aa[6], aa[7], aa[97], aa[98]) == ((1, 1), (7, 1), (8, 0), (8, 4), (12, 4))
    aab = reference.children(4, row, 9, False)
    assert (aab[0], aab[97], aab[98]) == ((1, 1), (2, 1), (3, 1))
    assert all(count == 0 for _, count in reference.children(1, row, 9, False))

    coder = ExactCode(9, 9)
    (coded,) = encode_windows([np.array([*b"aabab"], np.uint16)], worked_example, coder, context=0)
    assert coded.codes == [241, 259]
    assert coded.lengths.tolist() == [4, 1]
    assert codes_to_tokens(coded.codes, 9, 8).tolist() == [120, 192, 192]
    (read,) = decode_windows([[239, 240, 195, 511]], worked_example, coder, context=0)
    assert read.symbols.tolist() == [97, 97, 98, 97, 97, 98, 0, 97, 0, 256]


@pytest.mark.parametrize(
    ("window_bits", "model"),
    [
        (9, HashModel(1, 9, 12)),
        (9, HashModel(1, 16, 40)),
        (10, HashModel(2, 14, 5)),
        (9, HashModel(1, 16, favourite=94)),
        (12, HashModel(1, 16, 20)),
        (12, HashModel(0, 10, 0)),
    ],
)
def test_every_code_is_one_text(window_bits: int, model: HashModel) -> None:
    coder = ExactCode(window_bits, model.precision)
    codes = list(range(1 << window_bits))
    read = decode_windows([[code] for code in codes], model, coder, context=64)
    assert min(len(text.symbols) for text in read) >= 1
    assert all(text.valid.all() for text in read)
    # Each text, alone, is one window with exactly that code: so no two codes share a text.
    back = encode_windows([text.symbols for text in read], model, coder, context=64)
    assert [text.codes for text in back] == [[code] for code in codes]


@settings(deadline=None, max_examples=60)
@given(texts=st.lists(symbols_of, max_size=4), model=models, width=st.sampled_from(WIDTHS))
def test_fast_equals_reference_and_decodes(
    texts: list[list[int]], model: HashModel, width: int
) -> None:
    coder = ExactCode(width, model.precision)
    examples = [np.array(text, np.uint16) for text in texts]
    coded = encode_windows(examples, model, coder, context=64, lanes=3)
    for text, out in zip(texts, coded, strict=True):
        expected = reference.encode_exact(text, model.next_frequencies, width, model.precision)
        assert list(zip(out.codes, out.lengths.tolist(), strict=True)) == expected
    read = decode_windows([out.codes for out in coded], model, coder, context=64, lanes=3)
    for text, out, back in zip(texts, coded, read, strict=True):
        assert back.symbols.tolist() == text
        assert back.lengths.tolist() == out.lengths.tolist()


@settings(deadline=None, max_examples=30)
@given(data=st.data(), model=models, width=st.sampled_from(WIDTHS))
def test_codes_decode_as_the_reference_does(
    data: st.DataObject, model: HashModel, width: int
) -> None:
    codes = data.draw(st.lists(st.integers(0, 2**width - 1), min_size=1, max_size=4))
    coder = ExactCode(width, model.precision)
    (read,) = decode_windows([codes], model, coder, context=64)
    texts = [
        reference.decode_exact(code, model.next_frequencies, width, model.precision)
        for code in codes
    ]
    assert read.symbols.tolist() == [symbol for text in texts for symbol in text]
    for code, text in zip(codes, texts, strict=True):
        again = reference.encode_exact(text, model.next_frequencies, width, model.precision)
        assert again == [(code, len(text))]


@settings(deadline=None, max_examples=60)
@given(data=st.data(), precision=st.sampled_from([9, 14, 16, 20]), seed=st.integers(0, 99))
def test_compiled_children_equal_reference(data: st.DataObject, precision: int, seed: int) -> None:
    root = data.draw(st.booleans())
    n = data.draw(st.integers(512, 2**62) if root else st.integers(1, 2**62) | st.integers(1, 999))
    row = HashModel(1, precision, data.draw(st.sampled_from([0, 10, 40]))).next_frequencies([seed])
    starts, counts = np.empty(257, np.int64), np.empty(257, np.int64)
    child_points(n, row, precision, root, starts, counts)
    expected = reference.children(n, row, precision, root)
    assert list(zip(starts.tolist(), counts.tolist(), strict=True)) == expected
    assert sum(counts.tolist()) == (n if root else n - 1)


@pytest.mark.parametrize(("width", "size"), [(16, 10_000), (128, 2_000)])
def test_long_runs(width: int, size: int) -> None:
    text = np.full(size, ord("^"), np.uint16)
    model = HashModel(1, 16, favourite=ord("^"))
    coder = ExactCode(width, 16)
    (coded,) = encode_windows([text], model, coder, context=16)
    assert coded.lengths.max() > 1_000
    assert coded.lengths.sum() == size
    (read,) = decode_windows([coded.codes], model, coder, context=16)
    assert np.array_equal(read.symbols, text)


def test_a_document_may_end_a_window_early() -> None:
    model, coder = HashModel(2, 16, 40), ExactCode(16, 16)
    (whole,) = decode_windows([[54_321]], model, coder, context=64)
    for end in range(1, len(whole.symbols) + 1):
        (coded,) = encode_windows([whole.symbols[:end]], model, coder, context=64)
        assert coded.lengths.tolist() == [end]
        (read,) = decode_windows([coded.codes], model, coder, context=64)
        assert np.array_equal(read.symbols, whole.symbols[:end])


def test_widths_that_cannot_work() -> None:
    with pytest.raises(ValueError, match="window_bits=8"):
        ExactCode(8, 16)
    with pytest.raises(ValueError, match="window_bits=129"):
        reference.encode_exact([], lambda text: None, 129, 16)  # type: ignore[arg-type,return-value]
    with pytest.raises(ValueError, match="precision=21"):
        ExactCode(16, 21)
    with pytest.raises(ValueError, match="code 512 does not fit 9 bits"):
        reference.decode_exact(512, HashModel().next_frequencies, 9, 16)
