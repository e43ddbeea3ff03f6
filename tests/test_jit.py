"""What is compiled is kept while it is true."""

import shutil
import subprocess
import sys
from pathlib import Path

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
