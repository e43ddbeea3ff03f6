"""The frozen M1 in JAX on several devices: lanes spread over some, matrices over the others.

XLA divides the work as the arguments lie; sums over a divided axis are added across devices.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from equalinfo.m1.frozen import jax_network as network
from equalinfo.m1.frozen.file import START, FrozenM1

_LANES = 16  # texts that are read together

# How each matrix is divided over the axis "model": by its outputs, or by its inputs.
_SPLIT = {
    **dict.fromkeys(("query", "key", "value", "gate", "up"), PartitionSpec(None, "model")),
    **dict.fromkeys(("out", "down"), PartitionSpec("model", None)),
    **dict.fromkeys(("gate_scale", "up_scale", "attention_scale"), PartitionSpec("model")),
}


class ShardedEngine:
    """As `JaxEngine`, with all devices there are."""

    def __init__(self, model: FrozenM1, batch: int, products: str) -> None:
        """Spread the tensors.

        Args:
          model: the frozen M1.
          batch: devices over which lanes are spread; matrices are over the rest.
          products: see `jax_network.network`.
        """
        devices = np.array(jax.devices())
        if len(devices) != 8:
            raise RuntimeError(f"{len(devices)} devices, expected 8.")
        self._mesh = Mesh(devices.reshape(batch, -1), ("batch", "model"))
        self.model = model
        self._net = network.network(model, products)
        self._params = {
            name: self._put(value, _SPLIT.get(name.rpartition(".")[2], PartitionSpec()))
            for name, value in network.parameters(model, products).items()
        }
        self._step = jax.jit(functools.partial(network.read_step, self._net))

    def start(self, lanes: int, context: int) -> Any:
        """Cache and positions of `lanes` empty texts; a multiple of the devices."""
        cache = network.empty_cache(self.model.shape, lanes, context)
        positions = jnp.zeros(lanes, jnp.int32)
        return [
            jax.tree.map(lambda x: self._put(x, PartitionSpec(None, "batch")), cache),
            self._put(positions, PartitionSpec("batch")),
        ]

    def step(
        self, state: Any, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int16]:
        """See `CpuEngine.step`."""
        cache, positions = state
        resets = jnp.asarray(reset) | (positions == 0)
        lanes = PartitionSpec("batch")
        cache, positions, logits = self._step(
            self._params, self._marker, cache, positions,
            self._put(jnp.asarray(symbols), lanes), self._put(resets, lanes),
        )  # fmt: skip
        state[:] = cache, positions
        return np.asarray(logits)

    def sequences(self, texts: Any, context: int, take: Any) -> None:
        """See `CpuEngine.sequences`."""
        for first in range(0, len(texts), _LANES):
            some = texts[first : first + _LANES]
            longest = max(len(text) for text in some) + 1
            symbols = np.zeros((_LANES, 1 << (longest - 1).bit_length()), np.int32)
            symbols[:, 0] = START
            for row, text in enumerate(some):
                symbols[row, 1 : len(text) + 1] = text
            cache = network.empty_cache(self.model.shape, _LANES, 0)
            cache = jax.tree.map(lambda x: self._put(x, PartitionSpec(None, "batch")), cache)
            ids = self._put(jnp.asarray(symbols), PartitionSpec("batch"))
            _, logits = self._read(context)(self._params, cache, jnp.int32(0), ids)
            rows = np.asarray(logits)
            for row, text in enumerate(some):
                take(first + row, 0, rows[row, : len(text) + 1])

    @functools.cached_property
    def _marker(self) -> network.Cache:
        empty = network.empty_cache(self.model.shape, 1, 0)
        ids = jnp.full((1, 1), START, jnp.int32)
        cache, _ = self._read(2)(self._params, empty, jnp.int32(0), ids)
        marker: network.Cache = jax.tree.map(lambda x: self._put(x, PartitionSpec()), cache)
        return marker

    @functools.cache  # noqa: B019
    def _read(self, context: int) -> Any:
        return jax.jit(functools.partial(network.read_sequence, self._net, context))

    def _put(self, value: Any, spec: PartitionSpec) -> Any:
        return jax.device_put(value, NamedSharding(self._mesh, spec))
