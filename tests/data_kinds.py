"""Files as people have them, each a kind: what reading it must give, whoever reads."""

import gzip
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

TEXTS = [f"Document {number} says that the weather was fine, é." for number in range(30)]
BYTES = sum(len(text.encode()) for text in TEXTS)


@dataclass(frozen=True)
class Kind:
    """Files to write, and what becomes of them.

    Attributes:
      files: name -> content, made when it is asked for.
      error: part of the error, as a regular expression; empty where the files are read.
      documents: read, where there is no error.
      options: that the reader needs.
      early: the error comes before any work: the command line's own process says it.
    """

    files: Mapping[str, Callable[[], bytes]]
    error: str = ""
    documents: int = len(TEXTS)
    options: tuple[str, ...] = ()
    early: bool = True


def _rows(name: str = "text", **more: object) -> bytes:
    return b"".join(json.dumps({name: text, **more}).encode() + b"\n" for text in TEXTS)


def _plain() -> bytes:
    return "".join(f"{text}\r\n" for text in TEXTS).encode()


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _zstd_long() -> bytes:
    import zstandard

    parameters = zstandard.ZstdCompressionParameters(window_log=31, enable_ldm=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(_rows()) + stream.flush()


def _packed(module: str) -> bytes:
    return __import__(module).compress(_rows())


def _parquet(name: str, make: Callable[[object], object]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(pa.table({name: make(pa)}), buffer)
    return buffer.getvalue()


def _one_bad() -> bytes:
    lines = [b'{"text": "abc"}\n'] * 2001
    lines[1000] = b'{"text": null}\n'
    return b"".join(lines)


KINDS: dict[str, Kind] = {
    "plain JSON": Kind({"a.jsonl": _rows}),
    "UTF-8 mark, JSON": Kind({"a.jsonl": lambda: b"\xef\xbb\xbf" + _rows()}),
    "UTF-8 mark, text": Kind({"a.txt": lambda: b"\xef\xbb\xbf" + _plain()}),
    "UTF-16, JSON": Kind({"a.jsonl": lambda: _rows().decode().encode("utf-16")}, "UTF-16LE.*iconv"),
    "UTF-16 without a mark": Kind(
        {"a.txt": lambda: _plain().decode().encode("utf-16-be")}, "UTF-16BE"
    ),
    "UTF-32 under .gz": Kind(
        {"a.txt.gz": lambda: _gzip(_plain().decode().encode("utf-32"))}, "UTF-32LE.*iconv"
    ),
    "NaN beside the text": Kind({"a.json": lambda: _rows(score=float("nan"))}),
    "another field": Kind(
        {"a.jsonl": lambda: _rows("content")}, r"only \['content'\].*--text_field"
    ),
    "a field inside another": Kind(
        {
            "a.ndjson": lambda: b"".join(
                json.dumps({"data": {"text": text}}).encode() + b"\n" for text in TEXTS
            )
        },
        options=("--text_field", "data.text"),
    ),
    "one JSON array": Kind(
        {"a.json": lambda: json.dumps([{"text": t} for t in TEXTS]).encode()},
        r"JSON array.*jq -c '\.\[\]'",
    ),
    "JSON over lines": Kind(
        {"a.json": lambda: "\n".join(json.dumps({"text": t}, indent=1) for t in TEXTS).encode()},
        r"spread over lines.*jq -c \.",
    ),
    "an error page": Kind(
        {"a.jsonl.gz": lambda: b"<html><body>404 Not found</body></html>"}, "web page"
    ),
    "a Git LFS pointer": Kind(
        {"a.parquet": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"},
        "git lfs pull",
    ),
    "gzip twice": Kind({"a.jsonl.gz": lambda: _gzip(_gzip(_rows()))}, "compressed twice"),
    "gzip and NULs": Kind({"a.jsonl.gz": lambda: _gzip(_rows()) + bytes(600)}),
    "gzip and other bytes": Kind(
        {"a.jsonl.gz": lambda: _gzip(_rows()) + b"garbage"},
        r"a\.jsonl\.gz.*after the end of its \.gz data, from byte \d+ on",
        early=False,
    ),
    "text under .gz": Kind({"a.jsonl.gz": _rows}),
    "Parquet under .jsonl": Kind({"a.jsonl": lambda: _parquet("text", lambda pa: pa.array(TEXTS))}),
    "suffix in capitals": Kind({"A.JSONL.GZ": lambda: _gzip(_rows())}),
    "bzip2": Kind({"a.jsonl.bz2": lambda: _packed("bz2")}),
    "xz": Kind({"a.jsonl.xz": lambda: _packed("lzma")}),
    "zstd, window of 2 GiB": Kind({"a.jsonl.zst": _zstd_long}),
    "another column": Kind(
        {"a.parquet": lambda: _parquet("Text", lambda pa: pa.array(TEXTS))},
        r"no column 'text', only Text \(string\).*--text_field",
    ),
    "a column of numbers": Kind(
        {"a.parquet": lambda: _parquet("text", lambda pa: pa.array([1, 2]))},
        "column 'text' is int64, expected text",
    ),
    "string_view": Kind(
        {"a.parquet": lambda: _parquet("text", lambda pa: pa.array(TEXTS, pa.string_view()))}
    ),
    "binary": Kind(
        {"a.parquet": lambda: _parquet("text", lambda pa: pa.array([t.encode() for t in TEXTS]))}
    ),
    "a struct's field": Kind(
        {"a.parquet": lambda: _parquet("data", lambda pa: pa.array([{"text": t} for t in TEXTS]))},
        options=("--text_field", "data.text"),
    ),
    "nulls only": Kind(
        {"a.parquet": lambda: _parquet("text", lambda pa: pa.nulls(20))}, r"row 1: no text \(null\)"
    ),
    "a file of no bytes": Kind({"a.jsonl": lambda: b""}, r"no text in the input: .*a\.jsonl"),
    "empty documents only": Kind(
        {"a.jsonl": lambda: b'{"text": ""}\n' * 3}, "no text in the input"
    ),
    "an empty file beside others": Kind({"a.jsonl": _rows, "b.jsonl": lambda: b""}),
    "a lone surrogate": Kind(
        {"a.jsonl": lambda: _rows() + b'{"text": "\\ud800"}\n'},
        r"1 of 31 documents were rejected",
        early=False,
    ),
    "one name in two folders": Kind(
        {"day=1/a.jsonl": _rows, "day=2/a.jsonl": _rows}, documents=2 * len(TEXTS)
    ),
    "one bad line of 2,001": Kind({"a.jsonl": _one_bad}, documents=2000),
}
