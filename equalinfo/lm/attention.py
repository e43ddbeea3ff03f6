"""Causal attention in blocks that stay in a core's cache: the same function, for float32 on a CPU.

Written as one product over all heads, attention makes arrays float32[B, H, L, L] and goes through
memory with them a dozen times. Here a loop goes over heads and rows; within one, blocks of queries
(in the gradient: of keys) meet only the keys (queries) that causality lets them see.

Letters in shapes: B batch, L length, H heads, D head_dim, N block.
"""

from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array
MASKED = -1e10  # far below any logit, and far from float32's limit
_BLOCK = 128  # N; N * L floats, a block's logits, fit half of a 1 MB cache for L = 512


def blocked_attention(
    query: Array, key: Array, value: Array, bias: Array, segments: Array
) -> Array:
    """Attention of each token to itself and those before it in its segment.

    XLA turns each loop's body into matrix products without transposed operands of their own, and
    into element-wise passes that its code generator can vectorize: what looks roundabout here
    (`segments` once negated, the gradient of the queries transposed) is for that.

    Args:
      query: float32[B, L, H, D].
      key: float32[B, L, H, D].
      value: float32[B, L, H, D].
      bias: float32[H, L], added to the logits by distance into the past.
      segments: int32[B, L].

    Returns:
      float32[B, L, H, D].
    """
    batch, length, heads, dim = query.shape
    flat = (x.reshape(batch, length, heads * dim) for x in (query, key, value))
    return _attention(*flat, bias, jnp.asarray(segments)).reshape(query.shape)


@jax.custom_vjp
def _attention(query: Array, key: Array, value: Array, bias: Array, segments: Array) -> Array:
    return _forward(query, key, value, bias, segments)[0]


