"""What is compiled is kept while it is true."""

import errno
import fcntl
import runpy
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import equalinfo.jit


def test_a_caller_is_compiled_anew_when_what_it_uses_changes(tmp_path: Path) -> None:
    """What it calls, and a constant of a file without kernels."""
    package = tmp_path / "package"
    package.mkdir()
    shutil.copy(equalinfo.jit.__file__, package / "jit.py")
    (package / "__init__.py").touch()
    inner = (
        "from package.constants import ADDED\nfrom package.jit import njit\n\n\n"
        "@njit(cache=True)\ndef inner():\n    return {} + ADDED\n"
    )
    (package / "outer.py").write_text(
        "from package.inner import inner\nfrom package.jit import njit\n\n\n"
        "@njit(cache=True)\ndef outer():\n    return inner()\n\n\n"
        "print(outer(), sum(outer.stats.cache_hits.values()))\n"
    )
    found = []
    for value, added in ((1, 0), (1, 0), (2, 0), (2, 5)):
        (package / "inner.py").write_text(inner.format(value))
        (package / "constants.py").write_text(f"ADDED = {added}\n")
        command = [sys.executable, "-m", "package.outer"]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        found.append(run.stdout.strip())
    assert found == ["1 0", "1 1", "2 0", "7 0"]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that numba keeps, not compiled yet, and a place of its own for that."""
    monkeypatch.setattr(equalinfo.jit.config, "CACHE_DIR", str(tmp_path / "kept"))
    path = tmp_path / "source.py"
    path.write_text(
        "from equalinfo.jit import njit\n\n\n@njit(cache=True)\ndef kept(x):\n    return x\n"
    )
    return runpy.run_path(str(path))["kept"]


def test_nothing_is_taken_while_another_keeps_its_own(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """numba names what it keeps before it is there: until then, something old may lie there."""
    file = kept._cache._cache_file
    keep = file._save_data

    def slowly(*arguments: Any) -> None:
        other.start()
        other.join(0.2)
        assert other.is_alive()
        keep(*arguments)

    other = threading.Thread(target=file.load, args=("a key",))
    monkeypatch.setattr(file, "_save_data", slowly)
    assert kept(3) == 3
    other.join(10)
    assert not other.is_alive()


@pytest.mark.parametrize("why", ["", "a directory", "no locks", "held", "left behind"])
def test_who_gets_no_turn_compiles_for_himself(
    kept: Any, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Path(kept._cache._cache_file._cache_path)
    lock = place / "numba.lock"
    monkeypatch.setattr(equalinfo.jit, "_PATIENCE", 0.1)
    if why == "a directory":
        lock.mkdir()
    elif why == "held":
        monkeypatch.setattr(fcntl, "flock", _raise(BlockingIOError(errno.EAGAIN, "held")))
    elif why:
        number = errno.ENOLCK if why == "no locks" else errno.ENOSYS
        monkeypatch.setattr(fcntl, "flock", _raise(OSError(number, "no locks here")))
        lock.touch()
    assert kept(3) == 3
    assert bool(list(place.glob("*.nb?"))) == (not why)


def _raise(error: Exception) -> Any:
    def fail(*_: object) -> None:
        raise error

    return fail
