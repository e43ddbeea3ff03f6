"""Ways to run a frozen M1, each a function that reads texts and gives a number for each row."""

import contextlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.m1_matrix.texts import Ints, Numbers, Texts, numbers
from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.m1.frozen.file import START, FrozenM1

Read = Callable[[Texts], Numbers]
ALL = (16, 64, 256)
TORCH_NETWORK = Path(__file__).resolve().parents[2] / "tests/m1/frozen/torch_network.py"


class Setting(NamedTuple):
    """One way.

    Attributes:
      name: says what is special.
      share: of all contexts, as many as its speed allows.
      make: from the model to the function that reads.
      contexts: sizes of context that it reads; each gets an equal part of its share.
    """

    name: str
    share: float
    make: Callable[[FrozenM1], Read]
    contexts: tuple[int, ...] = ALL


def whole(engine: Any, batch: int | None = None, noise: int = 0) -> Read:
    """Whole texts, `batch` a call (None: all), each with so many symbols of noise after its end."""

    def read(texts: Texts) -> Numbers:
        out = np.zeros(texts.num_contexts, np.uint64)
        every, rng = texts.all(), np.random.default_rng(1)
        lengths, rows = texts.lengths, texts.first_rows
        size = batch or len(every)
        for first in range(0, len(every), size):

            def take(text: int, place: int, logits: Any, first: int = first) -> None:
                index = first + text
                kept = logits[: max(0, lengths[index] + 1 - place)]
                out[rows[index] + place :][: len(kept)] = numbers(kept)

            some = every[first : first + size]
            if noise:
                some = [np.append(text, rng.integers(NUM_SYMBOLS, size=noise)) for text in some]
            engine.sequences(some, texts.context, take)
        return out

    return read


def steps(engine: Any, lanes: int, leave_out_idle: bool = False) -> Read:
    """Texts by steps, on so many lanes; those without a text read noise, or are left out."""

    def read(texts: Texts) -> Numbers:
        out = np.zeros(texts.num_contexts, np.uint64)
        lengths, rows, begins = texts.lengths, texts.first_rows, texts.ends - texts.lengths
        empty = np.empty(0, np.int64)
        # What follows nothing is not asked by steps.
        engine.sequences(
            [empty], texts.context, lambda text, place, x: out.put(rows, numbers(x[:1]))
        )
        state, rng = engine.start(lanes, texts.context), np.random.default_rng(2)
        waiting = iter(np.flatnonzero(lengths).tolist())
        text, place = np.full(lanes, -1), np.zeros(lanes, np.int64)
        while True:
            done = np.flatnonzero((text < 0) | (place == lengths[text]))
            reset = np.zeros(lanes, np.bool_)
            for lane in done:
                text[lane], place[lane] = next(waiting, -1), 0
                reset[lane] = text[lane] >= 0
            busy = np.flatnonzero(text >= 0)
            if not len(busy):
                return out
            symbols = rng.integers(NUM_SYMBOLS, size=lanes).astype(np.int32)
            symbols[busy] = texts.symbols[begins[text[busy]] + place[busy]]
            if leave_out_idle:
                logits = engine.step(state, symbols, reset, busy)
            else:
                logits = engine.step(state, symbols, reset)[busy]
            place[busy] += 1
            out[rows[text[busy]] + place[busy]] = numbers(logits)

    return read


