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
        ("--batch_size=0", "--batch_size=0 must be at least 1"),
        ("--batches=-1", "--batches=-1 must be at least 0"),
    ],
)
def test_wrong_numbers(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--dataset=nowhere", option]) == 1
    assert message in capsys.readouterr().err
