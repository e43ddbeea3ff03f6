"""One example of a shard that is verified: its records, and how text is compared with them."""

from dataclasses import dataclass

import google_crc32c
import numpy as np

from equalinfo import alphabet
from equalinfo.alphabet import EOS, Symbols
from equalinfo.codecs.base import Ids
from equalinfo.codecs.windows import WindowCodec
from equalinfo.ids import ID_OFFSET
from equalinfo.records import Record
from pipelines.verification.order import Place

EOS_BYTE = b"\xff"
"""Ends a document where text is compared, as in `alphabet.to_bytes`: UTF-8 never has this byte."""

_ESCAPE = b"\xfe"


@dataclass(frozen=True)
class Example:
    """Consecutive records of one source.

    Attributes:
      where: their places in the file.
      records: what they hold.
      place: where the example comes from.
    """

    where: list[str]
    records: list[Record]
    place: Place

    @property
    def ids(self) -> Ids:
        """All tokens, int32[tokens]."""
        return np.concatenate([record.targets for record in self.records])

    @property
    def num_symbols(self) -> int:
        """Symbols covered."""
        return sum(record.num_symbols for record in self.records)


def whole_windows(ids: Ids, codec: WindowCodec) -> Ids:
    """The ids of the windows that are whole in `ids`, cut off anywhere."""
    if not len(ids):
        return ids
    bits = len(ids) * codec.token_bits // codec.window_bits * codec.window_bits
    kept = ids[: -(-bits // codec.token_bits)].copy()
    pad = len(kept) * codec.token_bits - bits
    kept[-1:] = ((kept[-1:] - ID_OFFSET) >> pad << pad) + ID_OFFSET
    return kept


def agreement(example: Example, symbols: Symbols) -> tuple[bytes, list[bool]]:
    """An example's text with EOS_BYTEs, and whether that of each record fits its numbers."""
    text = np.minimum(symbols, 0xFF).astype(np.uint8).tobytes()
    ends = int(np.count_nonzero(symbols == EOS))
    plain = _ESCAPE not in text and text.count(EOS_BYTE) == ends
    agrees = []
    start = 0
    for record in example.records:
        end = start + record.num_symbols
        if plain:
            piece = text[start:end]
            documents = piece.count(EOS_BYTE)
        else:
            piece = alphabet.to_bytes(symbols[start:end])
            documents = int(np.count_nonzero(symbols[start:end] == EOS))
        covered = min(end, len(symbols)) - start
        agrees.append(
            covered == record.num_symbols
            and documents == record.num_documents
            and google_crc32c.value(piece) == record.checksum
        )
        start = end
    return text if plain else alphabet.to_bytes(symbols), agrees


def first_difference(one: bytes, other: bytes) -> int:
    """The first place where two texts differ; the shorter one's length where it is their start."""
    size = min(len(one), len(other))
    a, b = np.frombuffer(one[:size], np.uint8), np.frombuffer(other[:size], np.uint8)
    wrong = np.flatnonzero(a != b)
    return int(wrong[0]) if len(wrong) else size
