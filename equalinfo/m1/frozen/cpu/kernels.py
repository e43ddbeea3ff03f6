"""The frozen M1 on a CPU, compiled by numba: whole layers for a block of rows, no GIL.

A row is one symbol of one text. Matrix products take bytes (`tiles`), all else is int32, as in
`jax_network`.
"""

from typing import Any, NamedTuple

import numpy as np

from equalinfo.jit import njit
from equalinfo.m1.frozen import arithmetic as a
from equalinfo.m1.frozen.cpu.attention import attend_sequence, attend_step, store
from equalinfo.m1.frozen.cpu.integers import (
    TOP,
    bit_length,
    clip,
    i32,
    multiply_high,
    square_root,
)
from equalinfo.m1.frozen.cpu.tiles import ROWS, make_tile, widen

_project_rows = make_tile(ROWS, 64, signed_rows=False)
_project_row = make_tile(1, 64, signed_rows=False)
_LIMIT = i32(a.RESIDUAL_LIMIT)
_HIDDEN = i32((1 << a.HIDDEN_BITS) - 1)


class Layer(NamedTuple):
    """One layer's tensors.

    Matrices are flat bytes, packed; `*_start` is what their sums begin with.
    """

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
      wide: int16[R max(E, H D, F)], what `widen` made of one of them, or of a query.
      wide_weights: int16[ROWS C], of `weights`.
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
    wide: Any
    wide_weights: Any
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


