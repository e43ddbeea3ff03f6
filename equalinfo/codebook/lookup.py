"""Decoding: copy the text of each token; to bytes, eight at a time.

EOS is no byte: it is left out there.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS
from equalinfo.codebook.trie import Offsets, Texts, byte_lengths
from equalinfo.jit import njit

Elements = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

SPARE_BYTES = 8
"""What `copy_texts` may write behind the last text."""

SPARE_SYMBOLS = 8
"""What `copy_symbols` may read and write behind the last text."""


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
    is_byte = texts != EOS
    codes = np.repeat(np.arange(len(lengths)), np.diff(offsets))[is_byte]
    data = texts[is_byte].astype(np.uint8)
    places = np.arange(len(data)) - (np.cumsum(lengths) - lengths)[codes]
    first = places < 8
    heads[codes[first], places[first]] = data[first]
    tails.reshape(-1)[(8 * tail_starts[codes] + places - 8)[~first]] = data[~first]
    return ByteTexts(lengths.astype(np.uint32), heads, tails, tail_starts.astype(np.uint32))


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
      lengths: uint32[C] bytes of each code's text; or symbols, to count these.
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
    ids: npt.NDArray[np.int32], first: int, texts: Texts, offsets: Offsets, out: Texts
) -> None:
    """Write the texts of `ids`, EOS among them, one after the other.

    Args:
      ids: int32[tokens], all of codes.
      first: the id of code 0.
      texts: uint16[total symbols + SPARE_SYMBOLS], the texts of all codes.
      offsets: int64[C + 1].
      out: uint16[total + SPARE_SYMBOLS].
    """
    place = np.uint64(0)
    for i in range(len(ids)):
        code = np.uint64(ids[i] - first)
        source, stop = np.uint64(offsets[code]), np.uint64(offsets[code + np.uint64(1)])
        behind = place + (stop - source)
        while place < behind:
            _copy_eight(texts, source, out, place)
            source += np.uint64(8)
            place += np.uint64(8)
        place = behind


@njit(cache=True, nogil=True)
def copy_texts(
    ids: npt.NDArray[np.int32], first: int, table: ByteTexts, out: npt.NDArray[np.uint8]
) -> None:
    """Write the texts of `ids`, all in range, one after the other.

    Args:
      ids: int32[tokens].
      first: the id of code 0.
      table: of the codebook.
      out: uint8[total + SPARE_BYTES].
    """
    flat_heads, flat_tails = table.heads.reshape(-1), table.tails.reshape(-1)
    place = np.uint64(0)
    for i in range(len(ids)):
        code = np.int64(ids[i]) - first
        if code < 0:
            continue
        _copy_eight(flat_heads, np.uint64(8 * code), out, place)
        length = np.uint64(table.lengths[code])
        if length > np.uint64(8):
            source = np.uint64(table.tail_starts[code]) * np.uint64(8)
            behind = np.uint64(8)
            while behind < length:
                _copy_eight(flat_tails, source, out, place + behind)
                source += np.uint64(8)
                behind += np.uint64(8)
        place += length


@njit(cache=True, nogil=True, inline="always")
def _copy_eight(source: Elements, first: np.uint64, out: Elements, place: np.uint64) -> None:
    """Eight elements; all are read before the first is written: then LLVM makes it one move."""
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    five, six, seven = np.uint64(5), np.uint64(6), np.uint64(7)
    a, b, c, d = source[first], source[first + one], source[first + two], source[first + three]
    e, f = source[first + four], source[first + five]
    g, h = source[first + six], source[first + seven]
    out[place] = a
    out[place + one] = b
    out[place + two] = c
    out[place + three] = d
    out[place + four] = e
    out[place + five] = f
    out[place + six] = g
    out[place + seven] = h
