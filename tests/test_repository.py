"""What must hold of the repository as a whole: what is in it, what the wheel ships, what loads."""

import gzip
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
TEXT = ROOT / "demo" / "text"

# No path of one machine and no package index: a clone must work anywhere.
FORBIDDEN = {
    "an absolute path of one machine": re.compile(r"(?<![\w.-])/(?:root|home|Users|work|tmp/w)/\w"),
    "a package index": re.compile(
        r"--(?:extra-)?index-url|--find-link[s]|\b(?:pypi|pythonhosted)\.\w|/simple/(?:\s|$)"
    ),
}


def source_files() -> list[Path]:
    """Files git tracks or would track; in a copy without git, all but hidden and built ones."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        built = {"__pycache__", "build", "dist", "runs"}
        paths = [
            path
            for path in ROOT.rglob("*")
            if not any(
                part in built or part.startswith(".") or part.endswith(".egg-info")
                for part in path.relative_to(ROOT).parts
            )
        ]
    return sorted(path for path in paths if path.is_file())


def text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def test_source_files_are_found() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in source_files()}
    assert {"pyproject.toml", "Makefile", "equalinfo/alphabet.py"} <= names


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_trace_of_one_machine(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in source_files()
        if (text := text_of(path)) is not None
        for number, line in enumerate(text.splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("an absolute path of one machine", "open('/" + "home/me/file')"),
        ("an absolute path of one machine", "python=/" + "root/bin/python"),
        ("a package index", "--index" + "-url x"),
        ("a package index", "https://py" + "pi.org/p"),
    ],
)
def test_the_search_finds_what_it_looks_for(what: str, line: str) -> None:
    assert FORBIDDEN[what].search(line)


def test_no_junk_drawers() -> None:
    names = {"utils.py", "util.py", "common.py", "helpers.py", "misc.py"}
    assert not [path for path in source_files() if path.name in names]


def test_gin_is_no_package() -> None:
    """A package named gin would hide gin-config."""
    assert not (ROOT / "gin" / "__init__.py").exists()


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_wheel_ships_equalinfo_only(project: dict[str, Any]) -> None:
    setuptools = pytest.importorskip("setuptools")
    include = project["tool"]["setuptools"]["packages"]["find"]["include"]
    shipped = set(setuptools.find_packages(str(ROOT), include=include))
    assert {name.split(".")[0] for name in shipped} == {"equalinfo"}
    # A folder without __init__.py would work in the checkout and be missing in the wheel.
    folders = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in source_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] == "equalinfo"
    }
    assert shipped == folders
    assert (ROOT / "equalinfo" / "py.typed").exists()


def test_every_requirement_is_pinned(project: dict[str, Any]) -> None:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            assert [spec.operator for spec in pin.specifier] == ["=="], line
            pins[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version
    metadata = project["project"]
    lines = [*metadata["dependencies"], *project["build-system"]["requires"]]
    for extra in metadata["optional-dependencies"].values():
        lines += extra
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name != "equalinfo":
            assert name in pins, f"{requirement} has no line in constraints.txt"
            assert requirement.specifier.contains(pins[name]), f"{requirement}: {pins[name]}"


# Encoding with a compiled codebook must not wait for JAX, nor need TensorFlow installed.
HEAVY = {"apache_beam", "flax", "gin", "jax", "optax", "orbax", "seqio", "t5x", "tensorflow"}


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("equalinfo", HEAVY | {"numba", "numpy"}),
        ("equalinfo.cli", HEAVY),
        ("equalinfo.codebook", HEAVY),
        ("equalinfo.codecs", HEAVY),
        ("equalinfo.data.records", HEAVY),
        ("equalinfo.score", HEAVY | {"numba"}),
        ("pipelines.compress", HEAVY - {"apache_beam"}),
    ],
)
def test_import_stays_light(module: str, forbidden: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert not loaded & forbidden, f"import {module} loads {sorted(loaded & forbidden)}"


def read_shards(pattern: str) -> list[dict[str, str]]:
    lines: list[dict[str, str]] = []
    for path in sorted(TEXT.glob(pattern)):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines += map(json.loads, file)
    return lines


def test_demo_text_is_what_its_readme_says() -> None:
    readme = (TEXT / "README.md").read_text()
    paths = sorted(TEXT.glob("*.gz"))
    assert len(paths) == 5
    for path in paths:
        lines = read_shards(path.name)
        size = sum(len(line["text"].encode()) for line in lines)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        row = f"| {path.name} | {len(lines)} | {size} | {path.stat().st_size} | `{sha256}` |"
        assert row in readme
    assert sum(path.stat().st_size for path in paths) < 1_500_000


def test_demo_validation_text_is_not_trained_on() -> None:
    train, validation = read_shards("train-*"), read_shards("validation-*")
    for field in ("text", "url"):
        assert not {line[field] for line in train} & {line[field] for line in validation}
    # Every document states where it comes from, and its README says why that is public domain.
    readme = (TEXT / "README.md").read_text()
    prefixes = re.findall(r"^\| `(github:[^`]+)` \|", readme, re.MULTILINE)
    assert len(prefixes) == 3
    for line in [*train, *validation]:
        assert set(line) == {"text", "timestamp", "url"}
        assert line["url"].startswith(tuple(prefixes)), line["url"]
