"""Inputs for the pipeline tests: small files in each format."""

import gzip
import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

# Without the extra `beam` there is nothing to test here.
collect_ignore_glob = [] if find_spec("apache_beam") else ["*"]

WriteJson = Callable[[str, Sequence[str]], Path]

_300 = range(300)
TEXTS = [
    "Plain text.",
    "",
    "Ünïcödé, 汉字 and 😀.",
    'Two\nlines\tand "quotes".',
    *(f"Document {number}: " + "some more words to compress, " * (number % 7) for number in _300),
]


@pytest.fixture
def texts() -> list[str]:
    """304 short documents: 2.4 sequences; one is empty, some are not ASCII."""
    return list(TEXTS)


@pytest.fixture
def write_json(tmp_path: Path) -> WriteJson:
    """Write texts as JSON lines (gzip where the name says so) in `tmp_path/in`; gives the path."""

    def write(name: str, texts: Sequence[str]) -> Path:
        path = tmp_path / "in" / name
        path.parent.mkdir(exist_ok=True)
        data = "".join(json.dumps({"text": text, "url": "u"}) + "\n" for text in texts).encode()
        path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
        return path

    return write
