"""The trie of a codebook as a double array: one load finds the child of a node by a symbol.

Each node has a base of its own; its child by symbol s lies at place base + s. The root's base is 0,
and no two nodes that have children share one. So a place and the symbol that is its last tell the
parent: who stands on a node of base b and reads s has found the child iff the place b + s says s.
Nodes without children share the base `empty`, behind which no place says anything; so they need no
case of their own.

A walk knows two symbols more than texts have, whose places come next to those of the texts of one
symbol: BREAK, between texts that are walked through together, and OUTSIDE, which is never read and
on whose place a walk begins.

Legend: N nodes, S places.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook.trie import Nodes, Trie

BREAK, OUTSIDE = NUM_SYMBOLS, NUM_SYMBOLS + 1
WALK_SYMBOLS = NUM_SYMBOLS + 2

PLACE_BITS = 22
MAX_PLACES = 1 << PLACE_BITS

SYMBOL_BITS = 9
NO_SYMBOL = (1 << SYMBOL_BITS) - 1
"""What a free place says."""

Bases = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]


class DoubleArray(NamedTuple):
    """Where the nodes of a trie lie.

    Attributes:
      bases: int64[N]; `empty` for nodes without children.
      places: int64[N], distinct.
      empty: the base that leads nowhere; BREAK and OUTSIDE have it, too.
      size: S.
    """

    bases: Places
    places: Places
    empty: int
    size: int

    @property
    def node_at(self) -> Nodes:
        """Node at each place, int32[S]; -1: none."""
        nodes = np.full(self.size, -1, np.int32)
        nodes[self.places] = np.arange(len(self.places))
        return nodes


def lay_out(trie: Trie, inner_bases: Bases) -> DoubleArray:
    """Check bases, and find the places of all nodes.

    Args:
      trie: of N nodes.
      inner_bases: uint32[inner nodes], the base of each node that has children, in preorder.

    Raises:
      ValueError: a walk could go wrong: two nodes would lie at one place or share a base, a base is
        that of the root, or too large.
    """
    inner = trie.inner
    if len(inner_bases) != len(inner):
        raise ValueError(f"{len(inner_bases)} bases, expected {len(inner)}.")
    highest = int(inner_bases.max(initial=0))
    if highest > MAX_PLACES - 3 * WALK_SYMBOLS:
        raise ValueError(f"base {highest} is beyond the {MAX_PLACES} places of a double array.")
    ordered = np.sort(inner_bases)
    if len(ordered) and (ordered[0] == 0 or np.any(ordered[1:] == ordered[:-1])):
        raise ValueError("two nodes of the trie share a base.")
    bases = np.zeros(len(trie.parents), np.int64)
    bases[inner] = inner_bases
    places = np.where(trie.parents < 0, 0, bases[trie.parents]) + trie.symbols
    empty = highest + WALK_SYMBOLS  # behind every place
    taken = np.bincount(places, minlength=WALK_SYMBOLS)
    taken[[BREAK, OUTSIDE]] += 1
    if taken.max() > 1:
        raise ValueError("two nodes of the trie lie at one place.")
    leaf = np.ones(len(bases), np.bool_)
    leaf[inner] = False
    bases[leaf] = empty
    return DoubleArray(bases, places, empty, empty + WALK_SYMBOLS)
