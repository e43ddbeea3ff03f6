"""A trie stored as its texts in lexicographic preorder: check it.

Node = code. A text's parent is the text less its last symbol; texts of one symbol hang on the root,
which is no code. Legend: C codes, T symbols of all texts together.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, NUM_SYMBOLS

Texts = npt.NDArray[np.uint16]
Offsets = npt.NDArray[np.int64]
Nodes = npt.NDArray[np.int32]


def check_preorder(texts: Texts, offsets: Offsets, num_codes: int) -> Nodes:
    """Check that the texts are a whole trie in preorder, and return every node's parent.

    Args:
      texts: uint16[T].
      offsets: int64[C + 1]; text c is texts[offsets[c]:offsets[c + 1]].
      num_codes: C.

    Returns:
      int32[C], -1 for texts of one symbol.

    Raises:
      ValueError: says what is wrong, and at which code.
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
    lengths = np.diff(offsets)
    if int(texts.max()) >= NUM_SYMBOLS:
        place = int(np.argmax(texts >= NUM_SYMBOLS))
        raise ValueError(f"symbol {int(texts[place])} at {place} is not in 0..{NUM_SYMBOLS - 1}.")
    last = texts[offsets[1:] - 1]
    orderly = np.ones(num_codes, np.bool_)
    orderly[0] = lengths[0] == 1
    orderly[1:] = lengths[1:] <= lengths[:-1] + 1
    # All symbols but the last are those of the text before, the last is higher than there.
    inner = np.ones(len(texts), np.bool_)
    inner[offsets[1:] - 1] = False
    inner[: lengths[0]] = False
    places = np.flatnonzero(inner)
    same = texts[places] == texts[places - np.repeat(lengths[:-1], lengths[1:] - 1)]
    if not same.all():
        orderly[np.searchsorted(offsets, places[~same], side="right") - 1] = False
    beside = np.flatnonzero(lengths[1:] <= lengths[:-1]) + 1
    orderly[beside] &= last[beside] > texts[offsets[beside - 1] + lengths[beside] - 1]
    if not orderly.all():
        wrong = int(np.argmin(orderly))
        raise ValueError(
            f"the text of code {wrong} does not follow that of code {wrong - 1} in the preorder of "
            "a trie: it must extend one of its prefixes, by a higher symbol than before."
        )
    singles = int(np.count_nonzero(lengths == 1))
    if singles != NUM_SYMBOLS:
        raise ValueError(
            f"{singles} texts of one symbol, expected {NUM_SYMBOLS}: not every text can be encoded."
        )
    # The parent is the last code before that is one symbol shorter.
    narrow = lengths.astype(np.uint16) if lengths.max() < 1 << 16 else lengths  # sorts faster
    order = np.argsort(narrow, kind="stable")
    by_length = np.split(order, np.cumsum(np.bincount(lengths)[1:])[:-1])
    parents = np.full(num_codes, -1, np.int32)
    for shorter, longer in pairwise(by_length):
        parents[longer] = shorter[np.searchsorted(shorter, longer) - 1]
    return parents


def byte_lengths(texts: Texts, offsets: Offsets) -> npt.NDArray[np.uint32]:
    """Bytes of each text, uint32[C]: EOS is none."""
    ends_so_far = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(texts == EOS, out=ends_so_far[1:])
    return (np.diff(offsets) - np.diff(ends_so_far[offsets])).astype(np.uint32)
