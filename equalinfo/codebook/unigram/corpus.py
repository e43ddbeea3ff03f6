"""Text to train on: documents in one buffer, of bounded size.

Legend: n bytes, D documents.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from equalinfo.codebook.unigram.words import is_boundary

Bytes = npt.NDArray[np.uint8]
Integers = npt.NDArray[np.int64]

MAX_DOCUMENT = 1 << 16
"""Bytes; a longer document counts as several. It bounds the memory of a parse, and the costs of a
path in it; and a corpus that is one book has documents all the same."""

_HASH = 0x9E3779B97F4A7C15


class Corpus(NamedTuple):
    """Documents, one behind the other.

    Attributes:
      text: uint8[n].
      offsets: int64[D + 1].
      num_read: documents that were read, before long ones were cut and others left out.
      num_bytes_read: bytes of those.
    """

    text: Bytes
    offsets: Integers
    num_read: int
    num_bytes_read: int

    @property
    def num_documents(self) -> int:
        """D, pieces of long documents counted each."""
        return len(self.offsets) - 1

    @property
    def is_sample(self) -> bool:
        """Whether documents were left out."""
        return len(self.text) < self.num_bytes_read

    def sample(self, max_bytes: int) -> "Corpus":
        """About `max_bytes` bytes of it: the documents whose number has a small hash."""
        if len(self.text) <= max_bytes:
            return self
        limit = (max_bytes << 64) // len(self.text)
        kept = [number for number in range(self.num_documents) if _mix(number) < limit]
        lengths = np.diff(self.offsets)[kept]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        starts = self.offsets[:-1][kept].tolist()
        text = np.empty(offsets[-1], np.uint8)
        for start, length, place in zip(starts, lengths.tolist(), offsets.tolist(), strict=False):
            text[place : place + length] = self.text[start : start + length]
        return Corpus(text, offsets, self.num_read, self.num_bytes_read)


def read(documents: Iterable[bytes], max_bytes: int, progress: bool) -> Corpus:
    """Collect documents; of more than `max_bytes` bytes, a sample.

    Which documents are in the sample depends on their numbers and lengths only: those whose number
    has a small hash.

    Args:
      documents: any bytes. Empty ones are kept: they are an EOS.
      max_bytes: most bytes kept.
      progress: draw a bar over the bytes read.

    Raises:
      ValueError: max_bytes does not hold a document.
    """
    buffer = np.empty(1 << 20, np.uint8)
    ends = [0]
    hashes: list[int] = []
    limit = 1 << 64
    filled = num_read = num_bytes_read = 0
    with tqdm(desc="read", unit="B", unit_scale=True, disable=not progress, mininterval=0.5) as bar:
        for document in documents:
            num_read += 1
            num_bytes_read += len(document)
            bar.update(len(document))
            rank = _mix(num_read)
            if rank >= limit:
                continue
            for piece in _pieces(document):
                while filled + len(piece) > max_bytes and rank < limit:
                    if not hashes:
                        raise ValueError(
                            f"max_bytes={max_bytes} does not hold {len(piece)} bytes of document "
                            f"{num_read}. Use {MAX_DOCUMENT} or more."
                        )
                    filled, limit = _thin(buffer, ends, hashes, max_bytes)
                if rank >= limit:
                    break
                if filled + len(piece) > len(buffer):
                    grown = np.empty(min(max_bytes, 2 * len(buffer)) + MAX_DOCUMENT, np.uint8)
                    grown[:filled] = buffer[:filled]
                    buffer = grown
                buffer[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
                filled += len(piece)
                ends.append(filled)
                hashes.append(rank)
    return Corpus(buffer[:filled], np.array(ends, np.int64), num_read, num_bytes_read)


def _thin(buffer: Bytes, ends: list[int], hashes: list[int], max_bytes: int) -> tuple[int, int]:
    """Leave the documents with the smallest hashes, three quarters of the bytes, in place.

    Returns:
      (bytes left, hash from which documents are left out).
    """
    order = np.argsort(np.array(hashes, np.uint64), kind="stable")
    lengths = np.diff(np.array(ends, np.int64))
    fits = int(np.searchsorted(np.cumsum(lengths[order]), max_bytes * 3 // 4, side="right"))
    limit = hashes[order[min(fits, len(order) - 1)]]
    filled, kept_ends, kept_hashes = 0, [0], []
    for start, end, rank in zip(ends, ends[1:], hashes, strict=False):
        if rank < limit:
            buffer[filled : filled + end - start] = buffer[start:end].copy()
            filled += end - start
            kept_ends.append(filled)
            kept_hashes.append(rank)
    ends[:], hashes[:] = kept_ends, kept_hashes
    return filled, limit


def _mix(number: int) -> int:
    """A hash of 64 bits (splitmix64)."""
    z = number * _HASH & 0xFFFFFFFFFFFFFFFF
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    z = (z ^ z >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
    return z ^ z >> 31


def _pieces(document: bytes) -> Iterable[bytes]:
    """The document, cut before a character where it is too long."""
    if len(document) <= MAX_DOCUMENT:
        yield document
        return
    start = 0
    while start < len(document):
        end = start + MAX_DOCUMENT
        while (
            end < len(document)
            and end > start + MAX_DOCUMENT - 4
            and not is_boundary(document[end])
        ):
            end -= 1
        yield document[start:end]
        start = end
