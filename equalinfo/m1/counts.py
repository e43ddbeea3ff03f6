"""An M1 that is counted, not trained: how often each symbol follows each text that begins a window.

A text whose probability is 2^-17 or more occurs a thousand times in 100 MB: so for windows of 16
bits counts are as good as any model, as long as the text is like the training text. Windows do
not begin anywhere: they begin where one ended. So texts are counted at given places, those where
the windows of an earlier codebook begin (`from_symbols`, `starts`).
"""

import hashlib
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols, as_symbols
from equalinfo.jit import njit
from equalinfo.m1.base import DEFAULT_PRECISION, Frequencies, check_precision

Integers = npt.NDArray[np.int64]
Nodes = npt.NDArray[np.int32]

PSEUDO_COUNT = 1
"""What the symbol before alone foretells weighs as much as this many occurrences of the text."""

_UNKNOWN = -1
_MAX_TABLE = 1 << 26  # counters of one level of the trie, 512 MB at most: 261,124 texts
_MAX_LENGTH = 64  # longer texts are not followed: documents may occur twice


class CountModel:
    """Frequencies from counts of the texts that begin windows.

    After a text seen n times, the frequency of symbol c is its share in n(text, c) + p(c | last
    symbol), where p is counted over all places; after other texts it is p. All in integers.
    """

    def __init__(
        self,
        start: Integers,
        symbols: npt.NDArray[np.uint16],
        counts: Integers,
        children: Nodes,
        pairs: Integers,
        precision: int = DEFAULT_PRECISION,
    ) -> None:
        """Take counts as they are; `from_symbols` counts.

        Args:
          start: int64[nodes + 1]; what follows node t is at start[t]:start[t + 1] of the next
            three. Node 0 is the empty text.
          symbols: uint16[n], ascending for each node.
          counts: int64[n], each >= 1.
          children: int32[n], the node of the text with that symbol added; -1: it was not kept.
          pairs: int64[257, 257], how often a symbol follows another, anywhere.
          precision: P.
        """
        check_precision(precision)
        self._tables = start, symbols, counts, children
        self._precision = precision
        self._after = _after_one(pairs, start, symbols, counts)

    @classmethod
    def from_symbols(
        cls,
        text: Symbols,
        starts: npt.NDArray[np.integer] | None = None,
        precision: int = DEFAULT_PRECISION,
    ) -> Self:
        """Count.

        Args:
          text: uint16[n], documents joined with EOS.
          starts: int[windows], the places where texts are counted; None: everywhere.
          precision: P.

        Raises:
          ValueError: nothing to count.
        """
        text = as_symbols(text)
        if not len(text):
            raise ValueError("the text to count is empty.")
        if len(text) >= 1 << 31:
            raise ValueError(
                f"the text to count has {len(text)} symbols, more than 2^31 - 1. Count a part of "
                "it: some hundred million are plenty."
            )
        size = len(text)
        places = np.arange(size, dtype=np.int32) if starts is None else starts.astype(np.int32)
        # 2^-18 of the windows: a quarter of what the rarest of 65,536 texts has.
        min_count = max(2, len(places) >> 18)
        pairs = np.zeros((NUM_SYMBOLS, NUM_SYMBOLS), np.int64)
        _count_pairs(text, pairs)
        return cls(*_count_texts(text, places, min_count), pairs, precision)

    @property
    def precision(self) -> int:
        """P: frequencies sum to 2^P."""
        return self._precision

    @property
    def max_context(self) -> int:
        """Length of the longest text followed."""
        return self._depth

    @cached_property
    def _depth(self) -> int:
        start, _, _, children = self._tables
        depths = np.zeros(len(start) - 1, np.int64)
        _fill_depths(start, children, depths)
        return int(depths.max())

    @cached_property
    def sha256(self) -> str:
        """Of counts and precision."""
        digest = hashlib.sha256(f"equalinfo.counts {self._precision} {PSEUDO_COUNT}".encode())
        for table in (*self._tables, self._after):
            digest.update(table.astype(table.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def root(self) -> Frequencies:
        """How windows begin."""
        out = np.empty((1, NUM_SYMBOLS), np.uint32)
        state = _State(np.zeros(1, np.int32), np.full(1, NUM_SYMBOLS, np.int32))
        _mix(*self._tables[:3], self._after, state.nodes, state.last, self._precision, out)
        return out[0]

    def start(self, lanes: int, context: int) -> "_State":
        """State of empty texts. `context` cuts no counted text short if it is `max_context`."""
        if context < self.max_context:
            raise ValueError(
                f"m1_context={context}, but texts of up to {self.max_context} symbols were "
                f"counted. Use m1_context={self.max_context} or more."
            )
        return _State(np.zeros(lanes, np.int32), np.full(lanes, NUM_SYMBOLS, np.int32))

    def step(
        self, state: "_State", symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Frequencies:
        """See `FrequencyModel.step`."""
        state.nodes[reset] = 0
        _descend(self._tables[0], self._tables[1], self._tables[3], state.nodes, symbols)
        state.last[:] = symbols
        out = np.empty((len(symbols), NUM_SYMBOLS), np.uint32)
        _mix(*self._tables[:3], self._after, state.nodes, state.last, self._precision, out)
        return out


class _State:
    """One text a lane: its node (-1: not counted) and its last symbol (257: none)."""

    def __init__(self, nodes: Nodes, last: Nodes) -> None:
        self.nodes = nodes
        self.last = last


def _count_texts(
    text: Symbols, places: Nodes, min_count: int
) -> tuple[Integers, npt.NDArray[np.uint16], Integers, Nodes]:
    """Level by level: `places` and `nodes` are the windows whose text so far is still followed."""
    nodes = np.zeros(len(places), np.int32)
    starts, all_symbols, all_counts, all_children = [np.zeros(1, np.int64)], [], [], []
    kept, known, entries = 1, 1, 0  # texts of this level, texts so far, continuations so far
    depth = 0
    while kept:
        if kept * NUM_SYMBOLS > _MAX_TABLE:
            raise ValueError(
                f"{kept} texts of {depth} symbols occur {min_count} times or more, which is too "
                "many to count. Raise min_count, or count more text."
            )
        table = np.zeros(kept * NUM_SYMBOLS, np.int64)
        _count_next(text, places, nodes, depth, table)
        seen = np.flatnonzero(table)
        follow = (table[seen] >= min_count) & (depth < _MAX_LENGTH)
        children = np.full(len(seen), _UNKNOWN, np.int32)
        children[follow] = known + np.arange(np.count_nonzero(follow))
        starts.append(entries + np.searchsorted(seen, np.arange(1, kept + 1) * NUM_SYMBOLS))
        all_symbols.append((seen % NUM_SYMBOLS).astype(np.uint16))
        all_counts.append(table[seen])
        all_children.append(children)
        step = np.full(len(table), _UNKNOWN, np.int32)
        step[seen[follow]] = np.arange(np.count_nonzero(follow))
        left = _follow(text, places, nodes, depth, step)
        places, nodes = places[:left], nodes[:left]
        entries += len(seen)
        kept = int(np.count_nonzero(follow))
        known += kept
        depth += 1
    return (
        np.concatenate(starts),
        np.concatenate(all_symbols),
        np.concatenate(all_counts),
        np.concatenate(all_children),
    )


def _after_one(
    pairs: Integers, start: Integers, symbols: npt.NDArray[np.uint16], counts: Integers
) -> Integers:
    """int64[258, 257]: p(c | last symbol) in 2^-16, rounded down; the last row: at the start."""
    first = np.zeros((1, NUM_SYMBOLS), np.int64)
    first[0, symbols[: start[1]]] = counts[: start[1]]
    table = np.concatenate([pairs, first])
    total = table.sum(axis=1, keepdims=True)
    # One more for each symbol: those never seen are possible, and rows never seen are uniform.
    return ((table + 1) << 16) // (total + NUM_SYMBOLS)


@njit(cache=True, nogil=True)
def _count_pairs(text: Symbols, pairs: Integers) -> None:
    for place in range(1, len(text)):
        pairs[text[place - 1], text[place]] += 1


@njit(cache=True, nogil=True)
def _count_next(text: Symbols, places: Nodes, nodes: Nodes, depth: int, table: Integers) -> None:
    for i in range(len(places)):
        place = np.int64(places[i]) + depth
        if place < len(text):
            table[np.int64(nodes[i]) * NUM_SYMBOLS + text[place]] += 1


@njit(cache=True, nogil=True)
def _follow(text: Symbols, places: Nodes, nodes: Nodes, depth: int, step: Nodes) -> int:
    """Move the windows that go on to a kept text to the front; return how many."""
    left = 0
    for i in range(len(places)):
        place = np.int64(places[i]) + depth
        if place < len(text):
            child = step[np.int64(nodes[i]) * NUM_SYMBOLS + text[place]]
            if child >= 0:
                places[left] = places[i]
                nodes[left] = child
                left += 1
    return left


@njit(cache=True, nogil=True)
def _fill_depths(start: Integers, children: Nodes, depths: Integers) -> None:
    for node in range(len(depths)):  # children come after their parents
        for i in range(start[node], start[node + 1]):
            if children[i] >= 0:
                depths[children[i]] = depths[node] + 1


@njit(cache=True, nogil=True)
def _descend(
    start: Integers,
    symbols: npt.NDArray[np.uint16],
    children: Nodes,
    nodes: Nodes,
    read: npt.NDArray[np.int32],
) -> None:
    for lane in range(len(nodes)):
        node = nodes[lane]
        if node < 0:
            continue
        low, high = start[node], start[node + 1]
        place = low + np.searchsorted(symbols[low:high], read[lane])
        found = place < high and symbols[place] == read[lane]
        nodes[lane] = children[place] if found else _UNKNOWN


@njit(cache=True, nogil=True)
def _mix(
    start: Integers,
    symbols: npt.NDArray[np.uint16],
    counts: Integers,
    after: Integers,
    nodes: Nodes,
    last: Nodes,
    precision: int,
    out: Frequencies,
) -> None:
    """Share 2^P points, each symbol at least one; those left over go to the likeliest symbol."""
    row = np.empty(NUM_SYMBOLS, np.int64)
    points = (1 << precision) - NUM_SYMBOLS
    for lane in range(len(nodes)):
        row[:] = after[last[lane]]  # PSEUDO_COUNT in all, in units of PSEUDO_COUNT / 2^16
        if nodes[lane] >= 0:
            for i in range(start[nodes[lane]], start[nodes[lane] + 1]):
                row[symbols[i]] += counts[i] * ((1 << 16) // PSEUDO_COUNT)
        total = row.sum()
        left = points
        for symbol in range(NUM_SYMBOLS):
            share = _share(row[symbol], points, total)
            out[lane, symbol] = 1 + share
            left -= share
        out[lane, np.argmax(row)] += left


@njit(cache=True, nogil=True, inline="always")
def _share(part: int, points: int, total: int) -> int:
    """floor(part points / total); part * points may pass 2^63, so bits are dropped first."""
    while total >= np.int64(1) << 42:
        total = (total >> 1) + 1
        part >>= 1
    return part * points // total
