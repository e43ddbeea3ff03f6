"""Documents of one input file, in order: plain bytes, or a `Reject` with place and reason.

What cannot be used is never dropped in silence:
- a bad line (no JSON, no text, not UTF-8) is a `Reject`, and reading goes on;
- a file that breaks off (cut off, wrong checksum, unreadable, gone, not as long as it was when it
  was listed) raises `DamagedInputError` after the documents before the damage. Where the checksum
  of a whole gzip file or zstd frame fails, that is only known at its end, and any document of it
  may be wrong.

What no reader can see: a changed bit in a format without checksums (plain text, zstd frames and
Parquet pages written without), and files of several gzip members or zstd frames that end after one
of them.

Formats:
- json: one object a line, the text in one of its fields; blank lines are skipped;
- text: one document a line, without its line end; blank lines are skipped;
- parquet: one document a row;
- tfds: records of tf.train.Example, as `tfds build` writes them (`c4/en:3.1.0` and others), in
  TFRecord, ArrayRecord or Parquet files.

An empty text is a document. A file of no bytes has no documents, but one that is called .gz or .zst
is cut off: both write a few bytes for nothing.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import orjson

from equalinfo.records import parse_example
from equalinfo.tfrecord import DamagedRecordsError, read_records
from pipelines import storage
from pipelines.decompress import DamagedError, chunks
from pipelines.sources import InputFile

_ROWS = 256
_ARRAY_RECORD_OPTIONS = "max_parallelism:0,readahead_buffer_size:1048576"
_TFDS_PARQUET_COLUMN = "data"


class DamagedInputError(ValueError):
    """An input file breaks off: what follows cannot be read."""


@dataclass(frozen=True)
class Reject:
    """A place ("file:line", counted from 1) that gave no document, and why."""

    place: str
    reason: str


def read(file: InputFile) -> Iterator[bytes | Reject]:
    """The documents of an input file in order.

    Raises:
      DamagedInputError: the file breaks off; documents before the damage have been given.
    """
    reader: Callable[[InputFile], Iterator[bytes | Reject]] = {
        "json": _read_json,
        "text": _read_text,
        "parquet": _read_parquet,
        "tfds": _read_tfds,
    }[file.format]
    _check_size(file)
    yield from reader(file)
    _check_size(file)


def _check_size(file: InputFile) -> None:
    """Notice a local file that became longer or shorter, or is gone.

    A plain text that is cut between two lines looks whole.
    """
    if file.size is None:
        return
    try:
        size = storage.size(file.path)
    except OSError as error:
        raise DamagedInputError(f"{type(error).__name__}: {error}") from error
    if size != file.size:
        raise DamagedInputError(
            f"it has {size} bytes, and had {file.size} when this job began: something writes to "
            "it. Wait until that is done, and start again."
        )
