"""The lines of a file, plain or compressed."""

from collections.abc import Iterator
from typing import BinaryIO

from equalinfo.data import decompress
from equalinfo.data.formats import nature
from equalinfo.data.inputs import DamagedInputError, InputFile


def lines(file: InputFile, raw: BinaryIO) -> Iterator[tuple[int, bytes | memoryview]]:
    """Lines without their ends, with their numbers from 1; a byte order mark is no text.

    Raises:
      InputError: see `nature.check`.
      DamagedInputError: the file breaks off; the lines before the damage have been given.
    """
    number = 0
    parts: list[bytes] = []
    try:
        for chunk in _checked(decompress.chunks(raw, file.path), file):
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


def _checked(chunks: Iterator[bytes], file: InputFile) -> Iterator[bytes]:
    """The chunks, whose beginning is looked at first."""
    head = b""
    damage = None
    try:
        while len(head) < nature.HEAD_BYTES:
            head += next(chunks)
    except StopIteration:
        pass
    except decompress.DamagedStreamError as error:
        damage = error
    nature.check(head[: nature.HEAD_BYTES], file)
    yield head.removeprefix(nature.BYTE_ORDER_MARK)
    if damage is not None:
        raise damage
    yield from chunks


def utf8_fault(text: bytes) -> str:
    """Why `text` is not UTF-8; empty where it is."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"invalid UTF-8: {error.reason} at byte {error.start} of the text"
    return ""
