"""Attention on a CPU: a ring or a row of cached keys and values for each lane.

A cache holds, for each head, keys as uint8 (plus 128) and values as int8, both in groups of four
bytes as `tiles` reads them: keys [C / 16, D / 4, 16, 4] and values [C / 4, D, 4].
"""

from typing import Any

import numpy as np

from equalinfo.jit import njit
from equalinfo.m1.frozen import arithmetic as a
from equalinfo.m1.frozen.cpu.integers import TOP, bit_length, clip, i32, multiply_high
from equalinfo.m1.frozen.cpu.tiles import ROWS, make_tile, widen

_keys_tile = make_tile(1, 16, signed_rows=True)
_values_tile = make_tile(1, 32, signed_rows=False)
_keys_tile_rows = make_tile(ROWS, 64, signed_rows=True)
_values_tile_rows = make_tile(ROWS, 32, signed_rows=False)
_ZEROS = np.zeros(64, np.int32)


@njit(nogil=True, cache=True)
def store(keys: Any, values: Any, key: Any, value: Any, slot: int, head_dim: int) -> None:
    """Put one symbol's key and value int8[H D] into caches uint8[H, C D] and int8[H, C D]."""
    key_fours = key.view(np.uint32)
    fours = head_dim // 4
    for head in range(keys.shape[0]):
        own_keys = keys[head].view(np.uint32)
        at = slot // 16 * 16 * fours + slot % 16
        for four in range(fours):
            own_keys[at + 16 * four] = key_fours[head * fours + four] ^ np.uint32(0x80808080)
        own_values = values[head]
        at = slot // 4 * 4 * head_dim + slot % 4
        begin = head * head_dim
        for d in range(head_dim):
            own_values[at + 4 * d] = value[begin + d]


