"""Sizes of the paper's models [paper Table 4]."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A decoder-only Transformer.

    The feed-forward layer is a gated ReLU: three matrices. The paper writes "ReLU", but only three
    matrices give the parameter counts its sizes are named after (`num_parameters`: 3.1M, 25.2M,
    113.2M, 402.7M; with two matrices 2.4M, 18.9M, 84.9M, 302.0M).

    Attributes:
      vocab_size: rows of the embedding and columns of the logits; pad it with `padded_vocab_size`.
      embed_dim: E, width of the residual stream.
      num_heads: H.
      num_layers: layers.
      head_dim: D; the attention's inner width is H * D.
      mlp_dim: F, inner width of the feed-forward layer.
      mlp_activations: one matrix per entry; their activated outputs are multiplied.
      relative_buckets: buckets of the relative attention bias, learned per layer.
      relative_max_distance: distances from here on share the last bucket.
      dropout_rate: 0 for pretraining.
      dtype: of activations; parameters, softmax and logits are float32.
    """

    vocab_size: int
    embed_dim: int
    num_heads: int
    num_layers: int
    head_dim: int
    mlp_dim: int
    mlp_activations: tuple[str, ...] = ("relu", "linear")
    relative_buckets: int = 32
    relative_max_distance: int = 128
    dropout_rate: float = 0.0
    dtype: Any = jnp.bfloat16

    @property
    def num_parameters(self) -> int:
        """Parameters without embedding and logits, as the paper counts a size and its FLOPs."""
        attention = 4 * self.embed_dim * self.num_heads * self.head_dim
        mlp = (len(self.mlp_activations) + 1) * self.embed_dim * self.mlp_dim
        norms = 2 * self.embed_dim
        bias = self.relative_buckets * self.num_heads
        return self.num_layers * (attention + mlp + norms + bias) + self.embed_dim

    def to_json(self) -> dict[str, Any]:
        """Plain values, for checkpoints and model files."""
        out = dataclasses.asdict(self)
        out["mlp_activations"] = list(self.mlp_activations)
        out["dtype"] = jnp.dtype(self.dtype).name
        return out

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelConfig":
        """Undo `to_json`."""
        values = dict(values)
        values["mlp_activations"] = tuple(values["mlp_activations"])
        values["dtype"] = jnp.dtype(values["dtype"])
        return cls(**values)


# embed, heads, layers, head dim, MLP
_SIZES = {
    # Not in the paper: for tests and the demo, and for reports from two cores.
    "tiny": (64, 2, 2, 32, 128),
    "small": (128, 4, 2, 32, 512),
    "3m": (256, 4, 3, 64, 1024),
    "25m": (512, 8, 6, 64, 2048),
    "113m": (768, 12, 12, 64, 3072),
    "403m": (1024, 16, 24, 64, 4096),
    "2b": (2048, 32, 24, 64, 8192),
}
SIZES = tuple(_SIZES)


def padded_vocab_size(vocab_size: int) -> int:
    """`vocab_size` rounded up to a multiple of 128, for matrix units and for sharding."""
    return -(-vocab_size // 128) * 128


def micro_batches(batch_size: int, length: int, vocab_size: int) -> int:
    """Micro-batches that keep the logits of each, the largest array, below 4 GB (CPU: 0.5 GB).

    Args:
      batch_size: rows of a step.
      length: L, tokens of a row.
      vocab_size: ids of the data; padded here.

    Returns:
      A divisor of `batch_size`, for `TrainConfig.accumulate`.
    """
    limit = 2**29 if jax.default_backend() == "cpu" else 2**32
    rows = max(1, limit // (4 * length * padded_vocab_size(vocab_size)))
    return next(
        number
        for number in range(1, batch_size + 1)
        if batch_size % number == 0 and batch_size // number <= rows
    )


def model_config(size: str, vocab_size: int, dtype: Any = jnp.bfloat16) -> ModelConfig:
    """The configuration of a size of the paper.

    Args:
      size: one of `SIZES`.
      vocab_size: ids the data uses (0 pad, 1 EOS, 2 unknown included); it is padded here.
      dtype: of activations; "auto" is float32 on a CPU, where bfloat16 is slow, else bfloat16.
    """
    if isinstance(dtype, str) and dtype == "auto":
        dtype = jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16
    if size not in _SIZES:
        raise ValueError(f"size={size!r} is not a model size. Use one of {', '.join(SIZES)}.")
    embed_dim, num_heads, num_layers, head_dim, mlp_dim = _SIZES[size]
    return ModelConfig(
        vocab_size=padded_vocab_size(vocab_size),
        embed_dim=embed_dim,
        num_heads=num_heads,
        num_layers=num_layers,
        head_dim=head_dim,
        mlp_dim=mlp_dim,
        dtype=jnp.dtype(dtype),
    )
