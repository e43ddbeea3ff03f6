"""The fast walk must be the plain one: in four segments, in chunks, on any symbols."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo import Tokenizer
from equalinfo.alphabet import EOS
from equalinfo.codebook import Codebook, double_array, plain, walk
from equalinfo.codebook.double_array import NONE, OUTSIDE
from equalinfo.codebook.plain import encode_reference
from equalinfo.codebook.trie import check_preorder
from tests.models import HashModel


def _codebook(plan, **model):
    return Codebook.compile(HashModel(**model), 4096, plan=plan, progress=False)


BOOKS = [
    _codebook("best_first", order=1, precision=16, peak=14),
    _codebook("interval", order=2, precision=14, peak=18),
    # Nearly all of its texts are runs of one symbol: guesses in the middle of a run are wrong.
    _codebook("best_first", order=1, precision=16, favourite=97),
]
CODES = [
    {tuple(book.text(code).tolist()): code for code in range(book.num_codes)} for book in BOOKS
]


def _text(book, size, seed, noise=0.1):
    """Texts of the book one after the other, with some noise: the walk goes deep."""
    rng = np.random.default_rng(seed)
    text = book.decode(rng.integers(book.num_codes, size=size))[:size].copy()
    places = rng.random(len(text)) < noise
    text[places] = rng.integers(EOS + 1, size=int(places.sum()))
    return text


BLOCK = walk._BLOCK
SIZES = (0, 1, 2, 3, 191, 192, 193, 194, 195, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 333)


@pytest.mark.parametrize("which", range(len(BOOKS)))
@pytest.mark.parametrize("size", SIZES)
def test_is_the_reference(which, size):
    book = BOOKS[which]
    for noise in (0.0, 0.1, 1.0):
        text = _text(book, size, seed=size, noise=noise)
        assert book.encode(text).tolist() == encode_reference(text, CODES[which])


@pytest.mark.parametrize(
    "sizes",
    [
        (BLOCK,),
        (BLOCK - 1, 0, 5),
        (BLOCK, 3),
        (0, BLOCK - 2, 0, 0, 1),
        (100, BLOCK, 0, BLOCK - 102, 7),
        (0,) * (BLOCK + 5),
        (1,) * (BLOCK // 2 + 1),
        (),
    ],
    ids=["one", "before", "at", "behind", "second", "empty", "short", "none"],
)
def test_many_texts_that_end_where_a_block_does(sizes):
    book = BOOKS[2]
    ends = np.cumsum(sizes, dtype=np.int64)
    flat = _text(book, sum(sizes), seed=1)
    texts = [flat[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    codes, code_ends = walk.encode(book.entries, flat, ends, 3)
    expected = [[code + 3 for code in encode_reference(text, CODES[2])] for text in texts]
    assert np.diff(code_ends, prepend=0).tolist() == [len(of_text) for of_text in expected]
    assert codes.tolist() == [code for of_text in expected for code in of_text]


@settings(deadline=None)
@given(st.integers(0, len(BOOKS) - 1), st.binary(max_size=300))
def test_plain_python_does_the_same(which, data):
    book = BOOKS[which]
    codes = plain.encode(book.entries, data, 5)
    assert [code - 5 for code in codes] == encode_reference(list(data), CODES[which])
    assert plain.decode(book.texts, book.offsets, np.array(codes, np.int64) - 5) == data


def test_plain_python_does_the_first_symbols_of_a_process_only(monkeypatch):
    monkeypatch.setattr(plain, "_left", 100)
    assert [plain.affordable(size) for size in (60, 60, 40, 1, 0)] == [
        True,
        False,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("period", [b"a", b"aa\x00", bytes(range(97, 105)), b"a" * 191 + b"b"])
@pytest.mark.parametrize("which", range(len(BOOKS)))
def test_periodic_texts_where_guesses_may_never_meet_the_walk(which, period):
    text = np.frombuffer(period * (20_000 // len(period)), np.uint8).astype(np.uint16)
    for size in (len(text), len(text) - 7, 800, 801, 803):
        piece = text[:size]
        assert BOOKS[which].encode(piece).tolist() == encode_reference(piece, CODES[which])


def test_guesses_that_never_meet_the_walk_are_dropped():
    """Texts: all symbols, and `aa`. A guess that begins at an odd place pairs the wrong a's."""
    from equalinfo.codebook import CodebookInfo

    texts = [(symbol,) for symbol in range(98)] + [(97, 97)]
    texts += [(symbol,) for symbol in range(98, 257)]
    lengths = [len(text) for text in texts]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    flat = np.array([symbol for text in texts for symbol in text], np.uint16)
    info = CodebookInfo("best_first", len(texts), 16, "", 64, False)
    book = Codebook(info, flat, offsets, np.zeros(len(texts), np.uint16))
    codes = {text: code for code, text in enumerate(texts)}
    for size in range(760, 780):  # segments of 190 to 195 symbols
        text = np.full(size, 97, np.uint16)
        assert book.encode(text).tolist() == encode_reference(text, codes)
        text[0] = 98
        assert book.encode(text).tolist() == encode_reference(text, codes)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_chunks_cut_anywhere_give_the_whole(data):
    which = data.draw(st.integers(0, len(BOOKS) - 1))
    book = BOOKS[which]
    text = _text(book, data.draw(st.integers(0, 3000)), data.draw(st.integers(0, 9)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    state, parts = OUTSIDE, []
    scratch = np.empty(walk.SCRATCH_SHAPE, np.uint32)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        chunk = text[start:end].copy()
        chunk.flags.writeable = False
        out = np.empty(len(chunk) + 1, np.uint32)
        count, state = walk.advance(book.entries, np.uint64(state), chunk, 0, scratch, out)
        parts += out[:count].tolist()
    if len(text):
        parts.append(int(state & NONE))
    assert parts == book.encode(text).tolist()


def test_a_double_array_that_leads_elsewhere_is_refused():
    book = BOOKS[0]
    parents = check_preorder(book.texts, book.offsets, book.num_codes)
    double_array.check(book.entries, book.texts, book.offsets, parents)
    rng = np.random.default_rng(0)
    for place in rng.integers(len(book.entries), size=300).tolist():
        entries = book.entries.copy()
        entries[place] ^= np.uint64(1) << np.uint64(rng.integers(64))
        try:
            double_array.check(entries, book.texts, book.offsets, parents)
        except ValueError:
            continue
        # The base of a node without children may be another, as long as no symbol leads astray.
        text = _text(book, 3000, place)
        wrong = Codebook(book.info, book.texts, book.offsets, book.information, entries)
        assert wrong.encode(text).tolist() == book.encode(text).tolist()
    for entries in (book.entries[:-300], book.entries[:100], np.append(book.entries, np.uint64(5))):
        with pytest.raises(ValueError, match="double array"):
            double_array.check(entries, book.texts, book.offsets, parents)


def test_text_packs_tightly():
    book = Tokenizer.default().codebook
    assert len(book.entries) <= 1.01 * book.num_codes
