"""Every kind of bad input at once, through the command: named, counted, and the rest kept."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest
from pipelines import compress, count, sources

LONG = "One document of five megabytes, on one line, with Umläuten äöü. " * 80_000


def _lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    directory = tmp_path / "in"
    directory.mkdir()
    packed = gzip.compress(_lines("kept 1", "kept 2"), mtime=0)
    checked = zstandard.ZstdCompressor(write_checksum=True).compress(b"kept 5\n")
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
        "j-cut.txt.zst": zstandard.compress(b"kept 3\nkept 4\n")[:-1],
        "k-corrupt.txt.zst": checked[:-1] + bytes([checked[-1] ^ 1]),
        "l-cut.parquet": b"PAR1" + bytes(100),
    }
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return directory


def test_bad_inputs_are_named_and_the_rest_goes_on(inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = ["--input", f"{inputs}/*", "--output", str(out), "--method=gzip", "--quiet"]
    assert compress.main([*argv, "--max_reject_fraction=0.3", "--allow_damaged_files"]) == 0

    rejects = [json.loads(line) for line in (out / "rejects-train.jsonl").read_text().splitlines()]
    expected = {
        "a-corrupt.json.gz": "damaged after document 0: IsalError",
        "b-cut.json.gz": "damaged after document 2: the compressed file was cut off",
        "c-utf8.json:2": "invalid UTF-8",
        "d-json.json:2": "invalid JSON",
        "e-field.json:2": "no field 'text', only ['url']",
        "g-empty.json.gz": "damaged after document 0: the compressed file has no bytes at all",
        "j-cut.txt.zst": "damaged after document 1: the compressed file was cut off",
        "k-corrupt.txt.zst": "damaged after document 0: ZstdError",
        "l-cut.parquet": "damaged after document 0: ArrowInvalid: Parquet magic bytes not found",
    }
    assert [reject["place"] for reject in rejects] == list(expected)
    for reject in rejects:
        assert expected[reject["place"]] in reject["reason"]

    texts = ["kept 1", "kept 2"] + ["before", "after"] * 3 + [LONG, "kept 3"]
    assert list(Dataset.open(out).restore("train")) == [text.encode() for text in texts]
    totals = Manifest.load(out).split("train").totals
    assert (totals["documents"], totals["rejected"], totals["damaged"]) == (len(texts), 3, 6)
    assert totals["bytes"] == sum(len(text.encode()) for text in texts)
    assert len(LONG.encode()) > 5_000_000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a-corrupt.json.gz", "1 input files are damaged; the first is a-corrupt.json.gz"),
        ("b-cut.json.gz", "1 input files are damaged; the first is b-cut.json.gz"),
        ("j-cut.txt.zst", "1 input files are damaged; the first is j-cut.txt.zst"),
        ("c-utf8.json", "1 of 3 documents were rejected"),
    ],
)
def test_without_leave_they_fail_the_job(
    inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    out = tmp_path / "out"
    argv = ["--input", str(inputs / name), "--output", str(out), "--method=gzip", "--quiet"]
    assert compress.main(argv) == 1
    assert message in capsys.readouterr().err
    assert not (out / "manifest.json").exists()


def test_counting_names_an_input_that_vanishes(
    inputs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = sources.find([str(inputs / "c-utf8.json"), str(inputs / "d-json.json")])
    monkeypatch.setattr(sources, "find", lambda *args, **options: files)
    Path(files[1].path).unlink()
    out = tmp_path / "counts.safetensors"
    argv = ["--input", str(inputs / "*"), "--output", str(out), "--allow_damaged_files"]
    assert count.main([*argv, "--max_reject_fraction=0.9"]) == 1
    assert "FileNotFoundError" in (message := capsys.readouterr().err) and "d-json.json" in message
    assert list(tmp_path.iterdir()) == [inputs]
