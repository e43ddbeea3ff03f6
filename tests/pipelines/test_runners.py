"""The same bytes on every runner that is not refused, whatever the workers share out.

The settings are those of `benchmarks.pipeline_identity`, which has more of them, and more text.
`test_faults` has two workers that share out files, `test_resume` a Dask cluster.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.pipeline_identity import directory_sha256, run_setting, services
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest

TEXTS = [f"Document {number}: " + "more words, " * (number % 29) for number in range(300)]
MORE = ("--method=gzip", "--example_bytes=500", "--max_reject_fraction=0.1")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Three inputs of 100 documents; one has a bad line."""
    directory = tmp_path_factory.mktemp("in")
    lines = [json.dumps({"text": text}).encode() + b"\n" for text in TEXTS]
    contents = {
        "a.json": b"".join(lines[:100]) + b"bad\n",
        "b.json.gz": gzip.compress(b"".join(lines[100:200]), mtime=0),
        "c.txt": "".join(text + "\n" for text in TEXTS[200:]).encode(),
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return [str(directory / name) for name in contents]


@pytest.fixture(scope="module")
def endpoints() -> Iterator[tuple[str, str]]:
    with services() as addresses:
        yield addresses


@pytest.fixture(scope="module")
def expected(files: list[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("expected") / "out"
    status, log = run_setting("one process", files, out, MORE, ("", ""))
    assert status == 0, log
    assert [text.decode() for text in Dataset.open(out).restore("train")] == TEXTS
    totals = Manifest.load(out).split("train").totals
    assert (totals["documents"], totals["rejected"]) == (300, 1)
    return directory_sha256(out)


def slow(*settings: str) -> list[object]:
    return [pytest.param(setting, marks=pytest.mark.slow) for setting in settings]


@pytest.mark.parametrize(
    "setting",
    [
        "one process, batches",
        "processes 2, batches",
        "Beam in_memory",
        "Beam in_memory, batches",
        "bundles twice",
        "task array",
        "reversed input",
        "other batches",
        *slow("processes 2", "bundles twice, batches", "other batches, batches"),
        *slow("Beam multi_processing 2", "Beam multi_processing 2, batches"),
    ],
)
def test_the_same_bytes(setting: str, files: list[str], expected: str, tmp_path: Path) -> None:
    status, log = run_setting(setting, files, tmp_path / "out", MORE, ("", ""))
    assert status == 0, log
    assert directory_sha256(tmp_path / "out") == expected


@pytest.mark.parametrize("setting", slow("loopback", "loopback, batches", "external pool, batches"))
def test_the_same_bytes_through_a_job_service(
    setting: str, files: list[str], expected: str, endpoints: tuple[str, str], tmp_path: Path
) -> None:
    status, log = run_setting(setting, files, tmp_path / "out", MORE, endpoints)
    assert status == 0, log
    assert directory_sha256(tmp_path / "out") == expected
