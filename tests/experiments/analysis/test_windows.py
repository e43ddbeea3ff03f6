from collections import Counter

import numpy as np
import pytest

from equalinfo import codecs
from equalinfo.alphabet import EOS, join, to_bytes
from equalinfo.codebook import Codebook
from equalinfo.codecs.equal_info import EqualInfoCodec
from experiments.analysis.windows import (
    Segment,
    beyond_trivial,
    character_map,
    symbol_map,
    texts_of_tokens,
    used_codes,
)
from models import HashModel

TEXT = join([b"The cat sat on the mat, and the cat was the one who sat there."])


def symbols(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8).astype(np.uint16)


# Windows "abc", "ab", "xy", "abc" of two tokens each.
IDS = np.array([5, 6, 5, 7, 8, 5, 5, 6], np.int32)
ENDS = np.array([0, 3, 3, 5, 5, 7, 7, 10], np.int64)
WINDOWS = symbols(b"abcabxyabc")


def test_a_token_has_the_text_of_its_window_at_each_place():
    got = texts_of_tokens(IDS, ENDS, WINDOWS, 2, [5, 6, 99])
    assert got == {
        5: [Counter({b"abc": 2, b"ab": 1}), Counter({b"xy": 1})],
        6: [Counter(), Counter({b"abc": 2})],
        99: [Counter(), Counter()],
    }


def test_windows_that_tokens_cross_count_together():
    # W = 24, N = 16: three tokens are two windows, of 3 and 2 symbols; then one more window.
    ids = np.array([5, 6, 7, 5, 6], np.int32)
    ends = np.array([0, 3, 5, 5, 7], np.int64)
    got = texts_of_tokens(ids, ends, symbols(b"abcdefg"), 3, [5, 7])
    assert got[5] == [Counter({b"abcde": 1, b"fg": 1}), Counter(), Counter()]
    assert got[7] == [Counter(), Counter(), Counter({b"abcde": 1})]


def test_eos_and_bytes_that_are_no_utf8_keep_their_places():
    text = np.array([0xFF, EOS, 97, 0xFE, 98], np.uint16)
    got = texts_of_tokens(np.array([4, 5, 6]), np.array([1, 3, 5]), text, 1, [4, 5, 6])
    assert [dict(got[i][0]) for i in (4, 5, 6)] == [
        {b"\xfe\xff": 1},
        {b"\xffa": 1},
        {b"\xfe\xfeb": 1},
    ]


def test_one_token_a_window_has_one_text_in_the_shipped_codebook():
    codec = codecs.create("equal_info")
    encoded = codec.encode([TEXT])[0]
    got = texts_of_tokens(encoded.ids, encoded.ends, TEXT, codec.tokens_per_unit, encoded.ids)
    for token_id, (texts,) in got.items():
        (text,) = texts
        assert texts[text] == np.count_nonzero(encoded.ids == token_id)
        decoded = codec.decode([np.array([token_id], np.int32)])[0]
        assert text == bytes(0xFF if s == EOS else s for s in decoded.tolist())


def test_the_first_of_two_tokens_fixes_a_prefix_and_the_second_none():
    codec = codecs.create("equal_info", token_bits=8)
    assert codec.tokens_per_unit == 2
    words = (b"cat car dog dot sun sum hat had map man " * 3).split()
    text = join([b" ".join(words)])
    encoded = codec.encode([text])[0]
    got = texts_of_tokens(encoded.ids, encoded.ends, text, 2, set(encoded.ids.tolist()))
    for place in (0, 1):
        assert sum(texts[place].total() for texts in got.values()) == len(encoded.ids) // 2
    # Codes are in the order of the texts: the high byte decides their first symbols.
    for first, _ in got.values():
        assert len({text[:1] for text in first}) <= 2


def test_characters_lie_under_the_tokens_that_complete_them():
    assert character_map(symbols(b"abcabxy"), np.array([0, 3, 5, 5, 7, 7]), 8) == [
        Segment(b"abc", 0, 16),
        Segment(b"ab", 16, 24),
        Segment(b"xy", 24, 40),
        Segment(b"", 40, 48),
    ]
    assert character_map(symbols(b""), np.array([], np.int64), 8) == []


@pytest.mark.parametrize("options", [{}, {"token_bits": 8}, {"token_bits": 3}])
def test_a_map_covers_the_text_and_the_bits(options):
    codec = codecs.create("equal_info", **options)
    encoded = codec.encode([TEXT])[0]
    segments = character_map(TEXT, encoded.ends, codec.token_bits)
    assert b"".join(segment.text for segment in segments) == to_bytes(TEXT)
    edges = [0, *(segment.end for segment in segments)]
    assert [segment.start for segment in segments] == edges[:-1]
    assert edges[-1] == len(encoded.ids) * codec.token_bits
    assert all(s.start % codec.token_bits == 0 for s in segments)


def test_a_symbol_has_the_bits_in_which_all_codes_with_its_prefix_agree():
    book = Codebook.compile(HashModel(peak=40), 1000, context=2, progress=False)
    texts = [book.text(code).tolist() for code in range(book.num_codes)]
    text = np.concatenate([book.text(code) for code in range(0, 1000, 37)])
    expected, start = [], 0
    for code in book.encode(text).tolist():
        decided = 0
        for depth in range(1, len(texts[code]) + 1):
            same = [c for c, t in enumerate(texts) if t[:depth] == texts[code][:depth]]
            digits = [f"{c:010b}" for c in same]
            agreed = next((i for i in range(10) if len({d[i] for d in digits}) > 1), 10)
            agreed = 10 if depth == len(texts[code]) else agreed
            expected.append((start + decided, start + agreed))
            decided = agreed
        start += 10
    got = symbol_map(book, book.encode(text).tolist())
    assert [(s.start, s.end) for s in got] == expected
    assert b"".join(s.text for s in got) == to_bytes(text)
    assert max(map(len, texts)) > 2


def test_characters_of_the_shipped_codebook_lie_across_tokens():
    codec = codecs.create("equal_info", token_bits=8)
    assert isinstance(codec, EqualInfoCodec) and codec.codebook is not None
    got = symbol_map(codec.codebook, codec.codebook.encode(TEXT).tolist())
    tokens = len(codec.encode([TEXT])[0].ids)
    assert len(got) == len(TEXT) and got[-1].end == 8 * tokens
    assert all(0 <= s.end - s.start <= 16 for s in got)
    # Some characters lie on both sides of a token's border.
    assert any(s.start // 8 < (s.end - 1) // 8 for s in got)


def test_code_space():
    even = np.array([9, 9, 9] + [5] * 256, np.int64)
    assert used_codes(even) == {"codes": 256, "used": 256, "entropy_bits": pytest.approx(8)}
    counts = np.zeros(3 + 200, np.int64)
    counts[[50, 60, 70]] = [2, 1, 1]
    assert used_codes(counts) == {"codes": 200, "used": 3, "entropy_bits": pytest.approx(1.5)}


def test_beyond_trivial_takes_off_the_best_of_the_first_steps():
    steps = np.array([1000, 2000, 3000])
    accuracy = np.array([[0.3, 0.1], [0.2, 0.2], [0.5, 0.1]])
    np.testing.assert_allclose(
        beyond_trivial(steps, accuracy), [[0, -0.1], [-0.1, 0], [0.2, -0.1]], atol=1e-12
    )
