"""Decoding: copy the text of each token; to bytes, eight at a time.

EOS is no byte: it is left out there.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from equalinfo.alphabet import EOS
from equalinfo.codebook.trie import Offsets, Texts, byte_lengths

SPARE_BYTES = 8
"""What `copy_texts` may write behind the last text."""


class ByteTexts(NamedTuple):
    """The bytes of each code's text, in words of eight bytes padded with zeros.

    Attributes:
      lengths: uint32[C] bytes, EOS not counted.
      heads: uint8[C, 8], the first word.
      tails: uint8[words, 8], further words of the texts that have them.
      tail_starts: uint32[C], the first of them.
    """

    lengths: npt.NDArray[np.uint32]
    heads: npt.NDArray[np.uint8]
    tails: npt.NDArray[np.uint8]
    tail_starts: npt.NDArray[np.uint32]


def byte_texts(texts: Texts, offsets: Offsets) -> ByteTexts:
    """Make the table from the texts of a codebook."""
    lengths = byte_lengths(texts, offsets).astype(np.int64)
    words = np.maximum(0, (lengths + 7) // 8 - 1)
    tail_starts = np.cumsum(words) - words
    heads = np.zeros((len(lengths), 8), np.uint8)
    tails = np.zeros((int(words.sum()) + 1, 8), np.uint8)
    _fill(texts, offsets, heads, tails, tail_starts)
    return ByteTexts(lengths.astype(np.uint32), heads, tails, tail_starts.astype(np.uint32))


@njit(cache=True, nogil=True)
def _fill(
    texts: Texts,
    offsets: Offsets,
    heads: npt.NDArray[np.uint8],
    tails: npt.NDArray[np.uint8],
    tail_starts: npt.NDArray[np.int64],
) -> None:
    for code in range(len(heads)):
        place = 0
        for i in range(offsets[code], offsets[code + 1]):
            if texts[i] == EOS:
                continue
            if place < 8:
                heads[code, place] = texts[i]
            else:
                tails[tail_starts[code] + place // 8 - 1, place % 8] = texts[i]
            place += 1


@njit(cache=True, nogil=True)
def count_bytes(
    ids: npt.NDArray[np.int32],
    ends: npt.NDArray[np.int64],
    first: int,
    lengths: npt.NDArray[np.uint32],
) -> tuple[npt.NDArray[np.int64], int]:
    """Where the bytes of each text end, int64[texts]; place of the first id out of range, or -1.

    Args:
      ids: int32[tokens]; those from 0 to `first` are special and stand for nothing.
      ends: int64[texts], where the ids of each text end.
      first: the id of code 0.
      lengths: uint32[C].
    """
    byte_ends = np.zeros(len(ends), np.int64)
    total = np.int64(0)
    place = 0
    for index in range(len(ends)):
        while place < ends[index]:
            code = np.int64(ids[place]) - first
            if code >= len(lengths) or code < -first:
                return byte_ends, place
            if code >= 0:
                total += np.int64(lengths[code])
            place += 1
        byte_ends[index] = total
    return byte_ends, -1


@njit(cache=True, nogil=True)
def copy_symbols(
    codes: npt.NDArray[np.int64], texts: Texts, offsets: Offsets, symbols: Texts
) -> None:
    """Fill `symbols` with the texts of `codes`, EOS among them, one after the other."""
    place = 0
    for code in codes:
        for i in range(offsets[code], offsets[code + 1]):
            symbols[place] = texts[i]
            place += 1


@njit(cache=True, nogil=True)
def copy_texts(
    ids: npt.NDArray[np.int32],
    first: int,
    lengths: npt.NDArray[np.uint32],
    heads: npt.NDArray[np.uint8],
    tails: npt.NDArray[np.uint8],
    tail_starts: npt.NDArray[np.uint32],
    out: npt.NDArray[np.uint8],
) -> None:
    """Write the texts of `ids`, all in range, one after the other.

    Args:
      ids: int32[tokens].
      first: the id of code 0.
      lengths: see `ByteTexts`.
      heads: see `ByteTexts`.
      tails: see `ByteTexts`.
      tail_starts: see `ByteTexts`.
      out: uint8[total + SPARE_BYTES].
    """
    place = np.uint64(0)
    for i in range(len(ids)):
        code = np.int64(ids[i]) - first
        if code < 0:
            continue
        _copy_word(heads, np.uint64(code), out, place)
        length = np.uint64(lengths[code])
        if length > np.uint64(8):
            word = np.uint64(tail_starts[code])
            behind = np.uint64(8)
            while behind < length:
                _copy_word(tails, word, out, place + behind)
                word += np.uint64(1)
                behind += np.uint64(8)
        place += length


@njit(cache=True, nogil=True, inline="always")
def _copy_word(
    words: npt.NDArray[np.uint8], row: np.uint64, out: npt.NDArray[np.uint8], place: np.uint64
) -> None:
    """Eight bytes; all are read before the first is written, so that LLVM makes it one move."""
    a, b, c, d = words[row, 0], words[row, 1], words[row, 2], words[row, 3]
    e, f, g, h = words[row, 4], words[row, 5], words[row, 6], words[row, 7]
    out[place] = a
    out[place + np.uint64(1)] = b
    out[place + np.uint64(2)] = c
    out[place + np.uint64(3)] = d
    out[place + np.uint64(4)] = e
    out[place + np.uint64(5)] = f
    out[place + np.uint64(6)] = g
    out[place + np.uint64(7)] = h