def cpu() -> list[Setting]:
    """The CPU engine; the first setting is the one that all are compared with."""
    from equalinfo.m1.frozen.cpu import tiles
    from equalinfo.m1.frozen.cpu.engine import CpuEngine
    from equalinfo.m1.frozen.cpu.memo import MemoEngine

    best, *others = tiles.able()

    def one(what: str, share: float, make: Callable[[Any], Read], **options: Any) -> Setting:
        chosen: dict[str, Any] = {"kernel": best, "threads": 2} | options
        name = "cpu {kernel}, threads {threads}, ".format(**chosen) + what
        return Setting(name, share, lambda model: make(CpuEngine(model, **chosen)))

    found = [
        one("whole texts", 0.25, whole),
        one("whole texts", 0.15, whole, threads=1),
        one("whole texts, batch 1", 0.05, lambda e: whole(e, batch=1)),
        one("whole texts, batch 7", 0.05, lambda e: whole(e, batch=7)),
        one("whole texts, padded with noise", 0.03, lambda e: whole(e, noise=37)),
        one("steps, batch 512", 0.25, lambda e: steps(e, 512, leave_out_idle=True)),
        one("steps, batch 512", 0.05, lambda e: steps(e, 512, leave_out_idle=True), threads=1),
        one("steps, batch 64, idle lanes read noise", 0.02, lambda e: steps(e, 64)),
        one("steps, batch 4096", 0.15, lambda e: steps(e, 4096, leave_out_idle=True)),
        one("steps, batch 7", 0.01, lambda e: steps(e, 7)),
        one("steps, batch 1", 0.005, lambda e: steps(e, 1)),
        one("steps, batch 64, memo", 0.05, lambda e: steps(MemoEngine(e), 64)),
        one("steps, batch 64, full memo", 0.02, lambda e: steps(MemoEngine(e, 1024), 64)),
    ]
    for kernel in others:
        found += _kernel(kernel, "", 0.1)
    return found


def _kernel(kernel: str, where: str, share: float) -> list[Setting]:
    """One kernel, in either mode."""

    def engine(model: FrozenM1, threads: int = 2) -> Any:
        from equalinfo.m1.frozen.cpu.engine import CpuEngine

        return CpuEngine(model, kernel, threads)

    def some_steps(model: FrozenM1) -> Read:
        return steps(engine(model), 512, leave_out_idle=True)

    name = f"cpu {kernel}{where}, threads"
    return [
        Setting(f"{name} 2, whole texts", share, lambda m: whole(engine(m))),
        Setting(f"{name} 2, steps, batch 512", share / 2, some_steps),
        Setting(f"{name} 1, steps, batch 7", share / 20, lambda m: steps(engine(m, 1), 7)),
        Setting(f"{name} 1, steps, batch 1", share / 20, lambda m: steps(engine(m, 1), 1)),
    ]


def avx2() -> list[Setting]:
    """As a CPU with AVX2 and no more runs it."""
    return _kernel("avx2", ", no AVX-512", 0.25)


def portable() -> list[Setting]:
    """As the oldest CPU of its kind runs it."""
    return _kernel("portable", ", no AVX", 0.05)


def jax() -> list[Setting]:
    """The JAX engine on one device."""

    def engine(model: FrozenM1, products: str = "int8") -> Any:
        from equalinfo.m1.frozen.jax_engine import JaxEngine

        return JaxEngine(model, products)

    return [
        Setting("jax int8, whole texts", 0.06, lambda m: whole(engine(m))),
        Setting("jax float32, whole texts", 0.02, lambda m: whole(engine(m, "float32"))),
        Setting("jax bfloat16, whole texts", 0.005, lambda m: whole(engine(m, "bfloat16"))),
        Setting("jax int8, whole texts, batch 1", 0.002, lambda m: whole(engine(m), batch=1)),
        Setting("jax int8, whole texts, batch 7", 0.005, lambda m: whole(engine(m), batch=7)),
        Setting(
            "jax int8, whole texts, padded with noise", 0.005, lambda m: whole(engine(m), noise=37)
        ),
        Setting("jax int8, steps, batch 512", 0.01, lambda m: steps(engine(m), 512), (16, 64)),
        Setting("jax int8, steps, batch 4096", 0.01, lambda m: steps(engine(m), 4096), (16,)),
        Setting("jax int8, steps, batch 7", 0.001, lambda m: steps(engine(m), 7)),
        Setting("jax int8, steps, batch 1", 0.0002, lambda m: steps(engine(m), 1)),
        Setting("jax float32, steps, batch 64", 0.002, lambda m: steps(engine(m, "float32"), 64)),
        Setting("jax bfloat16, steps, batch 64", 0.001, lambda m: steps(engine(m, "bfloat16"), 64)),
        Setting("jax int8, no jit, whole texts", 0.0004, lambda m: _without_jit(whole(engine(m)))),
        Setting(
            "jax float32, no jit, whole texts",
            0.0002,
            lambda m: _without_jit(whole(engine(m, "float32"))),
        ),
        Setting(
            "jax int8, no jit, whole texts, unpadded",
            0.0002,
            lambda m: _without_jit(_exactly(m, "int8")),
        ),
        Setting(
            "jax int8, no jit, steps",
            0.0002,
            lambda m: _without_jit(steps(engine(m), 64)),
            (16, 64),
        ),
    ]


