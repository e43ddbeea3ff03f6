"""The paper's windows: equal to their reference, and lossy or lossless just where we say so."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo.coding.drive import decode_windows, encode_windows
from equalinfo.coding.paper import PaperCode
from equalinfo.m1.static import StaticModel
from models import HashModel
from tests.coding import reference

# W, P: the edge W = P, both sides of int64 (S + P = 62), and the widths of the paper.
WIDTHS = [(9, 9), (14, 14), (16, 14), (16, 16), (28, 16), (29, 16), (32, 14), (33, 14), (64, 16)]
WIDTHS += [(128, 14)]
symbols_of = st.lists(st.integers(0, 256) | st.sampled_from([32, 101, 256]), max_size=40)


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(symbols_of, max_size=3),
    widths=st.sampled_from(WIDTHS),
    order=st.integers(0, 2),
    peak=st.sampled_from([0, 5, 14, 40]),
    delay=st.booleans(),
    wild=st.integers(0, 2**128 - 1),
)
def test_fast_equals_reference(
    texts: list[list[int]],
    widths: tuple[int, int],
    order: int,
    peak: int,
    delay: bool,
    wild: int,
) -> None:
    width, precision = widths
    model = HashModel(order, precision, peak)
    coder = PaperCode(width, precision, delay)
    examples = [np.array(text, np.uint16) for text in texts]
    coded = encode_windows(examples, model, coder, context=64, lanes=2)
    for text, out in zip(texts, coded, strict=True):
        expected = reference.encode_paper(text, model.next_frequencies, width, precision, delay)
        assert list(zip(out.codes, out.lengths.tolist(), strict=True)) == expected
        assert out.lengths.sum() == len(text)
    codes = [out.codes for out in coded] + [[wild >> (128 - width)]]
    read = decode_windows(codes, model, coder, context=64, lanes=2, allow_invalid=True)
    for windows, back in zip(codes, read, strict=True):
        expected_texts = [
            reference.decode_paper(code, model.next_frequencies, width, precision, delay)
            for code in windows
        ]
        assert back.symbols.tolist() == [symbol for text, _ in expected_texts for symbol in text]
        assert back.lengths.tolist() == [len(text) for text, _ in expected_texts]
        assert back.valid.tolist() == [valid for _, valid in expected_texts]
    if delay:
        assert [back.symbols.tolist() for back in read[:-1]] == texts


@pytest.fixture
def two_letters() -> StaticModel:
    """P = 9: 'a' has 128 points of 512, 'b' 129, every other symbol 1. See docs/exact-code.md."""
    frequencies = np.ones(257, np.uint32)
    frequencies[[97, 98]] = 128, 129
    return StaticModel(frequencies, 9)


def test_the_flaw_of_the_docs(two_letters: StaticModel) -> None:
    # Two texts, one stream of codes: no decoder can be right for both.
    texts = [np.array([*text], np.uint16) for text in (b"bc", b"baac")]
    short, long = encode_windows(texts, two_letters, PaperCode(9, 9), context=0)
    assert short.codes == long.codes == [256, 354]
    (read,) = decode_windows([short.codes], two_letters, PaperCode(9, 9), context=0)
    assert bytes(read.symbols.tolist()) == b"baac"
    assert read.valid.all()
    coder = PaperCode(9, 9, delay=True)
    coded = encode_windows(texts, two_letters, coder, context=0)
    assert [text.codes for text in coded] == [[256, 354], [256, 128, 128, 354]]
    read_back = decode_windows([text.codes for text in coded], two_letters, coder, context=0)
    assert [bytes(text.symbols.tolist()) for text in read_back] == [b"bc", b"baac"]


def test_greedy_loses_and_delay_does_not() -> None:
    # Texts that the model itself would write, as real text is: the flaw is common, not exotic.
    rng = np.random.default_rng(7)
    model = HashModel(1, 16, 12)
    text: list[int] = []
    for _ in range(1500):
        row = model.next_frequencies(text).astype(np.float64)
        text.append(int(rng.choice(257, p=row / row.sum())))
    examples = [np.array(text, np.uint16)]
    wrong = {}
    for delay in (False, True):
        coder = PaperCode(16, 16, delay)
        (coded,) = encode_windows(examples, model, coder, context=16)
        (read,) = decode_windows([coded.codes], model, coder, context=16)
        wrong[delay] = float(np.mean(read.lengths != coded.lengths))
        assert np.array_equal(read.symbols, examples[0]) == delay
    assert wrong[False] > 0.02
    assert wrong[True] == 0


def test_every_delay_code_that_is_made_is_read_back() -> None:
    # All texts of one and two symbols, with a model of order 1.
    model, coder = HashModel(1, 12, 14), PaperCode(12, 12, delay=True)
    texts = [[a] for a in range(257)] + [[a, b] for a in range(0, 257, 16) for b in range(257)]
    examples = [np.array(text, np.uint16) for text in texts]
    coded = encode_windows(examples, model, coder, context=16)
    read = decode_windows([text.codes for text in coded], model, coder, context=16)
    assert [text.symbols.tolist() for text in read] == texts


@pytest.mark.parametrize(("width", "size"), [(16, 4_000), (128, 1_500)])
@pytest.mark.parametrize("delay", [False, True])
def test_long_runs(width: int, size: int, delay: bool) -> None:
    text = np.full(size, ord("^"), np.uint16)
    model = HashModel(1, 16, favourite=ord("^"))
    coder = PaperCode(width, 16, delay)
    (coded,) = encode_windows([text], model, coder, context=16)
    assert coded.lengths.sum() == size
    (read,) = decode_windows([coded.codes], model, coder, context=16)
    if delay:
        assert np.array_equal(read.symbols, text)
    else:
        assert read.valid.all()


def test_rare_symbols_must_fit_a_window() -> None:
    with pytest.raises(ValueError, match=r"window_bits=12 cannot hold .* Use window_bits >= 16"):
        PaperCode(12, 16)
    # W = P is enough, even for the rarest symbol at any place.
    frequencies = np.ones(257, np.uint32)
    frequencies[3] = 2**9 - 256
    model = StaticModel(frequencies, 9)
    text = np.arange(257).astype(np.uint16)
    (coded,) = encode_windows([text], model, PaperCode(9, 9), context=0)
    assert coded.lengths.sum() == 257


def test_a_code_that_no_text_has_is_refused(two_letters: StaticModel) -> None:
    # 1 lies in symbol 1's cell; 255 lies in 'b', whose texts there have other codes.
    with pytest.raises(ValueError, match="code 512 does not fit 9 bits"):
        reference.decode_paper(512, lambda text: two_letters.root(), 9, 9)
    with pytest.raises(ValueError, match="text 1, window 1: no text has code 255"):
        decode_windows([[256], [256, 255]], two_letters, PaperCode(9, 9), context=0)
