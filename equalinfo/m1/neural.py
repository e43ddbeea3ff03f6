"""The byte LM as a `FrequencyModel`: thousands of lanes step together through a jitted network.

The frequencies come from floats, so they are the same only on one machine with one set of libraries
(`float_border`); there, they must not depend on how texts are spread over lanes. A fixed internal
batch sees to that, and `start` proves it by a self-test.

Encoder and decoder both use these steps. A whole-sequence pass is faster but gives other last bits,
hence other frequencies, hence text that cannot be decoded [paper 3.7].
"""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from equalinfo import frequencies
from equalinfo.alphabet import EOS, NUM_SYMBOLS
from equalinfo.lm.config import ModelConfig
from equalinfo.lm.data import symbols_to_ids
from equalinfo.lm.model import Transformer
from equalinfo.m1.base import Frequencies

FORMAT_VERSION = 1
_LANES = 256  # of one jitted step; enough rows for the matrix products, few enough for the caches
PyTree = Any

# Column of the logits for each symbol: byte + 3, EOS -> 1, as `lm.data.symbols_to_ids` has it.
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
    """A byte LM read from one file. See `FrequencyModel` for the interface."""

    float_border = True

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
        frequencies.check_precision(precision)
        self.config = config
        self.params = jax.tree.map(jnp.asarray, params)
        self.max_context = max_context
        self.precision = precision
        self._model = Transformer(config)
        self._checked: set[int] = set()
        self._root: Frequencies | None = None

    @functools.cached_property
    def sha256(self) -> str:
        """Of the parameters, the architecture and the precision."""
        digest = hashlib.sha256(
            json.dumps([self.config.to_json(), self.max_context, self.precision]).encode()
        )
        for name, value in sorted(_flatten(self.params).items()):
            digest.update(name.encode() + b"\0" + np.ascontiguousarray(value).tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write one safetensors file; the same model gives the same bytes."""
        header = {
            "kind": "neural",
            "format_version": FORMAT_VERSION,
            "config": self.config.to_json(),
            "max_context": self.max_context,
        }
        # One metadata key: safetensors writes several in no fixed order.
        metadata = {"equalinfo": json.dumps(header, sort_keys=True)}
        save_file(_flatten(self.params), str(path), metadata)

    @classmethod
    def load(cls, path: Path, precision: int = 16) -> "NeuralModel":
        """Read a file that `save` wrote.

        Raises:
          ValueError: the file is of another kind or version, or its parameters do not fit its
            architecture.
        """
        try:
            header, flat = _read(path)
        except (SafetensorError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not a frozen M1, or it is damaged: {error}") from error
        try:
            config, max_context = ModelConfig.from_json(header["config"]), header["max_context"]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}: its header is damaged: {error!r}") from error
        if type(max_context) is not int or max_context < 1:
            raise ValueError(f"{path}: max_context is {max_context!r}, expected an integer >= 1.")
        _check_shapes(config, flat, Path(path))
        return cls(config, unflatten_dict(flat, sep="/"), max_context, precision)

    def root(self) -> Frequencies:
        """See `FrequencyModel`."""
        if self._root is None:
            _, logits = self._start_marker
            self._root = frequencies.from_logits(np.asarray(logits[0]), self.precision)
        return self._root

    def start(self, lanes: int, context: int) -> _State:
        """See `FrequencyModel`; `context` counts tokens, with the start marker while it is near.

        Raises:
          ValueError: context below 2.
          RuntimeError: the self-test found that a lane's frequencies depend on its place.
        """
        if context < 2:
            raise ValueError(
                f"context={context} is too short: use 2 or more (4 * window_bits, say)."
            )
        if lanes < 1:
            raise ValueError(f"lanes={lanes} must be at least 1.")
        if context not in self._checked:
            self._self_test(context)
            self._checked.add(context)
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
        return frequencies.from_logits(logits, self.precision)

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

    def _self_test(self, context: int, steps: int = 12) -> None:
        """A lane's frequencies must depend on its own text alone, not on place or neighbours."""
        rng = np.random.default_rng(0)
        text = rng.integers(97, 123, steps).astype(np.int32)
        same = np.repeat(text[:, None], _LANES, axis=1)
        mixed = rng.integers(0, NUM_SYMBOLS, (steps, _LANES)).astype(np.int32)
        mixed[:, :: _LANES // 4] = text[:, None]
        no_reset = np.zeros(_LANES, np.bool_)
        first = _State(_LANES, [_Block(self._empty_cache(context))])
        second = _State(_LANES, [_Block(self._empty_cache(context))])
        for i in range(steps):
            one = self.step(first, same[i], no_reset)
            two = self.step(second, mixed[i], no_reset)[:: _LANES // 4]
            for what, rows in (("its place in the batch", one), ("its neighbours", two)):
                if np.any(rows != one[:1]):
                    raise RuntimeError(
                        f"M1 is not deterministic here: after {i + 1} symbols the frequencies of "
                        f"the same text differ with {what} (context={context}, {_LANES} lanes, "
                        f"backend {jax.default_backend()}, jax {jax.__version__}). Text coded now "
                        "could not be decoded. Use a codebook (windows of at most 20 bits), or "
                        "another backend."
                    )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and tensors of a frozen M1."""
    with safe_open(str(path), "numpy") as file:
        text = (file.metadata() or {}).get("equalinfo")
        header = json.loads(text) if text else {}
        kind = header.get("kind") if isinstance(header, dict) else None
        if kind != "neural":
            raise ValueError(
                f"{path} is not an M1 of this project (kind={kind!r}, expected "
                "'neural'). Make one with NeuralModel.save."
            )
        if header.get("format_version") != FORMAT_VERSION:
            raise ValueError(
                f"{path} has format version {header.get('format_version')!r}, this version of "
                f"equalinfo reads {FORMAT_VERSION}."
            )
        return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _flatten(params: PyTree) -> dict[str, npt.NDArray[Any]]:
    return {name: np.asarray(value) for name, value in flatten_dict(params, sep="/").items()}


def _check_shapes(config: ModelConfig, flat: dict[str, npt.NDArray[Any]], path: Path) -> None:
    expected = jax.eval_shape(
        lambda: Transformer(config).init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32))["params"]
    )
    shapes = {name: value.shape for name, value in flatten_dict(expected, sep="/").items()}
    for name in sorted(shapes.keys() | flat.keys()):
        got = flat[name].shape if name in flat else None
        if got != shapes.get(name):
            raise ValueError(
                f"{path}: parameter {name!r} has shape {got}, the architecture in its header needs "
                f"{shapes.get(name)}. The file is damaged or was written by another version."
            )
        if flat[name].dtype != np.float32 or not np.all(np.isfinite(flat[name])):
            raise ValueError(
                f"{path}: parameter {name!r} must be finite float32, got {flat[name].dtype}."
            )
