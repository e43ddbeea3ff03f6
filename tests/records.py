"""Records the obvious way: what `equalinfo.data.record_packing` must equal, byte for byte."""

from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from equalinfo.alphabet import EOS, Symbols
from equalinfo.codecs.base import Encoded
from equalinfo.data.records import Record, example_class, symbols_checksum
from equalinfo.data.tfrecord import frame_all


def cut_example(encoded: Encoded, symbols: Symbols, source: str, max_tokens: int) -> list[Record]:
    """Cut one coded example into records of at most `max_tokens` tokens.

    A record covers the symbols that become complete with its tokens, so the records of an example
    cover each of its symbols once. (A window that a cut divides counts where its last token is.)

    Args:
      encoded: ids int32[tokens] and ends int64[tokens] of the example.
      symbols: uint16[n], the example.
      source: where the example comes from.
      max_tokens: L.

    Raises:
      ValueError: `ends` does not cover the example exactly.
    """
    ids, ends = encoded.ids, encoded.ends
    covered = int(ends[-1]) if len(ends) else 0
    if len(ids) != len(ends) or covered != len(symbols):
        raise ValueError(
            f"example {source}: {len(ids)} tokens with {len(ends)} ends cover {covered} of "
            f"{len(symbols)} symbols. The codec is at fault: its tokens must cover all of it."
        )
    records = []
    start = 0
    for part, first in enumerate(range(0, len(ids), max_tokens)):
        targets = ids[first : first + max_tokens]
        end = int(ends[first + len(targets) - 1])
        piece = symbols[start:end]
        documents = int(np.count_nonzero(piece == EOS))
        records.append(
            Record(
                targets, end - start - documents, documents, source, part, symbols_checksum(piece)
            )
        )
        start = end
    return records


def serialize(record: Record) -> bytes:
    """A record as the bytes of a `tf.train.Example`: the same bytes every time (keys in order)."""
    example = example_class()()
    feature = example.features.feature
    feature["targets"].int64_list.value.extend(record.targets.tolist())
    feature["num_bytes"].int64_list.value.append(record.num_bytes)
    feature["num_documents"].int64_list.value.append(record.num_documents)
    feature["part"].int64_list.value.append(record.part)
    feature["checksum"].int64_list.value.append(record.checksum)
    feature["source"].bytes_list.value.append(record.source.encode("utf-8"))
    return bytes(example.SerializeToString(deterministic=True))


def frame(data: bytes) -> bytes:
    """Data of any length as one record of a TFRecord file (16 bytes more)."""
    return frame_all(data, [len(data)])


def write_records(file: BinaryIO, records: Iterable[bytes]) -> int:
    """Append records to a TFRecord file; return how many."""
    return sum(1 for data in records if file.write(frame(data)))
