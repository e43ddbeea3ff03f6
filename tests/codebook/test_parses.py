"""Both parses are what their definitions say: on any set of texts, in batches, threads, chunks."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo import Tokenizer
from equalinfo.codebook import Codebook, fewest, longest
from equalinfo.codebook.limits import FEWEST, LONGEST, PARSES
from tests.codebook.books import Text, code_of, codebook_of, glued, random_codebook, spellings
from tests.models import HashModel

every_parse = pytest.mark.parametrize("parse", PARSES)

BLOCK, PIECE = longest._BLOCK, fewest.PIECE

# Few symbols, so that texts overlap in every way, and the symbol that is no byte.
symbol = st.sampled_from([97, 98, 256])
words = st.lists(symbol, min_size=2, max_size=7).map(tuple)
# Few different costs, so that ways tie; and the largest, which must not overflow.
costs = st.sampled_from([0, 1, 2, 3, 256, 65535])


@st.composite
def codebooks(draw: st.DrawFn) -> Codebook:
    texts = draw(st.sets(words, max_size=12))
    singles = {(97,), (98,), (256,)}
    information = {text: draw(costs) for text in sorted(texts | singles)}
    return codebook_of(texts, information=information, token_cost=draw(costs))


@cache
def book(name: str) -> Codebook:
    match name:
        case "closed":  # under prefixes, as the plans from M1 are
            return Codebook.compile(HashModel(order=1, peak=14), 2048, progress=False)
        case "runs":  # guesses in the middle of a run are wrong
            return codebook_of([(97,) * size for size in (2, 3, 5, 7, 20)], information=300)
        case _:
            return random_codebook(int(name))


every_book = pytest.mark.parametrize("name", ["closed", "runs", "0", "1", "2"])


@settings(max_examples=80)
@given(codebooks(), st.lists(symbol, max_size=11).map(tuple))
def test_against_all_ways_to_spell_a_text(codebook: Codebook, text: Text) -> None:
    codes = code_of(codebook)

    def cost(way: list[Text]) -> int:
        bits = [int(codebook.information[codes[token]]) for token in way]
        return sum(min(one + codebook.info.token_cost, 65535) for one in bits)

    def lengths(way: list[Text]) -> list[int]:
        return [len(token) for token in way]

    ways = list(spellings(codes, text))
    # Of equal ones the longest last token, then the longest before it, and so on.
    best = min(ways, key=lambda way: (cost(way), [-size for size in lengths(way)[::-1]]))
    greedy = max(ways, key=lengths)  # the longest first, then the longest second, ...
    for parse, way in ((FEWEST, best), (LONGEST, greedy)):
        expected = [codes[token] for token in way]
        assert codebook.encode(np.array(text, np.uint16), parse).tolist() == expected
        assert codebook.plain.encode(np.array(text, np.uint16), parse) == expected


@settings(max_examples=80)
@given(codebooks(), st.lists(st.lists(symbol, max_size=60), max_size=9))
def test_batches_of_any_texts_are_the_plain_parse_of_each(
    codebook: Codebook, texts: list[list[int]]
) -> None:
    arrays = [np.array(text, np.uint16) for text in texts]
    for parse in PARSES:
        check_batch(codebook, arrays, parse)


def check_batch(codebook: Codebook, texts: list[Any], parse: str) -> None:
    flat = np.concatenate([np.empty(0, np.uint16), *texts])
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    codes, code_ends = codebook.parser(parse).encode(flat, ends, 3)
    expected = [[code + 3 for code in codebook.plain.encode(text, parse)] for text in texts]
    assert np.diff(code_ends, prepend=0).tolist() == [len(of_text) for of_text in expected]
    assert codes.tolist() == [code for of_text in expected for code in of_text]


@every_parse
@every_book
def test_sizes_around_segments_blocks_and_pieces(name: str, parse: str) -> None:
    codebook = book(name)
    sizes = [*range(5), *range(188, 200), 760, 763, 767, 768, 1000]
    sizes += [edge + more for edge in (PIECE, BLOCK) for more in (-1, 0, 1)]
    for size in sizes:
        text = glued(codebook, size, seed=size, noise=(0.0, 0.05, 1.0)[size % 3])
        assert codebook.encode(text, parse).tolist() == codebook.plain.encode(text, parse)


@every_parse
@pytest.mark.parametrize("edge", [BLOCK, PIECE])
@pytest.mark.parametrize("name", ["runs", "1"])
def test_texts_of_a_batch_that_end_where_a_block_or_piece_does(
    name: str, edge: int, parse: str
) -> None:
    for sizes in (
        (edge,),
        (edge - 1, 0, 5),
        (edge, 3),
        (0, edge - 2, 0, 0, 1),
        (100, edge, 0, edge - 102, 7),
        (2 * edge, edge + 1, 0),
        (0,) * (edge + 5),
        (1,) * (edge // 2 + 1),
        (),
    ):
        flat = glued(book(name), sum(sizes), seed=1)
        check_batch(book(name), np.split(flat, np.cumsum(sizes)[:-1]) if sizes else [], parse)


@every_parse
@every_book
@pytest.mark.parametrize("period", [b"a", b"aa\0", b"abcdefgh", b"a" * 191 + b"b", b"abaab"])
def test_periodic_texts(name: str, period: bytes, parse: str) -> None:
    """Where guesses may never meet the true walk, and ways may never meet each other."""
    text = np.frombuffer(period * (9000 // len(period) + 1), np.uint8).astype(np.uint16)
    for size in (9000, 8993, 800, 801, 803):
        piece = text[:size]
        assert book(name).encode(piece, parse).tolist() == book(name).plain.encode(piece, parse)


def test_guesses_that_never_meet_the_walk_are_dropped() -> None:
    """A guess that begins at an odd place pairs the wrong a's, for ever."""
    codebook = codebook_of([b"aa"])
    for size in range(760, 780):  # segments of 190 to 195 symbols
        text = np.full(size, 97, np.uint16)
        for first in (97, 98):
            text[0] = first
            assert codebook.encode(text, LONGEST).tolist() == codebook.plain.encode(text, LONGEST)


