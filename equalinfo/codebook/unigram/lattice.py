"""All spellings of a text by a set of texts: the cheapest of them, and what it costs to lose a text.

The set is a trie in a double array. An entry is a uint64: `cost | base | symbol`, of 28, 27 and 9
bits. The child of a node by byte s lies at base + s, if the symbol there is s: no two nodes have
the same base. A cost of 0 says that no text of the set ends there. Costs are in 1/256 bit.

The cheapest spelling is the parse `fewest`: of those that cost the same, the one whose last text is
the longest, then the one before it, and so on.

Legend: T texts, S places, n bytes, D documents.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from equalinfo.codebook.unigram.corpus import MAX_DOCUMENT, Bytes, Corpus, Integers

Entries = npt.NDArray[np.uint64]
Nodes = npt.NDArray[np.int32]

_BASE, _COST = np.uint64(9), np.uint64(36)
_BASE_MASK, _SYMBOL_MASK = np.uint64((1 << 27) - 1), np.uint64(511)
_FREE = np.uint64(511)  # no byte
_ROOT = 256  # base of the root; that of nodes without children is 0, whose places stay free
_TRIES = 256  # places
_BLOCK = 1 << 22  # bytes that a thread parses at a time
_FAR = np.int64(1) << 62


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
        """Give each text its cost: int64[T], in 1/256 bit, 1 to 2^28 - 1."""
        _set_costs(self._entries, self._places, costs)

    def parse(self, corpus: Corpus, threads: int, done: Callable[[int], object]) -> Usage:
        """Spell each document as cheaply as the costs allow.

        Args:
          corpus: documents.
          threads: how many to use; the result does not depend on it.
          done: called with numbers of bytes.
        """
        offsets = corpus.offsets
        counts, documents = np.zeros((2, len(self._lengths)), np.int64)
        first = np.searchsorted(offsets, np.arange(0, offsets[-1], _BLOCK))
        bounds = np.unique(np.append(first, len(offsets) - 1))

        def work(block: int) -> tuple[int, Integers, Integers]:
            ends = offsets[bounds[block] : bounds[block + 1] + 1]
            own = np.zeros((2, len(self._lengths)), np.int64)
            _count(
                self._entries, self._text_at, self._lengths, corpus.text, ends, own[0], own[1]
            )
            return int(ends[-1] - ends[0]), own[0], own[1]

        with ThreadPoolExecutor(threads) as pool:
            for size, own_counts, own_documents in pool.map(work, range(len(bounds) - 1)):
                counts += own_counts
                documents += own_documents
                done(size)
        return Usage(counts, documents)

    def spell(self, document: bytes) -> list[int]:
        """Numbers of the texts that spell a document."""
        text = np.frombuffer(document, np.uint8)
        best = np.empty(len(text) + 1, np.int64)
        last = np.empty(len(text) + 1, np.int32)
        _forward(self._entries, text, 0, len(text), best, last)
        found = []
        place = len(text)
        while place:
            found.append(int(self._text_at[last[place]]))
            place -= int(self._lengths[found[-1]])
        return found[::-1]

    def detours(self, threads: int) -> Integers:
        """How much more the cheapest spelling of each text by others costs: int64[T].

        Single bytes have no other: -1.
        """
        out = np.empty(len(self._lengths), np.int64)
        bounds = np.linspace(0, len(out), 8 * threads + 1).astype(np.int64)

        def work(block: int) -> None:
            _detours(
                self._entries,
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


@njit(cache=True, nogil=True)
def _set_costs(entries: Entries, places: Nodes, costs: Integers) -> None:
    low = (np.uint64(1) << _COST) - np.uint64(1)
    for text in range(len(places)):
        entry = entries[places[text]]
        entries[places[text]] = (entry & low) | (np.uint64(costs[text]) << _COST)


@njit(cache=True, nogil=True)
def _forward(
    entries: Entries, text: Bytes, start: int, end: int, best: Integers, last: Nodes
) -> None:
    """Cheapest ways to each place of text[start:end].

    Args:
      entries: uint64[S].
      text: uint8[n].
      start: where the document begins.
      end: where it ends.
      best: int64[end - start + 1] or more, filled with costs.
      last: int32 like it, filled with the place in `entries` of the text that ends there.
    """
    size = end - start
    best[0] = 0
    best[1 : size + 1] = _FAR
    for i in range(size):
        before = best[i]
        base = np.uint64(_ROOT)
        for j in range(i, size):
            symbol = np.uint64(text[start + j])
            place = base + symbol
            entry = entries[place]
            if (entry & _SYMBOL_MASK) != symbol:
                break
            base = (entry >> _BASE) & _BASE_MASK
            cost = entry >> _COST
            # Starts come in ascending order: of equals the longest last text stays.
            if cost and before + np.int64(cost) < best[j + 1]:
                best[j + 1] = before + np.int64(cost)
                last[j + 1] = np.int32(place)


@njit(cache=True, nogil=True)
def _count(
    entries: Entries,
    text_at: Nodes,
    lengths: Integers,
    text: Bytes,
    offsets: Integers,
    counts: Integers,
    documents: Integers,
) -> None:
    """Add the use of texts in the documents at `offsets`."""
    best = np.empty(MAX_DOCUMENT + 1, np.int64)
    last = np.empty(MAX_DOCUMENT + 1, np.int32)
    seen = np.full(len(counts), -1, np.int32)
    for document in range(len(offsets) - 1):
        start, end = offsets[document], offsets[document + 1]
        _forward(entries, text, start, end, best, last)
        place = end - start
        while place > 0:
            found = text_at[last[place]]
            counts[found] += 1
            if seen[found] != document:
                seen[found] = document
                documents[found] += 1
            place -= lengths[found]


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
        start = offsets[text]
        size = offsets[text + 1] - start
        if size == 1:
            out[text] = -1
            continue
        own = np.uint64(places[text])
        best[0] = 0
        best[1 : size + 1] = _FAR
        for i in range(size):
            base = np.uint64(_ROOT)
            for j in range(i, size):
                symbol = np.uint64(texts[start + j])
                place = base + symbol
                entry = entries[place]
                if (entry & _SYMBOL_MASK) != symbol:
                    break
                base = (entry >> _BASE) & _BASE_MASK
                cost = entry >> _COST
                if cost and place != own:
                    best[j + 1] = min(best[j + 1], best[i] + np.int64(cost))
        out[text] = best[size] - np.int64(entries[own] >> _COST)


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

    entries = np.full(4 * nodes + 1024, _FREE, np.uint64)
    is_base = np.zeros(len(entries), np.bool_)
    is_base[_ROOT] = True
    places = np.zeros(nodes, np.int32)
    head = _ROOT + 256  # before it nothing is looked for
    end_used = head
    for node in range(nodes):  # in preorder, so that a path lies together
        child = child_of[node]
        if child == 0:
            continue
        base = _ROOT
        if node:
            base, head = _find_base(entries, is_base, head, end_used, symbol_of, sibling_of, child)
        is_base[base] = True
        while child:
            place = base + np.int64(symbol_of[child])
            places[child] = place
            entries[place] = np.uint64(symbol_of[child])
            end_used = max(end_used, place + 1)
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
    first = np.int64(symbol_of[child])
    while entries[head] != _FREE:
        head += 1
    for place in range(head, min(head + _TRIES, end_used)):
        if entries[place] == _FREE and not is_base[place - first]:
            other = sibling_of[child]
            while other and entries[place - first + symbol_of[other]] == _FREE:
                other = sibling_of[other]
            if other == 0:
                return place - first, head
    place = max(head, end_used)
    while is_base[place - first]:
        place += 1
    # Siblings found no room: holes this far back are given up, so that nobody looks again.
    return place - first, max(head, min(place, head + _TRIES // 8))
