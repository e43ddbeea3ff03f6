"""The frozen M1 as a `FrequencyModel`: the same frequencies on every machine, in either mode."""

import functools
import hashlib
import importlib.util
import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from equalinfo import frequencies
from equalinfo.alphabet import Symbols
from equalinfo.m1.base import Frequencies, check_precision
from equalinfo.m1.frozen import file as files
from equalinfo.m1.frozen.counts.engine import CountsEngine
from equalinfo.m1.frozen.counts.tables import TEXT_CONTEXT, FrozenCounts
from equalinfo.m1.frozen.cpu import tiles
from equalinfo.m1.frozen.cpu.engine import CpuEngine, misfit
from equalinfo.m1.frozen.cpu.memo import MemoEngine
from equalinfo.m1.frozen.file import FrozenM1
from equalinfo.m1.frozen.self_test import self_test
from equalinfo.m1.frozen.threads import num_threads, spread

Logits = npt.NDArray[np.int16]
_MAX_CONTEXT = (1 << 31) // 127**2  # attention's sums of weights times values stay in int32
_ROWS = 512  # of frequencies, shared out by a thread in a go
BACKENDS = ("cpu", "jax")

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """Runs the network: `cpu.CpuEngine` or `jax_engine.JaxEngine`.

    Attributes:
      name: of what it runs on, for people.
      slow: where others are much faster, what to do; else empty.
    """

    @property
    def name(self) -> str: ...

    @property
    def slow(self) -> str: ...

    def start(self, lanes: int, context: int) -> Any:
        """State of `lanes` empty texts."""

    def step(
        self, state: Any, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Logits:
        """Read one symbol a lane: int16[lanes, 257]."""

    def sequences(self, texts: Sequence[npt.NDArray[np.integer]], context: int, take: Any) -> None:
        """Read whole texts; see `CpuEngine.sequences`."""


class FrozenModel:
    """Frequencies of a frozen M1. See `FrequencyModel` for the interface."""

    def __init__(
        self,
        frozen: FrozenM1 | None,
        precision: int = 16,
        backend: str | None = None,
        counts: FrozenCounts | None = None,
    ) -> None:
        """Make the engine, and prove it on a self-test.

        Args:
          frozen: the network; None: counts alone.
          precision: P; frequencies sum to 2^P.
          backend: what runs the network: "cpu" (numba; EQUALINFO_KERNEL names the kernel) or "jax"
            (whatever JAX runs on: a GPU, a TPU); None: what the environment variable
            EQUALINFO_BACKEND says, else "cpu", unless that has no fast kernel here and JAX finds a
            GPU or TPU, or the network does not fit its tiles. The frequencies are the same. Counts
            run on the CPU.
          counts: mixed into what the network says.

        Raises:
          ValueError: an unknown backend or kernel, or one that cannot run here; neither network nor
            counts.
          RuntimeError: the engine does not give the reference's integers here.
        """
        check_precision(precision)
        self.frozen = frozen
        self.counts = counts
        self.precision = precision
        self.engine = make_engine(frozen, backend, counts)
        self_test(frozen, self.engine, counts)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], precision: int = 16, backend: str | None = None
    ) -> Self:
        """Read an `.eqm` file; see `file.read`."""
        network, counts = files.read(path)
        return cls(network, precision, backend, counts)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the `.eqm` file."""
        made_from = {} if self.frozen is None else self.frozen.made_from
        files.write(path, self.frozen, self.counts, made_from)

    @property
    def network(self) -> FrozenM1:
        """The network; a ValueError where there are counts alone."""
        if self.frozen is None:
            raise ValueError("this M1 has counts and no network.")
        return self.frozen

    @property
    def runs_on(self) -> str:
        """The engine and its kernel, for people."""
        return self.engine.name

    @property
    def max_context(self) -> int:
        """Symbols of context it was made for: as trained, or for texts with a history."""
        if self.counts is not None:
            return TEXT_CONTEXT
        assert self.frozen is not None
        return self.frozen.shape.max_context

    @functools.cached_property
    def sha256(self) -> str:
        """Of network, counts and precision."""
        content = files.content_sha256(self.frozen, self.counts)
        return hashlib.sha256(f"{content} {self.precision}".encode()).hexdigest()

    def root(self) -> Frequencies:
        """See `FrequencyModel`."""
        return self._root

    @functools.cached_property
    def _root(self) -> Frequencies:
        rows: list[Logits] = []
        empty = np.empty(0, np.int64)
        self.engine.sequences([empty], 16, lambda text, place, part: rows.append(part))
        return frequencies.from_log2(rows[0][0], self.precision)

    def start(self, lanes: int, context: int) -> Any:
        """See `FrequencyModel`; `context` counts the start marker while it is near.

        Raises:
          ValueError: context below 2, or no lanes.
        """
        check_context(context)
        if lanes < 1:
            raise ValueError(f"lanes={lanes} must be at least 1.")
        return self.engine.start(lanes, context)

    def step(
        self, state: Any, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Frequencies:
        """See `FrequencyModel`."""
        logits = self.engine.step(state, symbols, reset)
        out = np.empty(logits.shape, np.uint32)

        def share(begin: int, end: int) -> None:
            frequencies.share_log2_rows(
                logits[begin:end], frequencies.LOG2_WEIGHTS, self.precision, out[begin:end]
            )

        spread(share, len(logits), _ROWS, num_threads())
        return out

    def intervals(
        self,
        texts: Sequence[Symbols],
        context: int,
        progress: Callable[[int], object] | None = None,
    ) -> list[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]]:
        """See `WholeTextModel`; `context` as for `start`."""
        check_context(context)
        out = [(np.empty(len(t), np.uint32), np.empty(len(t), np.uint32)) for t in texts]
        symbols = [np.asarray(text, np.int64) for text in texts]

        def take(text: int, place: int, logits: Logits) -> None:
            here = symbols[text][place : place + len(logits)]
            starts, sizes = (x[place : place + len(here)] for x in out[text])
            frequencies.intervals_log2(
                logits, frequencies.LOG2_WEIGHTS, self.precision, here, starts, sizes
            )
            if progress is not None:
                progress(len(here))

        # What follows the last symbol is not asked for.
        self.engine.sequences([text[:-1] for text in symbols], context, take)
        return out


def check_context(context: int) -> None:
    """Raise ValueError for contexts that hold the start marker alone, or whose sums leave int32."""
    if not 2 <= context <= _MAX_CONTEXT:
        raise ValueError(
            f"context={context} is not in 2..{_MAX_CONTEXT:,}: use 4 * window_bits, say."
        )


def make_engine(
    frozen: FrozenM1 | None, backend: str | None, counts: FrozenCounts | None = None
) -> Engine:
    """See `FrozenModel`; the engine without its self-test."""
    engine = None if frozen is None else _network_engine(frozen, backend)
    if counts is not None:
        engine = CountsEngine(counts, engine)
    if engine is None:
        raise ValueError("an M1 has a network, or counts, or both: nothing to run.")
    _tell(engine.name, engine.slow)
    return engine


def _network_engine(frozen: FrozenM1, backend: str | None) -> Engine:
    backend = backend or os.environ.get("EQUALINFO_BACKEND") or _default_backend(frozen)
    if backend not in BACKENDS:
        raise ValueError(
            f"backend={backend!r} (or EQUALINFO_BACKEND) is not one of {', '.join(BACKENDS)}."
        )
    if backend == "jax":
        from equalinfo.m1.frozen.jax_engine import JaxEngine

        return JaxEngine(frozen)
    return MemoEngine(CpuEngine(frozen))


@functools.cache  # once a process
def _tell(name: str, slow: str) -> None:
    if slow:
        _log.warning("M1 runs slowly: %s. %s.", name, slow)
    else:
        _log.info("M1 runs on %s.", name)


def _default_backend(frozen: FrozenM1) -> str:
    has_jax = importlib.util.find_spec("jax") is not None
    if why := misfit(frozen.shape):
        if has_jax:
            _log.warning("%s: the JAX engine runs this M1.", why)
        return "jax" if has_jax else "cpu"
    slow = tiles.choose() == "portable" and not os.environ.get(tiles.KERNEL_VARIABLE)
    return "jax" if slow and has_jax and _accelerator() else "cpu"


def _accelerator() -> bool:
    """Whether JAX finds a GPU or TPU; it is asked, which takes seconds, only where it might."""
    if all(importlib.util.find_spec(plugins) is None for plugins in ("jax_plugins", "libtpu")):
        return False
    from equalinfo.m1.frozen.jax_engine import platform

    return platform() != "cpu"
