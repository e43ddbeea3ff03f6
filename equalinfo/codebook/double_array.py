"""The trie of a codebook as a double array: one load finds the child of a node by a symbol.

An entry is a uint64 of three fields of 21 bits: `base | parent | code`, base highest. The child of
a node by symbol s lies at place base(node) + s, if the entry there names the node as its parent.
Texts of one symbol s lie at place s and have the parent NONE, as have free places; so a node that
has no children needs no case of its own. A walk carries the entry of the node it stands on, nothing
else.

The walk knows one symbol more than texts have: BREAK, between texts that are walked through
together. Its place is 257, its code BREAK_CODE, and no node has it as a child or as a parent.

Legend: C codes, S places.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook.trie import Nodes, Offsets, Texts

FIELD_BITS = 21
NONE = np.uint64((1 << FIELD_BITS) - 1)
"""No code: above every code of a codebook, of which there are at most 2^20."""

BREAK = NUM_SYMBOLS
BREAK_CODE = NONE - np.uint64(1)
_WALK_SYMBOLS = NUM_SYMBOLS + 1

_ONE_FIELD, _TWO_FIELDS = np.uint64(FIELD_BITS), np.uint64(2 * FIELD_BITS)
_FREE = (NONE << _ONE_FIELD) | NONE  # base 0
_BREAK_ENTRY = (NONE << _ONE_FIELD) | BREAK_CODE  # base 0
_PARENT_AND_CODE = (np.uint64(1) << _TWO_FIELDS) - np.uint64(1)

Entries = npt.NDArray[np.uint64]


def build(
    texts: Texts, offsets: Offsets, parents: Nodes, ranks: npt.NDArray[np.integer]
) -> Entries:
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
    size = max(int(places.max()) + 1, int(bases.max()) + _WALK_SYMBOLS)
    entries = np.full(size, _FREE, np.uint64)
    entries[BREAK] = _BREAK_ENTRY
    named = np.where(parents < 0, np.int64(NONE), parents).astype(np.uint64)
    codes = np.arange(num_codes, dtype=np.uint64)
    entries[places] = (bases.astype(np.uint64) << _TWO_FIELDS) | (named << _ONE_FIELD) | codes
    return entries


def check(entries: Entries, texts: Texts, offsets: Offsets, parents: Nodes) -> None:
    """Raise a ValueError unless a walk over `entries` follows this trie, whatever it reads.

    Every code lies where its parent's base says, every other place is free, and no base points so
    far that a symbol could lead past the end.
    """
    if len(entries) < _WALK_SYMBOLS or entries[BREAK] != _BREAK_ENTRY:
        raise ValueError(
            f"the double array has {len(entries)} places, expected {_WALK_SYMBOLS} or more, and "
            "that of the break between texts among them."
        )
    wrong = int(_first_wrong(entries, texts, offsets, parents, np.empty(len(parents), np.int64)))
    if wrong < len(parents):
        raise ValueError(f"the double array leads elsewhere than to the text of code {wrong}.")
    used = int(np.count_nonzero(entries != _FREE))
    if used != len(parents) + 1:
        raise ValueError(f"the double array has {used} places in use, expected {len(parents) + 1}.")


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
    room = 2 * len(places) + 2 * _WALK_SYMBOLS
    after = np.arange(1, room + 1)
    before = np.arange(-1, room - 1)
    used = np.zeros(room, np.bool_)
    used[:_WALK_SYMBOLS] = True
    after[0], before[_WALK_SYMBOLS] = _WALK_SYMBOLS, 0
    for node in inner:
        low, high = start[node], start[node + 1]
        first = np.int64(symbols[low])
        free = after[0]
        while True:
            if free + _WALK_SYMBOLS >= room:  # the trie packs badly: make the lists longer
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


@njit(cache=True, nogil=True)
def _first_wrong(
    entries: Entries,
    texts: Texts,
    offsets: Offsets,
    parents: Nodes,
    places: npt.NDArray[np.int64],
) -> int:
    """The first code that is not where it should be; fills `places`."""
    size = len(entries)
    for code in range(len(parents)):
        place = np.int64(texts[offsets[code + 1] - 1])
        parent = NONE
        if parents[code] >= 0:
            place += np.int64(entries[places[parents[code]]] >> _TWO_FIELDS)
            parent = np.uint64(parents[code])
        entry = entries[place]  # a parent's base is checked below, before its children are reached
        base = entry >> _TWO_FIELDS
        if base + np.uint64(_WALK_SYMBOLS) > np.uint64(size):
            return code
        if (entry & _PARENT_AND_CODE) != ((parent << _ONE_FIELD) | np.uint64(code)):
            return code
        places[code] = place
    return len(parents)
