"""Shards on disk: TFRecord for SeqIO and T5X, ArrayRecord for Grain and MaxText.

A shard appears under its name whole or not at all. Its bytes depend on the records alone: not on
how they came in batches.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Protocol

from equalinfo.data import storage
from equalinfo.data.record_packing import PackedRecords
from equalinfo.data.tfrecord import frame_all

TFRECORD = "tfrecord"
ARRAY_RECORD = "array_record"
FORMATS = (TFRECORD, ARRAY_RECORD)

_COPY_BYTES = 1 << 20
_ARRAY_RECORD_OPTIONS = "group_size:1,uncompressed"
"""One record a chunk, so that a loader reads any record alone; tokens do not compress."""


class SinkError(ValueError):
    """A format that cannot be written here."""


class Sink(Protocol):
    """A shard being written."""

    def write(self, records: PackedRecords) -> None:
        """Append records."""

    @property
    def sha256(self) -> str:
        """Of the file, when it is finished: 64 hexadecimal digits."""


def check_format(name: str) -> None:
    """Refuse a format that cannot be written here.

    Raises:
      SinkError: says what to install.
    """
    if name == ARRAY_RECORD:
        try:
            import array_record.python.array_record_module  # noqa: F401
        except ImportError as error:
            raise SinkError(
                f"--format={ARRAY_RECORD} needs the package array_record ({error}): "
                "pip install 'equalinfo[array_record]'. It has no version for Windows."
            ) from error


@contextmanager
def create(path: str, format_name: str) -> Iterator[Sink]:
    """Write a shard that appears at `path` when the block ends, and only if it ends well."""
    with storage.create(path) as file:
        if format_name == TFRECORD:
            yield _TFRecords(file)
        else:
            sink = _ArrayRecords(file)
            with sink:
                yield sink


class _TFRecords:
    def __init__(self, file: storage.HashingFile) -> None:
        self._file = file

    def write(self, records: PackedRecords) -> None:
        self._file.write(frame_all(records.data.tobytes(), records.ends.tolist()))

    @property
    def sha256(self) -> str:
        return self._file.sha256


class _ArrayRecords:
    """Its library writes local files by their name only: a local copy is made first."""

    def __init__(self, file: storage.HashingFile) -> None:
        self._file = file
        self._directory = TemporaryDirectory()

    def __enter__(self) -> "_ArrayRecords":
        from array_record.python.array_record_module import ArrayRecordWriter

        self._path = os.path.join(self._directory.name, "shard")
        self._writer = ArrayRecordWriter(self._path, _ARRAY_RECORD_OPTIONS)
        return self

    def write(self, records: PackedRecords) -> None:
        data, start = records.data, 0
        for end in records.ends.tolist():
            self._writer.write(data[start:end].tobytes())
            start = end
        if not self._writer.ok():
            raise OSError(f"{self._path}: ArrayRecord could not be written. Is the disk full?")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self._writer.close()
            if kind is None:
                with open(self._path, "rb") as file:
                    while data := file.read(_COPY_BYTES):
                        self._file.write(data)
        finally:
            self._directory.cleanup()

    @property
    def sha256(self) -> str:
        return self._file.sha256
