"""Documents of one text file, in order: plain bytes, or a `Reject` with place and reason.

What cannot be used is never dropped in silence:
- a bad line (no JSON, no text, not UTF-8) is a `Reject`, and reading goes on;
- a file that breaks off (cut off, wrong checksum) raises `DamagedInputError` after the documents
  before the damage. Where the checksum of a whole gzip file or zstd frame fails, that is only known
  at its end, and any document of it may be wrong;
- a file that cannot be read (gone, no permission, a fault of the disk or the network) raises an
  `OSError`: the file may be sound.

What no reader can see: a changed bit in a format without checksums (plain text, zstd frames and
Parquet pages written without); plain text, or a file of several gzip members or zstd frames, that
had been cut between two lines, or two of them, before it was listed.

Formats:
- json: one object a line, the text in one of its fields; blank lines are skipped;
- text: one document a line, without its line end; blank lines are skipped;
- parquet: one document a row;
- tfds: records of tf.train.Example, as `tfds build` writes them (`c4/en:3.1.0` and others), in
  TFRecord, ArrayRecord or Parquet files.

An empty text is a document. A file of no bytes has no documents, but one that is called .gz or .zst
is cut off: both write a few bytes for nothing.

Files are opened by the caller's function: remote ones are the pipelines' business.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import BinaryIO

import orjson

from equalinfo.data import decompress
from equalinfo.records import parse_example
from equalinfo.tfrecord import DamagedRecordsError, read_records

_PACKED = ("", *decompress.SUFFIXES)

FORMATS: dict[str, tuple[str, ...]] = {
    "json": tuple(name + packed for name in (".json", ".jsonl") for packed in _PACKED),
    "text": tuple(".txt" + packed for packed in _PACKED),
    "parquet": (".parquet",),
}
"""Suffixes of each format. TFDS files have none: their data set says what they are."""

Open = Callable[[str], BinaryIO]
"""Opens a path for reading bytes."""

_BUFFER_BYTES = 1 << 20
_ROWS = 64  # read together
_PARQUET_BUFFER_BYTES = 1 << 20
_ARRAY_RECORD_OPTIONS = "max_parallelism:0,readahead_buffer_size:1048576"
_TFDS_PARQUET_COLUMN = "data"


class DamagedInputError(ValueError):
    """An input file breaks off: what follows cannot be read."""


@dataclass(frozen=True)
class InputFile:
    """One input file.

    Attributes:
      path: where it lies.
      format: "json", "text", "parquet", "tfds_tfrecord", "tfds_array_record" or "tfds_parquet".
      field: field (JSON), column (Parquet) or feature (TFDS) that holds the text; unused for text.
      size: bytes when it was listed, if it is local; it must not change.
      records: how many TFDS says there are, if it does.
    """

    path: str
    format: str
    field: str = "text"
    size: int | None = None
    records: int | None = None

    @property
    def name(self) -> str:
        """Base name: names the input in records, rejects and manifest.

        Raises:
          UnicodeDecodeError: it is not UTF-8, in which it is read whatever the locale.
        """
        base = self.path.replace(os.sep, "/").rsplit("/", 1)[-1]
        return base.encode("utf-8", "surrogateescape").decode("utf-8")


@dataclass(frozen=True)
class Reject:
    """A place ("file:line", counted from 1) that gave no document, and why."""

    place: str
    reason: str


def format_of(path: str) -> str:
    """The format that a path's suffix names; a ValueError where it names none."""
    for name, suffixes in FORMATS.items():
        if path.lower().endswith(suffixes):
            return name
    known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise ValueError(f"{path} has none of the suffixes {known}, so its format is not known.")


def open_local(path: str) -> BinaryIO:
    """A local file's bytes as they are."""
    return open(path, "rb", buffering=_BUFFER_BYTES)


def read(file: InputFile, open_file: Open = open_local) -> Iterator[bytes | Reject]:
    """The documents of an input file in order.

    Raises:
      DamagedInputError: the file breaks off; documents before the damage have been given.
      OSError: it cannot be read.
    """
    yield from _READERS[file.format](file, open_file)


def _read_json(file: InputFile, open_file: Open) -> Iterator[bytes | Reject]:
    for number, line in _lines(file, open_file):
        try:
            content = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            line = bytes(line)
            if line and not line.isspace():
                yield Reject(f"{file.name}:{number}", _json_reason(line, error))
            continue
        text = content.get(file.field) if isinstance(content, dict) else None
        if isinstance(text, str):
            yield text.encode("utf-8")
        else:
            yield Reject(f"{file.name}:{number}", _content_reason(content, file.field))


def _json_reason(line: bytes, error: ValueError) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as encoding_error:
        return f"invalid UTF-8: {encoding_error.reason} at byte {encoding_error.start} of the line"
    return f"invalid JSON: {error}"


def _content_reason(content: object, field: str) -> str:
    if not isinstance(content, dict):
        return f"JSON {type(content).__name__}, expected an object"
    if field not in content:
        return f"no field {field!r}, only {sorted(content)[:10]}"
    return f"field {field!r} is {type(content[field]).__name__}, expected text"


def _read_text(file: InputFile, open_file: Open) -> Iterator[bytes | Reject]:
    for number, line in _lines(file, open_file):
        text = bytes(line)
        if not text or text.isspace():
            continue
        text = text.removesuffix(b"\r")
        if fault := _utf8_fault(text):
            yield Reject(f"{file.name}:{number}", fault)
        else:
            yield text


