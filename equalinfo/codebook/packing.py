"""Packing a trie into a double array: first fit, the nodes that are visited most come first."""

import numpy as np
import numpy.typing as npt

from equalinfo.codebook.double_array import MAX_BASE, MAX_PLACES, WALK_SYMBOLS, Bases, Places
from equalinfo.codebook.trie import Nodes, Offsets, Texts, Trie
from equalinfo.jit import njit


def pack(trie: Trie, information: npt.NDArray[np.uint16]) -> Bases:
    """Bases for `double_array.lay_out`.

    Args:
      trie: of N nodes.
      information: uint16[C], bits of each text in 1/256 bit. Likely nodes are placed first, close
        together: they should share cache lines.

    Returns:
      uint32[inner nodes].

    Raises:
      ValueError: the double array would be too large.
    """
    num_nodes = len(trie.parents)
    of_code = np.int64(1) << np.maximum(0, 40 - information.astype(np.int64) // 256)
    weights = np.where(trie.codes < 0, 0, of_code[trie.codes])
    _add_to_parents(trie.parents, weights)
    children = np.argsort(trie.parents, kind="stable")[np.count_nonzero(trie.parents < 0) :]
    start = np.zeros(num_nodes + 1, np.int64)
    np.cumsum(np.bincount(trie.parents[children], minlength=num_nodes), out=start[1:])
    inner = trie.inner
    order = inner[np.argsort(-weights[inner], kind="stable")]
    bases = np.zeros(num_nodes, np.int64)
    if not _place(order, start, trie.symbols[children], bases):
        raise ValueError(
            f"the texts need more than the {MAX_PLACES:,} places of a double array. Use fewer "
            "codes or shorter texts."
        )
    return bases[inner].astype(np.uint32)


@njit(cache=True, nogil=True)
def _add_to_parents(parents: Nodes, weights: Offsets) -> None:
    for node in range(len(parents) - 1, -1, -1):
        if parents[node] >= 0:
            weights[parents[node]] += weights[node]


@njit(cache=True, nogil=True)
def _place(order: Places, start: Offsets, symbols: Texts, bases: Places) -> bool:
    """First fit, node by node. Free places are a doubly linked list; place 0 is its head."""
    room = 4 * len(bases) + 4 * WALK_SYMBOLS
    after = np.arange(1, room + 1)
    before = np.arange(-1, room - 1)
    used = np.zeros(room, np.bool_)
    based = np.zeros(room, np.bool_)  # bases that are given away
    used[:WALK_SYMBOLS] = True
    based[0] = True
    after[0], before[WALK_SYMBOLS] = WALK_SYMBOLS, 0
    for node in order:
        low, high = start[node], start[node + 1]
        first = np.int64(symbols[low])
        free = after[0]
        while True:
            if free + WALK_SYMBOLS >= room:  # the trie packs badly: make the lists longer
                if room > MAX_PLACES:
                    return False
                longer = 2 * room
                after = np.append(after, np.arange(room + 1, longer + 1))
                before = np.append(before, np.arange(room - 1, longer - 1))
                used = np.append(used, np.zeros(longer - room, np.bool_))
                based = np.append(based, np.zeros(longer - room, np.bool_))
                room = longer
            base = free - first
            fits = base >= 0 and not based[base]
            if fits:
                for child in range(low + 1, high):
                    if used[base + symbols[child]]:
                        fits = False
                        break
            if fits:
                break
            free = after[free]
        if base > MAX_BASE:
            return False
        bases[node] = base
        based[base] = True
        for child in range(low, high):
            place = base + symbols[child]
            used[place] = True
            after[before[place]] = after[place]
            before[after[place]] = before[place]
    return True
