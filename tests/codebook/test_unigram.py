"""Plan `unigram`: integers that are exact, parses that are the cheapest, texts worth a code."""

import math
import random
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from equalinfo.codebook import Codebook, costs
from equalinfo.codebook.unigram import candidates, corpus, lattice, train_on_documents, training
from equalinfo.codebook.unigram.words import word_end

NOUNS = ["cat", "dog", "rat", "hen", "fox", "owl", "bee", "ant", "elk", "cow", "pig", "emu"]
VERBS = ["saw", "met", "fed", "hid", "bit", "won", "led"]


def make_documents(number: int = 400, seed: int = 1) -> list[bytes]:
    draw = random.Random(seed)
    return [
        " ".join(
            f"The {draw.choice(NOUNS)} {draw.choice(VERBS)} one of the {draw.choice(NOUNS)}s."
            for _ in range(draw.randrange(3, 9))
        ).encode()
        for _ in range(number)
    ]


def texts_of(trained: Codebook) -> list[bytes]:
    symbols = trained.texts[:-1].astype(np.uint8).tobytes()
    ends = trained.offsets.tolist()
    return [symbols[a:b] for a, b in pairwise(ends[:-1])]


def train(documents: Iterable[bytes], num_codes: int, **options: Any) -> Codebook:
    (trained,) = train_on_documents(documents, [num_codes], **options)
    return trained


def make_lattice(texts: list[bytes], text_costs: list[int]) -> lattice.Lattice:
    lengths = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    made = lattice.Lattice(np.frombuffer(b"".join(texts), np.uint8), lengths)
    made.set_costs(np.array(text_costs, np.int64))
    return made


def spell(made: lattice.Lattice, document: bytes) -> list[int]:
    read = corpus.read([document], 1 << 20, False)
    return made.tokens(read, 1, lambda size: None)[0].tolist()


def cheapest(texts: list[bytes], text_costs: list[int], document: bytes) -> tuple[int, list[int]]:
    """(cost, spelling): of equal costs the longest last text, as its definition says."""
    best: list[tuple[int, list[int]]] = [(0, [])]
    for end in range(1, len(document) + 1):
        ways = [
            (best[end - len(text)][0] + cost, -len(text), number)
            for number, (text, cost) in enumerate(zip(texts, text_costs, strict=True))
            if len(text) <= end and document[:end].endswith(text)
        ]
        cost, length, number = min(ways)
        best.append((cost, [*best[end + length][1], number]))
    return best[-1]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("equal_costs", [False, True])
def test_the_lattice_spells_as_the_definition_says(seed: int, equal_costs: bool):
    draw = random.Random(seed)
    letters = [b"ab", b"\x00\xff\x80", b"abcdefgh"][seed % 3]
    more = {bytes(draw.choices(letters, k=draw.randrange(2, 9))) for _ in range(60)}
    texts = sorted({bytes([byte]) for byte in range(256)} | more)
    text_costs = [256 if equal_costs else draw.randrange(1, 3000) for _ in texts]
    documents = [bytes(draw.choices(letters, k=draw.randrange(40))) for _ in range(30)]
    made = make_lattice(texts, text_costs)
    counts, in_documents = np.zeros((2, len(texts)), np.int64)
    for document in documents:
        _, expected = cheapest(texts, text_costs, document)
        assert spell(made, document) == expected
        np.add.at(counts, expected, 1)
        in_documents[list(set(expected))] += 1
    usage = made.parse(corpus.read(documents, 1 << 20, False), 2, lambda size: None)
    np.testing.assert_array_equal(usage.counts, counts)
    np.testing.assert_array_equal(usage.documents, in_documents)
    for number, detour in enumerate(made.detours(2)):
        others = [cost + (1 << 40) * (n == number) for n, cost in enumerate(text_costs)]
        expected_detour = cheapest(texts, others, texts[number])[0] - text_costs[number]
        assert detour == (-1 if len(texts[number]) == 1 else expected_detour)


