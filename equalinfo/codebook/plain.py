"""Encoding and decoding in plain Python: the reference, and the first short texts of a process.

Importing numba and its first call take half a second. Who encodes a few texts and leaves should not
pay that: the first symbols of a process, a few thousand, go through here.
"""

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS
from equalinfo.codebook.double_array import BASE, NONE, PARENT, Entries
from equalinfo.codebook.trie import Offsets, Texts

_left = 4096  # symbols


def affordable(symbols: int) -> bool:
    """Whether so many symbols are better done here. Counts them as done."""
    global _left
    if symbols > _left:
        return False
    _left -= symbols
    return True


def encode_reference(symbols: npt.ArrayLike, codes: dict[tuple[int, ...], int]) -> list[int]:
    """What `encode` computes, in plain Python.

    Args:
      symbols: integers[n], 0..256.
      codes: code of every text.

    Returns:
      The codes of the longest matches, from left to right.
    """
    out: list[int] = []
    window: tuple[int, ...] = ()
    for symbol in np.asarray(symbols).tolist():
        if (*window, symbol) in codes:
            window = (*window, symbol)
        else:
            out.append(codes[window])
            window = (symbol,)
    return [*out, codes[window]] if window else out


def encode(entries: Entries, data: bytes, add: int) -> list[int]:
    """Codes + add of one text: the walk of `equalinfo.codebook.walk`, a step at a time."""
    out: list[int] = []
    base, parent, none = int(BASE), int(PARENT), int(NONE)
    state = -1
    for symbol in data:
        if state >= 0:
            child = int(entries[(state >> base) + symbol])
            if (child >> parent) & none == state & none:
                state = child
                continue
            out.append((state & none) + add)
        state = int(entries[symbol])
    return [*out, (state & none) + add] if state >= 0 else out


def decode(texts: Texts, offsets: Offsets, codes: npt.NDArray[np.integer]) -> bytes:
    """Bytes of codes; EOS is none."""
    parts = [texts[offsets[code] : offsets[code + 1]] for code in codes.tolist()]
    symbols = np.concatenate([np.empty(0, np.uint16), *parts])
    return symbols[symbols != EOS].astype(np.uint8).tobytes()
