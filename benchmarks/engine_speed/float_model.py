"""For contrast: the byte LM in floats, thousands of lanes stepping together in a jitted network.

Its frequencies are the same only on one machine with one set of libraries, and only in these steps:
a whole-sequence pass gives other last bits, hence other frequencies [paper 3.7].
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, NUM_SYMBOLS
from equalinfo.apportionment import threshold
from equalinfo.ids import symbols_to_ids
from equalinfo.jit import njit
from equalinfo.lm.config import ModelConfig
from equalinfo.lm.model import Transformer
from equalinfo.m1.base import Frequencies, check_precision

_LANES = 256  # of one jitted step; enough rows for the matrix products, few enough for the caches
PyTree = Any

_FRACTION_BITS = 30  # of p M in fixed point: what follows is integer

# Column of the logits for each symbol: byte + 3, EOS -> 1, as `ids.symbols_to_ids` has it.
_COLUMNS = symbols_to_ids(np.arange(NUM_SYMBOLS, dtype=np.uint16))


class _Block:
    """One jitted batch of `_LANES` lanes."""

    def __init__(self, cache: PyTree) -> None:
        self.cache = cache
        self.positions = np.ones(_LANES, np.int32)  # position 0 is the start marker


class _State:
    """Blocks of lanes; the last one is padded."""

    def __init__(self, lanes: int, blocks: list[_Block]) -> None:
        self.lanes = lanes
        self.blocks = blocks


class NeuralModel:
    """A byte LM in floats. See `FrequencyModel` for the interface."""

    def __init__(
        self, config: ModelConfig, params: PyTree, max_context: int, precision: int = 16
    ) -> None:
        """Wrap parameters.

        Args:
          config: architecture; its activations' dtype is part of the function.
          params: of `equalinfo.lm.model.Transformer`, float32.
          max_context: tokens of context it was trained with.
          precision: P; frequencies sum to 2^P.
        """
        check_precision(precision)
        self.config = config
        self.params = jax.tree.map(jnp.asarray, params)
        self.max_context = max_context
        self.precision = precision
        self._model = Transformer(config)
        self._root: Frequencies | None = None

    def root(self) -> Frequencies:
        """See `FrequencyModel`."""
        if self._root is None:
            _, logits = self._start_marker
            self._root = from_logits(np.asarray(logits[0]), self.precision)
        return self._root

    def start(self, lanes: int, context: int) -> _State:
        """See `FrequencyModel`; `context` counts tokens, with the start marker while it is near."""
        blocks = [_Block(self._empty_cache(context)) for _ in range(-(-lanes // _LANES))]
        return _State(lanes, blocks)

    def step(
        self, state: _State, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Frequencies:
        """See `FrequencyModel`."""
        padding = len(state.blocks) * _LANES - state.lanes
        ids = symbols_to_ids(np.pad(np.asarray(symbols), (0, padding), constant_values=EOS))
        resets = np.pad(reset, (0, padding))
        running = []
        for i, block in enumerate(state.blocks):
            rows = slice(i * _LANES, (i + 1) * _LANES)
            block.positions[resets[rows]] = 1
            block.cache, logits = self._step(
                self.params, block.cache, ids[rows], block.positions.copy(), resets[rows]
            )
            block.positions += 1
            running.append(logits)
        logits = np.concatenate([np.asarray(x) for x in running])[: state.lanes]
        return from_logits(logits, self.precision)

    @functools.cached_property
    def _step(self) -> Any:
        """jit((params, cache, ids [B], positions [B], reset [B]) -> (cache, logits [B, 257]))."""
        marker_cache, _ = self._start_marker

        def step(
            params: PyTree, cache: PyTree, ids: jax.Array, positions: jax.Array, reset: jax.Array
        ) -> tuple[PyTree, jax.Array]:
            # An emptied lane holds the start marker in slot 0; the other slots are out of sight.
            def put_marker(slots: jax.Array, marker: jax.Array) -> jax.Array:
                if slots.ndim == 1:  # the cache's own token count, which `positions` replaces
                    return slots
                first_slot = jnp.arange(slots.shape[2])[None, :] == 0
                return jnp.where((reset[:, None] & first_slot)[:, None, :, None], marker, slots)

            cache = jax.tree.map(put_marker, cache, marker_cache)
            logits, variables = self._model.apply(
                {"params": params, "cache": cache},
                ids[:, None],
                decoder_positions=positions,
                decode=True,
                mutable=["cache"],
            )
            return variables["cache"], logits[:, 0, _COLUMNS]

        return jax.jit(step, donate_argnums=1)

    @functools.cached_property
    def _start_marker(self) -> tuple[PyTree, jax.Array]:
        """(cache of one slot that holds the start marker, logits [1, 257] after it)."""
        empty = self._zero_cache(1, 1)
        logits, variables = self._model.apply(
            {"params": self.params, "cache": empty},
            jnp.zeros((1, 1), jnp.int32),
            decoder_positions=jnp.zeros(1, jnp.int32),
            decode=True,
            mutable=["cache"],
        )
        return variables["cache"], logits[:, 0, _COLUMNS]

    def _zero_cache(self, lanes: int, slots: int) -> PyTree:
        shapes = jax.eval_shape(
            lambda: self._model.apply(
                {"params": self.params},
                jnp.zeros((lanes, slots), jnp.int32),
                decode=True,
                mutable=["cache"],
            )[1]["cache"]
        )
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

    def _empty_cache(self, slots: int) -> PyTree:
        marker, _ = self._start_marker
        return jax.tree.map(
            lambda zeros, m: zeros if zeros.ndim == 1 else zeros.at[:, :, :1].set(m),
            self._zero_cache(_LANES, slots),
            marker,
        )


def from_logits(logits: npt.ArrayLike, precision: int = 16) -> Frequencies:
    """Softmax in float64, then the rule of `equalinfo.frequencies`.

    Args:
      logits: float32[..., 257], in nats, any offset.
      precision: P.

    Returns:
      uint32[..., 257], each >= 1, rows sum to 2^precision.

    Raises:
      ValueError: a row with a NaN or +inf, or with -inf everywhere.
    """
    check_precision(precision)
    array = np.asarray(logits)
    rows = _rows(array, "logits")
    out = np.empty(rows.shape, np.uint32)
    bad = _share_softmax_rows(rows, precision, out)
    if bad >= 0:
        raise ValueError(
            f"logits in row {bad} span {rows[bad].min()} to {rows[bad].max()}; expected numbers "
            "below +inf. M1's parameters, or its input, are damaged."
        )
    return out.reshape(array.shape)


def _rows(array: npt.NDArray[np.floating], what: str) -> npt.NDArray[np.float64]:
    if array.ndim < 1 or array.shape[-1] != NUM_SYMBOLS:
        raise ValueError(f"{what} have shape {array.shape}; expected [..., {NUM_SYMBOLS}].")
    # A fresh array: `_share_softmax_rows` works in place.
    return np.array(array, np.float64, order="C").reshape(-1, NUM_SYMBOLS)


@njit(cache=True, nogil=True)
def _share(
    row: npt.NDArray[np.float64],
    total: float,
    precision: int,
    remainders: npt.NDArray[np.int32],
    out: npt.NDArray[np.uint32],
) -> None:
    points = (1 << precision) - NUM_SYMBOLS
    scale = float(points << _FRACTION_BITS)
    left = points
    for symbol in range(NUM_SYMBOLS):
        # Rounding can carry a probability near 1 past the last point; it may not take more.
        fixed = min(int(row[symbol] / total * scale), points << _FRACTION_BITS)
        floor = fixed >> _FRACTION_BITS
        remainders[symbol] = fixed & ((1 << _FRACTION_BITS) - 1)
        out[symbol] = 1 + floor
        left -= floor
    limit, ties = threshold(remainders, left)
    for symbol in range(NUM_SYMBOLS):
        if remainders[symbol] > limit:
            out[symbol] += 1
        elif remainders[symbol] == limit and ties > 0:
            out[symbol] += 1
            ties -= 1


@njit(cache=True, nogil=True)
def _share_softmax_rows(
    rows: npt.NDArray[np.float64], precision: int, out: npt.NDArray[np.uint32]
) -> int:
    """Fill `out`, overwriting good rows of `rows`; return the first bad row, or -1."""
    remainders = np.empty(NUM_SYMBOLS, np.int32)
    for index in range(rows.shape[0]):
        row = rows[index]
        largest = -math.inf
        good = True
        for symbol in range(NUM_SYMBOLS):
            good &= row[symbol] < math.inf  # False for NaN too
            largest = max(largest, row[symbol])
        if not good or largest == -math.inf:
            return index
        total = 0.0
        for symbol in range(NUM_SYMBOLS):
            row[symbol] = math.exp(row[symbol] - largest)
            total += row[symbol]
        _share(row, total, precision, remainders, out[index])
    return -1