@njit(nogil=True, cache=True)
def project(
    kernel: int, x: Any, wide: Any, matrix: Any, start: Any, out: Any, columns: int, rows: int,
    inputs: int,
) -> None:  # fmt: skip
    """out[:rows, :columns] = x[rows, inputs] @ matrix, [columns / 64, inputs / 4, 64, 4]; raw sums.

    Columns are taken to the next multiple of 64, rows to that of ROWS where it is near. `wide`
    int16[any] is scratch memory for x.
    """
    stride = out.shape[1]
    flat = out.reshape(-1)
    widen(kernel, x, wide, rows * inputs)
    for block in range((columns + 63) // 64):
        row = 0
        while row + ROWS // 2 < rows:
            _project_rows(
                kernel, x, wide, row * inputs, inputs, matrix, block * 64 * inputs, 256, 64,
                inputs // 4, start, 64 * block, flat, row * stride + 64 * block, stride,
            )  # fmt: skip
            row += ROWS
        while row < rows:
            _project_row(
                kernel, x, wide, row * inputs, inputs, matrix, block * 64 * inputs, 256, 64,
                inputs // 4, start, 64 * block, flat, row * stride + 64 * block, stride,
            )  # fmt: skip
            row += 1


@njit(nogil=True, cache=True)
def norm(x: Any, gains: Any, shift: int, bits: int, out: Any, rows: int) -> None:
    """X int32[rows, E] to bytes (plus 128) in the flat `out`."""
    width = x.shape[1]
    s, half = i32(shift), i32(1 << shift - 1)
    for row in range(rows):
        line = x[row]
        largest = i32(0)
        for i in range(width):
            largest = max(largest, i32(abs(line[i])))
        exponent = i32(max(0, bit_length(largest) - bits))
        round_ = i32((1 << exponent) >> 1)
        squares = i32(0)
        for i in range(width):
            y = i32(i32(line[i] + round_) >> exponent)
            squares += i32(y * y)
        inverse = i32((1 << 30) // max(1, square_root(squares)))
        own = out[row * width : (row + 1) * width]  # an index with an offset is not vectorised
        for i in range(width):
            y = i32(i32(line[i] + round_) >> exponent)
            y = i32(i32(i32(y * inverse) + i32(1 << 14)) >> i32(15))
            y = i32(i32(i32(y * gains[i]) + half) >> s)
            own[i] = np.uint8(i32(clip(y, TOP) + i32(128)))


@njit(nogil=True, cache=True)
def scale_to_int8(sums: Any, multipliers: Any, shift: int, out: Any, rows: int) -> None:
    """int32[rows, N] sums to int8[rows, N]."""
    s, half = i32(shift - 12), i32(1 << shift - 13)
    for row in range(rows):
        for i in range(multipliers.shape[0]):
            y = i32(i32(multiply_high(sums[row, i], multipliers[i]) + half) >> s)
            out[row, i] = np.int8(clip(y, TOP))


@njit(nogil=True, cache=True)
def scale_and_add(sums: Any, multipliers: Any, shift: int, x: Any, rows: int) -> None:
    """X int32[rows, E] += scaled sums."""
    s, half = i32(shift - 12), i32(1 << shift - 13)
    for row in range(rows):
        for i in range(x.shape[1]):
            y = i32(i32(multiply_high(sums[row, i], multipliers[i]) + half) >> s)
            x[row, i] = clip(i32(x[row, i] + y), _LIMIT)


@njit(nogil=True, cache=True)
def gate_hidden(
    gate: Any, up: Any, gate_scale: Any, gate_shift: int, up_scale: Any, up_shift: int,
    out: Any, exponents: Any, rows: int,
) -> None:  # fmt: skip
    """Both factors' sums int32[rows, F] to bytes (plus 128) in `out`, and each row's exponent."""
    width = gate_scale.shape[0]
    gs, gh = i32(gate_shift - 12), i32(1 << gate_shift - 13)
    us, uh = i32(up_shift - 12), i32(1 << up_shift - 13)
    for row in range(rows):
        largest = i32(0)
        for i in range(width):
            g = i32(i32(multiply_high(gate[row, i], gate_scale[i]) + gh) >> gs)
            u = i32(i32(multiply_high(up[row, i], up_scale[i]) + uh) >> us)
            h = i32(min(max(g, i32(0)), _HIDDEN) * clip(u, _HIDDEN))
            gate[row, i] = h
            largest = max(largest, i32(abs(h)))
        exponent = i32(max(0, bit_length(largest) - 7))
        exponents[row] = exponent
        round_ = i32((1 << exponent) >> 1)
        own = out[row * width : (row + 1) * width]
        for i in range(width):
            h = i32(i32(gate[row, i] + round_) >> exponent)
            own[i] = np.uint8(i32(clip(h, TOP) + i32(128)))


@njit(nogil=True, cache=True)
def add_hidden(sums: Any, multipliers: Any, shift: int, exponents: Any, x: Any, rows: int) -> None:
    """X int32[rows, E] += the gated layer's sums, each row with its exponent."""
    for row in range(rows):
        s = i32(shift - 12 - exponents[row])
        half = i32(1 << s - 1)
        for i in range(x.shape[1]):
            y = i32(i32(multiply_high(sums[row, i], multipliers[i]) + half) >> s)
            x[row, i] = clip(i32(x[row, i] + y), _LIMIT)


@njit(nogil=True, cache=True)
def finish_logits(sums: Any, multipliers: Any, shift: int, out: Any, rows: int) -> None:
    """Sums to int16[rows, 257]."""
    s, half = i32(shift - 12), i32(1 << shift - 13)
    for row in range(rows):
        for i in range(out.shape[1]):
            y = i32(i32(multiply_high(sums[row, i], multipliers[i]) + half) >> s)
            out[row, i] = np.int16(clip(y, i32(a.LOGIT_LIMIT)))


@njit(nogil=True, cache=True)
def _before_attention(kernel: int, layer: Layer, work: Work, bits: int, rows: int) -> None:
    """Norm, query, key and value of each row."""
    x, y = work.x, work.small
    norm(x, layer.attention_norm, layer.attention_norm_shift, bits, y, rows)
    width, inner = x.shape[1], work.query.shape[1]
    project(kernel, y, work.wide, layer.query, layer.query_start, work.sums, inner, rows, width)
    scale_to_int8(work.sums, layer.query_scale, layer.query_shift, work.query, rows)
    project(kernel, y, work.wide, layer.key, layer.key_start, work.sums, inner, rows, width)
    scale_to_int8(work.sums, layer.key_scale, layer.key_shift, work.key, rows)
    project(kernel, y, work.wide, layer.value, layer.value_start, work.sums, inner, rows, width)
    scale_to_int8(work.sums, layer.value_scale, layer.value_shift, work.value, rows)


@njit(nogil=True, cache=True)
def _after_attention(kernel: int, layer: Layer, work: Work, bits: int, rows: int) -> None:
    """What attention gave (in `work.small`) and the gated layer, added to the residual stream."""
    x = work.x
    width, inner, hidden = x.shape[1], work.query.shape[1], layer.gate_scale.shape[0]
    project(
        kernel, work.small, work.wide, layer.out, layer.out_start, work.sums, width, rows, inner
    )
    scale_and_add(work.sums, layer.out_scale, layer.out_shift, x, rows)
    norm(x, layer.mlp_norm, layer.mlp_norm_shift, bits, work.small, rows)
    project(
        kernel, work.small, work.wide, layer.gate, layer.gate_start, work.gate, hidden, rows, width
    )
    project(kernel, work.small, work.wide, layer.up, layer.up_start, work.up, hidden, rows, width)
    gate_hidden(
        work.gate, work.up, layer.gate_scale, layer.gate_shift, layer.up_scale, layer.up_shift,
        work.hidden, work.exponents, rows,
    )  # fmt: skip
    project(
        kernel, work.hidden, work.wide, layer.down, layer.down_start, work.sums, width, rows, hidden
    )
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
        work.weights, work.wide, work.wide_weights, work.head, work.small, rows,
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
        kernel, work.query, keys, values, first, layer.score_scale, layer.score_shift, bias,
        layer.attention_scale, layer.attention_shift, work.scores, work.weights, work.wide,
        work.wide_weights, work.head, work.small, rows,
    )  # fmt: skip
    _after_attention(kernel, layer, work, bits, rows)


@njit(nogil=True, cache=True)
def last_layer(
    kernel: int, final_norm: Any, norm_shift: int, logits: Any, start: Any, scale: Any, shift: int,
    work: Work, bits: int, columns: int, out: Any, rows: int,
) -> None:  # fmt: skip
    """Logits int16[rows, 257] of the residual stream."""
    norm(work.x, final_norm, norm_shift, bits, work.small, rows)
    project(kernel, work.small, work.wide, logits, start, work.sums, columns, rows, work.x.shape[1])
    finish_logits(work.sums, scale, shift, out, rows)


@njit(nogil=True, cache=True)
def embed(embedding: Any, ids: Any, x: Any, rows: int) -> None:
    """Rows of the embedding into the residual stream."""
    for row in range(rows):
        x[row] = embedding[ids[row]]
