"""Mistakes are told before anything is loaded."""

from pathlib import Path

import pytest

from equalinfo import codecs
from equalinfo.cli import main


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--tokens=0", "tokens=0 must be at least 1"),
        ("--temperature=-1", "temperature=-1.0 must be 0"),
        ("--temperature=nan", "temperature=nan must be 0"),
        ("--temperature=1e40", "temperature=1e+40 must be 0"),
        ("--temperature=1e-40", "temperature=1e-40 must be 0"),
        ("--seed=4294967296", "seed=4294967296 is not in 0..4294967295"),
        ("--top_k=-1", "top_k=-1 must be at least 0"),
        ("--prompt=Fr\udcfchling", "--prompt is not UTF-8: byte 0xfc at place 2"),
        ("--ids", "give one of --dataset and --codec"),
    ],
)
def test_generate(option: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--run", "nowhere", option]) == 1
    assert message in capsys.readouterr().err


def test_codes_of_whole_examples_are_not_sampled_in_vain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codecs.create("gzip").save(tmp_path)
    assert main(["generate", "--run", "nowhere", "--codec", str(tmp_path)]) == 1
    assert "method 'gzip' decode as whole examples only" in capsys.readouterr().err
