"""Documents of one input file, in order, each with its place.

What cannot be used is never dropped in silence:
- a bad line (no JSON, no text, not UTF-8) is a `Reject`, and reading goes on;
- a file that breaks off (cut-off gzip, wrong checksum, unreadable) raises `DamagedInputError` after
  the documents before the damage. Where the checksum of a whole gzip file fails, that is only known
  at its end, and any document of it may be wrong.

Formats:
- json: one object a line, the text in one of its fields; blank lines are skipped;
- text: one document a line, without its line end; blank lines are skipped;
- parquet: one document a row;
- tfds: TFRecords of tf.train.Example, as `tfds build` writes them (`c4/en:3.1.0` and others).

An empty text is a document. A file of no bytes has no documents, but one that is called .gz is cut
off: gzip writes at least 18 bytes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import BinaryIO, cast

import orjson
from isal import isal_zlib

from equalinfo.records import parse_example
from equalinfo.tfrecord import DamagedRecordsError, read_records
from pipelines import storage
from pipelines.sources import InputFile

_CHUNK_BYTES = 1 << 20
_ZIPPED_CHUNK_BYTES = 1 << 16
_HEAD_BYTES = 4096
_UnzipError = cast(type[Exception], isal_zlib.error)
_GZIP_WBITS = 31
_GZIP_MAGIC = b"\x1f\x8b"
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f"))
_PARQUET_ROWS = 256


class DamagedInputError(ValueError):
    """An input file breaks off: what follows cannot be read."""


@dataclass(frozen=True)
class Document:
    """One text and its place ("file:line", counted from 1)."""

    place: str
    text: bytes


@dataclass(frozen=True)
class Reject:
    """A place that gave no document, and why."""

    place: str
    reason: str


def read(file: InputFile) -> Iterator[Document | Reject]:
    """The documents of an input file in order.

    Raises:
      DamagedInputError: the file breaks off; documents before the damage have been given.
    """
    reader: Callable[[InputFile], Iterator[Document | Reject]] = {
        "json": _read_json,
        "text": _read_text,
        "parquet": _read_parquet,
        "tfds": _read_tfds,
    }[file.format]
    yield from reader(file)


def _read_json(file: InputFile) -> Iterator[Document | Reject]:
    for number, line in _lines(file):
        place = f"{file.name}:{number}"
        try:
            content = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield Reject(place, _json_reason(line, error))
            continue
        if not isinstance(content, dict):
            yield Reject(place, f"JSON {type(content).__name__}, expected an object")
        elif file.field not in content:
            yield Reject(place, f"no field {file.field!r}, only {sorted(content)[:10]}")
        elif not isinstance(text := content[file.field], str):
            yield Reject(place, f"field {file.field!r} is {type(text).__name__}, expected text")
        else:
            yield Document(place, text.encode("utf-8"))


def _json_reason(line: bytes, error: ValueError) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as encoding_error:
        return f"invalid UTF-8: {encoding_error.reason} at byte {encoding_error.start} of the line"
    return f"invalid JSON: {error}"


def _read_text(file: InputFile) -> Iterator[Document | Reject]:
    for number, line in _lines(file):
        yield _checked(f"{file.name}:{number}", line.removesuffix(b"\r"))


def _checked(place: str, text: bytes) -> Document | Reject:
    """A document where `text` is UTF-8."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return Reject(place, f"invalid UTF-8: {error.reason} at byte {error.start} of the text")
    return Document(place, text)


def _lines(file: InputFile) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, plain or gzip, that are not blank, with their numbers from 1."""
    number = 0
    try:
        with storage.open_read(file.path) as raw:
            for line in _split(_chunks(raw, file)):
                number += 1
                if line and not line.isspace():
                    yield number, line
    except (EOFError, OSError, _UnzipError) as error:
        _raise_if_passing(error, file)
        raise DamagedInputError(f"{type(error).__name__}: {error} (after line {number})") from error


def _raise_if_passing(error: Exception, file: InputFile) -> None:
    """Raise a network's fault as it is, so that the runner tries again: the file may be sound."""
    if isinstance(error, OSError) and not storage.is_local(file.path):
        raise error