def test_a_trie_of_scattered_bytes_finds_room_for_all():
    draw = random.Random(7)
    far_apart = [bytes([a, b, c]) for a in range(256) for b in (0, 255) for c in (0, 127, 255)]
    more = [draw.randbytes(draw.randrange(2, 6)) for _ in range(4000)]
    texts = sorted({bytes([byte]) for byte in range(256)}.union(far_apart, more))
    made = make_lattice(texts, [256] * len(texts))
    assert [spell(made, text) for text in texts] == [[number] for number in range(len(texts))]


def test_logarithms_are_those_of_mathematics():
    values = [1, 2, 3, 255, 256, 257, 65535, 10**9 + 7, (1 << 50) - 1, 1 << 62, (1 << 63) - 1]
    for value, found in zip(values, costs.log2(np.array(values)).tolist(), strict=True):
        assert -1 <= found - math.log2(value) * 65536 <= 0.001


def test_information_by_hand():
    # Weights 20 c + 1: 1, 21, 41, 61 of 124.
    found = costs.information(np.array([0, 1, 2, 3]))
    assert found.tolist() == [math.ceil(256 * math.log2(124 / w)) for w in (1, 21, 41, 61)]
    assert costs.information(np.array([10**9, 0])).tolist()[0] == 1  # never 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The cat's 12 lives.", ["The", " cat's", " 12", " lives", "."]),
        ("a  b\n\nc\n d", ["a", " ", " b", "\n\n", "c", "\n", " d"]),
        ("x2024y ", ["x", "2024", "y", " "]),
        ("“café” – don’t…", ["“", "café", "”", " –", " don’t", "…"]),
        ("naïve 日本 «ja»", ["naïve", " 日本", " «", "ja", "»"]),
    ],
)
def test_words(text: str, words: list[str]):
    symbols = np.frombuffer(text.encode(), np.uint8)
    place, found = 0, []
    while place < len(symbols):
        end = word_end(symbols, place, len(symbols))
        found.append(symbols[place:end].tobytes().decode())
        place = end
    assert found == words


def test_words_of_any_bytes_end():
    draw = random.Random(3)
    data = bytes(draw.randrange(256) for _ in range(5000)) + b"\xe2\x80\xc2 \xe2"
    symbols = np.frombuffer(data, np.uint8)
    place = 0
    while place < len(symbols):
        end = word_end(symbols, place, len(symbols))
        assert place < end <= len(symbols)
        place = end


def words_of(document: bytes) -> list[bytes]:
    symbols = np.frombuffer(document, np.uint8)
    ends = [0]
    while ends[-1] < len(symbols):
        ends.append(word_end(symbols, ends[-1], len(symbols)))
    return [document[a:b] for a, b in pairwise(ends)]


def test_runs_are_counted_as_they_are():
    documents = make_documents(60)
    expected: Counter[bytes] = Counter()
    expected_documents: Counter[bytes] = Counter()
    for document in documents:
        words = words_of(document)
        for size in (2, 3):
            runs = [b"".join(words[i : i + size]) for i in range(len(words) - size + 1)]
            expected.update(runs)
            expected_documents.update(set(runs))
    read = corpus.read(documents, 1 << 20, False)
    found = candidates.find_runs(candidates.find_words(read), 3, 64, 4, 3, 2, lambda size: None)
    counted = {
        read.text[place : place + length].tobytes(): (count, number)
        for place, length, count, number in zip(*(v.tolist() for v in found), strict=True)
    }
    assert counted == {
        text: (count, expected_documents[text])
        for text, count in expected.items()
        if count >= 4 and expected_documents[text] >= 3
    }


def test_a_set_is_what_a_codebook_file_needs():
    trained = train(make_documents(), 320, progress=False)
    texts = texts_of(trained)
    assert texts == sorted(set(texts)) and len(texts) == 319
    assert {bytes([byte]) for byte in range(256)} <= set(texts)
    assert trained.texts[-1] == 256 and trained.texts.max() == 256
    assert trained.texts.dtype == np.uint16 and trained.information.dtype == np.uint16
    assert trained.information.min() >= 1
    assert b" one of the" in "|".join(map(repr, texts)).encode()


def test_the_result_does_not_depend_on_threads_or_blocks(monkeypatch):
    documents = make_documents()
    first = train(documents, 340, threads=1, progress=False)
    monkeypatch.setattr(lattice, "_BLOCK", 1000)
    second = train(iter(documents), 340, threads=3, progress=False)
    assert first.sha256 == second.sha256


