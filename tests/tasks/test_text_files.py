"""Text files give the documents that `pipelines.compress` reads from them, or an error."""

import gzip
import json
from pathlib import Path

import pytest
import tensorflow as tf

from tasks.sources import text_files

# No line end but LF and CRLF, blank lines, NUL at the end.
TEXT = b"a\rb\r\nplain\n\n  \nlast\0"
DOCUMENTS = [b"a\rb", b"plain", b"last\0"]


def read(path: Path, documents: int = 2) -> list[list[bytes]]:
    """The documents of each sequence."""
    source = text_files({"train": str(path)}, documents)
    dataset = source.get_dataset("train", shuffle=False)
    return [sequence["text"].tolist() for sequence in dataset.as_numpy_iterator()]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_documents_are_those_of_the_pipeline(tmp_path: Path, name: str) -> None:
    pytest.importorskip("apache_beam", reason="needs Beam: pip install 'equalinfo[beam]'")
    from pipelines import readers, sources

    path = tmp_path / name
    path.write_bytes(gzip.compress(TEXT) if name.endswith(".gz") else TEXT)
    (file,) = sources.find([str(path)])
    assert read(path) == [DOCUMENTS[:2], DOCUMENTS[2:]]
    assert list(readers.read(file)) == DOCUMENTS


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_of_json_are_no_documents(tmp_path: Path, end: str) -> None:
    """Sequences are as long as without them, and an error still names its line."""
    lines = [json.dumps({"text": text}) for text in "abcde"]
    path = tmp_path / "a.json"
    path.write_text(end.join(["", "", lines[0], " \t", *lines[1:], "", ""]), newline="")
    assert read(path) == [[b"a", b"b"], [b"c", b"d"], [b"e"]]
    path.write_text(end.join(["", *lines, "", "{"]), newline="")
    with pytest.raises(tf.errors.OpError, match=r"a\.json, line 8 has no text"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n"])
@pytest.mark.parametrize("name", ["a.txt", "a.json"])
def test_no_documents(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == []


@pytest.mark.parametrize("name", ["x.json.zst", "x.JSON.GZ", "x.txt.zst", "x.gz", "x.csv", "x*"])
def test_unknown_names_are_refused(name: str) -> None:
    """Read as lines of text, they would be garbage."""
    with pytest.raises(ValueError, match=r"does not end in \.json, \.jsonl or \.txt"):
        text_files({"train": name})


def test_kinds_are_not_mixed() -> None:
    with pytest.raises(ValueError, match=r"some patterns end in \.json, some in \.txt"):
        text_files({"train": "x.json", "validation": "x.txt.gz"})


def test_what_is_not_text_is_named(tmp_path: Path) -> None:
    """As what is compressed, and called .txt."""
    (tmp_path / "a.txt").write_bytes(b"one\n" + gzip.compress(TEXT))
    with pytest.raises(tf.errors.OpError, match=r"a\.txt, line 2 has no text: 'utf-8'"):
        read(tmp_path / "a.txt")


@pytest.mark.parametrize("change", ["cut off", "not gzip", "wrong bits"])
def test_a_damaged_gzip_is_named(tmp_path: Path, change: str) -> None:
    packed = bytearray(gzip.compress(TEXT * 99))
    if change == "cut off":
        del packed[-4:]
    elif change == "not gzip":
        packed = bytearray(TEXT)
    else:
        packed[10] = 0xFF  # a kind of block that deflate does not have
    (tmp_path / "a.txt.gz").write_bytes(packed)
    (tmp_path / "a.json.gz").write_bytes(packed)
    for name in ("a.txt.gz", "a.json.gz"):
        with pytest.raises(tf.errors.OpError, match=rf"{name} is damaged"):
            read(tmp_path / name)
