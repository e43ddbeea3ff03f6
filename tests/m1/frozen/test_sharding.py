"""Eight simulated devices give the reference's integers, with the batch and the model sharded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_meshes_of_eight_devices(repository: Path) -> None:
    pytest.importorskip("jax", reason="needs JAX: pip install 'equalinfo[train]'")
    # The number of devices is fixed when JAX starts: hence a process of its own.
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(repository), str(repository / "tests")]),
    }
    script = Path(__file__).parent / "sharded.py"
    run = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert run.stdout.splitlines() == [
        "8 x 1 int8 equal",
        "4 x 2 int8 equal",
        "2 x 4 int8 equal",
        "2 x 4 bfloat16 equal",
    ]
