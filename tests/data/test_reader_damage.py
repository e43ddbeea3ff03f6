"""Damaged inputs: the same documents come out, or an error says that something is wrong."""

import gzip
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo.data import storage
from equalinfo.data.inputs import (
    ChangedInputError,
    DamagedInputError,
    InputError,
    InputFile,
    Reject,
)
from equalinfo.data.text import read
from tests.records import write_records

TEXTS = [f"text é {number} {'some words ' * (number % 7)}".encode() for number in range(80)]
_HALF = 40
_SKIPPABLE = b"\x53\x2a\x4d\x18\x05\0\0\0hello"


def _lines(texts: list[bytes]) -> bytes:
    return b"".join(json.dumps({"text": text.decode()}).encode() + b"\n" for text in texts)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _zstd(data: bytes, checksum: bool) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=checksum).compress(data)


def _parquet(**options: object) -> bytes:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    buffer = io.BytesIO()
    table = pa.table({"text": [text.decode() for text in TEXTS], "n": range(len(TEXTS))})
    parquet.write_table(table, buffer, row_group_size=30, write_page_checksum=True, **options)
    return buffer.getvalue()


def _message(text: bytes) -> bytes:
    """A serialised tf.train.Example with one feature: lengths below 128 are one byte."""

    def field(number: int, data: bytes) -> bytes:
        assert len(data) < 128
        return bytes([number << 3 | 2, len(data)]) + data

    feature = field(1, b"text") + field(2, field(1, field(1, text)))
    return field(1, field(1, feature))


def _tfrecords() -> bytes:
    buffer = io.BytesIO()
    write_records(buffer, map(_message, TEXTS))
    return buffer.getvalue()


def _array_records() -> bytes:
    module = pytest.importorskip("array_record.python.array_record_module")
    with TemporaryDirectory() as directory:
        path = Path(directory, "a")
        writer = module.ArrayRecordWriter(str(path), "group_size:1")
        for text in TEXTS:
            writer.write(_message(text))
        writer.close()
        return path.read_bytes()


# Two parts each, so that a cut can fall between them.
_FILES: dict[str, Callable[[], bytes]] = {
    "a.json": lambda: _lines(TEXTS),
    "a.txt": lambda: b"\n".join(TEXTS),
    "a.json.gz": lambda: _gzip(_lines(TEXTS[:_HALF])) + _gzip(_lines(TEXTS[_HALF:])),
    "a.json.zst": lambda: (
        _zstd(_lines(TEXTS[:_HALF]), True) + _SKIPPABLE + _zstd(_lines(TEXTS[_HALF:]), True)
    ),
    "unchecked.json.zst": lambda: _zstd(_lines(TEXTS), False),
    "a.txt.zst": lambda: _zstd(b"\n".join(TEXTS), True),
    "a.parquet": lambda: _parquet(compression="none", use_dictionary=False),
    "b.parquet": lambda: _parquet(compression="zstd", data_page_version="2.0"),
    "a.tfrecord": _tfrecords,
    "a.array_record": _array_records,
}
_FORMATS = {
    "json": "json",
    "txt": "text",
    "parquet": "parquet",
    "tfrecord": "tfds_tfrecord",
    "array_record": "tfds_array_record",
}
_CHECKED = [name for name in _FILES if name not in ("a.json", "a.txt", "unchecked.json.zst")]


@cache
def _whole(name: str) -> bytes:
    return _FILES[name]()


