"""The codebook of plan interval must give the streaming coder's codes, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo.alphabet import EOS, NUM_SYMBOLS
from equalinfo.codebook import Codebook
from equalinfo.codebook.file import CodebookInfo
from equalinfo.codebook.limits import LONGEST, M1_PLANS
from equalinfo.coding.drive import encode_windows
from equalinfo.coding.exact import ExactCode
from equalinfo.m1.static import StaticModel
from tests.coding.reference import decode_exact, encode_exact
from tests.models import HashModel


def _static(precision):
    counts = np.arange(1, NUM_SYMBOLS + 1, dtype=np.int64) ** 2
    counts[97:123] *= 1000
    return StaticModel.from_counts(counts, precision)


MODELS = {
    "hash": HashModel(order=1, precision=16, peak=12),
    "hash14": HashModel(order=2, precision=14, peak=18),
    "static": _static(14),
    "favourite": HashModel(order=1, precision=12, favourite=97),
}
CASES = [(name, bits) for name in MODELS for bits in (9, 12)] + [("hash", 16), ("static", 16)]
_books: dict[tuple[str, int], Codebook] = {}


def _book(name, window_bits):
    if (name, window_bits) not in _books:
        _books[name, window_bits] = Codebook.compile(
            MODELS[name], 1 << window_bits, plan="interval", context=4 * window_bits, progress=False
        )
    return _books[name, window_bits]


def _likely_text(model, length, seed):
    """Text drawn from the model, so that windows are long, with some noise."""
    rng = np.random.default_rng(seed)
    text: list[int] = []
    for _ in range(length):
        if rng.random() < 0.1:
            text.append(int(rng.integers(NUM_SYMBOLS)))
            continue
        if isinstance(model, StaticModel):
            frequencies = model.root()
        else:
            frequencies = model.next_frequencies(text)
        cumulative = np.cumsum(frequencies, dtype=np.int64)
        point = rng.integers(int(cumulative[-1]))
        text.append(int(np.searchsorted(cumulative, point, side="right")))
    return np.array(text, np.uint16)


@pytest.mark.parametrize(("name", "window_bits"), CASES)
def test_codes_are_those_of_the_streaming_coder(name, window_bits):
    model, book = MODELS[name], _book(name, window_bits)
    texts = [_likely_text(model, 700, seed) for seed in range(2)]
    coder = ExactCode(window_bits, model.precision)
    streamed = encode_windows(texts, model, coder, context=4 * window_bits)
    for text, expected in zip(texts, streamed, strict=True):
        codes = book.encode(text)
        assert codes.tolist() == list(expected.codes)
        assert book.lengths(codes).tolist() == expected.lengths.tolist()
        np.testing.assert_array_equal(book.decode(codes), text)


@pytest.mark.parametrize("name", ["hash", "favourite"])
def test_every_code_is_that_of_the_reference(name):
    model, book = MODELS[name], _book(name, 9)
    for code in range(book.num_codes):
        text = decode_exact(code, model.next_frequencies, 9, model.precision)
        assert book.text(code).tolist() == text
        assert encode_exact(text, model.next_frequencies, 9, model.precision) == [(code, len(text))]


@pytest.mark.parametrize(("name", "window_bits"), CASES)
def test_every_code_is_used_once_and_encodes_to_itself(name, window_bits):
    book = _book(name, window_bits)
    assert book.num_codes == 1 << window_bits
    texts = [book.text(code) for code in range(0, book.num_codes, 7)]
    assert all(len(text) for text in texts)
    assert [book.encode(text).tolist() for text in texts] == [
        [code] for code in range(0, book.num_codes, 7)
    ]


@settings(deadline=None)
@given(st.lists(st.integers(0, EOS), max_size=300))
def test_round_trip(symbols):
    text = np.array(symbols, np.uint16)
    for case in (("hash", 12), ("favourite", 12), ("hash", 16)):
        book = _book(*case)
        np.testing.assert_array_equal(book.decode(book.encode(text)), text)


def test_lanes_do_not_matter_and_context_is_kept():
    model = MODELS["hash14"]
    for plan in M1_PLANS:
        books = [
            Codebook.compile(model, 1024, plan=plan, lanes=lanes, progress=False)
            for lanes in (1, 7, 4096)
        ]
        assert len({book.sha256 for book in books}) == 1
        made_of = {"precision": 14, "m1_sha256": model.sha256, "m1_context": 64}
        assert books[0].info == CodebookInfo(plan, 1024, LONGEST, 0, made_of)
    short = Codebook.compile(model, 1024, plan=plan, context=1, progress=False)
    assert short.info.made_of["m1_context"] == 1
    assert not np.array_equal(short.texts, books[0].texts)


def test_a_long_run_of_the_likeliest_symbol_is_one_window():
    book = _book("favourite", 12)
    longest = int(book.lengths(np.arange(book.num_codes)).max())
    assert longest > 30
    assert len(book.encode(np.full(longest, 97, np.uint16))) == 1


@pytest.mark.parametrize(
    ("plan", "num_codes", "message"),
    [
        ("interval", 256, "num_codes=256 is not in 257"),
        ("interval", 1000, "not a power of two"),
        ("best_first", 256, "num_codes=256 is not in 257"),
        ("best_first", (1 << 20) + 1, "not in 257..1048576"),
        ("greedy", 1024, "plan 'greedy' is unknown. Use one of unigram, best_first, interval"),
    ],
)
def test_what_cannot_be_compiled(plan, num_codes, message):
    with pytest.raises(ValueError, match=message):
        Codebook.compile(MODELS["hash"], num_codes, plan=plan)


def test_symbols_and_codes_out_of_range():
    book = _book("hash", 9)
    # 65,633 is 97 in 16 bits.
    for symbol in (257, 65_633, -1):
        with pytest.raises(ValueError, match=f"place 1: symbol {symbol}"):
            book.encode(np.array([5, symbol]))
    with pytest.raises(ValueError, match="expected uint16"):
        book.encode(np.array([97.5]))
    with pytest.raises(ValueError, match="code 512 at place 2"):
        book.decode([0, 1, 512])
    with pytest.raises(ValueError, match="code -1 at place 0"):
        book.lengths([-1])
    with pytest.raises(ValueError, match="expected integers"):
        book.decode([0.5])
    assert book.decode(np.empty(0, np.int64)).shape == (0,)
    assert book.encode(np.empty(0, np.uint16)).shape == (0,)
