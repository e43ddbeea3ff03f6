"""Texts that may be worth a code: pieces of words, and runs of words, that occur often.

Legend: n bytes, W words in the corpus, K kinds of word, D documents.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from equalinfo.codebook.unigram.corpus import Bytes, Corpus, Integers
from equalinfo.codebook.unigram.words import word_end

Nodes = npt.NDArray[np.int32]

_PARTS = 16  # a run of words is counted in the part of its hash; a constant, so numbers are too
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Found(NamedTuple):
    """Texts that occur in a corpus, K of them.

    Attributes:
      places: int64[K], where one of their occurrences begins.
      lengths: int64[K], bytes.
      counts: int64[K], occurrences; they may overlap.
      documents: int64[K], in how many documents; for pieces of words an upper bound.
    """

    places: Integers
    lengths: Integers
    counts: Integers
    documents: Integers

    def keep(self, chosen: npt.NDArray[np.bool_]) -> "Found":
        """Those chosen: bool[K]."""
        return Found(*(values[chosen] for values in self))


class Words(NamedTuple):
    """The words of a corpus.

    Attributes:
      starts: int64[W + 1], where each begins, and the end of the last.
      kinds: int32[W], its kind.
      documents: int64[D + 1], the first word of each document.
      found: the K kinds.
    """

    starts: Integers
    kinds: Nodes
    documents: Integers
    found: Found


def find_words(corpus: Corpus, max_digits: int) -> Words:
    """Cut a corpus into words and number their kinds in the order of their first places."""
    starts, kinds, documents, places, lengths, counts, in_documents = _words(
        corpus.text, corpus.offsets, max_digits
    )
    return Words(starts, kinds, documents, Found(places, lengths, counts, in_documents))


def find_pieces(corpus: Corpus, words: Found, max_length: int, min_count: int) -> Found:
    """Pieces of words, two bytes and longer, whole characters. Whole words are among them."""
    found = Found(*_pieces(corpus.text, *words, max_length))
    return found.keep(found.counts >= min_count)


def find_runs(
    words: Words,
    max_words: int,
    max_length: int,
    min_count: int,
    min_documents: int,
    threads: int,
    done: Callable[[int], object],
) -> Found:
    """Runs of two to `max_words` words that occur in enough places and documents."""
    kinds = words.kinds
    often = (words.found.counts >= min_count) & (words.found.documents >= min_documents)
    runs = np.where(often[kinds], kinds, -1).astype(np.int32)
    found = []
    size = 2
    while size <= max_words and (runs >= 0).any():
        longer = np.full(len(runs), -1, np.int32)

        def count(part: int, runs: Nodes = runs, longer: Nodes = longer, size: int = size) -> Found:
            places, *rest = _runs(
                runs, words.documents, words.starts, size, max_length, part, min_count,
                min_documents, longer,
            )  # fmt: skip
            lengths = words.starts[places + size] - words.starts[places]
            return Found(words.starts[places], lengths, *rest)

        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(count, range(_PARTS)))
        found += parts
        runs = longer
        done(size)
        size += 1
    if not found:
        return Found(*np.zeros((4, 0), np.int64))
    return Found(*(np.concatenate(values) for values in zip(*found, strict=True)))


@njit(cache=True, nogil=True)
def _grow(slots: Nodes, hashes: npt.NDArray[np.uint64], used: int) -> Nodes:
    """A hash table of twice the size: slots hold number + 1 of what has a hash; 0: free."""
    larger = np.zeros(2 * len(slots), np.int32)
    mask = np.uint64(len(larger) - 1)
    for number in range(used):
        slot = hashes[number] & mask
        while larger[slot]:
            slot = (slot + np.uint64(1)) & mask
        larger[slot] = number + 1
    return larger


@njit(cache=True, nogil=True)
def _longer(values: npt.NDArray[np.int64], used: int) -> npt.NDArray[np.int64]:
    """The values, with room for as many again."""
    out = np.zeros(2 * len(values), values.dtype)
    out[:used] = values[:used]
    return out


@njit(cache=True, nogil=True)
def _finish(hashed: np.uint64) -> np.uint64:
    hashed ^= hashed >> np.uint64(32)
    hashed *= _MULTIPLIER
    return hashed ^ (hashed >> np.uint64(29))


@njit(cache=True, nogil=True)
def _words(text: Bytes, offsets: Integers, max_digits: int):  # type: ignore[no-untyped-def]
    slots = np.zeros(1 << 16, np.int32)
    room = 1 << 14
    hashes = np.zeros(room, np.uint64)
    places, lengths, counts, documents, latest = (
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
    )
    starts = np.zeros(len(text) // 4 + 16, np.int64)
    kinds = np.zeros(len(starts), np.int32)
    word_of_document = np.zeros(len(offsets), np.int64)
    used = words = 0
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        while start < end:
            stop = word_end(text, start, end, max_digits)
            hashed = np.uint64(0)
            for place in range(start, stop):
                hashed = (hashed ^ np.uint64(text[place])) * _MULTIPLIER
                hashed ^= hashed >> np.uint64(31)
            hashed = _finish(hashed)
            mask = np.uint64(len(slots) - 1)
            slot = hashed & mask
            kind = -1
            while slots[slot]:
                other = slots[slot] - 1
                if hashes[other] == hashed and lengths[other] == stop - start:
                    same = places[other]
                    equal = True
                    for place in range(stop - start):
                        equal &= text[same + place] == text[start + place]
                    if equal:
                        kind = other
                        break
                slot = (slot + np.uint64(1)) & mask
            if kind < 0:
                kind = used
                if used == room:
                    hashes2 = np.zeros(2 * room, np.uint64)
                    hashes2[:room] = hashes
                    hashes = hashes2
                    places, lengths = _longer(places, room), _longer(lengths, room)
                    counts, documents = _longer(counts, room), _longer(documents, room)
                    latest = _longer(latest, room)
                    room *= 2
                slots[slot] = used + 1
                hashes[used], places[used], lengths[used] = hashed, start, stop - start
                used += 1
                if 2 * used > len(slots):
                    slots = _grow(slots, hashes, used)
            counts[kind] += 1
            if latest[kind] != document + 1:
                latest[kind] = document + 1
                documents[kind] += 1
            if words + 1 == len(starts):
                starts = _longer(starts, words)
                kinds2 = np.zeros(len(starts), np.int32)
                kinds2[:words] = kinds[:words]
                kinds = kinds2
            starts[words], kinds[words] = start, kind
            words += 1
            start = stop
        word_of_document[document + 1] = words
    starts[words] = len(text)
    return (
        starts[: words + 1].copy(),
        kinds[:words].copy(),
        word_of_document,
        places[:used].copy(),
        lengths[:used].copy(),
        counts[:used].copy(),
        documents[:used].copy(),
    )


@njit(cache=True, nogil=True)
def _pieces(  # type: ignore[no-untyped-def]
    text: Bytes,
    word_places: Integers,
    word_lengths: Integers,
    word_counts: Integers,
    word_documents: Integers,
    max_length: int,
):
    slots = np.zeros(1 << 20, np.int32)
    room = 1 << 18
    hashes = np.zeros(room, np.uint64)
    places, lengths, counts, documents = (
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
    )
    used = 0
    for word in range(len(word_places)):
        if word_counts[word] < 2:
            continue
        start = word_places[word]
        end = start + min(word_lengths[word], 4 * max_length)
        for first in range(start, end):
            if text[first] & 0xC0 == 0x80:
                continue
            hashed = np.uint64(0)
            for place in range(first, min(end, first + max_length)):
                hashed = (hashed ^ np.uint64(text[place])) * _MULTIPLIER
                hashed ^= hashed >> np.uint64(31)
                length = place + 1 - first
                if length < 2 or (place + 1 < end and text[place + 1] & 0xC0 == 0x80):
                    continue
                whole = _finish(hashed)
                mask = np.uint64(len(slots) - 1)
                slot = whole & mask
                number = -1
                while slots[slot]:
                    other = slots[slot] - 1
                    if hashes[other] == whole and lengths[other] == length:
                        same = places[other]
                        equal = True
                        for i in range(length):
                            equal &= text[same + i] == text[first + i]
                        if equal:
                            number = other
                            break
                    slot = (slot + np.uint64(1)) & mask
                if number < 0:
                    number = used
                    if used == room:
                        hashes2 = np.zeros(2 * room, np.uint64)
                        hashes2[:room] = hashes
                        hashes = hashes2
                        places, lengths = _longer(places, room), _longer(lengths, room)
                        counts, documents = _longer(counts, room), _longer(documents, room)
                        room *= 2
                    slots[slot] = used + 1
                    hashes[used], places[used], lengths[used] = whole, first, length
                    used += 1
                    if 2 * used > len(slots):
                        slots = _grow(slots, hashes, used)
                counts[number] += word_counts[word]
                documents[number] += word_documents[word]
    return (
        places[:used].copy(),
        lengths[:used].copy(),
        counts[:used].copy(),
        documents[:used].copy(),
    )


@njit(cache=True, nogil=True)
def _runs(  # type: ignore[no-untyped-def]
    runs: Nodes,
    word_of_document: Integers,
    starts: Integers,
    size: int,
    max_length: int,
    part: int,
    min_count: int,
    min_documents: int,
    longer: Nodes,
):
    """Count the runs of one part, and number those that occur often enough in `longer`.

    Args:
      runs: int32[W], the number of the run of size - 1 words that begins at each word; -1: none.
      word_of_document: int64[D + 1].
      starts: int64[W + 1].
      size: words.
      max_length: most bytes.
      part: of _PARTS.
      min_count: fewest occurrences.
      min_documents: fewest documents.
      longer: int32[W], filled where runs of this part begin.

    Returns:
      places (in words), counts, documents: int64[runs that are kept].
    """
    slots = np.zeros(1 << 16, np.int32)
    room = 1 << 14
    hashes = np.zeros(room, np.uint64)
    places, counts, documents, latest = (
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
        np.zeros(room, np.int64),
    )
    used = 0
    for document in range(len(word_of_document) - 1):
        for word in range(word_of_document[document], word_of_document[document + 1] - size + 1):
            left, right = runs[word], runs[word + 1]
            if left < 0 or right < 0 or starts[word + size] - starts[word] > max_length:
                continue
            # Two numbers below 2^31 make a key; its hash is one to one, so hashes decide.
            hashed = ((np.uint64(left) << np.uint64(32)) | np.uint64(right)) * _MULTIPLIER
            hashed ^= hashed >> np.uint64(32)
            hashed *= _MULTIPLIER
            if np.int64(hashed >> np.uint64(60)) != part:
                continue
            mask = np.uint64(len(slots) - 1)
            slot = (hashed >> np.uint64(16)) & mask
            while slots[slot] and hashes[slots[slot] - 1] != hashed:
                slot = (slot + np.uint64(1)) & mask
            number = slots[slot] - 1
            if number < 0:
                number = used
                if used == room:
                    hashes2 = np.zeros(2 * room, np.uint64)
                    hashes2[:room] = hashes
                    hashes = hashes2
                    places, counts = _longer(places, room), _longer(counts, room)
                    documents, latest = _longer(documents, room), _longer(latest, room)
                    room *= 2
                slots[slot] = used + 1
                hashes[used], places[used] = hashed, word
                used += 1
                if 2 * used > len(slots):
                    larger = np.zeros(2 * len(slots), np.int32)
                    mask = np.uint64(len(larger) - 1)
                    for other in range(used):
                        slot = (hashes[other] >> np.uint64(16)) & mask
                        while larger[slot]:
                            slot = (slot + np.uint64(1)) & mask
                        larger[slot] = other + 1
                    slots = larger
            counts[number] += 1
            if latest[number] != document + 1:
                latest[number] = document + 1
                documents[number] += 1
            longer[word] = -2 - number  # until it is known which are kept
    kept = np.zeros(used, np.int32)
    count = 0
    for number in range(used):
        kept[number] = -1
        if counts[number] >= min_count and documents[number] >= min_documents:
            kept[number] = count * _PARTS + part  # no two parts give the same
            places[count], counts[count] = places[number], counts[number]
            documents[count] = documents[number]
            count += 1
    for document in range(len(word_of_document) - 1):
        for word in range(word_of_document[document], word_of_document[document + 1] - size + 1):
            if longer[word] < -1:
                left, right = runs[word], runs[word + 1]
                hashed = ((np.uint64(left) << np.uint64(32)) | np.uint64(right)) * _MULTIPLIER
                hashed ^= hashed >> np.uint64(32)
                hashed *= _MULTIPLIER
                if np.int64(hashed >> np.uint64(60)) == part:
                    longer[word] = kept[-2 - longer[word]]
    return places[:count].copy(), counts[:count].copy(), documents[:count].copy()
