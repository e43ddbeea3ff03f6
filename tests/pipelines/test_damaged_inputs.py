"""Every kind of bad input at once, through the command: named, counted, and the rest kept."""

import gzip
import json
from pathlib import Path

import pytest

from equalinfo.dataset import restore
from equalinfo.manifest import Manifest
from pipelines import compress

LONG = "One document of five megabytes, on one line, with Umläuten äöü. " * 80_000


def _lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    directory = tmp_path / "in"
    directory.mkdir()
    packed = gzip.compress(_lines("kept 1", "kept 2"), mtime=0)
    files = {
        "a-corrupt.json.gz": packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:],
        "b-cut.json.gz": packed[:-8],
        "c-utf8.json": _lines("before") + b'{"text": "\xff"}\n' + _lines("after"),
        "d-json.json": _lines("before") + b'{"text": \n' + _lines("after"),
        "e-field.json": _lines("before") + b'{"url": "x"}\n' + _lines("after"),
        "f-empty.json": b"",
        "g-empty.json.gz": b"",
        "h-long.json": _lines(LONG),
        "i-no-documents.json.gz": gzip.compress(b"", mtime=0),
    }
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return directory


def test_bad_inputs_are_named_and_the_rest_goes_on(inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = ["--input", f"{inputs}/*", "--output", str(out), "--method=gzip", "--no-progress"]
    assert compress.main([*argv, "--max_reject_fraction=0.3", "--allow_damaged_files"]) == 0

    rejects = [json.loads(line) for line in (out / "rejects-train.jsonl").read_text().splitlines()]
    expected = {
        "a-corrupt.json.gz": "damaged after document 0: IsalError",
        "b-cut.json.gz": "damaged after document 2: EOFError",
        "c-utf8.json:2": "invalid UTF-8",
        "d-json.json:2": "invalid JSON",
        "e-field.json:2": "no field 'text', only ['url']",
        "g-empty.json.gz": "damaged after document 0: the gzip file has no bytes at all",
    }
    assert [reject["place"] for reject in rejects] == list(expected)
    for reject in rejects:
        assert expected[reject["place"]] in reject["reason"]

    texts = ["kept 1", "kept 2"] + ["before", "after"] * 3 + [LONG]
    assert list(restore(out, "train")) == [text.encode() for text in texts]
    totals = Manifest.load(out).split("train").totals
    assert (totals["documents"], totals["rejected"], totals["damaged"]) == (len(texts), 3, 3)
    assert totals["bytes"] == sum(len(text.encode()) for text in texts)
    assert len(LONG.encode()) > 5_000_000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a-corrupt.json.gz", "1 input files are damaged; the first is a-corrupt.json.gz"),
        ("b-cut.json.gz", "1 input files are damaged; the first is b-cut.json.gz"),
        ("c-utf8.json", "1 of 3 documents were rejected"),
    ],
)
def test_without_leave_they_fail_the_job(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    out = tmp_path / "out"
    argv = ["--input", str(inputs / name), "--output", str(out), "--method=gzip", "--no-progress"]
    assert compress.main(argv) == 1
    assert message in capsys.readouterr().err
    assert not (out / "manifest.json").exists()
