"""From float parameters to the frozen M1: scales are chosen on calibration text.

Real number = integer x step. A norm's own scale and the steps of its output go into the rows of
the matrices that read it, so each channel has its own step at no cost; each column of a matrix has
its own step, which its multiplier turns into that of what comes next.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.ids import symbols_to_ids
from equalinfo.lm.config import ModelConfig
from equalinfo.lm.model import Dense, RMSNorm, Transformer, relative_bucket
from equalinfo.m1.frozen import arithmetic as a
from equalinfo.m1.frozen.file import FrozenM1, Shape
from equalinfo.m1.frozen.model import FrozenModel

Array = npt.NDArray[np.floating]
_IDS = symbols_to_ids(np.arange(NUM_SYMBOLS, dtype=np.uint16))
_TOP = (1 << a.MULTIPLIER_BITS) - 1
_CLIPS = np.linspace(0.5, 1.0, 11)  # of the largest magnitude, tried for each channel


def freeze(
    config: ModelConfig,
    params: Any,
    text: npt.NDArray[np.integer],
    max_context: int,
    made_from: dict[str, Any] | None = None,
) -> FrozenM1:
    """Quantise a byte LM.

    Args:
      config: its architecture: gated ReLU, no dropout.
      params: of `equalinfo.lm.model.Transformer`, float32.
      text: int[examples, L], symbols of typical text, to see how large activations become; 16,384
        symbols are enough.
      max_context: symbols of context it was trained with.
      made_from: noted in the file.

    Raises:
      ValueError: an architecture that integers are not written for.
    """
    if config.mlp_activations != ("relu", "linear"):
        raise ValueError(
            f"mlp_activations={config.mlp_activations}: only the gated ReLU ('relu', 'linear') can "
            "be frozen."
        )
    seen = _activations(config, params, text)
    builder = _Builder(params["decoder"], seen, config)
    for layer in range(config.num_layers):
        builder.add_attention(layer)
        builder.add_mlp(layer)
    builder.add_logits()
    sizes = (config.embed_dim, config.num_heads, config.num_layers, config.head_dim, config.mlp_dim)
    shape = Shape(*sizes, config.relative_max_distance, max_context)
    return FrozenM1(shape, builder.tensors, builder.shifts, made_from or {})


def information(
    config: ModelConfig, params: Any, frozen: FrozenModel, text: npt.NDArray[np.integer]
) -> tuple[float, float]:
    """Bits per symbol under the float model and under the frozen one.

    Args:
      config: architecture.
      params: float parameters.
      frozen: made of them.
      text: int[examples, L], symbols; each example is read by itself.
    """
    nats = jax.nn.log_softmax(_logits(config, params, text)[..., _IDS])
    before = -np.take_along_axis(np.asarray(nats), np.asarray(text)[..., None], axis=-1)
    sizes = np.stack([size for _, size in frozen.intervals(list(text), text.shape[1] + 1)])
    after = frozen.precision - np.mean(np.log2(sizes.astype(np.float64)))
    return float(np.mean(before) / np.log(2)), float(after)


def _logits(config: ModelConfig, params: Any, text: npt.NDArray[np.integer]) -> jax.Array:
    """float32[examples, L, V], each symbol's after those before it."""
    model = Transformer(dataclasses.replace(config, dtype=jnp.dtype(jnp.float32)))
    inputs = np.pad(_IDS[text[:, :-1]], ((0, 0), (1, 0)))
    return jnp.asarray(model.apply({"params": params}, jnp.asarray(inputs)))


@dataclasses.dataclass
class _Seen:
    """Inputs and outputs of the layers on the calibration text, float32[symbols, width]."""

    inputs: dict[str, Array]
    outputs: dict[str, Array]


def _activations(config: ModelConfig, params: Any, text: npt.NDArray[np.integer]) -> _Seen:
    seen = _Seen({}, {})

    def note(next_function: Any, args: Any, kwargs: Any, context: Any) -> Any:
        out = next_function(*args, **kwargs)
        if isinstance(context.module, Dense | RMSNorm) and context.method_name == "__call__":
            name = "/".join(context.module.path[1:])
            seen.inputs[name] = np.asarray(args[0], np.float32).reshape(-1, args[0].shape[-1])
            seen.outputs[name] = np.asarray(out, np.float32).reshape(-1, out.shape[-1])
        return out

    with nn.intercept_methods(note):
        _logits(config, params, text)
    return seen


