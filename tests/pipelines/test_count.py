"""Counting never costs a file: neither the text nor the counts that were there."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from equalinfo.m1.static import StaticModel
from pipelines import count
from pipelines.executors.work import JobFailedError
from pipelines.options import parse_count


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "in.txt"
    path.write_bytes(b"some text\nmore of it\n")
    return path


def test_an_output_that_is_an_input_is_refused(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = text.read_bytes()
    link = tmp_path / "link.txt"
    link.symlink_to(text)
    for source, output in ((text, text), (text, f"{tmp_path}/./in.txt"), (link, text)):
        assert count.main(["--input", str(source), "--output", str(output)]) == 1
        assert "Choose another --output" in capsys.readouterr().err
    assert text.read_bytes() == before and link.is_symlink()


def test_a_wrong_precision_leaves_the_old_output(text: Path, tmp_path: Path) -> None:
    output = tmp_path / "counts"
    output.write_bytes(b"old")
    with pytest.raises(SystemExit) as caught:
        count.main(["--input", str(text), "--output", str(output), "--precision", "8"])
    assert caught.value.code == 2
    assert output.read_bytes() == b"old"


def test_the_old_output_stays_until_there_is_a_new_one(text: Path, tmp_path: Path) -> None:
    output = tmp_path / "counts"
    output.write_bytes(b"old")
    argv = ["--input", str(text), "--output", str(output)]
    (tmp_path / "bad.json").write_bytes(b"bad\n")
    with pytest.raises(JobFailedError, match=r"1 of 3 documents were rejected"):
        count.run(parse_count([*argv[:2], str(tmp_path / "bad.json"), *argv[2:]]))
    assert output.read_bytes() == b"old"
    for _ in "12":  # also where the new counts are those of before
        assert count.main(argv) == 0
        assert StaticModel.load(output).precision == 14
    assert {path.name for path in tmp_path.iterdir()} == {"in.txt", "bad.json", "counts"}


def test_a_fault_of_the_disk_is_a_message(
    write_json: Callable[[str, Sequence[str]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fault(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(count.storage, "create", fault)
    argv = ["--input", str(write_json("a.json", ["x"])), "--output", str(tmp_path / "counts")]
    assert count.main(argv) == 1
    assert "pipelines.count: PermissionError: " in capsys.readouterr().err


def test_an_output_that_cannot_be_is_told_before_the_work(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for output, reason in ((tmp_path, "a directory"), (text / "x", "cannot be written")):
        damaged = tmp_path / "bad.json"
        damaged.write_bytes(b"bad\n")  # would be told, were it read
        assert count.main(["--input", str(damaged), "--output", str(output)]) == 1
        assert reason in capsys.readouterr().err
