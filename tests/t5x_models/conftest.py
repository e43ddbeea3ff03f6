"""Tests that train with T5X. Where it is not installed they are skipped, and pytest says so."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of T5X's own imports
        # "import t5x" alone would succeed: this folder, as tests/ is on the path.
        import t5x.train  # noqa: F401
    WHY_NOT = ""
except ImportError as error:
    WHY_NOT = (
        f"T5X cannot be imported ({error}): README.md, 'Train with T5X', has the three lines that "
        "install it from its repository"
    )

needs_t5x = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "without_t5x: of the tests here, needs no T5X")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if WHY_NOT:
        line = f"tests/t5x_models: NOT TESTED. {WHY_NOT}."
        terminalreporter.write_line(line, yellow=True, bold=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.get_closest_marker("without_t5x") is None:
            item.add_marker(needs_t5x)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of demo/text, records of 64 tokens, of which two make a window of 16 bits."""
    compress = pytest.importorskip("pipelines.compress")
    directory = tmp_path_factory.mktemp("t5x") / "data"
    common = ["--output", str(directory), "--sequence_length", "64", "--quiet"]
    text = ROOT / "demo" / "text"
    train = ["--input", f"{text}/train-0000[01]-*.json.gz", "--token_bits", "8"]
    validation = ["--input", f"{text}/validation-*.json.gz", "--split", "validation"]
    assert compress.main([*train, *common]) == 0
    assert compress.main([*validation, "--codec", f"{directory}/codec", *common]) == 0
    return directory


Process = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="session")
def start(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Process:
    """start(runs, **environment): `t5x_main.py` in a process of its own."""

    def start(runs: Sequence[Mapping[str, Any]], **environment: str) -> subprocess.Popen[str]:
        directory = tmp_path_factory.mktemp("process")
        (directory / "runs.json").write_text(json.dumps(list(runs)))
        here = Path(__file__).parent
        # The entries of sys.path that brought T5X, which PYTHONPATH may have set.
        path = [str(ROOT), str(here), *filter(None, sys.path)]
        path = [entry for entry in path if entry != str(ROOT / "tests")]
        environment = {
            "PYTHONPATH": os.pathsep.join(path),
            "EQUALINFO_DATASETS": str(dataset),
            "JAX_NUMPY_RANK_PROMOTION": "allow",  # T5X promotes
        } | environment
        with (directory / "log").open("w") as log:
            return subprocess.Popen(
                [sys.executable, str(here / "t5x_main.py"), str(directory / "runs.json")],
                cwd=ROOT,
                env=os.environ | environment,
                text=True,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    return start
