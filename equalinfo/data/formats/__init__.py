"""Formats of text: a file each, and a line in FORMATS."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO

from equalinfo.data import decompress
from equalinfo.data.formats import json_lines, parquet, plain_text, tfds
from equalinfo.data.inputs import InputError, InputFile, Reject

_HEAD_BYTES = 16


@dataclass(frozen=True)
class Format:
    """How the files of a format are known and read.

    Attributes:
      read: (file, opened for reading bytes) -> its documents in order: UTF-8, or a `Reject` with
        place and reason. It raises DamagedInputError after the documents before a damage, and
        InputError for what is not of this format.
      suffixes: of its files, in small letters. TFDS files have none.
      packed: files may be compressed as a whole, with another suffix.
      magic: first bytes of each of its files, which then need no suffix.
      ends: last bytes of each: text may begin with `magic`.
    """

    read: Callable[[InputFile, BinaryIO], Iterator[bytes | Reject]]
    suffixes: tuple[str, ...] = ()
    packed: bool = False
    magic: bytes = b""
    ends: bytes = b""


FORMATS: dict[str, Format] = {
    "json": Format(json_lines.read, json_lines.SUFFIXES, packed=True),
    "text": Format(plain_text.read, plain_text.SUFFIXES, packed=True),
    "parquet": Format(parquet.read, parquet.SUFFIXES, magic=parquet.MAGIC, ends=parquet.MAGIC),
    "tfds_tfrecord": Format(tfds.reader(tfds.tfrecords)),
    "tfds_array_record": Format(tfds.reader(tfds.array_records)),
    "tfds_parquet": Format(tfds.reader(tfds.parquet_records)),
}


def suffixes(name: str) -> tuple[str, ...]:
    """All suffixes of a format, those of compressed files included."""
    of_one = FORMATS[name]
    packings = ("", *decompress.SUFFIXES) if of_one.packed else ("",)
    return tuple(suffix + packing for suffix in of_one.suffixes for packing in packings)


def format_of(path: str) -> str:
    """The format that a path's suffix names; an InputError where it names none."""
    for name in FORMATS:
        if path.lower().endswith(suffixes(name)):
            return name
    known = ", ".join(suffix for one in FORMATS.values() for suffix in one.suffixes)
    packings = ", ".join(decompress.SUFFIXES)
    raise InputError(
        f"{path} has none of the suffixes {known} (all but .parquet also with {packings}), so its "
        "format is not known."
    )


def reader_of(file: InputFile, raw: BinaryIO) -> Format:
    """What reads a file: its first and last bytes say it, or else its listing."""
    listed = FORMATS[file.format]
    if file.format.startswith("tfds") or listed.magic:
        return listed
    head = raw.read(_HEAD_BYTES)
    found = listed
    for of_one in FORMATS.values():
        if of_one.magic and head.startswith(of_one.magic):
            raw.seek(max(0, raw.seek(0, SEEK_END) - len(of_one.ends)))
            if raw.read() == of_one.ends:
                found = of_one
    raw.seek(0)
    return found
