"""What the tests of `deploy/` share. Without the packages of the extra `gcp` they skip."""

import gzip
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from equalinfo.data import storage
from fake_cloud import FakeCloud, run_fake_cloud

TEXTS = [f"Document {number}: " + "some words to compress, " * (number % 5) for number in range(40)]


@pytest.fixture(scope="module")
def cloud() -> Iterator[FakeCloud]:
    """A cloud on loopback, with one bucket for all tests of a file."""
    for package in ("apache_beam", "gcsfs", "google.cloud.storage", "gcp_storage_emulator"):
        if not _installed(package):
            pytest.skip(f"needs {package}: pip install -c constraints.txt -e '.[beam,gcp,gcs,dev]'")
    with run_fake_cloud() as cloud:
        yield cloud


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package above it is missing
        return False


@pytest.fixture
def in_cloud(cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    """This process uses the cloud, without credentials (Beam looks for them for 30 seconds)."""
    from apache_beam.internal.gcp.auth import _Credentials

    monkeypatch.setattr(_Credentials, "_credentials_init", True)
    monkeypatch.setattr(_Credentials, "_credentials", None)
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    storage.impersonate("")  # forget the credentials of other tests
    return cloud


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small .json.gz files."""
    directory = tmp_path_factory.mktemp("inputs")
    paths = []
    for number in range(2):
        lines = "".join(json.dumps({"text": text}) + "\n" for text in TEXTS[number::2])
        paths.append(directory / f"text-{number}.json.gz")
        paths[-1].write_bytes(gzip.compress(lines.encode(), mtime=0))
    return paths
