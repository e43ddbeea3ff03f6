"""The package's M1 run in every way gives the same integers, for as many contexts as there is time.

What the other tests show on small models, against the reference. Half of the texts are random, half
real. `pytest -m slow tests/m1/frozen/test_at_size.py --size 500 --text 'validation/*.json.gz'`
compares ten million contexts for each fast way; another version of JAX, another machine: run it
there.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.instructions import environment
from equalinfo import frequencies
from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.m1.frozen.counts.engine import CountsEngine
from equalinfo.m1.frozen.counts.tables import TEXT_CONTEXT
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.cpu.memo import MemoEngine
from equalinfo.m1.frozen.cpu.tiles import able
from equalinfo.m1.frozen.reference import reference, reference_frequencies
from equalinfo.m1.shipped import shipped_m1
from m1.frozen.models import Ints

pytestmark = pytest.mark.slow
MODEL, COUNTS = shipped_m1().network, shipped_m1().counts
assert COUNTS is not None
CONTEXTS = 20_000  # of the ways that are fast, times --size
LONGEST = {16: 48, 64: 128, 256: 512}
"""Context -> symbols of a text: texts go on after early symbols are out of sight."""

Numbers = npt.NDArray[np.uint64]
# Odd, and the same everywhere. Two rows that differ get the same number with probability 2^-48.
KEYS = np.frombuffer(hashlib.shake_256(b"rows of M1").digest(8 * NUM_SYMBOLS), "<u8") | 1


def numbers(rows: npt.NDArray[np.integer[Any]]) -> Numbers:
    """A number for each row of logits, so that rows need no memory."""
    return rows.astype(np.int64).view(np.uint64) @ KEYS


def draw(text: Symbols, context: int, contexts: int, seed: int) -> list[Ints]:
    """Random symbols and real text by turns, of random lengths n, with n + 1 contexts each."""
    rng = np.random.default_rng([seed, context])
    texts: list[Ints] = []
    while contexts > 0 or len(texts) < 2:
        length = int(rng.integers(LONGEST[context] + 1))
        if len(texts) % 2:
            begin = int(rng.integers(max(1, len(text) - length)))
            texts.append(np.resize(text[begin : begin + length], length).astype(np.int64))
        else:
            texts.append(rng.integers(NUM_SYMBOLS, size=length))
        contexts -= length + 1
    return texts


Read = Callable[[list[Ints], int], Numbers]
"""(texts, context) -> the numbers of all their contexts, uint64[sum of n + 1]."""


def whole(engine: Any, batch: int = 1 << 30, noise: int = 0) -> Read:
    """Whole texts, `batch` a call, each with so many symbols of noise after its end."""

    def read(texts: list[Ints], context: int) -> Numbers:
        out: list[list[Numbers]] = [[] for _ in texts]
        rng = np.random.default_rng(1)
        for first in range(0, len(texts), batch):
            some = texts[first : first + batch]
            if noise:
                some = [np.append(text, rng.integers(NUM_SYMBOLS, size=noise)) for text in some]
            engine.sequences(
                some, context, lambda i, _, rows, first=first: out[first + i].append(numbers(rows))
            )
        found = [np.concatenate(parts) for parts in out]
        return np.concatenate([x[: len(text) + 1] for x, text in zip(found, texts, strict=True)])

    return read


def steps(engine: Any, lanes: int, leave_out_idle: bool = False) -> Read:
    """By steps, on so many lanes; those without a text read noise, or are left out."""

    def read(texts: list[Ints], context: int) -> Numbers:
        symbols, lengths = np.concatenate(texts), np.array([len(text) for text in texts])
        begins, first_rows = np.cumsum(lengths) - lengths, np.cumsum(lengths + 1) - lengths - 1
        out = np.zeros(len(symbols) + len(texts), np.uint64)
        # What follows nothing is not asked by steps.
        out[first_rows] = whole(engine)([np.empty(0, np.int64)], context)
        state, rng = engine.start(lanes, context), np.random.default_rng(2)
        waiting = iter(np.flatnonzero(lengths).tolist())
        text, place = np.full(lanes, -1), np.zeros(lanes, np.int64)
        while True:
            reset = np.zeros(lanes, np.bool_)
            for lane in np.flatnonzero((text < 0) | (place == lengths[text])):
                text[lane], place[lane] = next(waiting, -1), 0
                reset[lane] = text[lane] >= 0
            busy = np.flatnonzero(text >= 0)
            if not len(busy):
                return out
            given = rng.integers(NUM_SYMBOLS, size=lanes).astype(np.int32)
            given[busy] = symbols[begins[text[busy]] + place[busy]]
            if leave_out_idle:
                logits = engine.step(state, given, reset, busy)
            else:
                logits = engine.step(state, given, reset)[busy]
            place[busy] += 1
            out[first_rows[text[busy]] + place[busy]] = numbers(logits)

    return read


class Way(NamedTuple):
    """A way to run M1, and the share of `CONTEXTS` that its speed allows."""

    name: str
    share: float
    make: Callable[[], Read]
    contexts: tuple[int, ...] = tuple(LONGEST)


def cpu_ways() -> list[Way]:
    """Kernels, threads, batches, padding, memo."""
    found = []
    for number, kernel in enumerate(able()):

        @cache
        def one(threads: int, kernel: str = kernel) -> CpuEngine:
            return CpuEngine(MODEL, kernel, threads)

        ways = [
            ("2 threads, whole texts", 1.0, lambda e=one: whole(e(2))),
            ("1 thread, whole texts", 0.5, lambda e=one: whole(e(1))),
            ("batch 1", 0.2, lambda e=one: whole(e(2), batch=1)),
            ("batch 7", 0.2, lambda e=one: whole(e(2), batch=7)),
            ("padded with noise", 0.1, lambda e=one: whole(e(2), noise=37)),
            ("steps of 4096", 0.5, lambda e=one: steps(e(2), 4096, leave_out_idle=True)),
            ("steps of 512, 1 thread", 0.5, lambda e=one: steps(e(1), 512, leave_out_idle=True)),
            ("steps of 64, idle lanes read noise", 0.1, lambda e=one: steps(e(2), 64)),
            ("steps of 7", 0.05, lambda e=one: steps(e(2), 7)),
            ("steps of 1", 0.02, lambda e=one: steps(e(1), 1)),
            ("memo", 0.2, lambda e=one: steps(MemoEngine(e(2)), 64)),
            ("full memo", 0.1, lambda e=one: steps(MemoEngine(e(2), 1024), 64)),
        ]
        slower = 5 if number else 1
        found += [Way(f"{kernel}, {name}", share / slower, make) for name, share, make in ways]
    return found


def jax_ways() -> list[Way]:
    """Products, batches, padding, with and without jit."""

    @cache
    def engine(products: str = "int8") -> Any:
        from equalinfo.m1.frozen.jax_engine import JaxEngine

        return JaxEngine(MODEL, products)

    def without_jit(read: Read) -> Read:
        def slowly(texts: list[Ints], context: int) -> Numbers:
            import jax

            disabled: contextlib.AbstractContextManager[Any] = jax.disable_jit()
            with disabled:
                return read(texts, context)

        return slowly

    return [
        Way("jax int8, whole texts", 0.2, lambda: whole(engine())),
        Way("jax float32, whole texts", 0.1, lambda: whole(engine("float32"))),
        Way("jax bfloat16, whole texts", 0.02, lambda: whole(engine("bfloat16"))),
        Way("jax int8, batch 1", 0.01, lambda: whole(engine(), batch=1)),
        Way("jax int8, batch 7", 0.02, lambda: whole(engine(), batch=7)),
        Way("jax int8, padded with noise", 0.02, lambda: whole(engine(), noise=37)),
        Way("jax int8, steps of 512", 0.04, lambda: steps(engine(), 512), (16, 64)),
        Way("jax int8, steps of 7", 0.004, lambda: steps(engine(), 7)),
        Way("jax int8, steps of 1", 0.001, lambda: steps(engine(), 1)),
        Way("jax float32, steps of 64", 0.008, lambda: steps(engine("float32"), 64)),
        Way("jax bfloat16, steps of 64", 0.004, lambda: steps(engine("bfloat16"), 64)),
        Way("jax int8, no jit", 0.002, lambda: without_jit(whole(engine()))),
        Way("jax int8, no jit, steps", 0.001, lambda: without_jit(steps(engine(), 64)), (16,)),
    ]


def torch_ways() -> list[Way]:
    """An implementation of its own."""

    def make() -> Read:
        pytest.importorskip("torch", reason="NOT COMPARED with PyTorch: pip install torch")
        from m1.frozen.torch_network import TorchNetwork

        network = TorchNetwork(MODEL)

        def read(texts: list[Ints], context: int) -> Numbers:
            out = []
            for text in texts:
                out.append(numbers(network.logits(text[None], context)[0]))
            return np.concatenate(out)

        return read

    return [Way("PyTorch", 0.01, make)]


@cache
def expected(pattern: Any, context: int, contexts: int) -> tuple[list[Ints], Numbers]:
    """Texts, and what the fastest kernel gives for them."""
    texts = draw(pattern.text, context, contexts, seed=0)
    return texts, whole(CpuEngine(MODEL, able()[0], 2))(texts, context)


class _Text:
    """The text of a session; hashed as one object."""

    def __init__(self, text: Symbols) -> None:
        self.text = text


@pytest.fixture(scope="module")
def real(much_text: Symbols) -> _Text:
    return _Text(much_text)


@pytest.mark.parametrize(
    "way", [*cpu_ways(), *jax_ways(), *torch_ways()], ids=lambda way: str(way.name)
)
def test_every_way_gives_the_same(way: Way, real: _Text, size: int) -> None:
    if way.name.startswith("jax"):
        pytest.importorskip("jax", reason="needs JAX: pip install 'equalinfo[train]'")
    read = way.make()
    for context in way.contexts:
        texts, wanted = expected(real, context, size * CONTEXTS // len(LONGEST))
        number = max(3, round(way.share * len(texts)))
        found = read(texts[:number], context)
        different = np.flatnonzero(found != wanted[: len(found)])
        assert not len(different), f"context {context}: {len(different)}, first {different[0]}"


def test_frequencies_are_those_of_the_reference(real: _Text, size: int) -> None:
    engine = CpuEngine(MODEL)
    for context in LONGEST:
        for number, text in enumerate(draw(real.text, context, 300 * size, seed=1)):
            rows: list[Any] = []
            engine.sequences([text], context, lambda _, place, x, rows=rows: rows.append(x.copy()))
            precision = (14, 16, 20)[number % 3]
            wanted = reference_frequencies(MODEL, text, context, precision)
            found = frequencies.from_log2(np.concatenate(rows), precision)
            np.testing.assert_array_equal(found, wanted)


COUNTS_CONTEXTS = {16: 16, 64: 64, TEXT_CONTEXT: 256}
"""Context -> that of the texts in `draw`."""


def counts_engine(which: str) -> CountsEngine:
    """Counts on no network, or on one that runs in a way."""
    if which == "jax":
        pytest.importorskip("jax", reason="needs JAX: pip install 'equalinfo[train]'")
        from equalinfo.m1.frozen.jax_engine import JaxEngine

        return CountsEngine(COUNTS, JaxEngine(MODEL, "int8"))
    network = None if which == "alone" else MemoEngine(CpuEngine(MODEL, which))
    return CountsEngine(COUNTS, network)


@pytest.mark.parametrize(
    ("which", "share"),
    [("alone", 5.0), (able()[0], 0.5), *((kernel, 0.1) for kernel in able()[1:]), ("jax", 0.02)],
)
def test_counts_by_steps_are_those_of_whole_texts(
    which: str, share: float, real: _Text, size: int
) -> None:
    found = counts_engine(which)
    for context, longest in COUNTS_CONTEXTS.items():
        contexts = round(share * size * CONTEXTS / len(COUNTS_CONTEXTS))
        texts = draw(real.text, longest, contexts, seed=3)
        first = which if which == "alone" else able()[0]
        wanted = whole(counts_engine(first))(texts, context)
        for read in (steps(found, 64), steps(found, 7), whole(found, batch=7)):
            np.testing.assert_array_equal(read(texts, context), wanted)


@pytest.mark.parametrize("which", ["alone", *able()])
def test_counts_are_those_of_the_reference(which: str, real: _Text, size: int) -> None:
    engine = counts_engine(which)
    network = None if which == "alone" else MODEL
    for context, longest in COUNTS_CONTEXTS.items():
        for text in draw(real.text, longest, 300 * size, seed=5):
            rows: list[Any] = []
            engine.sequences([text], context, lambda _, place, x, rows=rows: rows.append(x.copy()))
            wanted = reference(network, COUNTS, text, context)
            np.testing.assert_array_equal(np.concatenate(rows), wanted)


@pytest.mark.parametrize("kernel", ["avx2", "portable"])
def test_as_an_older_cpu_compiles_it(
    kernel: str, repository: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """In a process for which numba knows no more instructions than the kernel needs."""
    if kernel not in able():
        pytest.skip(f"this CPU cannot run {kernel}")
    options = [f"--{name}={request.config.getoption(name)}" for name in ("size", "text")]
    options = [option for option in options if not option.endswith("=None")]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", "-k", f"every_way and {kernel}"]
    variables = {**environment(kernel), "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [*command, *options, str(Path(__file__))],
        cwd=repository,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "12 passed" in done.stdout
