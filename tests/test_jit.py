"""What is compiled is kept while it is true."""

import importlib
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import equalinfo.jit


def test_a_caller_is_compiled_anew_when_what_it_calls_changes(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    shutil.copy(equalinfo.jit.__file__, package / "jit.py")
    (package / "__init__.py").touch()
    inner = "from package.jit import njit\n\n\n@njit(cache=True)\ndef inner():\n    return {}\n"
    (package / "outer.py").write_text(
        "from package.inner import inner\nfrom package.jit import njit\n\n\n"
        "@njit(cache=True)\ndef outer():\n    return inner()\n\n\n"
        "print(outer(), sum(outer.stats.cache_hits.values()))\n"
    )
    found = []
    for value in (1, 1, 2):
        (package / "inner.py").write_text(inner.format(value))
        command = [sys.executable, "-m", "package.outer"]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        found.append(run.stdout.strip())
    assert found == ["1 0", "1 1", "2 0"]


def test_nothing_is_taken_while_another_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """numba names what it keeps before it is there: until then, something old may lie there."""
    (tmp_path / "kept.py").write_text(
        "from equalinfo.jit import njit\n\n\n@njit(cache=True)\ndef kept(x):\n    return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    kept = importlib.import_module("kept").kept
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


def test_who_gets_no_turn_compiles_for_himself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alone.py").write_text(
        "from equalinfo.jit import njit\n\n\n@njit(cache=True)\ndef alone(x):\n    return x\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    alone = importlib.import_module("alone").alone
    (Path(alone._cache._cache_file._cache_path) / "numba.lock").mkdir(parents=True)
    assert alone(3) == 3
    assert not list(tmp_path.rglob("*.nb?"))
