"""`equalinfo export`: the files of `equalinfo.hugging_face`, of the codebook that was named."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

from equalinfo import hugging_face
from equalinfo.cli import main
from equalinfo.codebook import Codebook
from equalinfo.lm.config import ModelConfig, OptimizerConfig, TrainConfig
from equalinfo.lm.data import RowBatches, TokenRows
from equalinfo.lm.t5x_checkpoint import load_t5x_params
from equalinfo.lm.train import train
from equalinfo.tokenizer import Tokenizer
from models import HashModel


def written_sha256(directory: Path) -> str:
    return json.loads((directory / "tokenizer_config.json").read_text())["codebook_sha256"]


def test_named_codebook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codebook = Codebook.compile(HashModel(), 300, progress=False)
    codebook.save(tmp_path / "small.eqi")
    assert main(["export", str(tmp_path / "small.eqi"), "--hf", str(tmp_path / "hf")]) == 0
    written = [tmp_path / "hf" / name for name in capsys.readouterr().out.split()]
    direct = hugging_face.export(codebook, tmp_path / "direct")
    assert [path.read_bytes() for path in written] == [Path(path).read_bytes() for path in direct]


def test_shipped_codebook(tmp_path: Path) -> None:
    assert main(["export", "--hf", str(tmp_path)]) == 0
    assert written_sha256(tmp_path) == Tokenizer.default().codebook.sha256


def test_list_of_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--tokens", str(tmp_path / "list")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'list'}\n"
    lines = (tmp_path / "list").read_text("utf-8").split("\n")[:-1]
    assert len(lines) == Tokenizer.default().vocab_size
    assert main(["export", "--tokens", str(tmp_path / "list")]) == 1
    assert "is there already" in capsys.readouterr().err


def test_files_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tokenizer.json").write_text("mine")
    assert main(["export", "--hf", str(tmp_path)]) == 1
    assert "already has tokenizer.json. Name another directory" in capsys.readouterr().err
    assert (tmp_path / "tokenizer.json").read_text() == "mine"


def test_a_run_as_a_checkpoint_of_t5x(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # What tests/lm/test_train.py compiles, too.
    config = TrainConfig(
        ModelConfig(128, 16, 2, 1, 8, 32, dtype=np.dtype("float32")),
        OptimizerConfig(warmup_steps=50),
        steps=3,
    )
    rows = TokenRows(np.full((8, 16), 5, np.int32), np.full(8, 16))
    params = train(config, RowBatches(rows, 8), tmp_path / "run", progress=False)
    assert main(["export", str(tmp_path / "run"), "--t5x", str(tmp_path / "t5x")]) == 0
    assert Path(capsys.readouterr().out.strip()) == tmp_path / "t5x" / "checkpoint_3"
    _, restored, step = load_t5x_params(tmp_path / "t5x")
    assert step == 3
    jax.tree.map(np.testing.assert_array_equal, restored, params)


def test_t5x_needs_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--t5x", str(tmp_path)]) == 1
    assert "needs a run" in capsys.readouterr().err
