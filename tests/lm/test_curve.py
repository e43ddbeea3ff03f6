import json

import pytest

from equalinfo.cli import main


def write_run(directory, values):
    directory.mkdir()
    lines = []
    for step, value in enumerate(values, 1):
        lines.append({"step": step, "train/bits_per_byte": value})
        if step % 8 == 0:
            lines.append({"step": step, "eval/bits_per_byte": value + 0.1})
    (directory / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_the_curve_shows_runs_and_levels(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    # Text as text, so that what is drawn can be read back.
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    write_run(tmp_path / "small", [3.0 - 0.01 * i for i in range(32)])
    output = tmp_path / "curve.svg"
    argv = ["curve", str(tmp_path / "small"), "-o", str(output), "--level", "unigram", "3.1"]
    assert main(argv) == 0
    drawn = output.read_text()
    for text in ("small: train", "small: validation", "unigram", "bits/byte", "step"):
        assert text in drawn


def test_a_directory_without_metrics_is_an_error(tmp_path, capsys):
    assert main(["curve", str(tmp_path), "-o", str(tmp_path / "x.png")]) == 1
    assert "metrics.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (("--level", "a", "b"), "--level a b: 'b' is no number"),
        (("--level", "a", "1", "--level", "a", "2"), "--level a is given twice"),
    ],
)
def test_wrong_levels_are_named(tmp_path, capsys, levels, message):
    assert main(["curve", str(tmp_path), "-o", str(tmp_path / "x.png"), *levels]) == 1
    assert message in capsys.readouterr().err


def test_every_level_is_drawn(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    monkeypatch.setitem(matplotlib.rcParams, "svg.fonttype", "none")
    write_run(tmp_path / "small", [3.0] * 32)
    names = ("uniform", "unigram", "bigram", "gzip", "ours", "theirs")
    levels = [x for name in names for x in ("--level", name, "3.1")]
    assert main(["curve", str(tmp_path / "small"), "-o", str(tmp_path / "x.svg"), *levels]) == 0
    assert all(name in (tmp_path / "x.svg").read_text() for name in names)
