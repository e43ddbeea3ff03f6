"""The frozen M1 on a CPU, compiled by numba: whole layers for a block of rows, no GIL.

A row is one symbol of one text. Products take bytes (`tiles`); all else is int32, as in `jax_network`.
A cache holds, for each head, keys as uint8 (plus 128) and values as int8, both in groups of four
bytes as `tiles` reads them: keys [C / 16, D / 4, 16, 4] and values [C / 4, D, 4].
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from equalinfo.m1.frozen import arithmetic as a
from equalinfo.m1.frozen.tiles import make_tile

ROWS = 6
"""Blocks of rows are padded to a multiple of this."""

_project_tile = make_tile(ROWS, 64, signed_rows=False)
_keys_tile = make_tile(1, 16, signed_rows=True)
_values_tile = make_tile(1, 32, signed_rows=False)
_keys_tile_rows = make_tile(ROWS, 64, signed_rows=True)
_values_tile_rows = make_tile(ROWS, 32, signed_rows=False)

_i32 = np.int32
_TOP = _i32(a.INT8)
_LIMIT = _i32(a.RESIDUAL_LIMIT)
_HIDDEN = _i32((1 << a.HIDDEN_BITS) - 1)
_ZEROS = np.zeros(64, np.int32)


class Layer(NamedTuple):
    """One layer's tensors. Matrices are flat bytes, packed; `*_start` is what their sums begin with."""

    attention_norm: Any
    attention_norm_shift: int
    query: Any
    query_start: Any
    query_scale: Any
    query_shift: int
    key: Any
    key_start: Any
    key_scale: Any
    key_shift: int
    value: Any
    value_start: Any
    value_scale: Any
    value_shift: int
    score_scale: Any
    score_shift: int
    attention_scale: Any
    attention_shift: int
    out: Any
    out_start: Any
    out_scale: Any
    out_shift: int
    mlp_norm: Any
    mlp_norm_shift: int
    gate: Any
    gate_start: Any
    gate_scale: Any
    gate_shift: int
    up: Any
    up_start: Any
    up_scale: Any
    up_shift: int
    down: Any
    down_start: Any
    down_scale: Any
    down_shift: int


class Work(NamedTuple):
    """Scratch memory of one thread for R rows (a multiple of ROWS) and C slots.

    Attributes:
      x: int32[R, E], the residual stream.
      small: uint8[R max(E, H D)], inputs of matrices.
      hidden: uint8[R F].
      sums: int32[R, max(E, H D, 320) padded to 64].
      gate, up: int32[R, F padded to 64].
      query, key, value: int8[R, H D].
      exponents: int32[R].
      scores: int32[ROWS C].
      weights: uint8[ROWS C].
      head: int32[ROWS (D + 1)].
    """

    x: Any
    small: Any
    hidden: Any
    sums: Any
    gate: Any
    up: Any
    query: Any
    key: Any
    value: Any
    exponents: Any
    scores: Any
    weights: Any
    head: Any


@njit(nogil=True, inline="always")
def _multiply_high(x: Any, multiplier: Any) -> Any:
    low = _i32(_i32(_i32(x & _i32(4095)) * multiplier) >> _i32(12))
    return _i32(_i32(_i32(x >> _i32(12)) * multiplier) + low)


@njit(nogil=True, inline="always")
def _clip(x: Any, limit: Any) -> Any:
    return min(max(x, _i32(-limit)), limit)


@njit(nogil=True)
def _bit_length(x: Any) -> Any:
    bits = _i32(0)
    while x:
        bits += _i32(1)
        x >>= _i32(1)
    return bits


@njit(nogil=True)
def _square_root(x: Any) -> Any:
    root = np.int64(np.sqrt(float(x)))  # of a number below 2^31, then made exact
    while root * root > x:
        root -= 1
    while (root + 1) * (root + 1) <= x:
        root += 1
    return root


