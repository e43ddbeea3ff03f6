"""Counts in place of M1: they must count what is there, and lead to longer windows."""

from collections import Counter

import numpy as np
import pytest

from equalinfo.alphabet import join
from equalinfo.codebook import Codebook
from equalinfo.codebook.from_text import compile_from_text
from equalinfo.coding.drive import encode_windows
from equalinfo.coding.exact import ExactCode
from equalinfo.frequencies import check
from equalinfo.m1.counts import CountModel

TEXT = join([b"the cat sat on the mat. " * 20, b"", bytes(range(256)) * 3, b"the rat sat. " * 30])


def test_frequencies_are_shares_of_the_counts():
    model = CountModel.from_symbols(TEXT)
    check(model.root()[None], 16)
    state = model.start(2, model.max_context)
    for symbol in b"the ":
        found = model.step(state, np.full(2, symbol, np.int32), np.array([symbol == ord("t")] * 2))
    check(found, 16)
    data = TEXT.tolist()
    after = Counter(
        data[place + 4]
        for place in range(len(data) - 4)
        if bytes(min(s, 255) for s in data[place : place + 4]) == b"the "
    )
    total = sum(after.values())
    for symbol, count in after.items():
        assert abs(found[0, symbol] / 2**16 - count / total) < 0.03
    np.testing.assert_array_equal(found[0], found[1])


def test_counting_at_given_places_only():
    text = np.frombuffer(b"abacabad" * 50, np.uint8).astype(np.uint16)
    starts = np.arange(0, len(text), 8)
    root = CountModel.from_symbols(text, starts).root()
    assert root[ord("a")] > 0.98 * 2**16
    everywhere = CountModel.from_symbols(text).root()
    assert abs(everywhere[ord("a")] / 2**16 - 0.5) < 0.01


def test_texts_never_seen_have_frequencies_too():
    model = CountModel.from_symbols(TEXT)
    state = model.start(1, model.max_context)
    for symbol in (0, 7, 256, 3, 3, 3):
        found = model.step(state, np.array([symbol], np.int32), np.zeros(1, np.bool_))
        check(found, 16)


@pytest.mark.parametrize("precision", [9, 16, 20])
def test_every_precision_sums_up(precision):
    model = CountModel.from_symbols(np.tile(TEXT, 30), precision=precision)
    check(model.root()[None], precision)


def test_the_interval_plan_is_the_streaming_coder_on_counts():
    text = np.tile(TEXT, 5)
    model = CountModel.from_symbols(text)
    context = model.max_context
    book = Codebook.compile(model, 4096, plan="interval", context=context, progress=False)
    (streamed,) = encode_windows([text], model, ExactCode(12, 16), context=context)
    assert book.encode(text).tolist() == list(streamed.codes)


def test_windows_grow_when_counted_where_they_begin():
    words = np.random.default_rng(0).integers(0, 300, 20_000)
    text = join([b" ".join(b"%x" % (int(w) ** 3) for w in words)])
    windows = [
        len(compile_from_text(text, 600, rounds=rounds, progress=False).encode(text))
        for rounds in (1, 2, 3)
    ]
    assert windows[1] < windows[0]
    assert windows[2] <= 1.01 * windows[1]


def test_the_same_text_gives_the_same_codebook():
    books = [compile_from_text(TEXT, 400, rounds=2, progress=False) for _ in range(2)]
    assert books[0].sha256 == books[1].sha256
    other = compile_from_text(TEXT[:-100], 400, rounds=2, progress=False)
    assert other.info.made_of["m1_sha256"] != books[0].info.made_of["m1_sha256"]


def test_what_cannot_be_counted():
    with pytest.raises(ValueError, match="empty"):
        CountModel.from_symbols(np.empty(0, np.uint16))
    with pytest.raises(ValueError, match="rounds=0"):
        compile_from_text(TEXT, rounds=0)
    with pytest.raises(ValueError, match="m1_context=1"):
        CountModel.from_symbols(TEXT).start(1, 1)
