"""The trie of a codebook as a double array: one load finds the child of a node by a symbol.

An entry is a uint64 of three fields: `base | parent | code`, the lower two of 21 bits. The child of
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

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook.trie import Nodes, Offsets, Texts

FIELD_BITS = 21
NONE = np.uint64((1 << FIELD_BITS) - 1)
"""No code: above every code of a codebook, of which there are at most 2^20."""

OUTSIDE = np.uint64((1 << 64) - 1)
"""State of a walk in which no window is open."""

BREAK = NUM_SYMBOLS
BREAK_CODE = NONE - np.uint64(1)
WALK_SYMBOLS = NUM_SYMBOLS + 1

PARENT, BASE = np.uint64(FIELD_BITS), np.uint64(2 * FIELD_BITS)
FREE = (NONE << PARENT) | NONE  # base 0
BREAK_ENTRY = (NONE << PARENT) | BREAK_CODE  # base 0

Entries = npt.NDArray[np.uint64]


def check(entries: Entries, texts: Texts, offsets: Offsets, parents: Nodes) -> None:
    """Raise a ValueError unless a walk over `entries` follows this trie, whatever it reads.

    Every code lies where its parent's base says, every other place is free, and no base points so
    far that a symbol could lead past the end.
    """
    num_codes = len(parents)
    if len(entries) < WALK_SYMBOLS or entries[BREAK] != BREAK_ENTRY:
        raise ValueError(
            f"the double array has {len(entries)} places, expected {WALK_SYMBOLS} or more, and "
            "that of the break between texts among them."
        )
    used = entries != FREE
    used[BREAK] = False
    found = np.flatnonzero(used)
    if len(found) != num_codes:
        raise ValueError(f"the double array holds {len(found)} codes, expected {num_codes}.")
    codes = (entries[found] & NONE).astype(np.int64)
    places = np.full(num_codes, -1, np.int64)
    places[codes[codes < num_codes]] = found[codes < num_codes]
    missing = places < 0
    own = entries[np.maximum(places, 0)]
    bases = (own >> BASE).astype(np.int64)
    expected = texts[offsets[1:] - 1] + np.where(parents < 0, 0, bases[parents])
    named = np.where(parents < 0, np.int64(NONE), parents).astype(np.uint64)
    wrong = (
        missing
        | (places != expected)
        | (((own >> PARENT) & NONE) != named)
        | (bases + WALK_SYMBOLS > len(entries))
    )
    if wrong.any():
        raise ValueError(
            f"the double array leads elsewhere than to the text of code {int(np.argmax(wrong))}."
        )
