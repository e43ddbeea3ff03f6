"""Packing a trie into a double array: first fit."""

import numpy as np
import numpy.typing as npt
from numba import njit

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook.double_array import (
    BASE,
    BREAK,
    BREAK_ENTRY,
    FREE,
    NONE,
    PARENT,
    WALK_SYMBOLS,
    Entries,
)
from equalinfo.codebook.trie import Nodes, Offsets, Texts


def pack(texts: Texts, offsets: Offsets, parents: Nodes, ranks: npt.NDArray[np.integer]) -> Entries:
    """Pack a trie.

    Args:
      texts: uint16[T].
      offsets: int64[C + 1].
      parents: int32[C], -1 for texts of one symbol.
      ranks: integers[C]; nodes of low rank are placed first, close together: the likely ones should
        share cache lines.

    Returns:
      uint64[S], S a little above C.
    """
    num_codes = len(parents)
    last_symbols = texts[offsets[1:] - 1]
    order = np.argsort(parents, kind="stable")[NUM_SYMBOLS:].astype(np.int32)
    start = np.zeros(num_codes + 1, np.int64)
    np.cumsum(np.bincount(parents[order], minlength=num_codes), out=start[1:])
    inner = np.flatnonzero(np.diff(start))
    inner = inner[np.argsort(ranks[inner], kind="stable")]
    bases = np.zeros(num_codes, np.int64)
    places = np.zeros(num_codes, np.int64)
    singles = np.flatnonzero(parents < 0)
    places[singles] = last_symbols[singles]
    _place(inner, start, last_symbols[order], order, bases, places)
    size = max(int(places.max()) + 1, int(bases.max()) + WALK_SYMBOLS)
    entries = np.full(size, FREE, np.uint64)
    entries[BREAK] = BREAK_ENTRY
    named = np.where(parents < 0, np.int64(NONE), parents).astype(np.uint64)
    codes = np.arange(num_codes, dtype=np.uint64)
    entries[places] = (bases.astype(np.uint64) << BASE) | (named << PARENT) | codes
    return entries


@njit(cache=True, nogil=True)
def _place(
    inner: npt.NDArray[np.int64],
    start: Offsets,
    symbols: Texts,
    nodes: Nodes,
    bases: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
) -> None:
    """First fit, node by node. Free places are a doubly linked list; place 0 is its head."""
    room = 2 * len(places) + 2 * WALK_SYMBOLS
    after = np.arange(1, room + 1)
    before = np.arange(-1, room - 1)
    used = np.zeros(room, np.bool_)
    used[:WALK_SYMBOLS] = True
    after[0], before[WALK_SYMBOLS] = WALK_SYMBOLS, 0
    for node in inner:
        low, high = start[node], start[node + 1]
        first = np.int64(symbols[low])
        free = after[0]
        while True:
            if free + WALK_SYMBOLS >= room:  # the trie packs badly: make the lists longer
                longer = 2 * room
                after = np.append(after, np.arange(room + 1, longer + 1))
                before = np.append(before, np.arange(room - 1, longer - 1))
                used = np.append(used, np.zeros(longer - room, np.bool_))
                room = longer
            base = free - first
            fits = base >= 0
            if fits:
                for child in range(low + 1, high):
                    if used[base + symbols[child]]:
                        fits = False
                        break
            if fits:
                break
            free = after[free]
        bases[node] = base
        for child in range(low, high):
            place = base + symbols[child]
            used[place] = True
            places[nodes[child]] = place
            after[before[place]] = after[place]
            before[after[place]] = before[place]
