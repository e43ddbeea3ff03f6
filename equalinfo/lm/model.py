"""Decoder-only Transformer with per-layer relative attention biases [paper 3.2].

One module serves M1, M2, the local trainer and T5X (whose `DecoderOnlyModel` calls it with these
argument names; parameter names and logical axes follow T5X's own decoder).

Letters in shapes: B batch, L length, C cache slots, E embed_dim, H heads, D head_dim, F mlp_dim,
V vocab_size.
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen import partitioning as nn_partitioning

from equalinfo.lm.attention import MASKED, blocked_attention
from equalinfo.lm.config import ModelConfig

Array = jax.Array


def relative_bucket(distance: np.ndarray, buckets: int, max_distance: int) -> np.ndarray:
    """Bucket of a distance into the past, as in T5 (causal).

    Half of the buckets hold one distance each, the others grow logarithmically up to
    `max_distance`.

    Args:
      distance: int[...], query position minus key position; negative (future) counts as 0.
      buckets: number of buckets.
      max_distance: from here on all distances share the last bucket.
    """
    distance = np.maximum(distance, 0)
    exact = buckets // 2
    growth = np.log(np.maximum(distance, 1) / exact) / np.log(max_distance / exact)
    large = np.minimum(exact + (growth * (buckets - exact)).astype(np.int32), buckets - 1)
    return np.where(distance < exact, distance, large).astype(np.int32)


@jax.custom_vjp
def _product(x: Array, kernel: Array) -> Array:
    """x[..., A] @ kernel[A, F].

    The gradient of the kernel, written as JAX would: (gradient^T x)^T, takes XLA two to six times
    as long on a CPU.
    """
    return jnp.dot(x, kernel)


def _product_forward(x: Array, kernel: Array) -> tuple[Array, tuple[Array, Array]]:
    return _product(x, kernel), (x, kernel)


def _product_backward(saved: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, kernel = saved
    tokens = tuple(range(x.ndim - 1))
    d_kernel = jax.lax.dot_general(x, gradient, ((tokens, tokens), ((), ())))
    return jnp.dot(gradient, kernel.T), d_kernel


_product.defvjp(_product_forward, _product_backward)


class Dense(nn.Module):
    """x[..., A] -> x[..., features], no bias."""

    features: int
    axes: tuple[str, str]
    dtype: Any
    init_scale: float = 1.0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = nn_partitioning.param_with_axes(
            "kernel",
            nn.initializers.variance_scaling(self.init_scale, "fan_in", "truncated_normal"),
            (x.shape[-1], self.features),
            jnp.float32,
            axes=self.axes,
        )
        return _product(x.astype(self.dtype), kernel.astype(self.dtype))


class RMSNorm(nn.Module):
    """Divides by the root mean square of the last axis; a scale, no bias. Computed in float32."""

    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        scale = nn_partitioning.param_with_axes(
            "scale", nn.initializers.ones, (x.shape[-1],), jnp.float32, axes=("embed",)
        )
        x = x.astype(jnp.float32)
        x = x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-6)
        return (x * scale.reshape((1,) * (x.ndim - 1) + scale.shape)).astype(self.dtype)


class RelativeBias(nn.Module):
    """Attention bias by distance, learned per layer [paper 3.2]."""

    config: ModelConfig

    @nn.compact
    def __call__(self, num_distances: int) -> Array:
        """Returns float32[H, num_distances]: the bias at distance 0, 1, 2, ..."""
        cfg = self.config
        table = nn_partitioning.param_with_axes(
            "rel_embedding",
            nn.initializers.variance_scaling(1.0, "fan_avg", "uniform"),
            (cfg.num_heads, cfg.relative_buckets),
            jnp.float32,
            axes=("heads", "relpos_buckets"),
        )
        buckets = relative_bucket(
            np.arange(num_distances), cfg.relative_buckets, cfg.relative_max_distance
        )
        return table[:, buckets]


class Reading(NamedTuple):
    """How tokens are read: what each sees, and whether step by step.

    Of a whole sequence a token sees itself and what is before it in its segment.

    Attributes:
      segments: int32[B, L]; None: one segment.
      span: it sees the `span - 1` tokens before it; None: all.
      mask: the same as bool[B, 1, L, L] (or broadcastable), True where a query (axis 2) sees a key
        (axis 3); None: `blocked_attention`, which needs none.
      decode: read one token (L = 1) against the cache, a ring, which then decides what it sees. The
        first such call, which creates the cache, takes a whole sequence and gives the cache its
        number of slots.
      positions: with `decode`, int32[B], position of the one token read now; None: as counted in
        the cache.
      deterministic: no dropout.
    """

    segments: Array | None
    span: int | None
    mask: Array | None
    decode: bool
    positions: Array | None
    deterministic: bool


class SelfAttention(nn.Module):
    """Causal attention over a whole sequence, or over a ring of cached keys and values."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: Array, reading: Reading) -> Array:
        """[B, L, E] -> [B, L, E]."""
        cfg = self.config
        batch, length, _ = x.shape
        inner = cfg.num_heads * cfg.head_dim

        def project(name: str, init_scale: float = 1.0) -> Array:
            out = Dense(inner, ("embed", "joined_kv"), cfg.dtype, init_scale, name=name)(x)
            return out.reshape(batch, length, cfg.num_heads, cfg.head_dim)

        # The 1/sqrt(D) of attention is in the initial scale of the queries, as in T5.
        query = project("query", 1.0 / cfg.head_dim)
        key = project("key")
        value = project("value")
        relative_bias = RelativeBias(cfg, name="relpos_bias")

        stepping = reading.decode and self.has_variable("cache", "cached_key")
        if reading.decode:
            # [B, H, C, D]: the products below read it as it lies.
            shape = (batch, cfg.num_heads, length, cfg.head_dim)
            cached_key = self.variable("cache", "cached_key", jnp.zeros, shape, cfg.dtype)
            cached_value = self.variable("cache", "cached_value", jnp.zeros, shape, cfg.dtype)
            index = self.variable("cache", "cache_index", jnp.zeros, (batch,), jnp.int32)
        if stepping:
            if length != 1:
                raise ValueError(
                    f"decode reads one token a call, got {length}: x has shape {x.shape}."
                )
            slots = cached_key.value.shape[2]
            position = index.value if reading.positions is None else reading.positions
            index.value = position + 1
            # Selecting by slot is one pass over the cache, in place under jit with donation.
            here = (position % slots)[:, None] == jnp.arange(slots)[None, :]
            here = here[:, None, :, None]  # [B, 1, C, 1]
            key = jnp.where(here, jnp.swapaxes(key, 1, 2), cached_key.value)
            value = jnp.where(here, jnp.swapaxes(value, 1, 2), cached_value.value)
            cached_key.value, cached_value.value = key, value
            # Slot j holds the newest position that is j modulo C: a ring.
            age = (position[:, None] - jnp.arange(slots)[None, :]) % slots  # [B, C]
            seen = (age <= position[:, None])[:, None, :]
            bias = jnp.swapaxes(relative_bias(slots)[:, age], 0, 1)  # [B, H, C]
            weights = jnp.einsum("bhd,bhcd->bhc", query[:, 0], key).astype(jnp.float32) + bias
            weights = jax.nn.softmax(jnp.where(seen, weights, MASKED), axis=-1)
            out = jnp.einsum("bhc,bhcd->bhd", weights.astype(cfg.dtype), value)
        elif reading.mask is None:
            bias = relative_bias(length)
            if reading.span is not None:
                within = np.arange(length)[None] < reading.span
                bias = jnp.where(within, bias, MASKED)
            segments = reading.segments
            segments = jnp.zeros((batch, length), jnp.int32) if segments is None else segments
            out = blocked_attention(query, key, value, bias, segments)
        else:
            distance = np.arange(length)[:, None] - np.arange(length)[None, :]
            bias = relative_bias(length)[:, np.maximum(distance, 0)]  # [H, L, C]
            weights = jnp.einsum("blhd,bchd->bhlc", query, key).astype(jnp.float32)
            weights = weights + bias[None]
            weights = jax.nn.softmax(jnp.where(reading.mask, weights, MASKED), axis=-1)
            out = jnp.einsum("bhlc,bchd->blhd", weights.astype(cfg.dtype), value)
        out = out.reshape(batch, length, inner)
        return Dense(cfg.embed_dim, ("joined_kv", "embed"), cfg.dtype, name="out")(out)


