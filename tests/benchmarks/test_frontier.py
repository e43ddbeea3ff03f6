"""The frontier of tokenizers: scored once, drawn from what was scored."""

import json
from pathlib import Path

import pytest

from benchmarks import frontier
from benchmarks.tokenizer_speed import training

ROOT = Path(__file__).resolve().parents[2]
TEXT = ROOT / "demo" / "text"


def test_peers_are_scored_once_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    if missing := training.missing_packages("Hugging Face BPE"):
        pytest.skip(f"needs {' and '.join(missing)}")
    output, figure = tmp_path / "frontier.jsonl", tmp_path / "frontier.svg"
    arguments = ["--train", str(TEXT / "train-*.json.gz"), "--train_bytes", "200000"]
    arguments += ["--validation", str(TEXT / "validation-*.json.gz"), "--vocab", "600", "800"]
    arguments += ["--cache", str(tmp_path / "cache"), "--peers", "Hugging Face BPE", "--max_words"]
    arguments += ["--output", str(output), "--figure", str(figure)]
    assert frontier.main(arguments) == 0, capsys.readouterr().err
    found = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(one["line"], one["codes"]) for one in found] == [
        ("english-65536-v2", 65_536),
        ("english-65536-v1", 65_536),
        ("Hugging Face BPE", 600),
        ("Hugging Face BPE", 800),
    ]
    small, large = (one["bytes_per_token"] for one in found[2:])
    assert small < large and all(one["ngram"]["3"] > 0 for one in found)
    assert "Hugging Face BPE" in figure.read_text()
    figure.unlink()
    assert frontier.main(arguments) == 0  # again: nothing new
    assert len(output.read_text().splitlines()) == len(found) and figure.exists()
    assert frontier.main([*arguments[:-3], str(tmp_path / "none"), *arguments[-2:], "--only_draw"])
    assert "none" in capsys.readouterr().err
