"""A set of texts in lexicographic order, as the trie of their prefixes.

Nodes are the prefixes of the texts, but the empty one, in lexicographic preorder. A node whose text
is in the set stands for its code, the others are steps on the way to one.

Legend: C codes, T symbols of all texts together, N nodes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, NUM_SYMBOLS

Texts = npt.NDArray[np.uint16]
Offsets = npt.NDArray[np.int64]
Nodes = npt.NDArray[np.int32]

MAX_NODES = 1 << 21


class Trie(NamedTuple):
    """The prefixes of a set of texts.

    Attributes:
      parents: int32[N]; -1: a text of one symbol, whose parent is the root.
      symbols: uint16[N], the last symbol of each prefix.
      codes: int32[N]; -1: the prefix is not in the set.
      depths: int32[N], symbols of each prefix.
    """

    parents: Nodes
    symbols: Texts
    codes: Nodes
    depths: Nodes

    @property
    def by_depth(self) -> npt.NDArray[np.int64]:
        """All nodes, shorter ones first, int64[N]."""
        return np.argsort(self.depths, kind="stable")

    @property
    def inner(self) -> npt.NDArray[np.int64]:
        """Nodes that have children, int64[inner nodes]."""
        has_children = np.zeros(len(self.parents), np.bool_)
        has_children[self.parents[self.parents >= 0]] = True
        return np.flatnonzero(has_children)


def build(texts: Texts, offsets: Offsets, num_codes: int) -> Trie:
    """Check a set of texts and make their trie.

    Args:
      texts: uint16[T].
      offsets: int64[C + 1]; text c is texts[offsets[c]:offsets[c + 1]].
      num_codes: C.

    Raises:
      ValueError: the texts are not in strict lexicographic order, a symbol is none or has no text
        of its own, or there are too many prefixes; says what is wrong, and at which code.
    """
    if len(offsets) != num_codes + 1:
        raise ValueError(f"{len(offsets)} offsets, expected {num_codes + 1} for {num_codes} codes.")
    if offsets[0] != 0 or offsets[-1] != len(texts):
        raise ValueError(
            f"offsets run from {int(offsets[0])} to {int(offsets[-1])}, expected 0 to {len(texts)}."
        )
    # Compared before they are subtracted: differences of damaged offsets can wrap round in int64.
    falls = offsets[1:] <= offsets[:-1]
    if np.any(falls):
        raise ValueError(f"the text of code {int(np.argmax(falls))} is empty.")
    if int(texts.max()) >= NUM_SYMBOLS:
        place = int(np.argmax(texts >= NUM_SYMBOLS))
        raise ValueError(f"symbol {int(texts[place])} at {place} is not in 0..{NUM_SYMBOLS - 1}.")
    lengths = np.diff(offsets)
    shared = _shared_with_the_text_before(texts, offsets, lengths)
    ended = shared >= lengths
    if ended.any():
        wrong = int(np.argmax(ended))
        raise ValueError(f"the text of code {wrong} is that of code {wrong - 1}, or begins it.")
    goes_on = np.flatnonzero(shared[1:] < lengths[:-1]) + 1
    falls = (
        texts[offsets[goes_on] + shared[goes_on]] < texts[offsets[goes_on - 1] + shared[goes_on]]
    )
    if falls.any():
        wrong = int(goes_on[np.argmax(falls)])
        raise ValueError(f"the text of code {wrong} comes before that of code {wrong - 1}.")
    singles = int(np.count_nonzero(lengths == 1))
    if singles != NUM_SYMBOLS:
        raise ValueError(
            f"{singles} texts of one symbol, expected {NUM_SYMBOLS}: not every text can be encoded."
        )
    new = lengths - shared  # prefixes that no text before has
    num_nodes = int(new.sum())
    if num_nodes > MAX_NODES:
        raise ValueError(
            f"the texts have {num_nodes:,} prefixes, of {MAX_NODES:,} that a codebook can hold. "
            "Use fewer codes or shorter texts."
        )
    ends = np.cumsum(new)
    firsts = ends - new
    depths = np.arange(num_nodes) - np.repeat(firsts - shared, new)
    symbols = texts[np.repeat(offsets[:-1], new) + depths]
    codes = np.full(num_nodes, -1, np.int32)
    codes[ends - 1] = np.arange(num_codes)
    parents = np.arange(-1, num_nodes - 1, dtype=np.int32)
    # The first new prefix of a text hangs on the last node before it that is one symbol shorter.
    order = depths * num_nodes + np.arange(num_nodes)
    order.sort()
    before = np.searchsorted(order, (shared - 1) * num_nodes + firsts) - 1
    parents[firsts] = np.where(shared == 0, -1, order[before] % num_nodes)
    return Trie(parents, symbols, codes, (depths + 1).astype(np.int32))


def _shared_with_the_text_before(
    texts: Texts, offsets: Offsets, lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Symbols that each text and the one before it begin with, int64[C]; 0 for the first."""
    shared = np.zeros(len(lengths), np.int64)
    common = np.minimum(lengths[1:], lengths[:-1])
    starts = np.cumsum(common) - common
    within = np.arange(int(common.sum())) - np.repeat(starts, common)
    same = (
        texts[np.repeat(offsets[1:-1], common) + within]
        == texts[np.repeat(offsets[:-2], common) + within]
    )
    if len(common):
        differs = np.where(same, np.repeat(common, common), within)
        shared[1:] = np.minimum.reduceat(differs, starts)
    return shared


def byte_lengths(texts: Texts, offsets: Offsets) -> npt.NDArray[np.uint32]:
    """Bytes of each text, uint32[C]: EOS is none."""
    ends_so_far = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(texts == EOS, out=ends_so_far[1:])
    return (np.diff(offsets) - np.diff(ends_so_far[offsets])).astype(np.uint32)
