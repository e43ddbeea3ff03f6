"""The Dockerfile: what it installs is locked, and works in a venv made by its own lines."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

BUILD = "EQUALINFO_TEST_IMAGE"


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "deploy" / "dataflow"


@pytest.fixture(scope="module")
def instructions(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Stage (or image, for the first) -> its instructions: word and the rest."""
    text = re.sub(r"^\s*#.*\n", "", (folder / "Dockerfile").read_text(), flags=re.MULTILINE)
    stages: dict[str, list[tuple[str, str]]] = {"": []}
    stage = ""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            word, rest = line.split(maxsplit=1)
            if word == "FROM":
                stage = rest.split(" AS ")[-1]
                stages[stage] = []
            stages[stage].append((word, rest))
    return stages


def commands(instructions: list[tuple[str, str]]) -> list[str]:
    return [rest for word, rest in instructions if word == "RUN"]


def test_beam_is_the_version_that_is_installed(
    repository: Path, instructions: dict[str, list[tuple[str, str]]]
) -> None:
    """Workers of another version than the launcher's fail, or worse."""
    pins = [Requirement(line) for line in pinned(repository)]
    [beam] = [str(pin.specifier) for pin in pins if pin.name == "apache-beam"]
    assert ("ARG", f"BEAM={beam.removeprefix('==')}") in instructions[""]
    assert ("FROM", "apache/beam_python${PYTHON}_sdk:${BEAM} AS sdk") in instructions["sdk"]


def test_one_python_everywhere(
    repository: Path, instructions: dict[str, list[tuple[str, str]]]
) -> None:
    """The SDK is pickled on the launcher and unpickled on the workers."""
    [python] = [rest.split("=")[1] for _, rest in instructions[""] if rest.startswith("PYTHON=")]
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {python}" in project["classifiers"]
    assert instructions["cpu"][0] == ("FROM", "python:${PYTHON}-slim AS cpu")
    assert instructions["gpu"][0] == ("FROM", "cpu AS gpu")


def test_all_that_is_installed_is_locked(
    repository: Path, instructions: dict[str, list[tuple[str, str]]]
) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    for stage in ("cpu", "gpu"):
        installs = [each for each in commands(instructions[stage]) if "pip install" in each]
        assert installs
        for command in installs:
            assert " -c constraints.txt " in command
            # pip only warns of an extra that there is not.
            for extras in re.findall(r"'\.\[(.*?)\]'", command):
                assert set(extras.split(",")) <= project["optional-dependencies"].keys()
        assert "python -m pip check" in commands(instructions[stage])


def test_the_gpu_libraries_are_pinned(repository: Path) -> None:
    """They come with jax[cuda12], and no test installs them."""
    names = {
        Requirement(line).name: str(Requirement(line).specifier) for line in pinned(repository)
    }
    assert names["jax-cuda12-plugin"] == names["jax-cuda12-pjrt"] == names["jax"]
    assert {"nvidia-cublas-cu12", "nvidia-cudnn-cu12", "nvidia-cusolver-cu12"} <= names.keys()


def test_all_that_is_copied_is_sent_to_docker(
    folder: Path, repository: Path, instructions: dict[str, list[tuple[str, str]]]
) -> None:
    sent = (folder / "Dockerfile.dockerignore").read_text().splitlines()
    for stage in ("cpu", "gpu"):
        for sources, _ in copies(instructions[stage]):
            for source in sources:
                assert f"!{source}" in sent
                assert (repository / source).exists()


def copies(instructions: list[tuple[str, str]]) -> list[tuple[list[str], str]]:
    """What is copied from the repository: sources, target."""
    words = [rest.split() for word, rest in instructions if word == "COPY"]
    return [(each[:-1], each[-1]) for each in words if not each[0].startswith("--from")]


def pinned(repository: Path) -> list[str]:
    lines = (repository / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.slow  # minutes, and 1.1 GB (cpu) or 6 GB (gpu)
@pytest.mark.skipif(not os.environ.get(BUILD), reason=f"set {BUILD}=cpu or gpu: takes minutes")
def test_a_venv_made_by_the_dockerfile(
    instructions: dict[str, list[tuple[str, str]]], repository: Path, tmp_path: Path
) -> None:
    """Runs the stage's COPY, ENV and RUN lines with `tmp_path` for a root; then compresses."""
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON")
    }
    environment["PATH"] = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    stages = ["cpu", "gpu"] if os.environ[BUILD] == "gpu" else ["cpu"]
    directory = tmp_path
    for word, rest in [line for stage in stages for line in instructions[stage]]:
        if word == "WORKDIR":
            directory = tmp_path / rest.lstrip("/")
            directory.mkdir(exist_ok=True)
        elif word == "ENV":
            for name, value in (each.split("=") for each in rest.split()):
                rooted = value.startswith("/") and name == "PYTHONPATH"
                environment[name] = f"{tmp_path}{value}" if rooted else value
        elif word == "COPY" and not rest.startswith("--from"):
            [(sources, target)] = copies([(word, rest)])
            for source in sources:
                copy(repository / source, tmp_path / target.lstrip("/"), len(sources) > 1)
        elif word == "RUN":
            done = subprocess.run(
                rest, shell=True, cwd=directory, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"

    environment.update({"JAX_PLATFORMS": "cpu", "EQUALINFO_BACKEND": "cpu"})
    text = tmp_path / "text.txt"
    text.write_text("A document.\nAnother one.\n")
    options = ["--input", str(text), "--output", str(tmp_path / "out"), "--verify"]
    command = [str(python), "-m", "pipelines.compress", "--quiet", *options]
    subprocess.run(command, cwd=tmp_path / "app", env=environment, check=True)
    assert (tmp_path / "out" / "manifest.json").exists()
    # The installed package, not the checkout's; and nothing that workers do not need.
    program = "import equalinfo, importlib.util as u; print(equalinfo.__file__, u.find_spec('jax'))"
    loaded = subprocess.run(
        [str(python), "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert str(tmp_path / "venv") in loaded.stdout
    assert (" None" in loaded.stdout) is ("gpu" not in stages)


def copy(source: Path, target: Path, into: bool) -> None:
    """As COPY does: a directory's content, and files into a directory that ends in /."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        assert into
        target.mkdir(exist_ok=True)
        shutil.copy(source, target)
