"""A data set directory read back: its records, and the documents they stand for."""

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any

import numpy as np

from equalinfo import codecs
from equalinfo.alphabet import EOS, Symbols
from equalinfo.codecs.base import Codec, LossyCodecError
from equalinfo.data import storage
from equalinfo.data.manifest import CODEC_DIRECTORY, MANIFEST_FILE, Manifest, ManifestError, Shard
from equalinfo.data.records import Record, parse, symbols_checksum
from equalinfo.data.shards import read_shard
from equalinfo.data.tfrecord import DamagedRecordsError

EXAMPLES_AT_ONCE = 256
"""Examples decoded together: enough lanes for a neural model, a few megabytes of symbols."""


@dataclass(frozen=True)
class Dataset:
    """A data set that `pipelines.compress` wrote, local or not (gs://, s3://).

    Attributes:
      directory: where it lies.
      manifest: what it holds, and who made it.
    """

    directory: str
    manifest: Manifest

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> "Dataset":
        """The data set in a directory.

        Raises:
          ManifestError: there is none, or its manifest is damaged.
        """
        return cls(os.fspath(directory), Manifest.load(directory))

    @property
    def codec_directory(self) -> str:
        """Where its codec lies."""
        return storage.join(self.directory, CODEC_DIRECTORY)

    def read(self, split: str) -> Iterator[Record]:
        """The records of a split in order, lazily: checksums and each shard's count are checked.

        No more come than the manifest counts.

        Raises:
          ManifestError: no such split.
          DamagedRecordsError: a shard is damaged, or not the one the manifest counts.
        """
        for shard in self.manifest.split(split).shards:
            yield from self._read_shard(shard)

    def codec(self) -> Codec:
        """The codec that made it.

        Raises:
          ManifestError: see `check_codec`.
          FileNotFoundError, ValueError: see `codecs.load`.
        """
        self.check_codec()
        return codecs.load(self.codec_directory)

    def check_codec(self) -> None:
        """See that the codec beside the shards is the one that made them; loads none.

        Raises:
          ManifestError: it is another one: ids mean other text there.
          FileNotFoundError: there is none.
        """
        expected: dict[str, Any] = dict(self.manifest.codec)
        found = codecs.describe(self.codec_directory)
        for key in sorted(expected.keys() | found.keys()):
            then, now = expected.get(key), found.get(key)
            if then == now:
                continue
            if key == "assets" and isinstance(then, dict) and isinstance(now, dict):
                key = next(name for name in sorted(then | now) if then.get(name) != now.get(name))
                then, now = (f"sha256:{x.get(key, 'none')[:12]}.." for x in (then, now))
            raise ManifestError(
                f"{self.directory} was compressed with {key} {then}, but {self.codec_directory} "
                f"has {now}. Its tokens mean nothing there. Use the codec that {MANIFEST_FILE} "
                "names, or compress again."
            )

    def check_shards(self) -> None:
        """See that all files of shards are there; opens none.

        Raises:
          ManifestError: some are not.
        """
        present = set(map(storage.base_name, storage.list_directory(self.directory, "")))
        for split, content in self.manifest.splits.items():
            missing = [shard.file for shard in content.shards if shard.file not in present]
            if missing:
                raise ManifestError(
                    f"{self.directory}: {len(missing)} of {len(content.shards)} shards of split "
                    f"{split!r} are missing, the first is {missing[0]}. Copy the directory again, "
                    "with all its files."
                )

    def restore(self, split: str, *, allow_errors: bool = False) -> Iterator[bytes]:
        """The documents of a split, in the order of the input, decoded from its tokens, lazily.

        Args:
          split: its name.
          allow_errors: decode also with a codec that is not lossless; checksums are then not
            compared, and what ends a document may be wrong too.

        Raises:
          ManifestError: no such split, or see `check_codec`.
          LossyCodecError: the codec is not lossless and `allow_errors` is False.
          DamagedRecordsError: a record, or the text it decodes to, does not fit its checksum.
          ValueError: the data set was trimmed: it does not hold all of the text.
        """
        shards = self.manifest.split(split).shards
        if self.manifest.trim != "none":
            trimmed = self.manifest.split(split).totals["trimmed_bytes"]
            raise ValueError(
                f"{self.directory} was compressed with --trim={self.manifest.trim}: {trimmed} "
                f"bytes of split {split!r} are not in it. Compress with --trim=none to restore "
                "documents."
            )
        codec = self.codec()
        for shard in shards:
            yield from self.restore_shard(shard, codec, allow_errors=allow_errors)

    def restore_shard(
        self, shard: Shard, codec: Codec, *, allow_errors: bool = False
    ) -> Iterator[bytes]:
        """The documents of one shard, decoded with the data set's codec; see `restore`."""
        path = storage.join(self.directory, shard.file)
        unfinished, examples = b"", self.examples(shard)
        while batch := list(islice(examples, EXAMPLES_AT_ONCE)):
            try:
                unfinished = yield from _documents(codec, batch, unfinished, allow_errors)
            except DamagedRecordsError as error:
                raise DamagedRecordsError(f"{path}: {error}") from error
        if unfinished and not codec.lossless:  # its EOS was decoded wrongly
            yield unfinished
        elif unfinished:
            raise DamagedRecordsError(
                f"{path}: its last document has no end ({len(unfinished)} bytes are left)."
            )

    def examples(self, shard: Shard) -> Iterator[list[Record]]:
        """The records of each example of a shard, in order, lazily.

        Raises:
          DamagedRecordsError: a record is damaged, missing, doubled or out of order, or there are
            not as many as the manifest counts.
        """
        manifest, path = self.manifest, storage.join(self.directory, shard.file)
        first = offset = documents = 0  # of the sequence, in it
        counted = {"examples": 0}
        counted |= {"bytes": shard.trimmed_bytes, "documents": shard.trimmed_documents}
        for source, of_example in groupby(self._read_shard(shard), lambda record: record.source):
            records = list(of_example)
            sizes = [len(record.targets) for record in records]
            symbols = sum(record.num_symbols for record in records)
            ended = sum(record.num_documents for record in records)
            if (
                [record.part for record in records] != list(range(len(records)))
                or any(size != manifest.sequence_length for size in sizes[:-1])
                or not 0 < sizes[-1] <= manifest.sequence_length
                or not (manifest.trim == "none") <= symbols <= manifest.example_bytes
                or min(min(record.num_bytes, record.num_documents) for record in records) < 0
            ):
                raise DamagedRecordsError(
                    f"{path}: example {source} has parts or numbers that cannot be."
                )
            due = f"{shard.input}:{first}:{offset}"
            if manifest.trim == "none" and source != due:
                raise DamagedRecordsError(
                    f"{path}: example {source} comes where {due} was due. Records are "
                    "missing, doubled or out of order."
                )
            documents, offset = documents + ended, offset + symbols
            if documents == manifest.documents_per_sequence:
                first, offset, documents = first + documents, 0, 0
            counted["examples"] += 1
            counted["bytes"] += symbols - ended
            counted["documents"] += ended
            yield records
        for name, found in counted.items():
            if found != (said := getattr(shard, name)):
                raise DamagedRecordsError(f"{path}: {name}={found}, the manifest says {said}.")

    def _read_shard(self, shard: Shard) -> Iterator[Record]:
        path = storage.join(self.directory, shard.file)
        number = tokens = 0
        more = False
        for data in read_shard(path):
            record = parse(data, f"{path}: record {number}")
            if len(record.targets) > self.manifest.sequence_length:
                raise DamagedRecordsError(
                    f"{path}: record {number} has {len(record.targets)} tokens, the manifest says "
                    f"sequence_length={self.manifest.sequence_length} at most."
                )
            number += 1
            tokens += len(record.targets)
            if more := number > shard.records or tokens > shard.tokens:
                break
            yield record
        if (number, tokens) != (shard.records, shard.tokens):
            raise DamagedRecordsError(
                f"{path}: it has {'at least ' * more}{number} records with {tokens} tokens, the "
                f"manifest says {shard.records} with {shard.tokens}. The file is not the one the "
                "manifest describes."
            )


def _documents(
    codec: Codec, batch: list[list[Record]], unfinished: bytes, allow_errors: bool
) -> Generator[bytes, None, bytes]:
    """Yield the documents that end in the examples of `batch`; return the start of the next one."""
    ids = [np.concatenate([record.targets for record in records]) for records in batch]
    lengths = [sum(record.num_symbols for record in records) for records in batch]
    try:
        decoded = codec.decode(ids, lengths, allow_errors=allow_errors)
    except LossyCodecError:
        raise
    except ValueError as error:
        raise DamagedRecordsError(
            f"of the examples from {batch[0][0].source} on tokens do not decode: {error}"
        ) from error
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