@njit(nogil=True, cache=True)
def project(
    kernel: int, x: Any, matrix: Any, start: Any, out: Any, columns: int, rows: int, inputs: int
) -> None:
    """out[:rows, :columns] = x[rows, inputs] @ matrix, [columns / 64, inputs / 4, 64, 4]; raw sums.

    Columns are taken to the next multiple of 64, rows to that of ROWS.
    """
    stride = out.shape[1]
    flat = out.reshape(-1)
    for block in range((columns + 63) // 64):
        for row in range(0, rows, ROWS):
            _project_tile(
                kernel, x, row * inputs, inputs, matrix, block * 64 * inputs, 256, 64,
                inputs // 4, start, 64 * block, flat, row * stride + 64 * block, stride,
            )  # fmt: skip


@njit(nogil=True, cache=True)
def norm(x: Any, gains: Any, shift: int, bits: int, out: Any, rows: int) -> None:
    """x int32[rows, E] to bytes (plus 128) in the flat `out`."""
    width = x.shape[1]
    s, half = _i32(shift), _i32(1 << shift - 1)
    for row in range(rows):
        line = x[row]
        largest = _i32(0)
        for i in range(width):
            largest = max(largest, _i32(abs(line[i])))
        exponent = _i32(max(0, _bit_length(largest) - bits))
        round_ = _i32((1 << exponent) >> 1)
        squares = _i32(0)
        for i in range(width):
            y = _i32(_i32(line[i] + round_) >> exponent)
            squares += _i32(y * y)
        inverse = _i32((1 << 30) // max(1, _square_root(squares)))
        own = out[row * width : (row + 1) * width]  # an index with an offset is not vectorised
        for i in range(width):
            y = _i32(_i32(line[i] + round_) >> exponent)
            y = _i32(_i32(_i32(y * inverse) + _i32(1 << 14)) >> _i32(15))
            y = _i32(_i32(_i32(y * gains[i]) + half) >> s)
            own[i] = np.uint8(_i32(_clip(y, _TOP) + _i32(128)))


@njit(nogil=True, cache=True)
def scale_to_int8(sums: Any, multipliers: Any, shift: int, out: Any, rows: int) -> None:
    """int32[rows, N] sums to int8[rows, N]."""
    s, half = _i32(shift - 12), _i32(1 << shift - 13)
    for row in range(rows):
        for i in range(multipliers.shape[0]):
            y = _i32(_i32(_multiply_high(sums[row, i], multipliers[i]) + half) >> s)
            out[row, i] = np.int8(_clip(y, _TOP))


@njit(nogil=True, cache=True)
def scale_and_add(sums: Any, multipliers: Any, shift: int, x: Any, rows: int) -> None:
    """x int32[rows, E] += scaled sums."""
    s, half = _i32(shift - 12), _i32(1 << shift - 13)
    for row in range(rows):
        for i in range(x.shape[1]):
            y = _i32(_i32(_multiply_high(sums[row, i], multipliers[i]) + half) >> s)
            x[row, i] = _clip(_i32(x[row, i] + y), _LIMIT)


@njit(nogil=True, cache=True)
def gate_hidden(
    gate: Any, up: Any, gate_scale: Any, gate_shift: int, up_scale: Any, up_shift: int,
    out: Any, exponents: Any, rows: int,
) -> None:  # fmt: skip
    """Both factors' sums int32[rows, F] to bytes (plus 128) in `out`, and each row's exponent."""
    width = gate_scale.shape[0]
    gs, gh = _i32(gate_shift - 12), _i32(1 << gate_shift - 13)
    us, uh = _i32(up_shift - 12), _i32(1 << up_shift - 13)
    for row in range(rows):
        largest = _i32(0)
        for i in range(width):
            g = _i32(_i32(_multiply_high(gate[row, i], gate_scale[i]) + gh) >> gs)
            u = _i32(_i32(_multiply_high(up[row, i], up_scale[i]) + uh) >> us)
            h = _i32(min(max(g, _i32(0)), _HIDDEN) * _clip(u, _HIDDEN))
            gate[row, i] = h
            largest = max(largest, _i32(abs(h)))
        exponent = _i32(max(0, _bit_length(largest) - 7))
        exponents[row] = exponent
        round_ = _i32((1 << exponent) >> 1)
        own = out[row * width : (row + 1) * width]
        for i in range(width):
            h = _i32(_i32(gate[row, i] + round_) >> exponent)
            own[i] = np.uint8(_i32(_clip(h, _TOP) + _i32(128)))


@njit(nogil=True, cache=True)
def add_hidden(sums: Any, multipliers: Any, shift: int, exponents: Any, x: Any, rows: int) -> None:
    """x int32[rows, E] += the gated layer's sums, each row with its exponent."""
    for row in range(rows):
        s = _i32(shift - 12 - exponents[row])
        half = _i32(1 << s - 1)
        for i in range(x.shape[1]):
            y = _i32(_i32(_multiply_high(sums[row, i], multipliers[i]) + half) >> s)
            x[row, i] = _clip(_i32(x[row, i] + y), _LIMIT)


@njit(nogil=True, cache=True)
def finish_logits(sums: Any, multipliers: Any, shift: int, out: Any, rows: int) -> None:
    """Sums to int16[rows, 257]."""
    s, half = _i32(shift - 12), _i32(1 << shift - 13)
    for row in range(rows):
        for i in range(out.shape[1]):
            y = _i32(_i32(_multiply_high(sums[row, i], multipliers[i]) + half) >> s)
            out[row, i] = np.int16(_clip(y, _i32(a.LOGIT_LIMIT)))


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
                to_keys[node, layer, head * head_dim + d] = np.int8(_i32(byte) - _i32(128))
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
    total = _i32(0)
    for i in range(len(x)):
        total += _i32(x[i])
    return total


@njit(nogil=True, cache=True)
def _score(
    scores: Any, begin: int, end: int, correction: Any, multiplier: Any, shift: int, bias: Any,
    bias_at: int,
) -> Any:  # fmt: skip
    """scores[begin:end] from raw products; bias[bias_at + i] belongs to i. Returns the largest."""
    s, half = _i32(shift), _i32(1 << shift - 1)
    own, own_bias = scores[begin:end], bias[bias_at + begin : bias_at + end]
    top = _i32(a.MASKED)
    for i in range(len(own)):
        y = _i32(_i32(_i32(_i32(own[i] - correction) * multiplier) + half) >> s)
        y = _i32(y + own_bias[i])
        own[i] = y
        top = max(top, y)
    return top


@njit(nogil=True, cache=True)
def _exponentiate(scores: Any, weights: Any, begin: int, end: int, top: Any) -> Any:
    """weights[begin:end], 0..127, from scores; returns their sum."""
    own, out = scores[begin:end], weights[begin:end]
    total = _i32(0)
    for i in range(len(own)):
        distance = _i32(top - own[i])
        fraction = _i32(distance & _i32((1 << a.SCORE_BITS) - 1))
        whole = min(_i32(distance >> _i32(a.SCORE_BITS)), _i32(15))
        square = _i32(_i32(fraction * _i32(a.EXP2_SQUARE)) >> _i32(a.SCORE_BITS))
        power = _i32(fraction * _i32(_i32(a.EXP2_LINEAR) - square))
        power = _i32(_i32(1 << 15) - _i32(power >> _i32(a.SCORE_BITS)))
        power = _i32(_i32(power * _TOP) >> _i32(7))
        shift = _i32(_i32(8) + whole)
        weight = _i32(_i32(power + _i32(_i32(128) << whole)) >> shift)
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
      low, high: slots.
      position: of the symbol that looks, and whose own slot is among them.
      ring: slots, where positions wrap round; larger than any position where they do not.
      correction: added to each product by keys being plus 128.
      multiplier, shift: of scores.
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
        total = _i32(total + _exponentiate(scores, weights, again, high - low, top))
    return _i32(total)


@njit(nogil=True, cache=True)
def _finish_head(sums: Any, total: Any, scale: Any, shift: int, out: Any) -> None:
    """int32[D] sums / total, scaled, to bytes (plus 128)."""
    length = _bit_length(total)
    up, down = _i32(max(0, 15 - length)), _i32(max(0, length - 15))
    inverse = _i32((1 << 29) // ((int(total) << up) >> down))
    s, half = _i32(shift), _i32(1 << shift - 1)
    for d in range(out.shape[0]):
        y = _multiply_high(_i32(_i32(sums[d] << up) >> down), inverse)
        y = _i32(_i32(y + _i32(1 << 9)) >> _i32(10))
        y = _i32(_i32(_i32(y * scale[d]) + half) >> s)
        out[d] = np.uint8(_i32(_clip(y, _TOP) + _i32(128)))


@njit(nogil=True, cache=True)
def attend_step(
    kernel: int, query: Any, keys: Any, values: Any, lanes: Any, positions: Any, ring: int,
    score_scale: Any, score_shift: int, bias: Any, out_scale: Any, out_shift: int,
    scores: Any, weights: Any, sums: Any, out: Any, rows: int,
) -> None:  # fmt: skip
    """One new symbol a row, each with the cache of its own lane: keys, values [lanes, H, C D]."""
    heads = keys.shape[1]
    head_dim = query.shape[1] // heads
    for row in range(rows):
        lane, position = lanes[row], positions[row]
        slots = ring if position >= ring else (position // 16 + 1) * 16
        for head in range(heads):
            begin = head * head_dim
            own_query = query[row]
            correction = _i32(128 * _sum(own_query[begin : begin + head_dim]))
            own_keys, own_values = keys[lane, head], values[lane, head]
            for group in range(slots // 16):
                _keys_tile(
                    kernel, own_query, begin, 0, own_keys, group * 16 * head_dim, 64, 0,
                    head_dim // 4, _ZEROS, 0, scores, 16 * group, 0,
                )  # fmt: skip
            total = _weigh(
                scores, weights, 0, slots, position, ring, correction, score_scale[head],
                score_shift, bias[head],
            )  # fmt: skip
            for part in range(0, head_dim, 32):
                _values_tile(
                    kernel, weights, 0, 0, own_values, 4 * part, 4 * head_dim, 64, slots // 4,
                    _ZEROS, 0, sums, part, 0,
                )  # fmt: skip
            at = row * heads * head_dim + begin
            _finish_head(
                sums, total, out_scale[begin : begin + head_dim], out_shift,
                out[at : at + head_dim],
            )  # fmt: skip


@njit(nogil=True, cache=True)
def attend_sequence(
    kernel: int, query: Any, keys: Any, values: Any, first: int, score_scale: Any, score_shift: int, bias: Any, out_scale: Any, out_shift: int, scores: Any, weights: Any,
    sums: Any, out: Any, rows: int,
) -> None:  # fmt: skip
    """Successive symbols of one text at positions first, first + 1, ...: keys, values [H, C D].

    Slots are positions; C is a multiple of 64.
    """
    heads = keys.shape[0]
    head_dim = query.shape[1] // heads
    slots, context = keys.shape[1] // head_dim, bias.shape[1]
    flat_query = query.reshape(-1)
    for row in range(0, rows, ROWS):
        low = max(0, first + row - context + 1) // 64 * 64
        high = min(slots, ((first + row + ROWS - 1) // 64 + 1) * 64)
        span = high - low
        for head in range(heads):
            begin = head * head_dim
            own_keys, own_values = keys[head], values[head]
            for place in range(low, high, 64):
                _keys_tile_rows(
                    kernel, flat_query, row * heads * head_dim + begin, heads * head_dim,
                    own_keys, place * head_dim, 64, 16 * head_dim, head_dim // 4, _ZEROS, 0,
                    scores, place - low, span,
                )  # fmt: skip
            for r in range(ROWS):
                correction = _i32(128 * _sum(query[row + r, begin : begin + head_dim]))
                sums[ROWS * head_dim + r] = _weigh(
                    scores[r * span : (r + 1) * span], weights[r * span : (r + 1) * span], low,
                    high, first + row + r, 1 << 30, correction, score_scale[head], score_shift,
                    bias[head],
                )  # fmt: skip
            for part in range(0, head_dim, 32):
                _values_tile_rows(
                    kernel, weights, 0, span, own_values, low * head_dim + 4 * part, 4 * head_dim,
                    64, span // 4, _ZEROS, 0, sums, part, head_dim,
                )  # fmt: skip
            for r in range(ROWS):
                at = (row + r) * heads * head_dim + begin
                _finish_head(
                    sums[r * head_dim : (r + 1) * head_dim], sums[ROWS * head_dim + r],
                    out_scale[begin : begin + head_dim], out_shift, out[at : at + head_dim],
                )  # fmt: skip


@njit(nogil=True, cache=True)
def _before_attention(kernel: int, layer: Layer, work: Work, bits: int, rows: int) -> None:
    """Norm, query, key and value of each row."""
    x, y = work.x, work.small
    norm(x, layer.attention_norm, layer.attention_norm_shift, bits, y, rows)
    width, inner = x.shape[1], work.query.shape[1]
    project(kernel, y, layer.query, layer.query_start, work.sums, inner, rows, width)
    scale_to_int8(work.sums, layer.query_scale, layer.query_shift, work.query, rows)
    project(kernel, y, layer.key, layer.key_start, work.sums, inner, rows, width)
    scale_to_int8(work.sums, layer.key_scale, layer.key_shift, work.key, rows)
    project(kernel, y, layer.value, layer.value_start, work.sums, inner, rows, width)
    scale_to_int8(work.sums, layer.value_scale, layer.value_shift, work.value, rows)


@njit(nogil=True, cache=True)
def _after_attention(kernel: int, layer: Layer, work: Work, bits: int, rows: int) -> None:
    """What attention gave (in `work.small`) and the gated layer, added to the residual stream."""
    x = work.x
    width, inner, hidden = x.shape[1], work.query.shape[1], layer.gate_scale.shape[0]
    project(kernel, work.small, layer.out, layer.out_start, work.sums, width, rows, inner)
    scale_and_add(work.sums, layer.out_scale, layer.out_shift, x, rows)
    norm(x, layer.mlp_norm, layer.mlp_norm_shift, bits, work.small, rows)
    project(kernel, work.small, layer.gate, layer.gate_start, work.gate, hidden, rows, width)
    project(kernel, work.small, layer.up, layer.up_start, work.up, hidden, rows, width)
    gate_hidden(
        work.gate, work.up, layer.gate_scale, layer.gate_shift, layer.up_scale, layer.up_shift,
        work.hidden, work.exponents, rows,
    )  # fmt: skip
    project(kernel, work.hidden, layer.down, layer.down_start, work.sums, width, rows, hidden)
    add_hidden(work.sums, layer.down_scale, layer.down_shift, work.exponents, x, rows)


@njit(nogil=True, cache=True)
def layer_step(
    kernel: int, layer: Layer, work: Work, bits: int, keys: Any, values: Any, lanes: Any,
    positions: Any, ring: int, bias: Any, rows: int,
) -> None:  # fmt: skip
    """A layer over rows that are the next symbols of different lanes."""
    _before_attention(kernel, layer, work, bits, rows)
    head_dim = work.query.shape[1] // keys.shape[1]
    for row in range(rows):
        lane = lanes[row]
        store(
            keys[lane], values[lane], work.key[row], work.value[row], positions[row] % ring,
            head_dim,
        )  # fmt: skip
    attend_step(
        kernel, work.query, keys, values, lanes, positions, ring, layer.score_scale,
        layer.score_shift, bias, layer.attention_scale, layer.attention_shift, work.scores,
        work.weights, work.head, work.small, rows,
    )  # fmt: skip
    _after_attention(kernel, layer, work, bits, rows)


@njit(nogil=True, cache=True)
def layer_sequence(
    kernel: int, layer: Layer, work: Work, bits: int, keys: Any, values: Any, first: int,
    bias: Any, rows: int,
) -> None:  # fmt: skip
    """A layer over rows that are successive symbols of one text."""
    _before_attention(kernel, layer, work, bits, rows)
    head_dim = work.query.shape[1] // keys.shape[0]
    for row in range(rows):
        store(keys, values, work.key[row], work.value[row], first + row, head_dim)
    attend_sequence(
        kernel, work.query, keys, values, first, layer.score_scale, layer.score_shift, bias, layer.attention_scale, layer.attention_shift, work.scores, work.weights,
        work.head, work.small, rows,
    )  # fmt: skip
    _after_attention(kernel, layer, work, bits, rows)


@njit(nogil=True, cache=True)
def last_layer(
    kernel: int, final_norm: Any, norm_shift: int, logits: Any, start: Any, scale: Any, shift: int,
    work: Work, bits: int, columns: int, out: Any, rows: int,
) -> None:  # fmt: skip
    """Logits int16[rows, 257] of the residual stream."""
    norm(work.x, final_norm, norm_shift, bits, work.small, rows)
    project(kernel, work.small, logits, start, work.sums, columns, rows, work.x.shape[1])
    finish_logits(work.sums, scale, shift, out, rows)


@njit(nogil=True, cache=True)
def embed(embedding: Any, ids: Any, x: Any, rows: int) -> None:
    """Rows of the embedding into the residual stream."""
    for row in range(rows):
        x[row] = embedding[ids[row]]
