"""JSON lines: one object a line, the text in one of its fields; blank lines are skipped."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import orjson

from equalinfo.data.formats.lines import lines
from equalinfo.data.inputs import InputFile, Reject

SUFFIXES = (".json", ".jsonl", ".ndjson")


def read(file: InputFile, raw: BinaryIO) -> Iterator[bytes | Reject]:
    """See `equalinfo.data.formats.Format`."""
    outer = file.field.split(".")
    for number, line in lines(file, raw):
        try:
            content = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            line = bytes(line)
            if not line or line.isspace():
                continue
            content = _as_python_reads(line)
            if content is None:
                yield Reject(f"{file.name}:{number}", _json_reason(line, error))
                continue
        text = content.get(file.field) if isinstance(content, dict) else None
        if text is None and len(outer) > 1:
            text = _inside(content, outer)
        try:
            if isinstance(text, str):
                yield text.encode("utf-8")
            else:
                yield Reject(f"{file.name}:{number}", _content_reason(content, file.field))
        except UnicodeEncodeError:
            yield Reject(f"{file.name}:{number}", "the text has a lone surrogate")


def _as_python_reads(line: bytes) -> Any:
    """With NaN and Infinity, which Python writes and JSON has not; None where it is no JSON."""
    if b"NaN" not in line and b"Infinity" not in line:
        return None
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _inside(content: Any, names: Sequence[str]) -> Any:
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _json_reason(line: bytes, error: ValueError) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as encoding_error:
        return f"invalid UTF-8: {encoding_error.reason} at byte {encoding_error.start} of the line"
    return f"invalid JSON: {error}"


def _content_reason(content: object, field: str) -> str:
    if not isinstance(content, dict):
        return f"JSON {type(content).__name__}, expected an object"
    found = content[field] if field in content else _inside(content, field.split("."))
    if found is None and field not in content:
        return f"no field {field!r}, only {sorted(content)[:10]}"
    return f"field {field!r} is {type(found).__name__}, expected text"