def test_several_sizes_are_each_within_the_next_and_the_largest_is_that_of_one_size():
    documents = make_documents()
    small, large = train_on_documents(documents, [300, 340], progress=False)
    assert (small.num_codes, large.num_codes) == (300, 340)
    assert set(texts_of(small)) < set(texts_of(large))
    alone = train(documents, 340, progress=False)
    np.testing.assert_array_equal(alone.texts, large.texts)


def test_within_words_no_text_has_two():
    for text in texts_of(train(make_documents(), 290, max_words=1, progress=False)):
        symbols = np.frombuffer(text, np.uint8)
        assert word_end(symbols, 0, len(symbols)) == len(text), text


def test_boilerplate_gets_no_code():
    slogan = b" Call Jones Roofing now!" * 50
    documents = make_documents() + [slogan] * 3
    for text in texts_of(train(documents, 340, progress=False)):
        assert b"Roof" not in text


def test_a_small_corpus_says_what_it_supports():
    with pytest.warns(UserWarning, match=r"bytes of text support \d+ codes, fewer than num_codes="):
        trained = train(make_documents(50), 5000, progress=False)
    assert 257 < trained.num_codes < 5000
    with pytest.warns(UserWarning, match="support 257 codes"):
        assert train([b""], 300, progress=False).num_codes == 257


def test_a_large_corpus_is_sampled_by_document():
    documents = make_documents(500)
    size = sum(map(len, documents))
    read = corpus.read(documents, size // 3, False)
    assert read.is_sample and size // 5 < len(read.text) <= size // 3
    again = corpus.read(iter(documents), size // 3, False)
    np.testing.assert_array_equal(read.text, again.text)
    data, ends = read.text.tobytes(), read.offsets.tolist()
    kept = [data[a:b] for a, b in pairwise(ends)]
    assert len(kept) > 50 and set(kept) <= set(documents)
    with pytest.warns(UserWarning, match="a sample of"):
        train(documents, 300, max_bytes=size // 3, progress=False)


def test_a_sample_of_one_document_or_none():
    documents = [b"a" * 70, b"b" * 60, b"c" * 50]
    assert len(corpus.read(documents, 80, False).text) in (50, 60, 70)
    with pytest.raises(ValueError, match="max_bytes=40 does not hold"):
        corpus.read(documents, 40, False)


def test_pruning_may_use_a_sample(monkeypatch):
    documents = make_documents(800)
    read = corpus.read(documents, 1 << 20, False)
    sample = read.sample(len(read.text) // 2)
    data, ends = sample.text.tobytes(), sample.offsets.tolist()
    assert {data[a:b] for a, b in pairwise(ends)} <= set(documents)
    assert len(read.text) * 0.4 < len(data) < len(read.text) * 0.6
    monkeypatch.setattr(training, "_SAMPLE_BYTES", len(read.text) // 2)
    trained = train(documents, 330, progress=False)
    assert trained.num_codes == 330
    # The last costs are those of the whole corpus.
    assert trained.info.made_of["num_documents"] == len(documents)
    assert trained.info.made_of["num_bytes"] == len(read.text)


def test_long_documents_count_as_several_and_are_cut_between_characters():
    document = "é日".encode() * 60_000
    read = corpus.read([document], 1 << 20, False)
    assert len(read.offsets) - 1 == 5
    assert read.text.tobytes() == document
    for start in read.offsets[:-1]:
        assert corpus.is_boundary(read.text[start])


@pytest.mark.parametrize(
    ("documents", "options", "message"),
    [
        ([], {}, "no document"),
        ([b"a"], {"num_codes": 256}, "257"),
        ([b"a"], {"num_codes": (1 << 20) + 1}, "1048576"),
        ([b"a"], {"max_words": 0}, "max_words=0"),
        ([b"a"], {"token_cost": -1}, "token_cost=-1"),
        ([b"a"], {"threads": 0}, "threads=0"),
    ],
)
def test_refusals(documents, options, message):
    with pytest.raises(ValueError, match=message):
        train(documents, **{"num_codes": 300, "progress": False, **options})
