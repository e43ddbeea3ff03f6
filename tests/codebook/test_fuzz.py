"""A damaged or hostile codebook file is refused, or works; it never leads out of bounds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_damaged_files(repository: Path, tmp_path: Path, size: int) -> None:
    """With `--size 100`: 100,000 files."""
    command = [sys.executable, "-m", "tests.codebook.fuzz", str(1000 * size), "0"]
    # Kernels with bounds checks must not land in the cache of those without.
    checked = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    paths = {"PYTHONPATH": os.pathsep.join([str(repository), str(repository / "tests")])}
    done = subprocess.run(
        command, cwd=repository, env=os.environ | checked | paths, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-4000:]  # a crash is below 0
    outcomes = json.loads(done.stdout)
    assert sum(outcomes.values()) == 1000 * size
    assert len(outcomes) > 10
    assert all(outcomes[f"format {version} loaded, and works"] for version in (2, 3))
