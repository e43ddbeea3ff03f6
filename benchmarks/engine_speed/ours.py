"""The frozen M1's engines, and what this machine's matrix products can do."""

import copy
import ctypes
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from benchmarks.engine_speed.measure import Turn, local
from benchmarks.engine_speed.windows import Pattern
from equalinfo import frequencies
from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.m1.frozen.cpu import kernels as cpu_kernels
from equalinfo.m1.frozen.cpu import tiles
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.cpu.memo import MemoEngine
from equalinfo.m1.frozen.file import FrozenM1, Shape
from equalinfo.m1.frozen.jax_engine import JaxEngine
from equalinfo.m1.frozen.model import FrozenModel

_ROWS = 96  # of a product, as the engine has them
_REPEATS = 16
_WARM = 300_000  # symbols that a memo reads before it is timed


def operations(shape: Shape, seen: float) -> float:
    """Multiplications and additions for a symbol that sees `seen` symbols."""
    attention = 4 * shape.num_layers * shape.inner_dim * seen
    return 2 * shape.num_parameters + 2 * shape.embed_dim * NUM_SYMBOLS + attention


class Ours:
    """Both engines and the whole model, in the forms that are timed."""

    def __init__(self, frozen: FrozenM1, threads: int) -> None:
        self.cpu = CpuEngine(frozen, threads=threads)
        self._frozen = frozen
        self._model = FrozenModel(frozen, backend="cpu")
        self._model.engine = self.cpu
        self._memos: dict[int, FrozenModel] = {}

    @functools.cached_property
    def jax(self) -> JaxEngine:
        """The JAX engine."""
        return JaxEngine(self._frozen)

    def steps(self, pattern: Pattern) -> dict[str, Turn]:
        """The CPU engine: logits, and frequencies."""
        return {
            "cpu": steps(self.cpu.step, _placed(self.cpu, pattern), pattern),
            "cpu, frequencies": steps(self._model.step, _placed(self.cpu, pattern), pattern),
        }

    def memo(self, pattern: Pattern) -> tuple[MemoEngine, Turn]:
        """Frequencies with a memo of windows, as long as those of this pattern."""
        model = self._memos.setdefault(pattern.context, copy.copy(self._model))
        if model.engine is self.cpu:
            model.engine = MemoEngine(self.cpu)
        memo: Any = model.engine
        turn = steps(model.step, memo.start(pattern.lanes, pattern.context), pattern)
        while memo.steps < _WARM:
            turn(0.0)
        return memo, turn

    def jax_steps(self, pattern: Pattern) -> dict[str, Turn]:
        """The JAX engine: logits."""
        state = self.jax.start(pattern.lanes, pattern.context)
        padding = (0, len(state.positions) - pattern.lanes)
        state.positions = jnp.asarray(np.pad(pattern.first, padding).astype(np.int32))
        return {"jax": steps(self.jax.step, state, pattern)}

    def one_stream(self, pattern: Pattern) -> dict[str, Turn]:
        """The CPU engine with one lane."""
        one = pattern.one_lane()
        return {"cpu, one stream": steps(self.cpu.step, _placed(self.cpu, one), one)}

    def whole(self, texts: list[Symbols], context: int) -> dict[str, Turn]:
        """Both engines' logits of whole texts; the intervals that a coder asks for."""
        read = [text.astype(np.int64) for text in texts]
        rows = sum(map(len, texts)) + len(texts)

        def ignore(text: int, place: int, logits: Any) -> None:
            pass

        def run(engine: Any) -> Callable[[], int]:
            def one() -> int:
                engine.sequences(read, context, ignore)
                return rows

            return one

        def intervals() -> int:
            self._model.intervals(texts, context)
            return rows - len(texts)

        return {
            "cpu": local(run(self.cpu)),
            "cpu, intervals": local(intervals),
            "jax": local(run(self.jax)),
        }

    def frequencies(self, texts: list[Symbols]) -> dict[str, Turn]:
        """Rows shared out, on one thread and as the model does."""
        rows: list[Any] = []
        self.cpu.sequences(
            [text.astype(np.int64) for text in texts], 64, lambda text, place, x: rows.append(x)
        )
        logits = np.concatenate(rows)

        def run() -> int:
            frequencies.from_log2(logits)
            return len(logits)

        return {"from_log2, 1 thread": local(run)}


def blas() -> str:
    """Which CPU's kernels NumPy's OpenBLAS runs; OPENBLAS_CORETYPE=Haswell makes it those of AVX2.

    Empty where NumPy came with another library, or none.
    """
    for file in Path(np.__file__).parents[1].glob("numpy.libs/libscipy_openblas*"):
        name = ctypes.CDLL(str(file)).scipy_openblas_get_corename64_
        name.restype = ctypes.c_char_p
        return str(name().decode())
    return ""


def products(threads: int, shape: Shape) -> dict[str, Turn]:
    """Operations a second of the engine's matrix products and of NumPy's, by [inputs, outputs]."""
    found = {}
    for inputs, outputs in (
        (shape.embed_dim, shape.inner_dim),
        (shape.embed_dim, shape.mlp_dim),
        (shape.mlp_dim, shape.embed_dim),
    ):
        size = f"[{inputs}, {outputs}]"
        found[f"int8 tiles {size}"] = local(_tiles(threads, inputs, outputs))
        found[f"float32 NumPy {size}"] = local(_blas(inputs, outputs))
    return found


def _tiles(threads: int, inputs: int, outputs: int) -> Callable[[], int]:
    kernel = tiles.KERNELS[tiles.choose()]
    padded = -(-outputs // 64) * 64
    rng = np.random.default_rng(0)
    matrix = rng.integers(-127, 128, inputs * padded).astype(np.int8)
    rows = rng.integers(0, 256, _ROWS * inputs).astype(np.uint8)
    start = np.zeros(padded, np.int32)
    pool = ThreadPoolExecutor(threads)
    sums = [np.zeros((_ROWS, padded), np.int32) for _ in range(threads)]

    def work(out: Any) -> None:
        wide = np.zeros(rows.size, np.int16)
        for _ in range(_REPEATS):
            cpu_kernels.project(kernel, rows, wide, matrix, start, out, outputs, _ROWS, inputs)

    def run() -> int:
        for _ in pool.map(work, sums):
            pass
        return 2 * _ROWS * inputs * outputs * _REPEATS * threads

    return run


def _blas(inputs: int, outputs: int) -> Callable[[], int]:
    rows = np.ones((4096, inputs), np.float32)
    matrix = np.ones((inputs, outputs), np.float32)

    def run() -> int:
        rows @ matrix
        return 2 * rows.size * outputs

    return run


def _placed(engine: CpuEngine, pattern: Pattern) -> Any:
    """A state whose lanes stand where the pattern has them."""
    state = engine.start(pattern.lanes, pattern.context)
    state.positions[:] = pattern.first
    return state


def steps(step: Callable[..., Any], state: Any, pattern: Pattern) -> Turn:
    """Turns of step(state, symbols, resets); each goes on where the last one stopped."""
    done = 0

    def run() -> int:
        nonlocal done
        step(state, pattern.symbols(done), pattern.resets[done % len(pattern.resets)])
        done += 1
        return pattern.lanes

    return local(run)