class _Builder:
    def __init__(self, params: Any, seen: _Seen, config: ModelConfig) -> None:
        self.params, self.seen, self.config = params, seen, config
        self.tensors: dict[str, npt.NDArray[Any]] = {}
        self.shifts: dict[str, int] = {}
        largest = max(np.abs(x).max() for name, x in seen.inputs.items() if name.endswith("norm"))
        # Room for eight times what was seen; and the multipliers after `down` must fit.
        steps = [8 * largest / a.RESIDUAL_LIMIT]
        for layer in range(config.num_layers):
            *_, rows = self._hidden(layer)
            steps.append(_best_steps(rows).max() * 2.0**a.DOWN_SHIFT / _TOP)
        self.residual_step = 2.0 ** np.ceil(np.log2(max(steps)))
        rows = np.asarray(params["token_embedder"], np.float64)
        self._put(
            "embedding", rows[np.append(_IDS, 0)] / self.residual_step, np.int32, a.RESIDUAL_LIMIT
        )

    def add_logits(self) -> None:
        rows = self._norm("final_norm", "decoder_norm", ["logits_dense"])
        kernel = self._kernel("logits_dense")[:, _IDS]
        self._matrix("logits", rows[:, None] * kernel, np.log(2) / (1 << a.LOGIT_BITS))

    def add_attention(self, layer: int) -> None:
        config, here = self.config, f"layers_{layer}/self_attention"
        names = [f"{here}/{name}" for name in ("query", "key", "value")]
        norm = f"layers_{layer}/pre_self_attention_layer_norm"
        rows = self._norm(f"{layer}.attention_norm", norm, names)
        query, key, value = (_best_steps(self.seen.outputs[name]) for name in names)
        # Per head, the product of both steps must be one number, that of the scores.
        products = (query * key).reshape(config.num_heads, config.head_dim)
        unit = np.log(2) / (1 << a.SCORE_BITS)
        multipliers, shift = _multipliers(
            products.max(axis=1) / unit, a.max_attention_multiplier(config.head_dim), 25, np.ceil
        )
        self._put(f"{layer}.score_scale", multipliers, np.int32, 1 << 30)
        self.shifts[f"{layer}.score"] = shift
        wanted = np.repeat(multipliers * unit / 2.0**shift, config.head_dim)
        stretch = np.sqrt(wanted / (query * key))
        for path, step in zip(names, (query * stretch, key * stretch, value), strict=True):
            name = f"{layer}.{path.rpartition('/')[2]}"
            self._matrix(name, rows[:, None] * self._kernel(path), step)
        table = np.asarray(self._at(f"{here}/relpos_bias")["rel_embedding"])
        most = config.relative_max_distance
        buckets = relative_bucket(np.arange(most + 1), config.relative_buckets, most)
        self._put(f"{layer}.bias", table[:, buckets] / unit, np.int32, 1 << 20)
        # Attention gives 1/128 of the values' steps.
        kernel = self._kernel(f"{here}/out")
        out = _best_steps(self.seen.inputs[f"{here}/out"])
        gains, shift = _multipliers(value / 128 / out, _TOP, 30)
        self._put(f"{layer}.attention_scale", gains, np.int32, _TOP)
        self.shifts[f"{layer}.attention"] = shift
        out = value / 128 * 2.0**shift / np.maximum(gains, 1)
        self._matrix(f"{layer}.out", out[:, None] * kernel, self.residual_step)

    def add_mlp(self, layer: int) -> None:
        names = [f"layers_{layer}/mlp/{name}" for name in ("wi_0", "wi_1")]
        rows = self._norm(f"{layer}.mlp_norm", f"layers_{layer}/pre_mlp_layer_norm", names)
        gate, up, down = self._hidden(layer)
        self._matrix(f"{layer}.gate", rows[:, None] * self._kernel(names[0]), gate)
        self._matrix(f"{layer}.up", rows[:, None] * self._kernel(names[1]), up)
        self._matrix(f"{layer}.down", down, self.residual_step, lowest=a.DOWN_SHIFT)

    def _hidden(self, layer: int) -> tuple[Array, Array, Array]:
        """Steps of gate and up, float64[F] each, and the last matrix per unit of their product.

        The steps make all rows of that matrix equally large, as all elements of the product share
        one exponent; they are as small as the range of both factors allows, with a margin.
        """
        here = f"layers_{layer}/mlp"
        kernel = self._kernel(f"{here}/wo")
        gate = _at_least(np.maximum(self.seen.outputs[f"{here}/wi_0"], 0).max(axis=0))
        up = _at_least(np.abs(self.seen.outputs[f"{here}/wi_1"]).max(axis=0))
        step = 1 / (np.sqrt(np.mean(kernel**2, axis=1)) + 1e-9)
        step *= np.max(1.5 * gate * up / step) / ((1 << a.HIDDEN_BITS) - 1) ** 2
        balance = np.sqrt(step / (gate * up))
        return gate * balance, up * balance, step[:, None] * kernel

    def _norm(self, name: str, path: str, readers: list[str]) -> Array:
        """Add a norm; return what its readers' rows are multiplied with, float64[E]."""
        x = self.seen.inputs[path]
        unit = x / np.sqrt(np.mean(x * x, axis=1, keepdims=True))
        step = _best_steps(unit)
        width = x.shape[1]
        gains, shift = _multipliers(np.sqrt(width) / 2.0**15 / step, _TOP, 30)
        self._put(name, gains, np.int32, _TOP)
        self.shifts[name] = shift
        scale = np.asarray(self._at(path)["scale"], np.float64)
        return scale * np.sqrt(width) / 2.0**15 * 2.0**shift / np.maximum(gains, 1)

    def _matrix(self, name: str, values: Array, out_step: float | Array, lowest: int = 13) -> None:
        """Add a matrix of real `values` per input integer, whose outputs count `out_step`."""
        step = _best_steps(values)
        self._put(name, values / step, np.int8, a.INT8)
        ratio = step / out_step
        multipliers, found = _multipliers(ratio, _TOP, 43, lowest=lowest)
        self._put(f"{name}_scale", multipliers, np.int32, _TOP)
        self.shifts[name] = found

    def _put(self, name: str, values: Array, kind: Any, limit: int) -> None:
        self.tensors[name] = np.clip(np.rint(values), -limit, limit).astype(kind)

    def _at(self, path: str) -> Any:
        node = self.params
        for key in path.split("/"):
            node = node[key]
        return node

    def _kernel(self, path: str) -> Array:
        return np.asarray(self._at(path)["kernel"], np.float64)