@every_parse
def test_bytes_and_symbols_are_parsed_alike(parse: str) -> None:
    codebook = book("0")
    data = np.minimum(glued(codebook, 5000, seed=3), 255).astype(np.uint8)
    codes, _ = codebook.parser(parse).encode(data, np.array([len(data)]), 0)
    assert codes.tolist() == codebook.encode(data, parse).tolist()


def chunked(codebook: Codebook, parse: str, text: Any, cuts: list[int]) -> list[int]:
    """Ids of a text in chunks that are cut at `cuts`, encoded twice by one stream."""
    stream = codebook.parser(parse).stream(3)
    for _ in range(2):  # after finish() it is as new
        parts = [stream.feed(text[a:b]).tolist() for a, b in pairwise([0, *cuts, len(text)])]
        parts.append(stream.finish().tolist())
    assert stream.finish().tolist() == []
    return [code - 3 for part in parts for code in part]


@settings(max_examples=50)
@given(codebooks(), st.lists(symbol, max_size=80), st.data())
def test_streams_cut_anywhere_give_the_whole(
    codebook: Codebook, symbols: list[int], data: st.DataObject
) -> None:
    text = np.array(symbols, np.uint16)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=9)))
    for parse in PARSES:
        assert chunked(codebook, parse, text, cuts) == codebook.encode(text, parse).tolist()


