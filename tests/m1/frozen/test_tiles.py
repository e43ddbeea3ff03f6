"""Which kernel runs: what the CPU has, what numba compiles for, what the user asks for."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from benchmarks.instructions import environment
from equalinfo.m1.frozen import model as model_module
from equalinfo.m1.frozen.cpu import tiles
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.cpu.memo import MemoEngine
from equalinfo.m1.frozen.model import make_engine
from m1.frozen.models import random_model

ALL = ["avx512_vnni", "avx_vnni", "avx2", "portable"]


@pytest.mark.parametrize(
    ("has", "compiles_for", "expected"),
    [
        ({"avx2", "avx512vnni", "avx512vl"}, None, ALL),
        ({"avx2", "avx512vnni"}, None, ["avx512_vnni", "avx2", "portable"]),
        ({"avx2", "avxvnni"}, None, ["avx_vnni", "avx2", "portable"]),
        ({"avx2"}, None, ["avx2", "portable"]),
        ({"neon"}, None, ["portable"]),
        ({"avx2", "avx512vnni", "avx512vl"}, "+avx2,-avx512vnni,+avx512vl", ["avx2", "portable"]),
        ({"avx2", "avx512vnni", "avx512vl"}, "", ["portable"]),
        ({"sse2"}, "+avx2", ["portable"]),
    ],
)
def test_kernels_are_those_of_the_cpu_and_of_what_numba_compiles_for(
    has: set[str], compiles_for: str | None, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: dict.fromkeys(has, True))
    monkeypatch.setattr(numba.config, "CPU_FEATURES", compiles_for)
    monkeypatch.delenv("EQUALINFO_KERNEL", raising=False)
    assert tiles.able() == expected
    assert tiles.choose() == expected[0]


def test_a_kernel_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    for kernel in tiles.able():
        monkeypatch.setenv("EQUALINFO_KERNEL", kernel)
        engine: Any = make_engine(random_model(), None)
        assert isinstance(engine, MemoEngine)
        assert engine.engine.kernel == kernel
        assert engine.name.startswith(f"{kernel}, ")
        assert bool(engine.slow) == (kernel == "portable")
    monkeypatch.setenv("EQUALINFO_KERNEL", "")
    assert CpuEngine(random_model()).kernel == tiles.able()[0]
    monkeypatch.setenv("EQUALINFO_KERNEL", "no such")
    assert CpuEngine(random_model(), "portable").kernel == "portable"  # an argument comes first


def test_a_kernel_that_cannot_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "able", lambda: ["avx2", "portable"])
    monkeypatch.setenv("EQUALINFO_KERNEL", "sse")
    with pytest.raises(
        ValueError,
        match=r"EQUALINFO_KERNEL='sse' is no kernel\. There are portable, avx2, avx_vnni, "
        r"avx512_vnni; this CPU can run avx2, portable\. Leave it out",
    ):
        make_engine(random_model(), None)
    monkeypatch.setenv("EQUALINFO_KERNEL", "avx512_vnni")
    with pytest.raises(
        ValueError, match=r"EQUALINFO_KERNEL='avx512_vnni' needs instructions .* avx2, portable"
    ):
        make_engine(random_model(), None)


def test_what_runs_m1_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model_module._tell.cache_clear()
    caplog.set_level(logging.INFO, model_module.__name__)
    for kernel in (tiles.able()[0], "portable"):
        monkeypatch.setenv("EQUALINFO_KERNEL", kernel)
        for _ in range(2):
            make_engine(random_model(), "cpu")
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    if tiles.able()[0] != "portable":
        level, text = told.pop(0)
        assert level == "INFO"
        assert text.startswith(f"M1 runs on {tiles.able()[0]}, ")
    ((level, text),) = told
    assert level == "WARNING"
    assert text.startswith("M1 runs slowly: portable, ")
    assert "AVX2" in text and "EQUALINFO_BACKEND=jax" in text


@pytest.mark.parametrize(("rows", "columns"), [(1, 16), (1, 32), (1, 64), (6, 32), (6, 64)])
@pytest.mark.parametrize("signed_rows", [False, True])
def test_products_at_the_ends_of_bytes(signed_rows: bool, rows: int, columns: int) -> None:
    """255 times 127 and -127, pair by pair: where 16-bit sums (vpmaddubsw) would saturate."""
    groups = 5
    kinds = (np.int8, np.uint8) if signed_rows else (np.uint8, np.int8)
    rng = np.random.default_rng([rows, columns])
    a, b = (
        rng.choice([-127, 127] if kind is np.int8 else [0, 255], size).astype(kind)
        for kind, size in zip(kinds, ((rows, 4 * groups), (4 * groups, columns)), strict=True)
    )
    a[0], b[:, 0] = a.max(), b.max()
    # [columns / 16, groups, 16, 4]
    packed = np.ascontiguousarray(b.reshape(groups, 4, -1, 16).transpose(2, 0, 3, 1)).reshape(-1)
    start = rng.integers(-(1 << 20), 1 << 20, columns).astype(np.int32)
    expected = a.astype(np.int64) @ b.astype(np.int64) + start
    tile, flat = tiles.make_tile(rows, columns, signed_rows), a.reshape(-1)
    for kernel in tiles.able():
        number, out = tiles.KERNELS[kernel], np.zeros((rows, columns), np.int32)
        wide = np.zeros(a.size, np.int16)
        tiles.widen(number, flat, wide, a.size)
        tile(
            number, flat, wide, 0, 4 * groups, packed, 0, 64, 64 * groups, groups, start, 0,
            out.reshape(-1), 0, columns,
        )  # fmt: skip
        np.testing.assert_array_equal(out, expected, kernel)


_AS_OTHER_CPU = """
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.self_test import self_test
from m1.frozen.models import extreme_model, random_model