def _multipliers(
    ratios: Array, top: int, most: int, rounding: Any = np.rint, lowest: int = 1
) -> tuple[Array, int]:
    """Integers m and a shift with m / 2^shift = ratios, nearly; the shift as large as `top` lets.

    Raises:
      ValueError: the ratios are too large for the smallest shift.
    """
    shift = int(np.floor(np.log2(top / np.max(ratios))))
    if shift < lowest:
        raise ValueError(
            f"an activation or weight is too large to be frozen: ratio {np.max(ratios):.3g} needs "
            f"a shift of {shift}, the least is {lowest}. Was M1 trained to its end?"
        )
    shift = min(shift, most)
    return np.minimum(rounding(ratios * 2.0**shift), top), shift


def _best_steps(x: Array) -> Array:
    """For each column of [n, width], the step with the least squared error in int8."""
    largest = _at_least(np.abs(x).max(axis=0))
    best, error = largest / a.INT8, np.full(x.shape[1], np.inf)
    for clip in _CLIPS:
        step = clip * largest / a.INT8
        rounded = np.clip(np.rint(x / step), -a.INT8, a.INT8) * step
        found = np.mean((rounded - x) ** 2, axis=0)
        better = found < error
        best, error = np.where(better, step, best), np.where(better, found, error)
    return best


def _at_least(largest: Array) -> Array:
    """Channels that never speak are given 1% of the loudest one's range, not none."""
    return np.maximum(largest, 0.01 * largest.max() + 1e-9)
