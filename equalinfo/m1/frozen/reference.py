"""The frozen M1 as the plain program that defines it: NumPy, int64, one text at a time. Slow.

Every other implementation must give these integers. `>>` rounds down, also below zero.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo import frequencies
from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.m1.frozen import arithmetic as a
from equalinfo.m1.frozen.counts.reference import reference_counts
from equalinfo.m1.frozen.counts.tables import FrozenCounts
from equalinfo.m1.frozen.file import START, FrozenM1

Array = npt.NDArray[np.int64]


def reference_frequencies(
    model: FrozenM1, text: npt.ArrayLike, context: int, precision: int
) -> npt.NDArray[np.uint32]:
    """Frequencies of the next symbol after each prefix of a text.

    Args:
      model: the frozen M1.
      text: int[n], symbols.
      context: a position sees itself and the `context - 1` before it; the start marker is first.
      precision: P.

    Returns:
      uint32[n + 1, 257]: row i is what follows the first i symbols.
    """
    logits = reference_logits(model, text, context)
    return np.stack([reference_share(row, precision) for row in logits])


def reference(
    network: FrozenM1 | None, counts: FrozenCounts | None, text: npt.ArrayLike, context: int
) -> Array:
    """int64[n + 1, 257]: the logits of an M1 of a network, or counts, or both."""
    logits = None if network is None else reference_logits(network, text, context)
    if counts is not None:
        return reference_counts(counts, text, context, logits)
    assert logits is not None
    return logits


def reference_logits(model: FrozenM1, text: npt.ArrayLike, context: int) -> Array:
    """int64[n + 1, 257]: log2 of what follows each prefix, in 2^-LOGIT_BITS, up to a constant."""
    ids = np.concatenate([[START], np.asarray(text, np.int64)]).astype(np.int64)
    x = _tensor(model, "embedding")[ids]
    for layer in range(model.shape.num_layers):
        x = _add(x, _attention(model, layer, x, context))
        x = _add(x, _mlp(model, layer, x))
    logits = _project(model, "logits", _norm(model, "final_norm", x))
    return np.clip(logits, -a.LOGIT_LIMIT, a.LOGIT_LIMIT)


def reference_share(logits: Array, precision: int) -> npt.NDArray[np.uint32]:
    """Frequencies of one row of logits: 2^logit in 2^-20 of the largest, shared as counts are."""
    distance = logits.max() - logits
    table = frequencies.exp2_table(a.LOGIT_BITS, 20)
    fraction, whole = distance & ((1 << a.LOGIT_BITS) - 1), distance >> a.LOGIT_BITS
    weights = table[fraction] >> np.minimum(whole, 62)
    return frequencies.from_counts(weights, precision)


def _attention(model: FrozenM1, layer: int, x: Array, context: int) -> Array:
    shape = model.shape
    y = _norm(model, f"{layer}.attention_norm", x)
    query, key, value = (
        _to_int8(_project(model, f"{layer}.{name}", y)) for name in ("query", "key", "value")
    )
    out = np.empty_like(value)
    for head in range(shape.num_heads):
        columns = slice(head * shape.head_dim, (head + 1) * shape.head_dim)
        bias = _tensor(model, f"{layer}.bias")[head]
        multiplier = int(_tensor(model, f"{layer}.score_scale")[head])
        for place in range(len(x)):
            seen = np.arange(max(0, place - context + 1), place + 1)
            products = key[seen, columns] @ query[place, columns]
            scores = _shift(products * multiplier, model.shifts[f"{layer}.score"])
            scores += bias[np.minimum(place - seen, shape.max_distance)]
            weights = _softmax_weights(scores)
            out[place, columns] = _divide(weights @ value[seen, columns], int(weights.sum()))
    scaled = _shift(
        out * _tensor(model, f"{layer}.attention_scale"), model.shifts[f"{layer}.attention"]
    )
    return _project(model, f"{layer}.out", _to_int8(scaled))


def _softmax_weights(scores: Array) -> Array:
    """127 for the largest score, half of it for one bit less, and so on, rounded."""
    distance = scores.max() - scores
    fraction, whole = distance & ((1 << a.SCORE_BITS) - 1), distance >> a.SCORE_BITS
    square = fraction * a.EXP2_SQUARE >> a.SCORE_BITS
    power = (1 << 15) - (fraction * (a.EXP2_LINEAR - square) >> a.SCORE_BITS)  # 2^15..2^14
    power = power * a.INT8 >> 7  # 127 * 2^8 for the largest
    shift = 8 + np.minimum(whole, 15)
    return power + (1 << (shift - 1)) >> shift


def _divide(sums: Array, total: int) -> Array:
    """Sums / total in 2^-7, by a reciprocal of 15 bits."""
    length = total.bit_length()
    sums = sums >> length - 15 if length > 15 else sums << 15 - length
    total = total >> length - 15 if length > 15 else total << 15 - length
    return _shift(sums * ((1 << 29) // total), 22)


def _mlp(model: FrozenM1, layer: int, x: Array) -> Array:
    y = _norm(model, f"{layer}.mlp_norm", x)
    limit = (1 << a.HIDDEN_BITS) - 1
    gate = np.clip(_project(model, f"{layer}.gate", y), 0, limit)  # ReLU
    up = np.clip(_project(model, f"{layer}.up", y), -limit, limit)
    hidden = gate * up
    # Each row keeps its seven highest bits.
    largest = np.abs(hidden).max(axis=-1, keepdims=True)
    exponent = np.maximum(0, _bit_length(largest) - 7)
    hidden = _to_int8(_shift(hidden, exponent))
    products = _product(hidden, _tensor(model, f"{layer}.down"))
    high = products * _tensor(model, f"{layer}.down_scale") >> 12
    return _shift(high, model.shifts[f"{layer}.down"] - 12 - exponent)


def _norm(model: FrozenM1, name: str, x: Array) -> Array:
    """X / sqrt(sum of squares) by channel multipliers, int8."""
    bits = a.norm_bits(model.shape.embed_dim)
    largest = np.abs(x).max(axis=-1, keepdims=True)
    exponent = np.maximum(0, _bit_length(largest) - bits)
    x = _shift(x, exponent)
    root = np.maximum(1, _square_root(np.sum(x * x, axis=-1, keepdims=True)))
    unit = _shift(x * ((1 << 30) // root), 15)  # in 2^-15
    return _to_int8(_shift(unit * _tensor(model, name), model.shifts[name]))


def _project(model: FrozenM1, name: str, x: Array) -> Array:
    """X @ W by column multipliers."""
    products = _product(x, _tensor(model, name))
    return _shift(products * _tensor(model, f"{name}_scale"), model.shifts[name])


def _product(x: Array, weights: Array) -> Array:
    """X @ W, both of int8: float64 holds every sum exactly, and NumPy multiplies it by BLAS."""
    product = x.astype(np.float64) @ weights.astype(np.float64)
    return product.astype(np.int64)


def _add(x: Array, change: Array) -> Array:
    return np.clip(x + change, -a.RESIDUAL_LIMIT, a.RESIDUAL_LIMIT)


def _shift(x: Any, bits: Any) -> Array:
    """Divides by 2^bits and rounds to the nearest, halves up; `bits` may be 0."""
    bits = np.asarray(bits, np.int64)
    half = np.left_shift(1, bits) >> 1
    return np.asarray(x + half >> bits)


def _to_int8(x: Any) -> Array:
    return np.clip(x, -a.INT8, a.INT8).astype(np.int64)


def _bit_length(x: Any) -> Array:
    return np.array([int(value).bit_length() for value in x.flat], np.int64).reshape(x.shape)


def _square_root(x: Array) -> Array:
    """Rounded down."""
    return np.array([math.isqrt(int(value)) for value in x.flat], np.int64).reshape(x.shape)


def _tensor(model: FrozenM1, name: str) -> Array:
    return model.tensors[name].astype(np.int64)


assert NUM_SYMBOLS == START  # the start marker's row comes after the symbols'
