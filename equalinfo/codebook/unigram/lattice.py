"""Spellings of a text by a set of texts: the cheapest one, and what it costs to lose a text.

The set is a trie in a double array. An entry is a uint64: `cost | base | symbol`, of 24, 31 and 9
bits. The child of a node by byte s lies at base + s, if the symbol there is s: no two nodes have
the same base. Costs are in 1/256 bit; where no text of the set ends, the cost is more than that of
any text by single bytes.

The cheapest spelling is the parse `fewest`: of those that cost the same, the one whose last text is
the longest, then the one before it, and so on.

Legend: T texts, S places, n bytes, D documents.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.codebook.unigram.corpus import MAX_DOCUMENT, Bytes, Corpus, Integers
from equalinfo.jit import njit

Entries = npt.NDArray[np.uint64]
Nodes = npt.NDArray[np.int32]

_BASE, _COST = np.uint64(9), np.uint64(40)
_BASE_MASK, _SYMBOL_MASK = np.uint64((1 << 31) - 1), np.uint64(511)
_ROOT = 256  # base of the root; that of nodes without children is 0, whose places stay free
_TRIES = 256  # places
_TOO_DEAR = np.uint64((1 << 24) - 1)
_NO_TEXT = _TOO_DEAR << _COST
_FREE = _NO_TEXT | _SYMBOL_MASK
_BLOCK = 1 << 22  # bytes that a thread parses at a time
_LENGTH, _LENGTH_MASK = np.uint64(8), np.int64(255)  # of a key
_FAR = np.int64(1) << 61


class Usage(NamedTuple):
    """How the cheapest spellings of a corpus use the texts.

    Attributes:
      counts: int64[T].
      documents: int64[T], in how many documents each is used.
    """

    counts: Integers
    documents: Integers


class Lattice:
    """A set of texts with costs.

    Args:
      texts: uint8[sum of lengths], in lexicographic order, all single bytes among them.
      offsets: int64[T + 1].
    """

    def __init__(self, texts: Bytes, offsets: Integers) -> None:
        self._texts, self._offsets = texts, offsets
        self._entries, self._places = _build(texts, offsets)
        self._text_at = np.full(len(self._entries), -1, np.int32)
        self._text_at[self._places] = np.arange(len(self._places))
        self._lengths = np.diff(offsets)

    def set_costs(self, costs: Integers) -> None:
        """Give each text its cost: int64[T], in 1/256 bit, below 2^17."""
        rest = self._entries[self._places] & ~_NO_TEXT
        self._entries[self._places] = rest | (costs.astype(np.uint64) << _COST)

    def parse(self, corpus: Corpus, threads: int, done: Callable[[int], object]) -> Usage:
        """Spell each document as cheaply as the costs allow.

        Args:
          corpus: documents.
          threads: how many to use; the result does not depend on it.
          done: called with numbers of bytes.
        """
        usage = np.zeros((2, len(self._lengths)), np.int64)
        for of_block in self._by_block(_count, corpus, threads, done):
            usage += of_block
        return Usage(*usage)

    def tokens(
        self, corpus: Corpus, threads: int, done: Callable[[int], object]
    ) -> tuple[Nodes, Integers]:
        """The cheapest spellings themselves, one document behind the other.

        Args:
          corpus: documents.
          threads: how many to use; the result does not depend on it.
          done: called with numbers of bytes.

        Returns:
          texts: int32[tokens].
          first: int64[D + 1], the first token of each document.
        """
        found = list(self._by_block(_tokens, corpus, threads, done))
        texts = [np.zeros(0, np.int32), *(texts for texts, _ in found)]
        numbers = [np.zeros(1, np.int64), *(numbers for _, numbers in found)]
        return np.concatenate(texts), np.cumsum(np.concatenate(numbers))

    def _by_block(
        self, kernel: Any, corpus: Corpus, threads: int, done: Callable[[int], object]
    ) -> Iterator[Any]:
        """What a kernel finds in blocks of the corpus, in their order."""
        first = np.searchsorted(corpus.offsets, np.arange(0, corpus.offsets[-1], _BLOCK))
        bounds = np.unique(np.append(first, corpus.num_documents))

        def work(first: int, last: int) -> tuple[int, Any]:
            ends = corpus.offsets[first : last + 1]
            found = kernel(self._entries, self._text_at, corpus.text, ends)
            return int(ends[-1] - ends[0]), found

        with ThreadPoolExecutor(threads) as pool:
            for size, found in pool.map(work, bounds[:-1], bounds[1:]):
                yield found
                done(size)

    def detours(self, threads: int) -> Integers:
        """How much more the cheapest spelling of each text by others costs: int64[T].

        Single bytes have no other: -1.
        """
        out = np.empty(len(self._lengths), np.int64)
        bounds = np.linspace(0, len(out), 8 * threads + 1).astype(np.int64)

        def work(block: int) -> None:
            _detours(
                self._entries.copy(),  # changed on the way
                self._places,
                self._texts,
                self._offsets,
                bounds[block],
                bounds[block + 1],
                out,
            )

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(len(bounds) - 1)))
        return out


@njit(cache=True, nogil=True, inline="always")
def _step(entries: Entries, base: np.uint64, symbol: np.uint64) -> tuple[np.uint64, np.int64]:
    """Go down by a byte: (base of the child, its cost as a key); base 0, too dear: none."""
    entry = entries[base + symbol]
    # All ones if there is a child: no branch, which could not be predicted.
    found = np.uint64(0) - np.uint64((entry & _SYMBOL_MASK) == symbol)
    cost = (entry >> _COST) | (_TOO_DEAR & ~found)
    return (entry >> _BASE) & _BASE_MASK & found, np.int64(cost << _LENGTH)


@njit(cache=True, nogil=True)
def _forward(entries: Entries, text: Bytes, start: int, end: int, best: Integers) -> None:
    """Cheapest ways to each place of text[start:end].

    A way is known by its key: `cost | 255 - length of its last text`, the length in 8 bits. So
    the least key is the cheapest way, and of equals the one whose last text is the longest.

    Four walks from starts side by side hide the time that a load takes. They arrive at a place
    together; a walk that has ended goes on through free places, so that only the end of all four
    is a branch.

    Args:
      entries: uint64[S].
      text: uint8[n].
      start: where the document begins.
      end: where it ends.
      best: int64[end - start + 1] or more, filled with keys.
    """
    size = end - start
    best[0] = 0
    best[1 : size + 1] = _FAR
    root, no_base = np.uint64(_ROOT), np.uint64(0)
    i = 0
    while i < size:
        base0, base1, base2, base3 = root, no_base, no_base, no_base
        key0 = best[i] | _LENGTH_MASK
        key1 = key2 = key3 = _FAR
        j = i
        while j < size:
            symbol = np.uint64(text[start + j])
            base0, cost0 = _step(entries, base0, symbol)
            base1, cost1 = _step(entries, base1, symbol)
            base2, cost2 = _step(entries, base2, symbol)
            base3, cost3 = _step(entries, base3, symbol)
            key0, key1, key2, key3 = key0 - 1, key1 - 1, key2 - 1, key3 - 1
            j += 1
            least = min(min(key0 + cost0, key1 + cost1), min(key2 + cost2, key3 + cost3))
            least = min(least, best[j])
            best[j] = least
            if j < i + 4:  # the next walk begins here, where nothing can arrive any more
                if j == i + 1:
                    base1, key1 = root, least | _LENGTH_MASK
                elif j == i + 2:
                    base2, key2 = root, least | _LENGTH_MASK
                else:
                    base3, key3 = root, least | _LENGTH_MASK
            elif (base0 | base1 | base2 | base3) == no_base:
                break
        i += 4


@njit(cache=True, nogil=True)
def _find(entries: Entries, text: Bytes, start: int, end: int) -> np.uint64:
    """The place in `entries` of a text of the set."""
    base = place = np.uint64(_ROOT)
    for i in range(start, end):
        place = base + np.uint64(text[i])
        base = (entries[place] >> _BASE) & _BASE_MASK
    return place


@njit(cache=True, nogil=True)
def _tokens(
    entries: Entries, text_at: Nodes, text: Bytes, offsets: Integers
) -> tuple[Nodes, Integers]:
    """(texts of all documents at `offsets`, how many of each document)."""
    best = np.empty(MAX_DOCUMENT + 1, np.int64)
    out = np.empty(offsets[-1] - offsets[0], np.int32)
    numbers = np.zeros(len(offsets) - 1, np.int64)
    filled = 0
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        _forward(entries, text, start, end, best)
        first, place = filled, end
        while place > start:
            length = _LENGTH_MASK - (best[place - start] & _LENGTH_MASK)
            out[filled] = text_at[_find(entries, text, place - length, place)]
            filled += 1
            place -= length
        numbers[document] = filled - first
        out[first:filled] = out[first:filled][::-1].copy()
    return out[:filled].copy(), numbers


@njit(cache=True, nogil=True)
def _count(entries: Entries, text_at: Nodes, text: Bytes, offsets: Integers) -> Integers:
    """Uses of texts in the documents at `offsets`, and how many of these use each: int64[2, T]."""
    tokens, numbers = _tokens(entries, text_at, text, offsets)
    usage = np.zeros((2, text_at.max() + 1), np.int64)
    seen = np.full(usage.shape[1], -1, np.int32)
    token = 0
    for document in range(len(numbers)):
        for _ in range(numbers[document]):
            found = tokens[token]
            token += 1
            usage[0, found] += 1
            usage[1, found] += seen[found] != document
            seen[found] = document
    return usage


@njit(cache=True, nogil=True)
def _detours(
    entries: Entries,
    places: Nodes,
    texts: Bytes,
    offsets: Integers,
    first: int,
    last: int,
    out: Integers,
) -> None:
    best = np.empty(MAX_DOCUMENT + 1, np.int64)
    for text in range(first, last):
        start, end = offsets[text], offsets[text + 1]
        if end - start == 1:
            out[text] = -1
            continue
        entry = entries[places[text]]
        entries[places[text]] = entry | _NO_TEXT
        _forward(entries, texts, start, end, best)
        entries[places[text]] = entry
        out[text] = (best[end - start] >> np.int64(_LENGTH)) - np.int64(entry >> _COST)


@njit(cache=True, nogil=True)
def _build(texts: Bytes, offsets: Integers) -> tuple[Entries, Nodes]:
    """The double array, all costs 0, and where each text ends in it."""
    num_texts = len(offsets) - 1
    most = len(texts) + 1
    symbol_of = np.zeros(most, np.uint8)
    child_of = np.zeros(most, np.int32)  # the first child; 0: none
    sibling_of = np.zeros(most, np.int32)  # the next; 0: none
    ending = np.empty(num_texts, np.int32)  # node of each text
    path = np.zeros(MAX_DOCUMENT + 1, np.int32)  # nodes of the text before, by depth
    last_child = np.zeros(MAX_DOCUMENT + 1, np.int32)
    nodes = 1
    for text in range(num_texts):
        start, end = offsets[text], offsets[text + 1]
        depth = 0
        if text:
            before = offsets[text - 1]
            common = min(end - start, start - before)
            while depth < common and texts[before + depth] == texts[start + depth]:
                depth += 1
        while depth < end - start:
            symbol_of[nodes] = texts[start + depth]
            if child_of[path[depth]] == 0:
                child_of[path[depth]] = nodes
            else:
                sibling_of[last_child[depth]] = nodes
            last_child[depth] = nodes
            depth += 1
            path[depth] = nodes
            nodes += 1
        ending[text] = path[end - start]

    entries = np.full(2 * nodes + 2048, _FREE, np.uint64)
    is_base = np.zeros(len(entries), np.bool_)
    is_base[_ROOT] = True
    places = np.zeros(nodes, np.int32)
    head = _ROOT + 256  # before it nothing is looked for
    end_used = head
    for node in range(nodes):  # in preorder, so that a path lies together
        child = child_of[node]
        if child == 0:
            continue
        if end_used + 1024 > len(entries):
            entries = np.append(entries, np.full(len(entries), _FREE, np.uint64))
            is_base = np.append(is_base, np.zeros(len(is_base), np.bool_))
        base = _ROOT
        if node:
            base, head = _find_base(entries, is_base, head, end_used, symbol_of, sibling_of, child)
        is_base[base] = True
        while child:
            place = base + int(symbol_of[child])
            places[child] = place
            entries[place] = _NO_TEXT | np.uint64(symbol_of[child])
            if place >= end_used:
                end_used = place + 1
            child = sibling_of[child]
        entries[places[node]] |= np.uint64(base) << _BASE
    return entries[: end_used + 256].copy(), places[ending]


@njit(cache=True, nogil=True)
def _find_base(
    entries: Entries,
    is_base: npt.NDArray[np.bool_],
    head: int,
    end_used: int,
    symbol_of: Bytes,
    sibling_of: Nodes,
    child: int,
) -> tuple[int, int]:
    """(a base whose places for these children are free, where to look next time)."""
    first = int(symbol_of[child])
    while head < end_used and entries[head] != _FREE:
        head += 1
    for place in range(head, min(head + _TRIES, end_used)):
        if entries[place] == _FREE and not is_base[place - first]:
            other = sibling_of[child]
            while other and entries[place - first + symbol_of[other]] == _FREE:
                other = sibling_of[other]
            if other == 0:
                return place - first, head
    # Siblings found no room: some of the holes here are given up, so that nobody looks for ever.
    given_up = min(head + _TRIES // 8, end_used)
    place = end_used
    while is_base[place - first]:
        place += 1
    return place - first, given_up
