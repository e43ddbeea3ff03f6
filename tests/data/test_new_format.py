"""An input format is one file and one line: all that read text read it."""

import gzip
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from equalinfo import Dataset
from equalinfo.data import formats
from equalinfo.data.formats.lines import lines
from equalinfo.data.inputs import InputFile, Reject
from equalinfo.data.options import TextOptions, add_text_options
from equalinfo.evaluation.token_scores import Texts

TEXTS = [f"text {number}, été" for number in range(20)]


def read(file: InputFile, raw: BinaryIO) -> Iterator[bytes | Reject]:
    """The second column of tab-separated lines."""
    for _, line in lines(file, raw):
        yield bytes(line).split(b"\t")[1]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A plain one and a packed one, of a format that is registered."""
    registered = {**formats.FORMATS, "tsv": formats.Format(read, (".tsv",), packed=True)}
    monkeypatch.setattr(formats, "FORMATS", registered)
    rows = [f"{number}\t{text}\n".encode() for number, text in enumerate(TEXTS)]
    (tmp_path / "a.tsv").write_bytes(b"".join(rows[:12]))
    (tmp_path / "b.TSV.gz").write_bytes(gzip.compress(b"".join(rows[12:])))
    return [str(tmp_path / "a.tsv"), str(tmp_path / "b.TSV.gz")]


def test_it_is_text(files: list[str]) -> None:
    parser = ArgumentParser()
    add_text_options(parser)
    documents = TextOptions.of(parser.parse_args([])).documents(files)
    assert [text.decode() for text in documents] == TEXTS
    assert len(Texts.load(files).scored) == 2  # of `equalinfo evaluate`: each tenth


def test_it_is_compressed(files: list[str], tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="the pipeline needs Beam")
    from pipelines import compress, verify

    out = tmp_path / "data"
    flags = ["--method=bytes", "--input", *files, f"--output={out}"]
    assert compress.main(flags) == 0
    assert [text.decode() for text in Dataset.open(out).restore("train")] == TEXTS
    assert verify.main([f"--dataset={out}", "--input", *files]) == 0


def test_it_is_a_text_task(files: list[str]) -> None:
    pytest.importorskip("seqio", reason="the task needs SeqIO")
    from tasks.sources import text_files

    dataset = text_files({"train": files}).get_dataset("train", shuffle=False)
    found = [text for sequence in dataset.as_numpy_iterator() for text in sequence["text"]]
    assert [text.decode() for text in found] == TEXTS
