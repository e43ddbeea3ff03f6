"""Texts that may be worth a code: pieces of words, and runs of words, that occur often.

Legend: n bytes, W words in the corpus, K kinds of word, D documents.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.codebook.unigram.corpus import Bytes, Corpus, Integers
from equalinfo.codebook.unigram.words import word_end
from equalinfo.jit import njit

Nodes = npt.NDArray[np.int32]

_PARTS = 16  # a run of words is counted in the part of its hash; a constant, so numbers are too
_PART = np.uint64(60)  # its bits in a hash
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

_PLACE, _SIZE, _COUNT, _DOCUMENTS, _LATEST, _HASH = range(6)  # columns
_COLUMNS = 6


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

    def texts(self, corpus: Corpus) -> list[bytes]:
        """The texts."""
        ends = (self.places + self.lengths).tolist()
        return [corpus.text[a:b].tobytes() for a, b in zip(self.places.tolist(), ends, strict=True)]


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

    def borders(self) -> npt.NDArray[np.bool_]:
        """Where a word begins or the last ends: bool[n + 1]."""
        out = np.zeros(self.starts[-1] + 1, np.bool_)
        out[self.starts] = True
        return out


def find_words(corpus: Corpus) -> Words:
    """Cut a corpus into words and number their kinds in the order of their first places."""
    starts, kinds, first_words, rows = _words(corpus.text, corpus.offsets)
    return Words(starts, kinds, first_words, _found(rows))


def find_pieces(corpus: Corpus, words: Found, max_length: int, min_count: int) -> Found:
    """Pieces of words, two bytes and longer, whole characters. Whole words are among them."""
    found = _found(_pieces(corpus.text, words, max_length))
    return found.keep(found.counts >= min_count)


def _found(rows: Integers) -> Found:
    return Found(*(rows[:, column].copy() for column in (_PLACE, _SIZE, _COUNT, _DOCUMENTS)))


def find_runs(
    words: Words,
    max_words: int,
    max_length: int,
    min_count: int,
    min_documents: int,
    threads: int,
    done: Callable[[int], object],
) -> Found:
    """Runs of two to `max_words` words that occur in enough places and documents.

    Args:
      words: in their order; of `found` the counts and documents matter.
      max_words: of a run.
      max_length: bytes of a run.
      min_count: fewest occurrences.
      min_documents: fewest documents.
      threads: the result does not depend on it.
      done: called with 1 for each number of words.
    """
    kinds = words.kinds
    often = (words.found.counts >= min_count) & (words.found.documents >= min_documents)
    runs = np.where(often[kinds], kinds, -1).astype(np.int32)
    found = []
    size = 2
    while size <= max_words and (runs >= 0).any():
        longer = np.full(len(runs), -1, np.int32)

        def count(part: int, runs: Nodes = runs, longer: Nodes = longer, size: int = size) -> Found:
            limits = (max_length, min_count, min_documents)
            return _found(_runs(runs, words.documents, words.starts, size, part, limits, longer))

        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(count, range(_PARTS)))
        for part in parts:
            starts = words.starts[part.places]
            lengths = words.starts[part.places + size] - starts
            found.append(part._replace(places=starts, lengths=lengths))
        runs = longer
        done(1)
        size += 1
    if not found:
        return Found(*np.zeros((4, 0), np.int64))
    return Found(*(np.concatenate(values) for values in zip(*found, strict=True)))


@njit(cache=True, nogil=True)
def num_words(borders: npt.NDArray[np.bool_], places: Integers, lengths: Integers) -> Integers:
    """Words that texts have, or have pieces of: int64[n]."""
    out = np.ones(len(places), np.int64)
    for i in range(len(places)):
        for place in range(places[i] + 1, places[i] + lengths[i]):
            out[i] += borders[place]
    return out


@njit(cache=True, nogil=True)
def _make_table() -> tuple[Nodes, Integers]:
    """A hash table without rows; see `_row_of`."""
    return np.zeros(1 << 12, np.int32), np.zeros((1 << 11, _COLUMNS), np.int64)


@njit(cache=True, nogil=True)
def _row_of(
    hashed: np.uint64, slots: Nodes, rows: Integers, used: int
) -> tuple[int, Nodes, Integers]:
    """The row of a hash: (its number, slots, rows); the number is `used` if it is new.

    Args:
      hashed: all there is to tell rows apart.
      slots: int32[a power of two], number of a row + 1; 0: free.
      rows: int64[at most half of that, _COLUMNS]; both grow.
      used: rows so far.
    """
    if used == len(rows):
        larger = np.zeros((2 * used, _COLUMNS), np.int64)
        larger[:used] = rows
        rows = larger
        slots = np.zeros(4 * used, np.int32)
        mask = np.uint64(len(slots) - 1)
        for row in range(used):
            slot = np.uint64(rows[row, _HASH]) & mask
            while slots[slot]:
                slot = (slot + np.uint64(1)) & mask
            slots[slot] = row + 1
    mask = np.uint64(len(slots) - 1)
    slot = hashed & mask
    while slots[slot]:
        row = slots[slot] - 1
        if np.uint64(rows[row, _HASH]) == hashed:
            return row, slots, rows
        slot = (slot + np.uint64(1)) & mask
    slots[slot] = used + 1
    rows[used, _HASH] = np.int64(hashed)
    return used, slots, rows


@njit(cache=True, nogil=True)
def _add(rows: Integers, row: int, count: int, documents: int) -> None:
    rows[row, _COUNT] += count
    rows[row, _DOCUMENTS] += documents


@njit(cache=True, nogil=True)
def _hash(state: np.uint64, value: int) -> np.uint64:
    """Mix a value into a hash. For one state no two values give the same."""
    state = (state ^ np.uint64(value)) * _MULTIPLIER
    return state ^ (state >> np.uint64(32))


@njit(cache=True, nogil=True)
def _words(text: Bytes, offsets: Integers) -> tuple[Integers, Nodes, Integers, Integers]:
    """(starts, kinds, documents) as in Words, and int64[K, _COLUMNS]."""
    starts, kinds = np.zeros(len(text) // 4 + 16, np.int64), np.zeros(len(text) // 4 + 16, np.int32)
    first_words = np.zeros(len(offsets), np.int64)
    slots, rows = _make_table()
    used = words = 0
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        while start < end:
            stop = word_end(text, start, end)
            hashed = np.uint64(0)
            for place in range(start, stop):
                hashed = _hash(hashed, text[place])
            row, slots, rows = _row_of(_hash(hashed, 0), slots, rows, used)
            if row == used:
                used += 1
                rows[row, _PLACE], rows[row, _SIZE] = start, stop - start
            _add(rows, row, 1, rows[row, _LATEST] != document + 1)
            rows[row, _LATEST] = document + 1
            if words + 1 == len(starts):
                starts = np.append(starts, np.zeros_like(starts))
                kinds = np.append(kinds, np.zeros_like(kinds))
            starts[words], kinds[words] = start, row
            words += 1
            start = stop
        first_words[document + 1] = words
    starts[words] = len(text)
    return starts[: words + 1].copy(), kinds[:words].copy(), first_words, rows[:used].copy()


@njit(cache=True, nogil=True)
def _pieces(text: Bytes, words: Found, max_size: int) -> Integers:
    """Pieces of words that occur at least twice: int64[pieces, _COLUMNS]."""
    slots, rows = _make_table()
    used = 0
    for word in range(len(words.places)):
        if words.counts[word] < 2:
            continue
        end = words.places[word] + min(words.lengths[word], 4 * max_size)
        for start in range(words.places[word], end):
            if _inside_character(text, start, end):
                continue
            hashed = np.uint64(0)
            for place in range(start, min(end, start + max_size)):
                hashed = _hash(hashed, text[place])
                if place == start or _inside_character(text, place + 1, end):
                    continue
                row, slots, rows = _row_of(_hash(hashed, 0), slots, rows, used)
                if row == used:
                    used += 1
                    rows[row, _PLACE], rows[row, _SIZE] = start, place + 1 - start
                _add(rows, row, words.counts[word], words.documents[word])
    return rows[:used].copy()


@njit(cache=True, nogil=True)
def _inside_character(text: Bytes, place: int, end: int) -> bool:
    return place < end and text[place] & 0xC0 == 0x80


@njit(cache=True, nogil=True)
def _run_hash(runs: Nodes, starts: Integers, word: int, size: int, max_length: int) -> np.uint64:
    """Of the run of `size` words from `word` on; 0 where it is none."""
    left, right = runs[word], runs[word + 1]
    if left < 0 or right < 0 or starts[word + size] - starts[word] > max_length:
        return np.uint64(0)
    # One to one: two numbers below 2^31 in one key.
    return _hash(_hash(np.uint64(0), ((left + 1) << 32) | right), 0)


@njit(cache=True, nogil=True)
def _runs(
    runs: Nodes,
    first_words: Integers,
    starts: Integers,
    size: int,
    part: int,
    limits: tuple[int, int, int],
    longer: Nodes,
) -> Integers:
    """Count the runs of one part, and number those that occur often enough in `longer`.

    Args:
      runs: int32[W], the number of the run of size - 1 words that begins at each word; -1: none.
      first_words: int64[D + 1].
      starts: int64[W + 1].
      size: words.
      part: of _PARTS.
      limits: most bytes, fewest occurrences, fewest documents.
      longer: int32[W], filled where runs of this part begin.

    Returns:
      int64[runs that are kept, _COLUMNS]; their places are words.
    """
    max_length, min_count, min_documents = limits
    slots, rows = _make_table()
    used = 0
    for document in range(len(first_words) - 1):
        for word in range(first_words[document], first_words[document + 1] - size + 1):
            hashed = _run_hash(runs, starts, word, size, max_length)
            if hashed == 0 or np.int64(hashed >> _PART) != part:
                continue
            row, slots, rows = _row_of(hashed, slots, rows, used)
            if row == used:
                used += 1
                rows[row, _PLACE], rows[row, _SIZE] = word, size
            _add(rows, row, 1, rows[row, _LATEST] != document + 1)
            rows[row, _LATEST] = document + 1
            longer[word] = -2 - row  # until it is known which are kept
    numbers = np.full(used, -1, np.int32)
    kept = 0
    for row in range(used):
        if rows[row, _COUNT] >= min_count and rows[row, _DOCUMENTS] >= min_documents:
            numbers[row] = kept * _PARTS + part  # no two parts give the same
            rows[kept] = rows[row]
            kept += 1
    for document in range(len(first_words) - 1):
        for word in range(first_words[document], first_words[document + 1] - size + 1):
            if longer[word] < -1:
                hashed = _run_hash(runs, starts, word, size, max_length)
                if np.int64(hashed >> _PART) == part:
                    longer[word] = numbers[-2 - longer[word]]
    return rows[:kept].copy()