def _write(directory: Path, name: str, data: bytes) -> InputFile:
    path = directory / name
    path.write_bytes(data)
    return InputFile(str(path), _FORMATS[name.split(".")[1]], "text", len(data))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For files that the next one replaces: making a directory for each takes longer."""
    return tmp_path_factory.mktemp("damage")


def _read(directory: Path, name: str, data: bytes) -> tuple[list[bytes | Reject], str]:
    """What comes out of a file that holds `data`, and the damage (empty if there is none)."""
    return _drain(replace(_write(directory, name, data), records=len(TEXTS)))


def _drain(file: InputFile) -> tuple[list[bytes | Reject], str]:
    items: list[bytes | Reject] = []
    try:
        for item in read(file):
            items.append(item)
    except (DamagedInputError, InputError) as error:  # a column's name may be what is damaged
        return items, str(error)
    return items, ""


@pytest.mark.parametrize("name", _FILES)
def test_whole_files(directory: Path, name: str) -> None:
    assert _read(directory, name, _whole(name)) == (TEXTS, "")


@pytest.mark.parametrize("name", _FILES)
@settings(max_examples=100, derandomize=True)
@given(where=st.integers(0, 1 << 40))
def test_a_cut_is_noticed_where_the_format_has_an_end(
    directory: Path, name: str, where: int
) -> None:
    whole = _whole(name)
    size = where % len(whole)
    items, damage = _read(directory, name, whole[:size])
    if damage:
        assert items == TEXTS[: len(items)]
    elif name == "a.json":  # has no end: a line too short is no JSON
        documents = [item for item in items if isinstance(item, bytes)]
        assert documents == TEXTS[: len(documents)]
        assert len(items) - len(documents) == (whole[size - 1 : size + 1].find(b"\n") < 0 < size)
    elif name == "a.txt":  # has none either, and a short line is text: see the size below
        assert items[:-1] == TEXTS[: len(items[:-1])]
    else:  # a file whose first part is a file
        assert size in _ends_of_parts(name)
        assert items == TEXTS[:_HALF]


def _ends_of_parts(name: str) -> list[int]:
    if name == "a.json.gz":
        return [len(_gzip(_lines(TEXTS[:_HALF])))]
    if name == "a.json.zst":
        end = len(_zstd(_lines(TEXTS[:_HALF]), True))
        return [end, end + len(_SKIPPABLE)]
    return []


@pytest.mark.parametrize("name", ["a.json.gz", "a.json.zst", "unchecked.json.zst", "a.txt.zst"])
def test_every_cut_of_a_compressed_file(directory: Path, name: str) -> None:
    whole = _whole(name)
    for size in range(len(whole)):
        items, damage = _read(directory, name, whole[:size])
        assert bool(damage) != (size in _ends_of_parts(name)), size
        assert items == TEXTS[: len(items)]


@pytest.mark.parametrize("name", _CHECKED)
@settings(max_examples=200, derandomize=True)
@given(where=st.integers(0, 1 << 40))
def test_no_changed_bit_changes_a_document_in_silence(
    directory: Path, name: str, where: int
) -> None:
    data = bytearray(_whole(name))
    data[where // 8 % len(data)] ^= 1 << where % 8
    items, damage = _read(directory, name, bytes(data))
    if not damage:
        assert items == TEXTS
    elif "parquet" in name or "record" in name:  # gzip and zstd check whole parts, at their ends
        assert items == TEXTS[: len(items)]


@pytest.mark.parametrize("name", ["a.parquet", "b.parquet"])
def test_headers_and_footer_of_parquet(directory: Path, name: str) -> None:
    """They have no checksum; pyarrow passes over pages whose kind a changed bit made unknown."""
    whole = _whole(name)
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    for where in [*range(64), *range(len(whole) - footer, len(whole), 3)]:
        data = bytearray(whole)
        data[where] ^= 1 << where % 7
        items, damage = _read(directory, name, bytes(data))
        assert damage or items == TEXTS, where


@pytest.mark.parametrize("name", _FILES)
def test_a_file_that_changes_fails_the_job(name: str, tmp_path: Path) -> None:
    """Were it damage, a job that bears damage would keep nothing of it, and call itself whole."""
    whole = _whole(name)
    file = _write(tmp_path, name, whole)
    path = Path(file.path)
    for changed in (b"", whole[:-1], whole + b"\n"):
        path.write_bytes(changed)
        with pytest.raises(ChangedInputError, match=f"{len(changed)} bytes, and had {len(whole)}"):
            next(read(file))

    path.write_bytes(whole)
    reader = read(file)
    assert next(reader) == TEXTS[0]
    path.write_bytes(whole)  # as long as before
    with pytest.raises(ChangedInputError, match="was written to while it was read"):
        list(reader)

    reader = read(file)
    assert next(reader) == TEXTS[0]
    with path.open("r+b") as opened:
        opened.truncate(len(whole) // 2)
    with pytest.raises((ChangedInputError, DamagedInputError)):
        list(reader)


@pytest.mark.parametrize("name", _FILES)
def test_a_file_that_cannot_be_read_fails_the_job(name: str, tmp_path: Path) -> None:
    file = _write(tmp_path, name, _whole(name))
    unlisted = replace(file, size=None)
    path = Path(file.path)
    path.chmod(0)
    if not os.access(path, os.R_OK):  # root may read all
        with pytest.raises(PermissionError):
            next(read(file))
    path.unlink()
    for asked in (file, unlisted):
        with pytest.raises(FileNotFoundError):
            next(read(asked))
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        next(read(unlisted))


def test_every_flipped_byte_of_a_gzip_is_noticed(directory: Path) -> None:
    name = "a.json.gz"
    whole = _gzip(_lines(TEXTS[:30]))
    for place in range(10, len(whole)):  # the header's time and system are not text
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        assert _read(directory, name, bytes(damaged))[1], place
    assert "starts with the bytes 1f 8a" in _read(directory, name, b"\x1f\x8a" + whole[2:])[1]


@pytest.mark.parametrize("name", ["a.json.gz", "a.json.zst", "unchecked.json.zst"])
@pytest.mark.parametrize("garbage", [b"g", b"garbage", b"\0" * 9 + b"g"])
def test_what_follows_a_compressed_file_is_noticed(
    directory: Path, name: str, garbage: bytes
) -> None:
    items, damage = _read(directory, name, _whole(name) + garbage)
    assert items == TEXTS and damage


def test_zeros_may_follow_gzip_only(directory: Path) -> None:
    assert _read(directory, "a.json.gz", _whole("a.json.gz") + bytes(600)) == (TEXTS, "")
    assert _read(directory, "a.json.zst", _whole("a.json.zst") + bytes(600))[1]


def test_a_cut_magic_number_is_no_text(directory: Path) -> None:
    """b"(" starts zstd."""
    for name, magic in (("a.txt.zst", b"(\xb5/\xfd"), ("b.txt.zst", b"P*M\x18")):
        for size in (1, 2, 3):
            assert _read(directory, name, magic[:size]) == (
                [],
                f"the compressed file has {size} bytes: it was cut off (after line 0)",
            )


def test_tfds_says_how_many_records_a_file_has(tmp_path: Path) -> None:
    """A TFRecord file that is cut between two records looks whole."""
    whole = _whole("a.tfrecord")
    cut = whole[: -(16 + len(_message(TEXTS[-1])))]
    file = _write(tmp_path, "a.tfrecord", cut)
    assert _drain(file) == (TEXTS[:-1], "")
    items, damage = _drain(replace(file, records=80))
    assert items == TEXTS[:-1] and damage == "it has 79 records, and TFDS wrote 80 to it"


class _Cut(io.RawIOBase):
    """A connection that ends early."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)
        self._reads = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._data.seek(offset, whence)

    def tell(self) -> int:
        return self._data.tell()

    def readinto(self, buffer: Any) -> int:
        self._reads += 1
        if self._reads > 1:
            raise ConnectionResetError("reset by peer")
        return self._data.readinto(memoryview(buffer)[:200])


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.json.zst", "a.parquet", "a.tfrecord"])
def test_a_network_fault_is_no_damage(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is kept of a file would depend on the network, not on the file."""
    data = _whole(name)
    monkeypatch.setattr(storage, "open_read", lambda path: io.BufferedReader(_Cut(data)))
    file = InputFile(f"gs://b/{name}", _FORMATS[name.split(".")[1]], "text")
    with pytest.raises(ConnectionResetError):
        list(read(file))
