"""Containers and plain machines: each condition in a process of its own, on a copy of the package.

What it compiles and prints must find a way out where nothing can be written, nobody is at home and
the locale knows no UTF-8.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ENCODE = """
from equalinfo import Tokenizer
tokenizer, text = Tokenizer.default(), "Some text, \\xe9. " * 4000
ids = tokenizer.encode(text)
assert tokenizer.decode(ids) == text
print(len(ids))
"""  # long enough for what numba compiles
COMPILE = """
import numpy
from equalinfo.apportionment import threshold
assert threshold(numpy.array([3, 1, 2], numpy.int32), 1) == (3, 1)
"""  # one function: seconds less
MOUNTS = ["unshare", "--map-root-user", "--mount"]
STRANGER = ["unshare", "--map-user=12345"]
WARNING = "RuntimeWarning: Neither the folder of the package equalinfo nor a home directory"
NO_UTF8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def checkout(tmp_path: Path, repository: Path) -> Iterator[Path]:
    """A copy of what runs, with nothing compiled, whose folders cannot be written."""
    out = tmp_path / "checkout"
    for name in ("equalinfo", "pipelines"):
        shutil.copytree(repository / name, out / name, ignore=shutil.ignore_patterns("__pycache__"))
    folders = [path for path in (out, *out.rglob("*")) if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)  # who is not root cannot write
    yield out
    for folder in folders:
        folder.chmod(0o755)


def run(
    checkout: Path, *python: str, prefix: list[str] | None = None, **variables: str | None
) -> "subprocess.CompletedProcess[str]":
    """Python with these arguments, in a bare environment, from a folder that cannot be written."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = {**kept, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {name: value for name, value in variables.items() if value is not None}
    command = [*(prefix or []), sys.executable, *python]
    return subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, encoding="utf-8", check=False
    )


def namespace(*command: str) -> None:
    """Skip where the kernel or its administrator does not allow namespaces of users."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, of util-linux")
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr.strip()}")


def read_only(*folders: Path | str) -> list[str]:
    """A prefix of commands for which nothing in these folders, nor in /dev/shm, can be written."""
    namespace(*MOUNTS)
    lines = [
        f"mount --rbind '{each}' '{each}' && mount -o remount,ro,bind '{each}'" for each in folders
    ]
    if os.path.isdir("/dev/shm"):
        lines.append("mount -t tmpfs -o ro none /dev/shm")
    prefix = [*MOUNTS, "sh", "-c", " && ".join([*lines, 'exec "$@"']), "sh"]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"cannot mount here: {tried.stderr.strip()}")
    return prefix


def test_package_and_home_cannot_be_written(checkout: Path, tmp_path: Path) -> None:
    """On one core, without /dev/shm. What is compiled stays among the temporary files."""
    prefix = [*read_only(checkout), "taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]
    temporary = tmp_path / "elsewhere"
    temporary.mkdir()
    first, second = (
        run(checkout, "-c", ENCODE, prefix=prefix, HOME="/proc/none", TMPDIR=str(temporary))
        for _ in range(2)
    )
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert first.stderr.count(WARNING) == 1 and "Set NUMBA_CACHE_DIR" in first.stderr
    assert second.stderr == ""
    (place,) = temporary.iterdir()
    assert place.stat().st_mode & 0o777 == 0o700 and list(place.rglob("*.nbc"))


def test_nothing_can_be_written(checkout: Path) -> None:
    """Each process compiles for itself."""
    prefix = read_only("/tmp", "/var/tmp", checkout)
    done = run(checkout, "-c", COMPILE, prefix=prefix, HOME="/proc/none")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(WARNING) == 1 and "compiled anew by each process" in done.stderr


def test_a_place_that_others_can_write_is_not_trusted(checkout: Path, tmp_path: Path) -> None:
    """What lies in a cache is run."""
    planted = tmp_path / f"equalinfo-numba-{os.getuid()}"
    planted.mkdir()
    planted.chmod(0o777)
    prefix = read_only(checkout)
    variables = {"HOME": "/proc/none", "TMPDIR": str(tmp_path)}
    if os.getuid():  # the user is root in the namespace
        planted.rename(tmp_path / "equalinfo-numba-0")
        planted = tmp_path / "equalinfo-numba-0"
    done = run(checkout, "-c", COMPILE, prefix=prefix, **variables)
    assert done.returncode == 0, done.stderr
    assert "compiled anew by each process" in done.stderr
    assert not list(planted.iterdir())


def test_a_user_without_name_and_home(checkout: Path, tmp_path: Path) -> None:
    """As `docker run --user 12345`; numba alone would make a directory called `~`."""
    namespace(*STRANGER)
    work, temporary = tmp_path / "work", tmp_path / "elsewhere"
    work.mkdir()
    temporary.mkdir()
    code = f"import os; os.chdir({str(work)!r}); assert os.path.expanduser('~') == '~'\n{COMPILE}"
    done = run(checkout, "-c", code, prefix=STRANGER, TMPDIR=str(temporary))
    assert done.returncode == 0, done.stderr
    assert not list(work.iterdir()) and len(list(temporary.iterdir())) == 1


def test_a_locale_without_utf8(checkout: Path, tmp_path: Path) -> None:
    """The same file name, marks and bytes as elsewhere."""
    pytest.importorskip("apache_beam")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "t-é.json").write_text(json.dumps({"text": "Some text, é."}), "utf-8")
    show, written = [], []
    for number, variables in enumerate(({"PYTHONUTF8": "1"}, NO_UTF8)):
        out = tmp_path / str(number)
        cache = {**variables, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        shown = run(checkout, "-m", "equalinfo.cli", "show", "A naïve text · 中", **cache)
        assert shown.returncode == 0, shown.stderr
        show.append(shown.stdout)
        argv = ["--input", f"{folder}/t-é.json", "--output", str(out), "--quiet"]
        done = run(checkout, "-m", "pipelines.compress", *argv, "--method=bytes", **cache)
        assert done.returncode == 0, done.stderr
        written.append((out / "manifest.json").read_bytes())
    assert show[0] == show[1] and "·" in show[0]
    assert written[0] == written[1] and "t-é.json" in written[0].decode()
