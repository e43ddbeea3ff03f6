"""The frozen M1 in JAX: the same integers as `reference`, thousands of texts at a time.

All arithmetic is int32 and wraps nowhere; matrix products, where nearly all the time goes, take
int8. So batch size, padding, sharding, jit and backend cannot change a bit of the result.

Letters in shapes: B lanes, T new symbols, C cache slots, S = C + T, E, H, D, F as in `file.Shape`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from equalinfo.m1.frozen import arithmetic as a
from equalinfo.m1.frozen.file import FrozenM1, Shape

Array = jax.Array
PRODUCTS = ("int8", "float32", "bfloat16")
_EXACT_SUM = a.MAX_SUM // (a.INT8 * a.INT8)  # products that floats may add


class Cache(NamedTuple):
    """Keys and values of earlier symbols, int8[layers, B, H, C, D] each."""

    keys: Array
    values: Array


class Network(NamedTuple):
    """What the functions below are compiled for: sizes, shifts, and the kind of matrix products."""

    shape: Shape
    shifts: tuple[tuple[str, int], ...]
    products: str

    def shift(self, name: str) -> int:
        """By name."""
        return dict(self.shifts)[name]


def network(model: FrozenM1, products: str) -> Network:
    """The static part of a model.

    Args:
      model: the frozen M1.
      products: type of the inputs of matrix products: "int8" (sums in int32), "float32", or
        "bfloat16" (sums in float32). All are exact; which is fastest depends on the machine.
    """
    if products not in PRODUCTS:
        raise ValueError(f"products={products!r} is not one of {', '.join(PRODUCTS)}.")
    return Network(model.shape, tuple(sorted(model.shifts.items())), products)


def parameters(model: FrozenM1, products: str) -> dict[str, Array]:
    """The tensors on the device, matrices in the type that products take."""
    kind = jnp.dtype(products)
    return {
        name: jnp.asarray(value, kind if value.dtype == np.int8 else jnp.int32)
        for name, value in model.tensors.items()
    }


def empty_cache(shape: Shape, lanes: int, slots: int) -> Cache:
    """A cache without symbols."""
    size = (shape.num_layers, lanes, shape.num_heads, slots, shape.head_dim)
    return Cache(jnp.zeros(size, jnp.int8), jnp.zeros(size, jnp.int8))


def read_sequence(
    net: Network,
    context: int,
    params: dict[str, Array],
    cache: Cache,
    position: Array,
    symbols: Array,
) -> tuple[Cache, Array]:
    """Read T symbols of each lane; all lanes have read equally many before.

    Args:
      net: static.
      context: a symbol sees itself and the `context - 1` before it; static.
      params: from `parameters`.
      cache: of the last C symbols, the newest last. C = 0, or as many as were read, or context - 1.
      position: int32[], symbols read before, with the start marker.
      symbols: int32[B, T]; START is the start marker, which comes first.

    Returns:
      The new cache, of min(C + T, context - 1 rounded up to T) symbols, and int16[B, T, 257].
    """
    slots, length = cache.keys.shape[3], symbols.shape[1]
    key_place = np.arange(slots + length)
    age = (slots + np.arange(length))[:, None] - key_place[None, :]  # [T, S]
    known = jnp.asarray(key_place)[None, :] >= slots - position
    visible = jnp.asarray((age >= 0) & (age < context)) & known
    distance = jnp.asarray(np.clip(age, 0, net.shape.max_distance))

    def attend(layer: int, query: Array, key: Array, value: Array) -> tuple[Array, Cache]:
        keys = jnp.concatenate([cache.keys[layer], key], axis=2)
        values = jnp.concatenate([cache.values[layer], value], axis=2)
        bias = params[f"{layer}.bias"][None, :, distance]  # [1, H, T, S]
        products = _batched(net, query, keys, keys_last=True)
        scores = _scores(net, params, layer, products, bias)
        weights, total = _softmax_weights(jnp.where(visible[None, None], scores, a.MASKED))
        return _divide(_batched(net, weights, values, keys_last=False), total), Cache(keys, values)

    logits, caches = _layers(net, params, symbols, attend)
    keep = min(slots + length, -(-(context - 1) // length) * length)
    stacked = Cache(*(jnp.stack([x[i][:, :, -keep:] for x in caches]) for i in range(2)))
    return stacked, logits


def read_step(
    net: Network,
    params: dict[str, Array],
    marker: Cache,
    cache: Cache,
    positions: Array,
    symbols: Array,
    reset: Array,
) -> tuple[Cache, Array, Array]:
    """Read one symbol of each lane; each lane has its own place.

    Args:
      net: static.
      params: from `parameters`.
      marker: cache of one slot and one lane that holds the start marker.
      cache: a ring: position p is in slot p % C, so a symbol sees the C - 1 before it.
      positions: int32[B], where the symbols go; 0 is the start marker's.
      symbols: int32[B].
      reset: bool[B]: forget what was read, put the start marker at position 0 and the symbol at 1.

    Returns:
      The cache, the next positions, and int16[B, 257] logits.
    """
    slots = cache.keys.shape[3]
    positions = jnp.where(reset, 1, positions)
    slot = jnp.arange(slots)[None, :]
    here = (positions[:, None] % slots == slot)[:, None, :, None]  # [B, 1, C, 1]
    first = (reset[:, None] & (slot == 0))[:, None, :, None]
    age = (positions[:, None] - slot) % slots  # [B, C]
    visible = (age <= positions[:, None])[:, None, None, :]

    def attend(layer: int, query: Array, key: Array, value: Array) -> tuple[Array, Cache]:
        keys = jnp.where(first, marker.keys[layer], cache.keys[layer])
        values = jnp.where(first, marker.values[layer], cache.values[layer])
        keys, values = jnp.where(here, key, keys), jnp.where(here, value, values)
        bias = params[f"{layer}.bias"][:, jnp.minimum(age, net.shape.max_distance)]  # [H, B, C]
        products = jnp.sum(query.astype(jnp.int32) * keys.astype(jnp.int32), axis=-1)[:, :, None, :]
        scores = _scores(net, params, layer, products, jnp.swapaxes(bias, 0, 1)[:, :, None])
        weights, total = _softmax_weights(jnp.where(visible, scores, a.MASKED))
        sums = jnp.sum(
            weights[:, :, 0, :, None].astype(jnp.int32) * values.astype(jnp.int32), axis=2
        )
        return _divide(sums[:, :, None], total), Cache(keys, values)

    logits, caches = _layers(net, params, symbols[:, None], attend)
    stacked = Cache(*(jnp.stack([x[i] for x in caches]) for i in range(2)))
    return stacked, positions + 1, logits[:, 0]


def _layers(net: Network, params: dict[str, Array], symbols: Array, attend: Any) -> Any:
    """Everything but what differs between the two modes: how a symbol attends."""
    shape = net.shape
    x = params["embedding"][symbols]  # [B, T, E]
    batch, length, _ = x.shape
    caches = []
    for layer in range(shape.num_layers):
        y = _norm(net, params, f"{layer}.attention_norm", x)
        parts = []
        for name in ("query", "key", "value"):
            part = _to_int8(_project(net, params, f"{layer}.{name}", y))
            part = part.reshape(batch, length, shape.num_heads, shape.head_dim)
            parts.append(jnp.swapaxes(part, 1, 2))  # [B, H, T, D]
        out, own = attend(layer, *parts)
        caches.append(own)
        out = jnp.swapaxes(out, 1, 2).reshape(batch, length, shape.inner_dim)
        scale = params[f"{layer}.attention_scale"][None, None]
        out = _to_int8(_shift(out * scale, net.shift(f"{layer}.attention")))
        x = _add(x, _project(net, params, f"{layer}.out", out))
        x = _add(x, _mlp(net, params, layer, x))
    y = _norm(net, params, "final_norm", x)
    logits = _project(net, params, "logits", y)
    return jnp.clip(logits, -a.LOGIT_LIMIT, a.LOGIT_LIMIT).astype(jnp.int16), caches


def _scores(
    net: Network, params: dict[str, Array], layer: int, products: Array, bias: Array
) -> Array:
    multiplier = params[f"{layer}.score_scale"][None, :, None, None]
    return _shift(products * multiplier, net.shift(f"{layer}.score")) + bias


def _softmax_weights(scores: Array) -> tuple[Array, Array]:
    """int8[..., S] weights, 127 for the largest score; int32[..., 1] their sum."""
    distance = jnp.max(scores, axis=-1, keepdims=True) - scores
    fraction = distance & ((1 << a.SCORE_BITS) - 1)
    whole = jnp.minimum(distance >> a.SCORE_BITS, 15)
    square = fraction * a.EXP2_SQUARE >> a.SCORE_BITS
    power = (1 << 15) - (fraction * (a.EXP2_LINEAR - square) >> a.SCORE_BITS)
    power = power * a.INT8 >> 7
    weights = (power + (128 << whole)) >> (8 + whole)
    return weights.astype(jnp.int8), jnp.sum(weights, axis=-1, keepdims=True)


def _divide(sums: Array, total: Array) -> Array:
    """Sums / total in 2^-7, by a reciprocal of 15 bits."""
    length = _bit_length(total)
    down, up = jnp.maximum(length - 15, 0), jnp.maximum(15 - length, 0)
    inverse, down, up = lax.optimization_barrier(((1 << 29) // (total << up >> down), down, up))
    return _multiply(sums << up >> down, inverse, 22)


def _mlp(net: Network, params: dict[str, Array], layer: int, x: Array) -> Array:
    y = _norm(net, params, f"{layer}.mlp_norm", x)
    limit = (1 << a.HIDDEN_BITS) - 1
    gate = jnp.clip(_project(net, params, f"{layer}.gate", y), 0, limit)
    up = jnp.clip(_project(net, params, f"{layer}.up", y), -limit, limit)
    hidden = gate * up
    largest = jnp.max(jnp.abs(hidden), axis=-1, keepdims=True)
    exponent = lax.optimization_barrier(jnp.maximum(0, _bit_length(largest) - 7))
    hidden = _to_int8((hidden + (1 << exponent >> 1)) >> exponent)
    products = _product(net, hidden, params[f"{layer}.down"])
    high = _multiply_high(products, params[f"{layer}.down_scale"][None, None])
    shift = net.shift(f"{layer}.down") - 12 - exponent
    return (high + (1 << shift - 1)) >> shift


def _norm(net: Network, params: dict[str, Array], name: str, x: Array) -> Array:
    bits = a.norm_bits(net.shape.embed_dim)
    largest = jnp.max(jnp.abs(x), axis=-1, keepdims=True)
    exponent = jnp.maximum(0, _bit_length(largest) - bits)
    x = (x + (1 << exponent >> 1)) >> exponent
    root = jnp.maximum(1, _square_root(jnp.sum(x * x, axis=-1, keepdims=True)))
    # The barrier keeps XLA from computing the root again for each of its E uses.
    inverse = lax.optimization_barrier((1 << 30) // root)
    unit = _shift(x * inverse, 15)
    return _to_int8(_shift(unit * params[name][None, None], net.shift(name)))


def _project(net: Network, params: dict[str, Array], name: str, x: Array) -> Array:
    products = _product(net, x, params[name])
    return _multiply(products, params[f"{name}_scale"][None, None], net.shift(name))


def _product(net: Network, x: Array, matrix: Array) -> Array:
    """int8[..., K] by [K, N]: int32[..., N]."""
    sums = jnp.int32 if net.products == "int8" else jnp.float32
    contract = (((x.ndim - 1,), (0,)), ((), ()))
    out = lax.dot_general(x.astype(matrix.dtype), matrix, contract, preferred_element_type=sums)
    return out.astype(jnp.int32)


def _batched(net: Network, x: Array, keys: Array, keys_last: bool) -> Array:
    """Per lane and head: int8[.., T, D] by keys [.., S, D], or weights [.., T, S] by [.., S, D]."""
    kind = jnp.dtype(net.products)
    sums = jnp.int32 if net.products == "int8" else jnp.float32
    x, keys = x.astype(kind), keys.astype(kind)
    contract = ((3,), (3,)) if keys_last else ((3,), (2,))
    size = x.shape[3]
    # Floats add exactly as long as there are not too many.
    step = size if net.products == "int8" else min(size, _EXACT_SUM)
    total: Any = 0
    for begin in range(0, size, step):
        one = x[..., begin : begin + step]
        other = keys if keys_last else keys[:, :, begin : begin + step]
        part = lax.dot_general(
            one, other, (contract, ((0, 1), (0, 1))), preferred_element_type=sums
        )
        total = total + part.astype(jnp.int32)
    return total


def _multiply_high(x: Array, multiplier: Array) -> Array:
    """floor(x m / 2^12) for |x| < 2^24 and 0 <= m <= 2^15, without leaving int32."""
    return (x >> 12) * multiplier + ((x & 4095) * multiplier >> 12)


def _multiply(x: Array, multiplier: Array, shift: int) -> Array:
    """round(x m / 2^shift), halves up, for 13 <= shift."""
    return (_multiply_high(x, multiplier) + (1 << shift - 13)) >> (shift - 12)


def _shift(x: Array, bits: int) -> Array:
    return (x + (1 << bits - 1)) >> bits


def _add(x: Array, change: Array) -> Array:
    return jnp.clip(x + change, -a.RESIDUAL_LIMIT, a.RESIDUAL_LIMIT)


def _to_int8(x: Array) -> Array:
    return jnp.clip(x, -a.INT8, a.INT8).astype(jnp.int8)


def _bit_length(x: Array) -> Array:
    return 32 - lax.clz(x)


def _square_root(x: Array) -> Array:
    """Rounded down, of int32 in [0, 2^30]: bit by bit; squares on the way need 32 bits."""
    x = x.astype(jnp.uint32)
    root = jnp.zeros_like(x)
    for bit in range(15, -1, -1):
        larger = root + (1 << bit)
        root = jnp.where(larger * larger <= x, larger, root)
    return root.astype(jnp.int32)