def another_jax() -> list[Setting]:
    """The JAX engine, with another version of JAX."""
    wanted = {
        "jax int8, whole texts": 0.02,
        "jax float32, whole texts": 0.01,
        "jax int8, steps, batch 512": 0.005,
    }
    return [
        setting._replace(name=f"other {setting.name}", share=wanted[setting.name])
        for setting in jax()
        if setting.name in wanted
    ]


def devices() -> list[Setting]:
    """Eight devices: lanes spread over some, matrices over the others."""

    def engine(model: FrozenM1, batch: int, products: str = "int8") -> Any:
        from benchmarks.m1_matrix.sharded import ShardedEngine

        return ShardedEngine(model, batch, products)

    found = []
    for batch, what in ((8, "batch 8"), (1, "model 8"), (2, "batch 2, model 4")):
        for products in ("int8", "float32"):
            found.append(
                Setting(
                    f"jax {products}, 8 devices ({what}), whole texts",
                    0.002,
                    lambda m, b=batch, p=products: whole(engine(m, b, p)),  # type: ignore[misc]
                )
            )
        found.append(
            Setting(
                f"jax int8, 8 devices ({what}), steps",
                0.001,
                lambda m, b=batch: steps(engine(m, b), 64),  # type: ignore[misc]
            )
        )
    return found


def torch() -> list[Setting]:
    """PyTorch, an implementation of its own; none where its module is missing."""
    if not TORCH_NETWORK.exists():
        return []

    def make(model: FrozenM1) -> Read:
        module: Any = importlib.import_module("tests.m1.frozen.torch_network")
        network = module.TorchNetwork(model)

        def read(texts: Texts) -> Numbers:
            out, every = [], texts.all()
            for first in range(0, len(every), 16):
                some = every[first : first + 16]
                padded = np.zeros((len(some), max(map(len, some))), np.int64)
                for row, text in zip(padded, some, strict=True):
                    row[: len(text)] = text
                for text, rows in zip(some, network.logits(padded, texts.context), strict=True):
                    out.append(numbers(rows[: len(text) + 1]))
            return np.concatenate(out)

        return read

    return [Setting("PyTorch, whole texts", 0.002, make)]


GROUPS: dict[str, Callable[[], list[Setting]]] = {
    "cpu": cpu,
    "avx2": avx2,
    "portable": portable,
    "jax": jax,
    "another jax": another_jax,
    "devices": devices,
    "torch": torch,
}


def _exactly(model: FrozenM1, products: str) -> Read:
    """Each text by itself, at its own length."""
    import jax.numpy as jnp

    from equalinfo.m1.frozen import jax_network

    net = jax_network.network(model, products)
    params = jax_network.parameters(model, products)

    def one(text: Ints, context: int) -> Numbers:
        cache = jax_network.empty_cache(model.shape, 1, 0)
        ids = jnp.asarray(np.concatenate([[START], text])[None], jnp.int32)
        _, logits = jax_network.read_sequence(net, context, params, cache, jnp.int32(0), ids)
        return numbers(np.asarray(logits[0]))

    return lambda texts: np.concatenate([one(text, texts.context) for text in texts.all()])


def _without_jit(read: Read) -> Read:
    def slowly(texts: Texts) -> Numbers:
        import jax

        disabled: contextlib.AbstractContextManager[Any] = jax.disable_jit()
        with disabled:
            return read(texts)

    return slowly
