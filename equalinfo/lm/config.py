"""What a model and a run are made of: every setting and its default. Nothing here needs JAX."""

import dataclasses
from typing import Any

import numpy as np

from equalinfo.flags import flag

OPTIMIZERS = ("adafactor", "muon")
_RATES = {"adafactor": (1.0, 10_000), "muon": (0.02, 100)}  # learning_rate, warmup_steps


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
      dtype: of activations, by name; parameters, softmax and logits are float32.
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
    dtype: Any = "bfloat16"

    def __post_init__(self) -> None:
        if not isinstance(self.dtype, str):
            object.__setattr__(self, "dtype", np.dtype(self.dtype).name)

    @property
    def num_parameters(self) -> int:
        """Parameters without embedding and logits, as the paper counts a size and its FLOPs."""
        attention = 4 * self.embed_dim * self.num_heads * self.head_dim
        mlp = (len(self.mlp_activations) + 1) * self.embed_dim * self.mlp_dim
        norms = 2 * self.embed_dim
        bias = self.relative_buckets * self.num_heads
        return self.num_layers * (attention + mlp + norms + bias) + self.embed_dim

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "ModelConfig":
        """Of the values that `dataclasses.asdict` gave JSON."""
        return cls(**{**values, "mlp_activations": tuple(values["mlp_activations"])})


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
    limit = 2**29 if _on_cpu() else 2**32
    rows = max(1, limit // (4 * length * padded_vocab_size(vocab_size)))
    return next(
        number
        for number in range(1, batch_size + 1)
        if batch_size % number == 0 and batch_size // number <= rows
    )


def model_config(size: str, vocab_size: int, dtype: Any = "bfloat16") -> ModelConfig:
    """The configuration of a size of the paper [paper Table 4].

    Args:
      size: one of `SIZES`.
      vocab_size: ids the data uses (0 pad, 1 EOS, 2 unknown included); it is padded here.
      dtype: of activations; "auto" is float32 on a CPU, where bfloat16 is slow, else bfloat16.
    """
    if isinstance(dtype, str) and dtype == "auto":
        dtype = "float32" if _on_cpu() else "bfloat16"
    if size not in _SIZES:
        raise ValueError(f"size={size!r} is not a model size. Use one of {', '.join(SIZES)}.")
    return ModelConfig(padded_vocab_size(vocab_size), *_SIZES[size], dtype=dtype)


def _on_cpu() -> bool:
    import jax

    return jax.default_backend() == "cpu"


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The paper's settings are the defaults.

    Attributes:
      learning_rate: factor of the schedule; None: the optimizer's usual one. Adafactor: relative to
        each parameter's scale; the rate is `learning_rate / sqrt(warmup_steps)` until
        `warmup_steps`, then `learning_rate / sqrt(step)` ("from 1.0 with 10,000 warm-up steps").
        Muon: the rate rises linearly over `warmup_steps` and stays.
      warmup_steps: see there.
      total_steps: of the run. It is 0 without `cooldown_steps`, which are not in the paper: they
        pay in short runs.
      name: Muon needs about half as many tokens in short runs. It is for matrices: embedding,
        logits and norms take Adam's steps, at `adam_learning_rate`, attention's biases at
        `bias_learning_rate`.
    """

    learning_rate: float = flag(
        None,
        type=float,
        help="adafactor: factor of 1/sqrt(step), default 1. muon: the rate, default 0.02",
    )
    warmup_steps: int = flag(
        None,
        type=int,
        help="adafactor: steps at 1/sqrt(warmup_steps), default 10,000. muon: default 100",
    )
    total_steps: int = 0
    cooldown_steps: int = flag(0, help="last steps, in which the rate falls linearly to 0")
    name: str = flag(
        "adafactor",
        name="optimizer",
        choices=OPTIMIZERS,
        help="adafactor: as in the paper; muon: for short runs",
    )
    adam_learning_rate: float = flag(0.02, help="muon: rate of embedding, logits and norms")
    bias_learning_rate: float = flag(0.03, help="muon: rate of attention's biases")

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.name!r} is not one of {', '.join(OPTIMIZERS)}.")
        usual = dict(zip(("learning_rate", "warmup_steps"), _RATES[self.name], strict=True))
        for name, value in usual.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.warmup_steps < 1:
            raise ValueError(f"warmup_steps={self.warmup_steps} must be at least 1.")
        for name in ("learning_rate", "adam_learning_rate", "bias_learning_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name}={getattr(self, name)} must be above 0, and finite.")
        if not 0 <= self.cooldown_steps <= self.total_steps:
            raise ValueError(
                f"cooldown_steps={self.cooldown_steps} is not in 0..{self.total_steps}, the steps "
                "of the run."
            )
        if not self.cooldown_steps:
            object.__setattr__(self, "total_steps", 0)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
      z_loss: it keeps logits near normalised [paper 3.2].
      accumulate: micro-batches per step; the batch size must be a multiple of it.
      eval_batches: length of each evaluation, as of `evaluate`.
      checkpoint_every: the last step is always saved.
      max_seconds: stop (with a checkpoint) after this time; 0: no limit.
      tokens_per_window: accuracy is also logged by position in so many tokens [paper 6.2].
    """

    model: ModelConfig
    optimizer: OptimizerConfig
    steps: int = flag(200_000, help="optimizer steps; a run of fewer is continued")
    z_loss: float = flag(1e-4, help="weight of log(Z)^2")
    accumulate: int = 1
    seed: int = flag(0, help="of the initial parameters, of dropout and of the order")
    eval_every: int = flag(1000, help="steps between evaluations")
    eval_batches: int = flag(20, help="first batches of the split; 0: all")
    checkpoint_every: int = flag(1000, help="steps between checkpoints")
    log_every: int = flag(50, help="steps between lines of metrics")
    max_seconds: float = 0.0
    tokens_per_window: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "eval_every", "checkpoint_every", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1.")
        for name in ("eval_batches", "max_seconds", "z_loss"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}={getattr(self, name)} must be 0 or more, and finite.")
        _check_seed(self.seed)


def _check_seed(seed: int) -> None:
    """Of JAX, which takes 32 bits: of more it would leave the others out."""
    if not 0 <= seed < 1 << 32:
        raise ValueError(f"seed={seed} is not in 0..{(1 << 32) - 1}.")


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How text is drawn from a model: new `tokens` of the longest prompt's text."""

    tokens: int = flag(200, help="to sample")
    temperature: float = flag(1.0, help="above 0; 0 takes the likeliest token")
    top_k: int = flag(0, help="draw from so many of the likeliest tokens; 0: from all")
    seed: int = flag(0, help="of the draws")
    context: int = flag(512, help="tokens that the model looks back, as it was trained")

    def __post_init__(self) -> None:
        for name, least in (("tokens", 1), ("context", 1), ("top_k", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}={getattr(self, name)} must be at least {least}.")
        _check_seed(self.seed)
        if self.temperature and not 1e-6 <= self.temperature <= 1e6:
            raise ValueError(
                f"temperature={self.temperature} must be 0, for the likeliest token, or in "
                "1e-6..1e6."
            )
