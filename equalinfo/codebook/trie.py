"""A trie stored as its texts in lexicographic preorder: check it, look texts up.

Node = code. A text's parent is the text less its last symbol; texts of one symbol hang on the root,
which is no code. Legend: C codes, T symbols of all texts together.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from equalinfo.alphabet import NUM_SYMBOLS

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
    parents = np.empty(num_codes, np.int32)
    wrong = int(_parents(texts, offsets, int(lengths.max()), parents))
    if wrong < num_codes:
        raise ValueError(
            f"the text of code {wrong} does not follow that of code {wrong - 1} in the preorder of "
            "a trie: it must extend one of its prefixes, by a higher symbol than before."
        )
    singles = int(np.count_nonzero(parents < 0))
    if singles != NUM_SYMBOLS:
        raise ValueError(
            f"{singles} texts of one symbol, expected {NUM_SYMBOLS}: not every text can be encoded."
        )
    return parents


@njit(cache=True, nogil=True)
def _parents(texts: Texts, offsets: Offsets, longest: int, parents: Nodes) -> int:
    """Fill `parents`; returns the first code out of order, or the number of codes."""
    path = np.empty(longest + 1, np.int32)  # path[n]: the prefix of n symbols of the text before
    path[0] = -1
    before, before_length = 0, 0
    for code in range(len(parents)):
        start = offsets[code]
        length = offsets[code + 1] - start
        if length > before_length + 1:
            return code
        for i in range(length - 1):
            if texts[start + i] != texts[before + i]:
                return code
        if length <= before_length and texts[start + length - 1] <= texts[before + length - 1]:
            return code
        parents[code] = path[length - 1]
        path[length] = code
        before, before_length = start, length
    return len(parents)


@njit(cache=True, nogil=True)
def concatenate(
    codes: npt.NDArray[np.int64], texts: Texts, offsets: Offsets, symbols: Texts
) -> None:
    """Fill `symbols` with the texts of `codes`, one after the other."""
    place = 0
    for code in codes:
        for i in range(offsets[code], offsets[code + 1]):
            symbols[place] = texts[i]
            place += 1
