"""Text files give the documents that `pipelines.compress` reads from them, or an error."""

import json
from pathlib import Path

import pytest
import tensorflow as tf

from data_kinds import KINDS, TEXTS
from equalinfo.data.inputs import InputError
from tasks.sources import text_files


def read(*paths: Path, documents: int = 2, field: str = "text") -> list[list[bytes]]:
    """The documents of each sequence."""
    source = text_files({"train": list(map(str, paths))}, documents, field)
    dataset = source.get_dataset("train", shuffle=False)
    return [sequence["text"].tolist() for sequence in dataset.as_numpy_iterator()]


@pytest.mark.parametrize("name", KINDS)
def test_kinds_are_those_of_all_readers(tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    paths = []
    for file, make in kind.files.items():
        paths.append(tmp_path / file)
        paths[-1].parent.mkdir(exist_ok=True)
        paths[-1].write_bytes(make())
    field = kind.options[1] if kind.options else "text"
    if kind.error:
        with pytest.raises(InputError if kind.early else tf.errors.OpError, match=kind.error):
            read(*paths, field=field)
    else:
        found = read(*paths, documents=7, field=field)
        assert sum(map(len, found)) == kind.documents
        assert found[0] == [text.encode() for text in TEXTS[:7]] or kind.documents == 2000


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_of_json_are_no_documents(tmp_path: Path, end: str) -> None:
    """Sequences are as long as without them, and an error still names its line."""
    lines = [json.dumps({"text": text}) for text in "abcde"]
    path = tmp_path / "a.json"
    path.write_text(end.join(["", "", lines[0], " \t", *lines[1:], "", ""]), newline="")
    assert read(path) == [[b"a", b"b"], [b"c", b"d"], [b"e"]]
    path.write_text(end.join(["", *lines, "", "{"]), newline="")
    with pytest.raises(tf.errors.OpError, match=r"a\.json:8: invalid JSON"):
        read(path)


def test_nul_and_carriage_return_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\rb\r\nplain\n\n  \nlast\0")
    assert read(path) == [[b"a\rb", b"plain"], [b"last\0"]]


@pytest.mark.parametrize("name", ["x.gz", "x.csv", "x"])
def test_unknown_names_are_refused(name: str) -> None:
    """Read as lines of text, they would be garbage."""
    with pytest.raises(InputError, match=r"has none of the suffixes \.json, \.jsonl"):
        text_files({"train": name})


def test_an_iterator_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    """Also where another one has read the same file meanwhile."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"".join(b"%d\n" % number for number in range(9)))
    dataset = text_files({"train": str(path)}, 2).get_dataset("train", shuffle=False)
    iterator = iter(dataset)
    first = [next(iterator)["text"].numpy().tolist() for _ in range(2)]
    saved = tf.train.Checkpoint(iterator=iterator).save(str(tmp_path / "saved"))
    rest = [element["text"].numpy().tolist() for element in iterator]
    other = iter(dataset)
    next(other)
    tf.train.Checkpoint(iterator=other).restore(saved)
    assert [element["text"].numpy().tolist() for element in other] == rest
    texts = [text for sequence in first + rest for text in sequence]
    assert texts == [b"%d" % number for number in range(9)]


@pytest.mark.parametrize("number", [0, -1])
def test_sequences_of_no_documents_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"documents_per_sequence={number} must be at least 1"):
        text_files({"train": "text.jsonl"}, number)
