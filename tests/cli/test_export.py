"""`equalinfo export`: the files of `equalinfo.hugging_face`, of the codebook that was named."""

import json
from pathlib import Path

import pytest

from equalinfo import hugging_face
from equalinfo.cli import main
from equalinfo.codebook import Codebook
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
    assert [path.read_bytes() for path in written] == [path.read_bytes() for path in direct]


def test_shipped_codebook(tmp_path: Path) -> None:
    assert main(["export", "--hf", str(tmp_path)]) == 0
    assert written_sha256(tmp_path) == Tokenizer.default().codebook.sha256


def test_files_are_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tokenizer.json").write_text("mine")
    assert main(["export", "--hf", str(tmp_path)]) == 1
    assert "already has tokenizer.json. Name another directory" in capsys.readouterr().err
    assert (tmp_path / "tokenizer.json").read_text() == "mine"
