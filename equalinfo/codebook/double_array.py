"""The trie of a codebook as a double array: one load finds the child of a node by a symbol.

Each node has a base of its own, the root 0. The child of a node of base b by symbol s lies at place
b + s. So a place and the symbol that is last in its node tell the parent, and who stands on base b
and reads s has found the child iff the place b + s says s. A node without children needs no case of
its own: no place belongs to its base.

A walk may know one symbol more than texts have: BREAK, between texts that are walked through
together. It is a text of one symbol, at place 257.

Legend: N nodes, S places.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook.trie import Nodes, Trie

BREAK = NUM_SYMBOLS
WALK_SYMBOLS = NUM_SYMBOLS + 1

PLACE_BITS = 22
MAX_PLACES = 1 << PLACE_BITS
MAX_BASE = MAX_PLACES - 2 * WALK_SYMBOLS

SYMBOL_BITS = 9
NO_SYMBOL = (1 << SYMBOL_BITS) - 1
"""What a free place says."""

Bases = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]
# Of the parses.
Codes = npt.NDArray[np.uint32]
Ends = npt.NDArray[np.int64]
Entries = npt.NDArray[np.uint64]
Text = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class DoubleArray(NamedTuple):
    """Where the nodes of a trie lie.

    Attributes:
      bases: int64[N], distinct, none 0.
      places: int64[N], distinct.
      free_bases: int64[2], of no node.
      size: S, more than any base and symbol reach.
    """

    bases: Places
    places: Places
    free_bases: Places
    size: int

    @property
    def node_at(self) -> Nodes:
        """Node at each place, int32[S]; -1: none."""
        nodes = np.full(self.size, -1, np.int32)
        nodes[self.places] = np.arange(len(self.places))
        return nodes


def lay_out(trie: Trie, inner_bases: Bases, information: npt.NDArray[np.uint16]) -> DoubleArray:
    """Check bases, and find the bases of nodes without children and the places of all.

    Args:
      trie: of N nodes.
      inner_bases: uint32[inner nodes], the base of each node that has children, in preorder.
      information: uint16[C], bits of each text in 1/256 bit: what is likely lies close together.

    Raises:
      ValueError: a walk could go wrong: two nodes would lie at one place or share a base, or a base
        is that of the root, or too large.
    """
    inner = trie.inner
    num_nodes = len(trie.parents)
    if len(inner_bases) != len(inner):
        raise ValueError(f"{len(inner_bases)} bases, expected {len(inner)}.")
    highest = int(inner_bases.max(initial=0))
    if highest > MAX_BASE:
        raise ValueError(f"base {highest} is beyond the {MAX_PLACES} places of a double array.")
    given = np.bincount(inner_bases, minlength=1)
    given[0] += 1
    if given.max() > 1:
        raise ValueError("two nodes of the trie share a base.")
    bases = np.zeros(num_nodes, np.int64)
    bases[inner] = inner_bases
    of_parents = np.where(trie.parents < 0, 0, bases[trie.parents])
    places = of_parents + trie.symbols.astype(np.int64)
    taken = np.bincount(places, minlength=WALK_SYMBOLS)
    taken[BREAK] += 1
    if taken.max() > 1:
        raise ValueError("two nodes of the trie lie at one place.")
    is_leaf = np.ones(num_nodes, np.bool_)
    is_leaf[inner] = False
    leaves = np.flatnonzero(is_leaf)
    leaves = leaves[np.argsort(information[trie.codes[leaves]], kind="stable")]
    free = np.flatnonzero(given == 0)[: len(leaves) + 2]
    free = np.append(free, np.arange(len(given), len(given) + len(leaves) + 2 - len(free)))
    bases[leaves] = free[2:]
    return DoubleArray(bases, places, free[:2], max(highest, int(free[-1])) + WALK_SYMBOLS + 1)
