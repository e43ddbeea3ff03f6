"""Read a dataset directory back: its records, and the documents they stand for."""

import json
import os
from collections.abc import Generator, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from equalinfo import codecs
from equalinfo.alphabet import EOS, Symbols
from equalinfo.array_record import SUFFIX, read_array_records
from equalinfo.codecs.base import CODEC_FILE, Codec
from equalinfo.manifest import CODEC_DIRECTORY, MANIFEST_FILE, Manifest, ManifestError, Shard
from equalinfo.record_parsing import parse
from equalinfo.records import Record, symbols_checksum
from equalinfo.tfrecord import DamagedRecordsError, read_records

EXAMPLES_AT_ONCE = 256
"""Examples decoded together: enough lanes for a neural model, a few megabytes of symbols."""


def read_dataset(directory: str | os.PathLike[str], split: str) -> Iterator[Record]:
    """The records of a split in order, lazily: each checksum and each shard's count is checked.

    Args:
      directory: written by `pipelines.compress`.
      split: its name, such as "train".

    Raises:
      ManifestError: no such dataset or split.
      DamagedRecordsError: a shard is damaged, or not the one the manifest counts.
    """
    for shard in Manifest.load(directory).split(split).shards:
        yield from _read_shard(Path(directory), shard)


def load_codec(directory: str | os.PathLike[str]) -> Codec:
    """The codec that made a dataset.

    Raises:
      ManifestError: no such dataset, or its `codec/` is another one: ids mean other text there.
      FileNotFoundError, ValueError: see `codecs.load`.
    """
    manifest = Manifest.load(directory)
    place = Path(directory) / CODEC_DIRECTORY
    codec = codecs.load(place)
    if json.loads((place / CODEC_FILE).read_text("utf-8")) != dict(manifest.codec):
        raise ManifestError(
            f"{place} is not the codec that {MANIFEST_FILE} beside it names: the tokens of "
            f"{directory} mean other text there. Restore that directory, or compress again."
        )
    return codec


def restore(
    directory: str | os.PathLike[str], split: str, *, allow_errors: bool = False
) -> Iterator[bytes]:
    """The documents of a split, in the order of the input, decoded from its tokens, lazily.

    Args:
      directory: written by `pipelines.compress`.
      split: its name.
      allow_errors: decode also with a codec that is not lossless; checksums are then not compared,
        and what ends a document may be wrong too.

    Raises:
      ManifestError: see `load_codec`.
      LossyCodecError: the codec is not lossless and `allow_errors` is False.
      DamagedRecordsError: a record, or the text it decodes to, does not fit its checksum.
      ValueError: the dataset was trimmed: it does not hold all of the text.
    """
    manifest = Manifest.load(directory)
    if manifest.trim != "none":
        trimmed = manifest.split(split).totals["trimmed_bytes"]
        raise ValueError(
            f"{directory} was compressed with --trim={manifest.trim}: {trimmed} bytes of split "
            f"{split!r} are not in it. Compress with --trim=none to restore documents."
        )
    codec = load_codec(directory)
    for shard in manifest.split(split).shards:
        unfinished = b""
        examples = groupby(_read_shard(Path(directory), shard), key=lambda record: record.source)
        batch: list[list[Record]] = []
        for _, records in examples:
            batch.append(list(records))
            if len(batch) == EXAMPLES_AT_ONCE:
                unfinished = yield from _documents(codec, batch, unfinished, allow_errors)
                batch = []
        unfinished = yield from _documents(codec, batch, unfinished, allow_errors)
        if unfinished and not codec.lossless:  # its EOS was decoded wrongly
            yield unfinished
        elif unfinished:
            raise DamagedRecordsError(
                f"{shard.file}: its last document has no end ({len(unfinished)} bytes are left)."
            )


def _read_shard(directory: Path, shard: Shard) -> Iterator[Record]:
    path = directory / shard.file
    number = tokens = 0
    for data in _read_records(path):
        record = parse(data, f"{path}: record {number}")
        number += 1
        tokens += len(record.targets)
        yield record
    if (number, tokens) != (shard.records, shard.tokens):
        raise DamagedRecordsError(
            f"{path} has {number} records with {tokens} tokens, the manifest says {shard.records} "
            f"with {shard.tokens}. The file is not the one the manifest describes."
        )


def _read_records(path: Path) -> Iterator[bytes]:
    if SUFFIX in path.name:
        yield from read_array_records(path, str(path))
    else:
        with open(path, "rb") as file:
            yield from read_records(file, str(path))


def _documents(
    codec: Codec, batch: list[list[Record]], unfinished: bytes, allow_errors: bool
) -> Generator[bytes, None, bytes]:
    """Yield the documents that end in the examples of `batch`; return the start of the next one."""
    if not batch:
        return unfinished
    decoded = codec.decode(
        [np.concatenate([record.targets for record in records]) for records in batch],
        [sum(record.num_symbols for record in records) for records in batch],
        allow_errors=allow_errors,
    )
    for records, symbols in zip(batch, decoded, strict=True):
        if codec.lossless:
            _compare(records, symbols)
        ends = np.flatnonzero(symbols == EOS)
        text = np.where(symbols == EOS, 0, symbols).astype(np.uint8).tobytes()
        start = 0
        for end in ends.tolist():
            yield unfinished + text[start:end]
            unfinished = b""
            start = end + 1
        unfinished += text[start:]
    return unfinished


def _compare(records: list[Record], symbols: Symbols) -> None:
    start = 0
    for index, record in enumerate(records):
        end = start + record.num_symbols
        if record.part != index or symbols_checksum(symbols[start:end]) != record.checksum:
            raise DamagedRecordsError(
                f"example {record.source}, part {record.part} (expected {index}): its text does "
                "not fit its checksum. The record is damaged, or another codec wrote it."
            )
        start = end
