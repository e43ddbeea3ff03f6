"""The image of T5X: what it copies is sent, what it installs is locked."""

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement


def test_what_the_image_copies_is_sent_to_docker(repository: Path) -> None:
    folder = repository / "deploy" / "tpu"
    sent = (folder / "Dockerfile.dockerignore").read_text().splitlines()
    copies = re.findall(r"^COPY (.*) \S+$", (folder / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copies for source in line.split() if not source.startswith("--")]
    assert {"gin", "tasks", "t5x_models", "equalinfo"} <= {*sources}
    for source in sources:
        assert f"!{source}" in sent
        assert (repository / source).exists()
    assert len(sent) == len(set(sources)) + 3  # the comment, "*", "**/__pycache__"


def test_all_that_the_image_installs_is_locked(repository: Path) -> None:
    pins = {
        Requirement(line.partition("#")[0]).name.lower().replace("_", "-")
        for line in (repository / "constraints.txt").read_text().splitlines()
        if line.partition("#")[0].strip()
    }
    text = (repository / "deploy" / "tpu" / "t5x.txt").read_text()
    commits = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            requirement = Requirement(line)
            name = requirement.name.lower().replace("_", "-")
            if requirement.url:
                commits[name] = requirement.url.rpartition("@")[2]
            else:  # pinned once, here or there
                exact = str(requirement.specifier).startswith("==")
                assert exact is (name not in pins), line
    assert commits.keys() == {"airio", "jestimator", "t5x"}
    assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in commits.values())
    dockerfile = (repository / "deploy" / "tpu" / "Dockerfile").read_text()
    for command in re.sub(r"\\\n", " ", dockerfile).splitlines():
        if "pip install" in command and "libtpu==" not in command:
            assert " -c constraints.txt " in command


def test_libtpu_is_the_one_that_jax_asks_for(repository: Path) -> None:
    dockerfile = (repository / "deploy" / "tpu" / "Dockerfile").read_text()
    [version] = re.findall(r"libtpu==(\S+)", dockerfile)
    try:
        asked = importlib.metadata.requires("jax") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs JAX: extra train")
    [libtpu] = [each for line in asked if (each := Requirement(line)).name == "libtpu"]
    assert libtpu.specifier.contains(version)