def _utf8_fault(text: bytes) -> str:
    """Why `text` is not UTF-8; empty where it is."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"invalid UTF-8: {error.reason} at byte {error.start} of the text"
    return ""


def _lines(file: InputFile, open_file: Open) -> Iterator[tuple[int, bytes | memoryview]]:
    """The lines of a file, plain or compressed, without their ends, with their numbers from 1."""
    number = 0
    parts: list[bytes] = []
    try:
        with open_file(file.path) as raw:
            for chunk in decompress.chunks(raw, file.path):
                start = chunk.find(b"\n") + 1
                if not start:
                    parts.append(chunk)
                    continue
                number += 1
                yield number, b"".join((*parts, chunk[: start - 1]))
                view = memoryview(chunk)  # bytes.split would copy every line
                while (end := chunk.find(b"\n", start)) >= 0:
                    number += 1
                    yield number, view[start:end]
                    start = end + 1
                parts = [chunk[start:]]
    except decompress.DamagedStreamError as error:
        raise DamagedInputError(f"{error} (after line {number})") from error
    if last := b"".join(parts):
        yield number + 1, last


def _read_parquet(file: InputFile, open_file: Open) -> Iterator[bytes | Reject]:
    row = 0
    for texts in _column(file, open_file, file.field, "string"):
        for text in texts:
            row += 1
            if text is None:
                yield Reject(f"{file.name}:row {row}", "no text (null)")
            elif fault := _utf8_fault(text):  # pyarrow does not check it
                yield Reject(f"{file.name}:row {row}", fault)
            else:
                yield text


def _column(
    file: InputFile, open_file: Open, column: str, expected: str
) -> Iterator[list[bytes | None]]:
    """A Parquet column, some rows at a time.

    Args:
      file: the Parquet file.
      open_file: opens it.
      column: its name.
      expected: its type, "string" or "binary".
    """
    import pyarrow as pa
    from pyarrow import parquet

    row = 0
    try:
        with (
            open_file(file.path) as raw,
            parquet.ParquetFile(
                raw,
                page_checksum_verification=True,
                # Else it holds whole row groups.
                buffer_size=_PARQUET_BUFFER_BYTES,
                pre_buffer=False,
            ) as table,
        ):
            names = table.schema_arrow.names
            if column not in names:
                raise DamagedInputError(f"it has no column {column!r}, only {names}")
            kind = table.schema_arrow.field(column).type
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
            if str(kind) not in (expected, f"large_{expected}"):
                raise DamagedInputError(f"column {column!r} is {kind}, expected {expected}")
            as_bytes = pa.large_binary() if str(kind).startswith("large") else pa.binary()
            metadata = table.metadata
            rows = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
            if sum(rows) != metadata.num_rows:
                raise DamagedInputError(
                    f"its row groups have {sum(rows)} rows, and it {metadata.num_rows}"
                )
            # One row group at a time: a damaged one must not take those before it along.
            for group, end in enumerate(accumulate(rows)):
                for batch in table.iter_batches(
                    _ROWS, [group], columns=[column], use_threads=False
                ):
                    yield batch.column(0).cast(kind).cast(as_bytes).to_pylist()
                    row += len(batch)
                # A page is passed over where a damaged header makes it of no known kind.
                if row != end:
                    raise DamagedInputError(f"row group {group} ends after row {row}, not {end}")
    # UnicodeDecodeError: a column's name.
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        # pyarrow's own are plain OSErrors without a number; others are faults of disk or network.
        if isinstance(error, OSError) and (error.errno or type(error) is not OSError):
            raise
        raise DamagedInputError(f"{type(error).__name__}: {error} (after row {row})") from error


def _read_examples(
    file: InputFile, open_file: Open, records: Callable[[InputFile, Open], Iterator[bytes]]
) -> Iterator[bytes | Reject]:
    """The documents of a TFDS file, whose records are serialised tf.train.Examples."""
    number = 0
    try:
        for data in records(file, open_file):
            number += 1
            place = f"{file.name}:record {number}"
            features = parse_example(data, place)
            texts = features[file.field].bytes_list.value if file.field in features else []
            if len(texts) != 1:
                yield Reject(place, f"feature {file.field!r} has {len(texts)} texts, not 1")
            elif fault := _utf8_fault(text := texts[0]):
                yield Reject(place, fault)
            else:
                yield text
    except DamagedRecordsError as error:
        raise DamagedInputError(f"{error} (after record {number})") from error
    if file.records not in (None, number):
        raise DamagedInputError(f"it has {number} records, and TFDS wrote {file.records} to it")


def _tfrecords(file: InputFile, open_file: Open) -> Iterator[bytes]:
    with open_file(file.path) as raw:
        yield from read_records(raw, file.name)


def _array_records(file: InputFile, open_file: Open) -> Iterator[bytes]:
    from array_record.python.array_record_module import ArrayRecordReader

    open_file(file.path).close()  # an OSError where it is gone
    try:
        reader = ArrayRecordReader(file.path, _ARRAY_RECORD_OPTIONS)
        number = reader.num_records()
        for start in range(0, number, _ROWS):
            yield from reader.read(start, min(start + _ROWS, number))
        reader.close()  # raises what it met, also in the file's end when it was opened
    except RuntimeError as error:
        raise DamagedRecordsError(str(error)) from error


def _parquet_records(file: InputFile, open_file: Open) -> Iterator[bytes]:
    for records in _column(file, open_file, _TFDS_PARQUET_COLUMN, "binary"):
        for record in records:
            if record is None:
                raise DamagedRecordsError("a record is null")
            yield record


_READERS: dict[str, Callable[[InputFile, Open], Iterator[bytes | Reject]]] = {
    "json": _read_json,
    "text": _read_text,
    "parquet": _read_parquet,
    "tfds_tfrecord": partial(_read_examples, records=_tfrecords),
    "tfds_array_record": partial(_read_examples, records=_array_records),
    "tfds_parquet": partial(_read_examples, records=_parquet_records),
}