for model in (random_model(), extreme_model("all least")):
    engine = CpuEngine(model)
    self_test(model, engine)
print(engine.kernel)
"""


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in tiles.able(), reason="needs a CPU with AVX2")
def test_a_cpu_with_no_more_than_avx2() -> None:
    """On a newer one LLVM makes other instructions of the same kernel."""
    variables = {**environment("avx2"), "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", _AS_OTHER_CPU],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "avx2"


_CALLERS = """
import sys

import numpy as np

from equalinfo.jit import njit
from equalinfo.m1.frozen.cpu import tiles

one, two = tiles.make_tile(1, 16, False), tiles.make_tile(2, 16, False)


@njit(cache=True)
def first(*arguments):
    one(*arguments)


@njit(cache=True)
def second(*arguments):
    two(*arguments)


for call in sys.argv[1:]:
    rows, columns, out = np.ones(8, np.uint8), np.ones(64, np.int8), np.zeros((2, 16), np.int32)
    wide, start = np.ones(8, np.int16), np.zeros(16, np.int32)
    globals()[call](
        tiles.KERNELS["portable"], rows, wide, 0, 4, columns, 0, 64, 64, 1, start, 0,
        out.reshape(-1), 0, 16,
    )
    print(call, out[:, 0].tolist())
"""


def test_what_two_processes_have_compiled_goes_together(tmp_path: Path) -> None:
    """numba numbers what a process compiles, and the numbers are in the names of what is kept."""
    script = tmp_path / "callers.py"
    script.write_text(_CALLERS)

    def run(*calls: str) -> list[str]:
        paths = os.pathsep.join(filter(None, sys.path))
        variables = {"NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONPATH": paths}
        found = subprocess.run(
            [sys.executable, script, *calls],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        return found.stdout.splitlines()

    expected = ["first [4, 0]", "second [4, 4]"]
    assert run("first") + run("second") == expected
    assert run("first", "second") == expected
    assert run("second", "first") == expected[::-1]
