"""Text from local files, for what needs no data set: `equalinfo compile --from-text`.

The reader for corpora, with rejects and resume, is Beam's: `python -m pipelines.compress`.
"""

import glob
import gzip
import json
import os
import zlib
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from equalinfo.alphabet import Symbols, join


def read_symbols(patterns: Sequence[str], progress: bool = True) -> Symbols:
    """All documents of the files, each followed by EOS: uint16[n].

    Args:
      patterns: file names or globs.
      progress: draw a bar over the files.

    Raises:
      FileNotFoundError: a pattern that matches nothing.
      ValueError: a file that cannot be read to its end, or a line without text.
    """
    bar = tqdm(expand(patterns), "read", unit="file", disable=not progress)
    return join(document for name in bar for document in read_documents(name))


def expand(patterns: Sequence[str]) -> list[str]:
    """The files that names or globs stand for; a FileNotFoundError for one that has none."""
    names: list[str] = []
    for pattern in patterns:
        found = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern, recursive=True))
        if not found:
            raise FileNotFoundError(f"no file matches {pattern!r}.")
        names += found
    return list(dict.fromkeys(names))


def read_documents(name: str) -> Iterator[bytes]:
    """Documents of one file: JSON lines with a field `text`, or text, one document a line.

    Blank lines are skipped. The name says which: .json, .jsonl or .txt, then .gz or nothing.
    """
    kind = name.removesuffix(".gz").rpartition(".")[2]
    if kind not in ("json", "jsonl", "txt"):
        raise ValueError(f"{name} is not called .json, .jsonl or .txt, with or without .gz.")
    try:
        with gzip.open(name, "rb") if name.endswith(".gz") else open(name, "rb") as file:
            for number, line in enumerate(file, 1):
                line = line.rstrip(b"\r\n")
                if line.strip():
                    yield line if kind == "txt" else _text_of(line, f"{name}:{number}")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{name} is damaged: {error}") from error


def _text_of(line: bytes, place: str) -> bytes:
    try:
        return json.loads(line)["text"].encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{place}: no JSON object with a text in its field 'text' ({error!r})."
        ) from error