@every_parse
@every_book
@pytest.mark.parametrize("largest", [1, 40, PIECE, 3 * PIECE])
def test_streams_of_long_texts(name: str, parse: str, largest: int) -> None:
    """Chunks that end at, before and behind the end of a piece."""
    rng = np.random.default_rng(largest)
    text = glued(book(name), 3 * PIECE + 5, seed=largest)
    steps = rng.integers(0, largest + 1, size=4 * len(text) // largest + 9)
    near = [edge + more for edge in (PIECE, 2 * PIECE, 3 * PIECE) for more in (-1, 0, 1)]
    cuts = sorted({*near, *np.minimum(np.cumsum(steps), len(text)).tolist()})
    assert chunked(book(name), parse, text, cuts) == book(name).encode(text, parse).tolist()


@every_parse
def test_a_stream_writes_what_is_certain_and_holds_no_more_than_a_piece(parse: str) -> None:
    codebook = book("closed")
    text = glued(codebook, 2000, seed=0)
    stream, read = codebook.parser(parse).stream(0), 0
    for place, one in enumerate(np.split(text, len(text)), 1):
        read += int(codebook.lengths(stream.feed(one)).sum())
        assert 0 <= place - read <= 300  # of a text whose ways meet soon
    # `aa` and `a`: which pairs are meant is told by the last symbol only.
    codebook = codebook_of([b"aa"], information=1000)
    stream = codebook.parser(parse).stream(0)
    held = 0
    for _ in range(PIECE + 100):
        tokens = stream.feed(np.array([97], np.uint8))
        held += 1 - int(codebook.lengths(tokens).sum())
        assert held <= PIECE


@every_parse
def test_documents_joined_by_eos(parse: str) -> None:
    codebook = codebook_of(
        [(97, 256), (256, 98), (97, 256, 98, 99)], information=100, token_cost=100
    )
    tokenizer = Tokenizer(codebook, parse)
    documents = [b"a", b"bc", b"", b"\xff", b"a"]
    ids = tokenizer.encode_documents(documents)
    assert tokenizer.decode_documents(ids) == documents
    # One token runs from one document into the next.
    assert tuple(codebook.text(int(ids[0]) - 3).tolist()) == (97, 256, 98, 99)
    joined = np.array([97, 256, 98, 99, 256, 256, 255, 256, 97, 256], np.uint16)
    assert (ids - 3).tolist() == codebook.plain.encode(joined, parse)


@every_parse
def test_threads_that_share_a_codebook(parse: str) -> None:
    codebook = random_codebook(5)  # nobody else's: they also make its tables at once
    texts = [glued(codebook, 3000, seed) for seed in range(24)]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda text: codebook.encode(text, parse).tolist(), texts))
    assert found == [codebook.plain.encode(text, parse) for text in texts]


def test_what_no_parse_can_do() -> None:
    codebook = codebook_of([b"a" * 255], parse=FEWEST)
    long = np.full(5000, 97, np.uint16)
    assert codebook.encode(long).tolist() == codebook.plain.encode(long, FEWEST)
    longer = codebook_of([b"a" * 256], parse=LONGEST)
    for encode in (lambda: longer.encode(long, FEWEST), lambda: Tokenizer(longer, FEWEST)):
        with pytest.raises(ValueError, match="text of this codebook has 256 symbols, of 255"):
            encode()
    assert longer.encode(long).tolist() == longer.plain.encode(long, LONGEST)
    with pytest.raises(ValueError, match=r"of 255 that parse 'fewest' can handle\. Use parse 'lo"):
        codebook_of([b"a" * 256], parse=FEWEST)
    codebook_of([b"a" * 65535], parse=LONGEST)
    with pytest.raises(ValueError, match="text of 65536 symbols is longer than 65535"):
        codebook_of([b"a" * 65536], parse=LONGEST)
    with pytest.raises(ValueError, match=r"parse 'shortest' is unknown\. Use one of longest, few"):
        codebook_of([], parse="shortest")
    for use in (lambda: longer.parser("shortest"), lambda: Tokenizer(longer, "shortest")):
        with pytest.raises(ValueError, match="parse 'shortest' is unknown"):
            use()


def test_a_codebook_that_leaves_too_much_pending_says_so() -> None:
    """Behind each symbol of a long random text, all symbols before it must be written."""
    rng = np.random.default_rng(0)
    pending = tuple(rng.permutation(np.tile(np.arange(257), 30))[:7000].tolist())
    codebook = codebook_of([pending], parse=LONGEST)
    with pytest.raises(ValueError, match=r"fill more than 16,777,216 codes.* Use parse 'fewest'"):
        codebook.encode(np.array([97]))