@njit(nogil=True, cache=True)
def fetch(
    keys: Any, values: Any, lanes: Any, slots: Any, head_dim: int, to_keys: Any, to_values: Any,
    nodes: Any, layer: int,
) -> None:  # fmt: skip
    """Undo `store` for some lanes: to_keys[node, layer] int8[H D], and so for the values."""
    for i in range(len(lanes)):
        slot, node = slots[i], nodes[i]
        at_key = slot // 16 * 16 * head_dim + 4 * (slot % 16)
        at_value = slot // 4 * 4 * head_dim + slot % 4
        for head in range(keys.shape[1]):
            for d in range(head_dim):
                byte = keys[lanes[i], head, at_key + d // 4 * 64 + d % 4]
                to_keys[node, layer, head * head_dim + d] = np.int8(i32(byte) - i32(128))
                to_values[node, layer, head * head_dim + d] = values[
                    lanes[i], head, at_value + 4 * d
                ]


@njit(nogil=True, cache=True)
def fill(
    keys: Any, values: Any, lanes: Any, nodes: Any, depths: Any, filled: Any, head_dim: int,
    parents: Any, from_keys: Any, from_values: Any, layer: int,
) -> None:  # fmt: skip
    """Store what nodes on the way to each lane's node hold, from its depth down to `filled`."""
    for i in range(len(lanes)):
        node = nodes[i]
        for slot in range(depths[i], filled[i], -1):
            store(
                keys[lanes[i]], values[lanes[i]], from_keys[node, layer], from_values[node, layer],
                slot, head_dim,
            )  # fmt: skip
            node = parents[node]


@njit(nogil=True)
def _sum(x: Any) -> Any:
    total = i32(0)
    for i in range(len(x)):
        total += i32(x[i])
    return total


@njit(nogil=True, cache=True)
def _score(
    scores: Any, begin: int, end: int, correction: Any, multiplier: Any, shift: int, bias: Any,
    bias_at: int,
) -> Any:  # fmt: skip
    """scores[begin:end] from raw products; bias[bias_at + i] belongs to i. Returns the largest."""
    s, half = i32(shift), i32(1 << shift - 1)
    own, own_bias = scores[begin:end], bias[bias_at + begin : bias_at + end]
    top = i32(a.MASKED)
    for i in range(len(own)):
        y = i32(i32(i32(i32(own[i] - correction) * multiplier) + half) >> s)
        y = i32(y + own_bias[i])
        own[i] = y
        top = max(top, y)
    return top


@njit(nogil=True, cache=True)
def _exponentiate(scores: Any, weights: Any, begin: int, end: int, top: Any) -> Any:
    """weights[begin:end], 0..127, from scores; returns their sum."""
    own, out = scores[begin:end], weights[begin:end]
    total = i32(0)
    for i in range(len(own)):
        distance = i32(top - own[i])
        fraction = i32(distance & i32((1 << a.SCORE_BITS) - 1))
        whole = min(i32(distance >> i32(a.SCORE_BITS)), i32(15))
        square = i32(i32(fraction * i32(a.EXP2_SQUARE)) >> i32(a.SCORE_BITS))
        power = i32(fraction * i32(i32(a.EXP2_LINEAR) - square))
        power = i32(i32(1 << 15) - i32(power >> i32(a.SCORE_BITS)))
        power = i32(i32(power * TOP) >> i32(7))
        shift = i32(i32(8) + whole)
        weight = i32(i32(power + i32(i32(128) << whole)) >> shift)
        out[i] = np.uint8(weight)
        total += weight
    return total


@njit(nogil=True, cache=True)
def _weigh(
    scores: Any, weights: Any, low: int, high: int, position: int, ring: int, correction: Any,
    multiplier: Any, shift: int, bias: Any,
) -> Any:  # fmt: skip
    """Raw products of slots low..high to weights 0..127, from place 0 on; returns their sum.

    Args:
      scores: int32, overwritten.
      weights: uint8, written.
      low: first slot.
      high: after the last.
      position: of the symbol that looks, and whose own slot is among them.
      ring: slots, where positions wrap round; larger than any position where they do not.
      correction: added to each product by keys being plus 128.
      multiplier: of scores.
      shift: of scores.
      bias: int32[context], the bias at age context - 1, ..., 0.
    """
    context = bias.shape[0]
    newest = position % ring
    # Slots in sight: begin..newest, and where positions wrap round, again..high.
    begin, end = max(low, newest - min(position, context - 1)) - low, newest + 1 - low
    again = high - low
    if position >= ring:
        again = max(end, newest + ring - context + 1 - low)
    top = _score(
        scores, begin, end, correction, multiplier, shift, bias, context - 1 - newest + low
    )
    if again < high - low:
        at = context - 1 - newest - ring + low
        other = _score(scores, again, high - low, correction, multiplier, shift, bias, at)
        top = max(top, other)
    weights[: high - low] = 0
    total = _exponentiate(scores, weights, begin, end, top)
    if again < high - low:
        total = i32(total + _exponentiate(scores, weights, again, high - low, top))
    return i32(total)


@njit(nogil=True, cache=True)
def _finish_head(sums: Any, total: Any, scale: Any, shift: int, out: Any) -> None:
    """int32[D] sums / total, scaled, to bytes (plus 128)."""
    length = bit_length(total)
    up, down = i32(max(0, 15 - length)), i32(max(0, length - 15))
    inverse = i32((1 << 29) // ((int(total) << up) >> down))
    s, half = i32(shift), i32(1 << shift - 1)
    for d in range(out.shape[0]):
        y = multiply_high(i32(i32(sums[d] << up) >> down), inverse)
        y = i32(i32(y + i32(1 << 9)) >> i32(10))
        y = i32(i32(i32(y * scale[d]) + half) >> s)
        out[d] = np.uint8(i32(clip(y, TOP) + i32(128)))


@njit(nogil=True, cache=True)
def attend_step(
    kernel: int, query: Any, keys: Any, values: Any, lanes: Any, positions: Any, ring: int,
    score_scale: Any, score_shift: int, bias: Any, out_scale: Any, out_shift: int,
    scores: Any, weights: Any, wide: Any, wide_weights: Any, sums: Any, out: Any, rows: int,
) -> None:  # fmt: skip
    """One new symbol a row, each with the cache of its own lane: keys, values [lanes, H, C D]."""
    heads = keys.shape[1]
    head_dim = query.shape[1] // heads
    flat_query = query.reshape(-1)
    widen(kernel, flat_query, wide, rows * heads * head_dim)
    for row in range(rows):
        lane, position = lanes[row], positions[row]
        slots = ring if position >= ring else (position // 16 + 1) * 16
        for head in range(heads):
            begin = head * head_dim
            at = row * heads * head_dim + begin
            correction = i32(128 * _sum(flat_query[at : at + head_dim]))
            own_keys, own_values = keys[lane, head], values[lane, head]
            for group in range(slots // 16):
                _keys_tile(
                    kernel, flat_query, wide, at, 0, own_keys, group * 16 * head_dim, 64, 0,
                    head_dim // 4, _ZEROS, 0, scores, 16 * group, 0,
                )  # fmt: skip
            total = _weigh(
                scores, weights, 0, slots, position, ring, correction, score_scale[head],
                score_shift, bias[head],
            )  # fmt: skip
            widen(kernel, weights, wide_weights, slots)
            for part in range(0, head_dim, 32):
                _values_tile(
                    kernel, weights, wide_weights, 0, 0, own_values, 4 * part, 4 * head_dim, 64,
                    slots // 4, _ZEROS, 0, sums, part, 0,
                )  # fmt: skip
            _finish_head(
                sums, total, out_scale[begin : begin + head_dim], out_shift,
                out[at : at + head_dim],
            )  # fmt: skip


@njit(nogil=True, cache=True)
def attend_sequence(
    kernel: int, query: Any, keys: Any, values: Any, first: int, score_scale: Any,
    score_shift: int, bias: Any, out_scale: Any, out_shift: int, scores: Any, weights: Any,
    wide: Any, wide_weights: Any, sums: Any, out: Any, rows: int,
) -> None:  # fmt: skip
    """Successive symbols of one text at positions first, first + 1, ...: keys, values [H, C D].

    Slots are positions; C is a multiple of 64.
    """
    heads = keys.shape[0]
    head_dim = query.shape[1] // heads
    slots, context = keys.shape[1] // head_dim, bias.shape[1]
    flat_query = query.reshape(-1)
    widen(kernel, flat_query, wide, (rows + ROWS - 1) // ROWS * ROWS * heads * head_dim)
    for row in range(0, rows, ROWS):
        low = max(0, first + row - context + 1) // 64 * 64
        high = min(slots, ((first + row + ROWS - 1) // 64 + 1) * 64)
        span = high - low
        for head in range(heads):
            begin = head * head_dim
            own_keys, own_values = keys[head], values[head]
            for place in range(low, high, 64):
                _keys_tile_rows(
                    kernel, flat_query, wide, row * heads * head_dim + begin, heads * head_dim,
                    own_keys, place * head_dim, 64, 16 * head_dim, head_dim // 4, _ZEROS, 0,
                    scores, place - low, span,
                )  # fmt: skip
            for r in range(ROWS):
                correction = i32(128 * _sum(query[row + r, begin : begin + head_dim]))
                sums[ROWS * head_dim + r] = _weigh(
                    scores[r * span : (r + 1) * span], weights[r * span : (r + 1) * span], low,
                    high, first + row + r, 1 << 30, correction, score_scale[head], score_shift,
                    bias[head],
                )  # fmt: skip
            widen(kernel, weights, wide_weights, ROWS * span)
            for part in range(0, head_dim, 32):
                _values_tile_rows(
                    kernel, weights, wide_weights, 0, span, own_values, low * head_dim + 4 * part,
                    4 * head_dim, 64, span // 4, _ZEROS, 0, sums, part, head_dim,
                )  # fmt: skip
            for r in range(ROWS):
                at = (row + r) * heads * head_dim + begin
                _finish_head(
                    sums[r * head_dim : (r + 1) * head_dim], sums[ROWS * head_dim + r],
                    out_scale[begin : begin + head_dim], out_shift, out[at : at + head_dim],
                )  # fmt: skip