def _split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text that comes in pieces, without their line ends."""
    parts: list[bytes] = []
    for chunk in chunks:
        lines = chunk.split(b"\n")
        if len(lines) > 1:
            yield b"".join((*parts, lines[0]))
            yield from lines[1:-1]
            parts.clear()
        parts.append(lines[-1])
    if last := b"".join(parts):
        yield last


def _chunks(raw: BinaryIO, file: InputFile) -> Iterator[bytes]:
    """The file's text in pieces of bounded size, decompressed where its first bytes are gzip's.

    The first bytes decide, not the suffix: stores may decompress objects on the way.
    """
    head = raw.read(_HEAD_BYTES)
    if head.startswith(_GZIP_MAGIC):
        yield from _unzip(head, raw)
        return
    if file.path.lower().endswith(".gz"):
        if not head:
            raise DamagedInputError("the gzip file has no bytes at all: it was cut off")
        if head.translate(None, _CONTROL_BYTES) != head:
            raise DamagedInputError(
                f"it starts with the bytes {head[:4].hex(' ')}: neither gzip nor text"
            )
    yield head
    while chunk := raw.read(_CHUNK_BYTES):
        yield chunk


def _unzip(head: bytes, raw: BinaryIO) -> Iterator[bytes]:
    """Decompress gzip members until the end.

    Where the file is cut off, all text before is given first; of a damaged one, the text up to the
    _ZIPPED_CHUNK_BYTES in which the damage shows. (GzipFile would lose text of a sound piece too.)
    """
    member = isal_zlib.decompressobj(wbits=_GZIP_WBITS)
    for zipped in chain([head], iter(partial(raw.read, _ZIPPED_CHUNK_BYTES), b"")):
        chunk = zipped
        while chunk:
            if member.eof:
                chunk = chunk.lstrip(b"\0")  # members may be followed by zeros
                if not chunk:
                    break
                member = isal_zlib.decompressobj(wbits=_GZIP_WBITS)
            yield member.decompress(chunk)
            chunk = member.unused_data if member.eof else b""
    if not member.eof:
        raise EOFError("the gzip file was cut off")


def _read_parquet(file: InputFile) -> Iterator[Document | Reject]:
    import pyarrow as pa
    from pyarrow import parquet

    row = 0
    try:
        with (
            storage.open_read(file.path) as raw,
            parquet.ParquetFile(raw, page_checksum_verification=True) as table,
        ):
            names = table.schema_arrow.names
            if file.field not in names:
                raise DamagedInputError(f"it has no column {file.field!r}, only {names}")
            kind = table.schema_arrow.field(file.field).type
            if pa.types.is_dictionary(kind):
                kind = kind.value_type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
                raise DamagedInputError(f"column {file.field!r} is {kind}, expected string")
            # One row group at a time: a damaged one must not take those before it along.
            batches = (
                batch
                for group in range(table.num_row_groups)
                for batch in table.iter_batches(_PARQUET_ROWS, [group], columns=[file.field])
            )
            for batch in batches:
                # As bytes: pyarrow does not check that a string column is UTF-8.
                for text in batch.column(0).cast(kind).cast(pa.large_binary()).to_pylist():
                    row += 1
                    place = f"{file.name}:row {row}"
                    yield Reject(place, "no text (null)") if text is None else _checked(place, text)
    except (EOFError, OSError, pa.ArrowException) as error:
        raise DamagedInputError(f"{type(error).__name__}: {error} (after row {row})") from error


def _read_tfds(file: InputFile) -> Iterator[Document | Reject]:
    number = 0
    try:
        with storage.open_read(file.path) as raw:
            for data in read_records(raw, file.name):
                number += 1
                place = f"{file.name}:record {number}"
                features = parse_example(data, place)
                values = (
                    list(features[file.field].bytes_list.value) if file.field in features else []
                )
                if len(values) != 1:
                    yield Reject(place, f"feature {file.field!r} has {len(values)} texts, not 1")
                else:
                    yield _checked(place, values[0])
    except (DamagedRecordsError, OSError) as error:
        _raise_if_passing(error, file)
        raise DamagedInputError(f"{error} (after record {number})") from error
