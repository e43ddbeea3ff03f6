"""Plain text: one document a line, without its line end; blank lines are skipped."""

from collections.abc import Iterator
from typing import BinaryIO

from equalinfo.data.formats.lines import lines, utf8_fault
from equalinfo.data.inputs import InputFile, Reject

SUFFIXES = (".txt",)


def read(file: InputFile, raw: BinaryIO) -> Iterator[bytes | Reject]:
    """See `equalinfo.data.formats.Format`."""
    for number, line in lines(file, raw):
        text = bytes(line)
        if not text or text.isspace():
            continue
        text = text.removesuffix(b"\r")
        if fault := utf8_fault(text):
            yield Reject(f"{file.name}:{number}", fault)
        else:
            yield text