class Mlp(nn.Module):
    """Gated feed-forward layer, [B, L, E] -> [B, L, E]."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: Array, deterministic: bool) -> Array:
        cfg = self.config
        hidden: Array | None = None
        for i, activation in enumerate(cfg.mlp_activations):
            part = Dense(cfg.mlp_dim, ("embed", "mlp"), cfg.dtype, name=f"wi_{i}")(x)
            part = part if activation == "linear" else getattr(nn, activation)(part)
            hidden = part if hidden is None else hidden * part
        hidden = nn.Dropout(cfg.dropout_rate, broadcast_dims=(-2,))(hidden, deterministic)
        return Dense(cfg.embed_dim, ("mlp", "embed"), cfg.dtype, name="wo")(hidden)


class DecoderLayer(nn.Module):
    """Self-attention and feed-forward, each with a norm before and a residual around."""

    config: ModelConfig

    @nn.compact
    def __call__(self, x: Array, reading: Reading) -> Array:
        cfg, deterministic = self.config, reading.deterministic
        y = RMSNorm(cfg.dtype, name="pre_self_attention_layer_norm")(x)
        y = SelfAttention(cfg, name="self_attention")(y, reading)
        x = x + nn.Dropout(cfg.dropout_rate, broadcast_dims=(-2,))(y, deterministic)
        y = RMSNorm(cfg.dtype, name="pre_mlp_layer_norm")(x)
        y = Mlp(cfg, name="mlp")(y, deterministic)
        return x + nn.Dropout(cfg.dropout_rate, broadcast_dims=(-2,))(y, deterministic)


class Decoder(nn.Module):
    """Embedding, layers, logits."""

    config: ModelConfig

    @nn.compact
    def __call__(self, tokens: Array, reading: Reading) -> Array:
        cfg, deterministic = self.config, reading.deterministic
        embedding = nn_partitioning.param_with_axes(
            "token_embedder",
            nn.initializers.normal(stddev=1.0),
            (cfg.vocab_size, cfg.embed_dim),
            jnp.float32,
            axes=("vocab", "embed"),
        )
        x = embedding.astype(cfg.dtype)[tokens]
        x = nn.Dropout(cfg.dropout_rate, broadcast_dims=(-2,))(x, deterministic)
        for i in range(cfg.num_layers):
            x = DecoderLayer(cfg, name=f"layers_{i}")(x, reading)
        x = RMSNorm(cfg.dtype, name="decoder_norm")(x)
        x = nn.Dropout(cfg.dropout_rate, broadcast_dims=(-2,))(x, deterministic)
        return Dense(cfg.vocab_size, ("embed", "vocab"), jnp.float32, name="logits_dense")(x)


class Transformer(nn.Module):
    """The language model. `decoder_input_tokens` are the targets shifted right, 0 in front.

    Attributes:
      config: architecture.
      blocked: attend in blocks, where a whole sequence is read (`blocked_attention`): the same
        function, two to three times as fast in float32 on a CPU; not for arrays that lie on several
        devices.
    """

    config: ModelConfig
    blocked: bool = False

    def setup(self) -> None:
        """Names the one submodule, so that parameters live under `decoder/`, as in T5X."""
        self.decoder = Decoder(self.config)

    def __call__(
        self,
        decoder_input_tokens: Array,
        decoder_target_tokens: Array | None = None,
        decoder_segment_ids: Array | None = None,
        decoder_positions: Array | None = None,
        decoder_causal_attention: Array | None = None,
        *,
        enable_dropout: bool = False,
        decode: bool = False,
        max_decode_length: int | None = None,
        prefill: bool = False,
        prefill_lengths: Array | None = None,
        attention_span: int | None = None,
    ) -> Array:
        """Logits of the next token.

        Args:
          decoder_input_tokens: int32[B, L].
          decoder_target_tokens: not used; T5X passes it. Padding needs no mask: it comes last, and
            attention looks back.
          decoder_segment_ids: int32[B, L]; a token sees only its own segment (packed examples).
          decoder_positions: with `decode`, int32[B]: position of the token of each lane, if it is
          not
            the cache's own count. Otherwise not used: attention knows distances only.
          decoder_causal_attention: must be None; this model has no bidirectional prefix.
          enable_dropout: needs a `dropout` rng.
          decode: step mode, L = 1; see `Reading`.
          max_decode_length: not used; T5X passes it.
          prefill: must be False: filling the cache from a prefix in one pass is not supported.
          prefill_lengths: belongs to `prefill`; must be None.
          attention_span: a token sees itself and the `attention_span - 1` before it; None: all. A
            cache of that many slots sees the same.

        Returns:
          float32[B, L, V].
        """
        del decoder_target_tokens, max_decode_length
        if decoder_causal_attention is not None or prefill or prefill_lengths is not None:
            raise ValueError(
                "This model is causal throughout: decoder_causal_attention and prefill are not "
                "supported."
            )
        mask = None
        if not self.blocked:
            mask = _mask(decoder_input_tokens.shape[1], decoder_segment_ids, attention_span)
        positions = decoder_positions if decode else None
        return self.decoder(
            decoder_input_tokens,
            Reading(
                decoder_segment_ids, attention_span, mask, decode, positions, not enable_dropout
            ),
        )


def _mask(length: int, segments: Array | None, span: int | None) -> Array:
    """bool[B or 1, 1, L, L], see `Reading`."""
    distance = np.arange(length)[:, None] - np.arange(length)[None, :]
    visible = distance >= 0
    if span is not None:
        visible &= distance < span
    mask = jnp.asarray(visible)[None, None]
    if segments is None:
        return mask
    same = segments[:, :, None] == segments[:, None, :]
    return jnp.logical_and(mask, same[:, None])
