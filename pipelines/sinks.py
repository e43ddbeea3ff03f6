"""Shards on disk: TFRecord for SeqIO and T5X, ArrayRecord for Grain and MaxText.

A shard appears under its name whole or not at all. Its bytes depend on the records alone: not on
how they came in batches.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from equalinfo.data import storage
from equalinfo.data.record_packing import PackedRecords
from equalinfo.data.tfrecord import frame_all

TFRECORD = "tfrecord"
ARRAY_RECORD = "array_record"
FORMATS = (TFRECORD, ARRAY_RECORD)

Write = Callable[[PackedRecords], object]

_COPY_BYTES = 1 << 20
_ARRAY_RECORD_OPTIONS = "group_size:1,uncompressed"
"""One record a chunk, so that a loader reads any record alone; tokens do not compress."""


class SinkError(ValueError):
    """A format that cannot be written here."""


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
def create(path: str, format_name: str) -> Iterator[tuple[Write, storage.HashingFile]]:
    """Write a shard that appears at `path` when the block ends, and only if it ends well.

    Gives what appends records, and the file, which has its sha256 when the block has ended.
    """
    with storage.create(path) as file:
        if format_name == TFRECORD:
            yield lambda some: file.write(frame_all(some.data.tobytes(), some.ends.tolist())), file
            return
        from array_record.python.array_record_module import ArrayRecordWriter

        with TemporaryDirectory() as directory:  # its library writes local files by their name only
            local = os.path.join(directory, "shard")
            writer = ArrayRecordWriter(local, _ARRAY_RECORD_OPTIONS)

            def write(records: PackedRecords) -> None:
                data, start = records.data, 0
                for end in records.ends.tolist():
                    writer.write(data[start:end].tobytes())
                    start = end
                if not writer.ok():
                    raise OSError(f"{local}: ArrayRecord could not be written. Is the disk full?")

            try:
                yield write, file
            finally:
                writer.close()
            with open(local, "rb") as written:
                while data := written.read(_COPY_BYTES):
                    file.write(data)
