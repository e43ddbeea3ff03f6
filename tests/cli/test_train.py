"""Mistakes of `equalinfo train` and `equalinfo eval` are told before anything is computed."""

import json
import re
from pathlib import Path
from typing import Any, NoReturn

import pytest

pytest.importorskip("jax", reason="the trainer needs JAX: pip install 'equalinfo[train]'")

from equalinfo.cli import main
from equalinfo.lm import train
from pipelines.compress import main as compress


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bytes` and `gzip`: data sets of as many ids, whose tokens mean other things."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "a.json").write_text(json.dumps({"text": "the quick brown fox " * 20}) + "\n")
    for method in ("bytes", "gzip"):
        argv = ["--input", f"{folder}/a.json", f"--output={folder / method}", f"--method={method}"]
        argv += ["--token_bits=8"] if method == "gzip" else []
        for split in ("train", "validation"):
            options = [f"--split={split}", "--sequence_length=16", "--quiet"]
            assert compress([*argv, *options]) == 0
    return folder


def test_a_model_is_not_scored_on_other_tokens(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def diverge(*_: Any) -> NoReturn:
        raise FloatingPointError("loss is nan")

    monkeypatch.setattr(train, "make_train_step", lambda config: diverge)
    run = tmp_path / "run"
    argv = ["train", f"--dataset={data / 'bytes'}", f"--output={run}", "--size=tiny"]
    argv += ["--batch_size=4", "--steps=2"]
    assert main([*argv, f"--eval_dataset={data / 'gzip'}"]) == 1
    assert "gzip was compressed with another codec than" in capsys.readouterr().err
    assert main([*argv, f"--eval_dataset={data / 'bytes'}"]) == 1
    assert capsys.readouterr().err.endswith("equalinfo train: loss is nan\n")

    argv = ["eval", f"--run={run}", "--train_split=none"]
    assert main([*argv, f"--dataset={data / 'gzip'}"]) == 1
    message = r"run was trained on tokens of 'bytes', those of .*gzip.* are of .*'gzip'"
    assert re.search(message, capsys.readouterr().err)
    said = ["generate", "--ids", f"--run={run}", f"--dataset={data / 'gzip'}"]
    assert main(said) == 1 and re.search(message, capsys.readouterr().err)
    # Runs of before do not tell: only their vocabulary is compared.
    content = json.loads((run / "config.json").read_text())
    del content["codec"]
    (run / "config.json").write_text(json.dumps(content))
    assert main([*argv, f"--dataset={data / 'gzip'}"]) == 1
    assert "checkpoints holds no checkpoint yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--z_loss=nan", "z_loss=nan must be 0 or more, and finite"),
        ("--max_minutes=nan", "max_seconds=nan must be 0 or more, and finite"),
        ("--learning_rate=inf", "learning_rate=inf must be above 0, and finite"),
        ("--seed=-1", "seed=-1 is not in 0..4294967295"),
        ("--adam_learning_rate=0.1", "--adam_learning_rate is for --optimizer=muon"),
        ("--length=200", "bytes, split 'train': "),
    ],
)
def test_numbers_that_cannot_train(
    option: str, message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", f"--dataset={data / 'bytes'}", f"--output={tmp_path}", "--size=tiny"]
    assert main([*argv, "--batch_size=4", "--steps=2", option]) == 1
    assert message in capsys.readouterr().err


def test_lengths_of_segments_are_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--dataset=a", "--output=b", "--segment_lengths=x"])
    assert "argument --segment_lengths: invalid" in capsys.readouterr().err


def test_a_short_validation_split_is_scored_whole(data: Path, tmp_path: Path) -> None:
    """In a smaller batch than that of training; and parameters of other tokens are refused."""
    argv = ["train", f"--dataset={data / 'bytes'}", "--size=tiny", "--steps=1", "--length=16"]
    argv += ["--batch_size=16", "--warmup_steps=2"]
    lines = [json.dumps({"text": "the lazy dog " * 4})]
    (tmp_path / "short.json").write_text("\n".join(lines))
    short = ["--input", f"{tmp_path}/short.json", f"--output={tmp_path / 'short'}"]
    assert compress([*short, "--method=bytes", "--split=validation", "--quiet"]) == 0
    run = tmp_path / "run"
    assert main([*argv, f"--eval_dataset={tmp_path / 'short'}", f"--output={run}"]) == 0
    assert "eval/bits_per_byte" in (run / "metrics.jsonl").read_text()


def test_parameters_of_other_tokens_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["train", "--size=tiny", "--steps=1", "--batch_size=4", "--warmup_steps=2"]
    assert main([*argv, f"--dataset={data / 'bytes'}", f"--output={tmp_path / 'one'}"]) == 0
    argv += [f"--dataset={data / 'gzip'}", f"--output={tmp_path / 'two'}"]
    assert main([*argv, f"--init_from={tmp_path / 'one'}"]) == 1
    assert "was trained on tokens of 'bytes' that mean" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--batch_size=0", "--batch_size=0 must be at least 1"),
        ("--batches=-1", "--batches=-1 must be at least 0"),
    ],
)
def test_wrong_numbers(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--dataset=nowhere", option]) == 1
    assert message in capsys.readouterr().err