def _forward(
    query: Array, key: Array, value: Array, bias: Array, segments: Array
) -> tuple[Array, tuple[Array, ...]]:
    """(attention, float32[B, L, H * D]; what the gradient needs)."""
    batch, length, _ = query.shape
    heads = len(bias)
    rows = min(_BLOCK, length)
    # Blocks of queries end where the sequence ends: all see a part of one tile of biases,
    # tiles[h, r, c] = bias[h, L - N + r - c], and the last block sees all of it.
    past = jnp.pad(bias[:, ::-1], ((0, 0), (1, rows - 1)), constant_values=MASKED)
    tiles = _diagonals(past, rows)
    stops = range(length, 0, -rows)
    blocks = [(max(0, stop - rows), stop) for stop in reversed(stops)]

    def attend(index: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        out, log_sums = carry
        head, row = index // batch, index % batch
        q, k, v = (_head(x, row, head, heads) for x in (query, key, value))
        tile, seen, own = tiles[head], negated[row], segments[row]
        outs, sums = [], []
        for start, stop in blocks:
            logits = q[start:stop] @ k[:stop].T + tile[start - stop :, length - stop :]
            same = own[start:stop, None] + seen[None, :stop] == 0
            logits = jnp.where(same, logits, MASKED)
            largest = jnp.max(logits, axis=-1, keepdims=True)
            weights = jnp.exp(logits - largest)
            total = jnp.sum(weights, axis=-1, keepdims=True)
            outs.append((weights @ v[:stop]) / total)
            sums.append((largest + jnp.log(total))[:, 0])
        out = _put_head(out, jnp.concatenate(outs), row, head)
        return out, log_sums.at[head, row].set(jnp.concatenate(sums))

    negated = -segments
    empty = jnp.zeros_like(query), jnp.zeros((heads, batch, length), query.dtype)
    out, log_sums = jax.lax.fori_loop(0, batch * heads, attend, empty)
    return out, (query, key, value, bias, segments, out, log_sums)


def _backward(saved: tuple[Array, ...], gradient: Array) -> tuple[Any, ...]:
    query, key, value, bias, segments, out, log_sums = saved
    batch, length, inner = query.shape
    heads = len(bias)
    rows = min(_BLOCK, length)
    # Blocks of keys begin where the sequence begins: tiles[h, r, c] = bias[h, c - r].
    future = jnp.pad(bias, ((0, 0), (rows, 0)), constant_values=MASKED)
    tiles = _diagonals(future, rows)
    blocks = [(start, min(start + rows, length)) for start in range(0, length, rows)]
    products = (out * gradient).reshape(batch, length, heads, inner // heads)
    means = jnp.transpose(jnp.sum(products, axis=-1), (2, 0, 1))  # float32[H, B, L]

    def attend(index: Array, carry: tuple[Array, ...]) -> tuple[Array, ...]:
        d_query, d_key, d_value, d_tiles = carry
        head, row = index // batch, index % batch
        q, k, v, g = (_head(x, row, head, heads) for x in (query, key, value, gradient))
        tile, own, seeing = tiles[head], segments[row], negated[row]
        log_sum, mean, k_t = log_sums[head, row], means[head, row], k.T
        d_q, d_k, d_v, d_tile = [], [], [], d_tiles[head]
        for start, stop in blocks:
            logits = k[start:stop] @ q[start:].T + tile[: stop - start, : length - start]
            same = own[start:stop, None] + seeing[None, start:] == 0
            weights = jnp.exp(jnp.where(same, logits, MASKED) - log_sum[None, start:])
            d_logits = weights * (v[start:stop] @ g[start:].T - mean[None, start:])
            d_v.append(weights @ g[start:])
            d_k.append(d_logits @ q[start:])
            d_q.append(k_t[:, start:stop] @ d_logits)
            missing = ((0, rows - stop + start), (0, start))
            d_tile = d_tile + jnp.pad(d_logits, missing)
        parts = [
            sum(d_q[j][:, start - j * rows : stop - j * rows] for j in range(i + 1))
            for i, (start, stop) in enumerate(blocks)
        ]
        return (
            _put_head(d_query, jnp.concatenate(parts, axis=1).T, row, head),
            _put_head(d_key, jnp.concatenate(d_k), row, head),
            _put_head(d_value, jnp.concatenate(d_v), row, head),
            d_tiles.at[head].set(d_tile),
        )

    negated = -segments
    zeros = jnp.zeros_like(query)
    empty = zeros, zeros, zeros, jnp.zeros_like(tiles)
    *d_inputs, d_tiles = jax.lax.fori_loop(0, batch * heads, attend, empty)
    return *d_inputs, _sum_diagonals(d_tiles)[:, rows:], None


_attention.defvjp(_forward, _backward)


def _head(x: Array, row: Array, head: Array, heads: int) -> Array:
    """[B, L, H * D] -> [L, D]."""
    _, length, inner = x.shape
    dim = inner // heads
    return jax.lax.dynamic_slice(x, (row, 0, head * dim), (1, length, dim))[0]


def _put_head(x: Array, values: Array, row: Array, head: Array) -> Array:
    """[B, L, H * D] with [L, D] at one row and head."""
    return jax.lax.dynamic_update_slice(x, values[None], (row, 0, head * values.shape[1]))


def _diagonals(values: Array, rows: int) -> Array:
    """[H, N + L] -> [H, N, L]: tile[h, r, c] = values[h, N + c - r]."""
    heads, width = values.shape
    tiled = jnp.broadcast_to(values[:, None], (heads, rows, width)).reshape(heads, rows * width)
    return tiled[:, rows:].reshape(heads, rows, width - 1)[:, :, : width - rows]


def _sum_diagonals(tiles: Array) -> Array:
    """[H, N, L] -> [H, N + L], the transpose of `_diagonals`."""
    heads, rows, length = tiles.shape
    width = rows + length
    flat = jnp.pad(tiles, ((0, 0), (0, 0), (0, rows - 1))).reshape(heads, rows * (width - 1))
    values = jnp.pad(flat, ((0, 0), (rows, 0))).reshape(heads, rows, width)
    return jnp.einsum("n,hnw->hw", jnp.ones(rows, tiles.dtype), values, precision="highest")
