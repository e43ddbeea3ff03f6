"""The engine on whatever JAX runs on; see `jax_network` for the arithmetic."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from equalinfo.m1.frozen import jax_network as engine
from equalinfo.m1.frozen.file import START, FrozenM1

Logits = npt.NDArray[np.int16]

_ROWS = 8192  # symbols that pass the network together when whole texts are read
_CHUNK = 256  # of them, symbols of one text
_MULTIPLE = 64  # lanes are padded to it: fewer shapes to compile


def platform() -> str:
    """What JAX runs on: cpu, gpu, tpu."""
    return str(jax.default_backend())


class JaxState:
    """Caches of some lanes, on the device."""

    def __init__(self, lanes: int, cache: engine.Cache) -> None:
        self.lanes = lanes
        self.cache = cache
        self.positions = jnp.zeros(cache.keys.shape[1], jnp.int32)


class JaxEngine:
    """Runs a frozen M1 with JAX; gives the integers of `reference`."""

    def __init__(self, model: FrozenM1, products: str | None = None) -> None:
        """Put the tensors on the device.

        Args:
          model: the frozen M1.
          products: see `jax_network.network`; None: int8 where the backend multiplies it well (CPU,
            GPU), bfloat16 on a TPU.
        """
        if products is None:
            products = "bfloat16" if platform() == "tpu" else "int8"
        self.name = f"jax {jax.__version__} on {platform()}, {products}"
        self.slow = ""
        if platform() == "cpu":
            self.slow = "On a CPU its own kernels (EQUALINFO_BACKEND=cpu) are many times as fast"
        self.model = model
        self._net = engine.network(model, products)
        self._params = engine.parameters(model, products)

    def start(self, lanes: int, context: int) -> JaxState:
        """Caches for `lanes` empty texts."""
        padded = -(-lanes // _MULTIPLE) * _MULTIPLE
        return JaxState(lanes, engine.empty_cache(self.model.shape, padded, context))

    def step(
        self, state: JaxState, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Logits:
        """Read one symbol a lane; see `CpuEngine.step`."""
        padding = (0, len(state.positions) - state.lanes)
        resets = jnp.asarray(np.pad(reset, padding)) | (state.positions == 0)
        state.cache, state.positions, logits = self._step(
            self._params, self._marker, state.cache, state.positions,
            jnp.asarray(np.pad(np.asarray(symbols, np.int32), padding)), resets,
        )  # fmt: skip
        return np.asarray(logits)[: state.lanes]

    def sequences(
        self,
        texts: Sequence[npt.NDArray[np.integer]],
        context: int,
        take: Callable[[int, int, Logits], None],
    ) -> None:
        """Read whole texts; see `CpuEngine.sequences`."""
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        lanes = max(1, _ROWS // _CHUNK)
        for first in range(0, len(order), lanes):
            self._read_group(order[first : first + lanes], texts, context, take)

    def _read_group(
        self,
        group: list[int],
        texts: Sequence[npt.NDArray[np.integer]],
        context: int,
        take: Callable[[int, int, Logits], None],
    ) -> None:
        """Texts side by side, the longest first; short ones are padded, which they cannot see."""
        longest = len(texts[group[0]]) + 1
        # Few different shapes: powers of two, up to the chunk.
        chunk = min(_CHUNK, 1 << (longest - 1).bit_length())
        lanes = 1 << (len(group) - 1).bit_length()
        length = -(-longest // chunk) * chunk
        symbols = np.zeros((lanes, length), np.int32)
        symbols[:, 0] = START
        for row, index in enumerate(group):
            symbols[row, 1 : len(texts[index]) + 1] = texts[index]
        cache = engine.empty_cache(self.model.shape, lanes, 0)
        read = self._sequence(context)
        for first in range(0, length, chunk):
            cache, logits = read(
                self._params,
                cache,
                jnp.int32(first),
                jnp.asarray(symbols[:, first : first + chunk]),
            )
            rows = np.asarray(logits)
            for row, index in enumerate(group):
                count = min(chunk, len(texts[index]) + 1 - first)
                if count > 0:
                    take(index, first, rows[row, :count])

    def _sequence(self, context: int) -> Any:
        return _compiled_sequence(self._net, context)

    @functools.cached_property
    def _step(self) -> Any:
        return jax.jit(functools.partial(engine.read_step, self._net), donate_argnums=2)

    @functools.cached_property
    def _marker(self) -> engine.Cache:
        """A cache of one slot that holds the start marker."""
        empty = engine.empty_cache(self.model.shape, 1, 0)
        marker, _ = self._sequence(2)(
            self._params, empty, jnp.int32(0), jnp.full((1, 1), START, jnp.int32)
        )
        return marker


@functools.lru_cache(maxsize=64)
def _compiled_sequence(net: engine.Network, context: int) -> Any:
    return jax.jit(functools.partial(engine.read_sequence, net, context))
