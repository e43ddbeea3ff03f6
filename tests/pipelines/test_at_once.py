"""What cannot succeed, or is done already, is said before any work, and nothing is written."""

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from equalinfo import Dataset
from equalinfo.data.manifest import Manifest
from pipelines import compress, output

Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Compress tmp_path/in/* with more options; gives the status and what was said."""
    (tmp_path / "in").mkdir()

    def run(*more: str, output: str = "out") -> tuple[int, str]:
        argv = ["--input", f"{tmp_path}/in/*", "--output", str(tmp_path / output), "--quiet"]
        status = compress.main([*argv, "--method=gzip", *more])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


def _files(directory: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in directory.rglob("*")}


def test_an_output_among_the_inputs(say: Say, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.txt").write_text("One.\n")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    before = _files(tmp_path)
    for name in ("in", "link", "."):
        status, said = say(output=name)
        assert status == 1 and "could not be told from text" in said
    assert _files(tmp_path) == before
    assert say(output="in/out")[0] == 0
    inputs = ["--input", f"{tmp_path}/in/a.txt", f"{tmp_path}/in/**/*.jsonl"]
    status, said = say(*inputs, "--overwrite", output="in/out")
    assert status == 1 and "lies in --output" in said


def test_nothing_to_do(say: Say, tmp_path: Path) -> None:
    source = tmp_path / "in" / "a.txt"
    source.write_text("One.\nTwo.\n")
    assert say()[0] == 0
    before = _files(tmp_path / "out")
    status, said = say()
    assert status == 0 and "nothing to do" in said
    for options, reason in (
        (["--sequence_length=9"], "with sequence_length=512, not 9"),
        (["--token_bits=9"], "with vocab_size=65539, not 515"),
        (["--verify"], "without --verify"),
        (["--limit=1"], "with --limit=None, not 1"),
        (["--input", f"{tmp_path}/in/a.txt", f"{tmp_path}/b.txt"], "of 1 inputs, a.txt"),
    ):
        (tmp_path / "b.txt").write_text("Three.\n")
        status, said = say(*options)
        assert status == 1 and f"made otherwise: {reason}" in said, said
    assert _files(tmp_path / "out") == before
    os.utime(source, (time.time() + 9,) * 2)
    status, said = say()
    assert status == 1 and f"before {source} was written" in said
    assert say("--overwrite")[0] == 0
    assert say("--limit=1", "--overwrite")[0] == 0
    assert list(Dataset.open(tmp_path / "out").restore("train")) == [b"One."]


def test_other_inputs_of_the_same_names_are_not_taken_for_those_that_were(
    say: Say, tmp_path: Path
) -> None:
    """However old they are: `cp -p`, `rsync -t` and `mv` keep times."""
    source = tmp_path / "in" / "a.json"
    source.write_text('{"text": "One.", "other": "Eins."}\n' * 20)
    assert say()[0] == 0
    assert "nothing to do" in say()[1]
    status, said = say("--text_field=other")
    assert status == 1 and "or of another field" in said
    (tmp_path / "more").mkdir()
    other = tmp_path / "more" / "a.json"
    other.write_text('{"text": "Two.", "other": "Zwei."}\n' * 20)
    os.utime(other, (1e9, 1e9))
    status, said = say("--input", str(other))
    assert status == 1 and "of other files of these names" in said
    os.utime(source, (1e9, 1e9))
    os.replace(other, source)  # of the same size and time
    status, said = say()
    assert status == 1 and "of other files of these names" in said


def test_a_damaged_info_is_said_to_be(say: Say, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.txt").write_text("One.\n")
    assert say()[0] == 0
    (tmp_path / "out" / "info.train.json").write_text("{")
    status, said = say()
    assert status == 1 and "its info.train.json is missing or damaged" in said


def test_completed_is_written_where_a_job_was_cut_off_before_it(say: Say, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.txt").write_text("One.\n")
    assert say()[0] == 0
    completed = tmp_path / "out" / "COMPLETED"
    expected = completed.read_bytes()
    completed.unlink()
    assert "nothing to do" in say()[1]
    assert completed.read_bytes() == expected


def test_nothing_but_rejects_is_no_split(say: Say, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.json").write_text("bad\n" * 9)
    status, said = say("--max_reject_fraction=1")
    assert status == 1 and "there is no document: 9 were rejected: a.json:1" in said


def test_what_damage_takes_stands_in_the_last_line(say: Say, tmp_path: Path) -> None:
    text = "".join(f"Document {number}.\n" for number in range(2000)).encode()
    (tmp_path / "in" / "a.txt.gz").write_bytes(gzip.compress(text, mtime=0)[:-2000])
    (tmp_path / "in" / "b.txt").write_bytes(text)
    status, said = say("--allow_damaged_files")
    kept = Manifest.load(tmp_path / "out").split("train").shards[0].documents
    last = said.splitlines()[-1]
    assert status == 0 and f"damaged files were cut off: a.txt.gz (after {kept:,} doc" in last
    assert say("--allow_damaged_files")[0] == 0
    status, said = say()  # the limits are others
    assert status == 1 and "1 input files are damaged; the first is a.txt.gz" in said


def test_rejects_show_their_reasons(say: Say, tmp_path: Path) -> None:
    lines = ['{"text": "x"}'] * 400 + ["bad"] * 5
    (tmp_path / "in" / "a.json").write_text("\n".join(lines) + "\n")
    status, said = say()
    assert status == 1 and "5 of 405 documents were rejected" in said
    assert said.count("a.json:40") == 3 and "rejects-train.jsonl" in said


@pytest.mark.parametrize("name", ["english-8192-v2", "english-8192-v2.eqi"])
def test_a_codebook_of_the_package_by_its_name(name: str, say: Say, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.txt").write_text("One.\n")
    assert say("--method=codebook", f"--codebook={name}")[0] == 0
    assert Manifest.load(tmp_path / "out").codec["options"]["num_codes"] == 8192
    status, said = say("--method=codebook", "--codebook=german", "--overwrite")
    assert status == 1 and "german" in said


def test_one_job_at_a_time_makes_a_split(say: Say, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.txt").write_text("One.\n")
    with output.making(str(tmp_path / "out"), "train"):
        status, said = say()
        assert status == 1 and "another job makes split 'train'" in said
        assert say("--split=validation")[0] == 0  # others may be made meanwhile
    assert say()[0] == 0
    assert not list((tmp_path / "out").glob(".tmp-*"))


def test_an_output_that_is_a_file(say: Say, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.txt").write_text("One.\n")
    (tmp_path / "out").write_text("mine")
    status, said = say()
    assert status == 1 and "Not a directory" in said and str(tmp_path / "out") in said
    assert (tmp_path / "out").read_text() == "mine"
