"""Optimizers and their learning rate schedules: the paper's Adafactor [paper 3.2], and Muon."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, muon

OPTIMIZERS = ("adafactor", "muon")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The paper's settings are the defaults.

    Attributes:
      name: "adafactor", as in the paper; "muon" needs about half as many tokens in short runs.
      learning_rate: factor of the schedule. Adafactor: relative to each parameter's scale; the rate
        is `learning_rate / sqrt(warmup_steps)` until `warmup_steps`, then `learning_rate /
        sqrt(step)` ("from 1.0 with 10,000 warm-up steps"). Muon: 0.02, say; the rate rises linearly
        over `warmup_steps` and stays.
      warmup_steps: see there.
      total_steps, cooldown_steps: over the last `cooldown_steps` of `total_steps` the rate falls
        linearly to 0. Not in the paper: it pays in short runs. 0: none.
      adam_learning_rate: Muon is for matrices; embedding, logits, norms and biases take Adam's
        steps, at this rate.
    """

    learning_rate: float = 1.0
    warmup_steps: int = 10_000
    total_steps: int = 0
    cooldown_steps: int = 0
    name: str = "adafactor"
    adam_learning_rate: float = 0.003

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZERS:
            raise ValueError(f"optimizer {self.name!r} is not one of {', '.join(OPTIMIZERS)}.")
        if self.warmup_steps < 1:
            raise ValueError(f"warmup_steps={self.warmup_steps} must be at least 1.")
        if self.cooldown_steps > self.total_steps:
            raise ValueError(
                f"cooldown_steps={self.cooldown_steps} exceeds total_steps={self.total_steps}. "
                "Set total_steps to the length of the run."
            )


def learning_rate(config: OptimizerConfig, peak: float | None = None) -> optax.Schedule:
    """Step -> learning rate; `peak` in place of `config.learning_rate`."""
    peak = config.learning_rate if peak is None else peak

    def schedule(step: jnp.ndarray) -> jnp.ndarray:
        if config.name == "adafactor":
            rate = peak / jnp.sqrt(jnp.maximum(step, config.warmup_steps))
        else:
            rate = peak * jnp.minimum(1.0, (step + 1) / config.warmup_steps)
        if config.cooldown_steps:
            left = (config.total_steps - step) / config.cooldown_steps
            rate = rate * jnp.clip(left, 0.0, 1.0)
        return rate

    return schedule


def make_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Adafactor with factored second moments, update clipping and parameter scaling; or Muon."""
    if config.name == "adafactor":
        return optax.adafactor(learning_rate=learning_rate(config))
    return muon(
        learning_rate(config),
        adam_learning_rate=learning_rate(config, config.adam_learning_rate),
        adam_b2=0.98,
        muon_weight_dimension_numbers=_matrices,
    )


def _matrices(params: Any) -> Any:
    """Marks the matrices between activations; the logits, like the embedding, are not."""

    def mark(path: Any, _: Any) -> MuonDimensionNumbers | None:
        names = [key.key for key in path]
        matrix = names[-1] == "kernel" and "logits_dense" not in names
        return MuonDimensionNumbers() if matrix else None

    return jax.tree_util.tree_map_with_path(mark, params)
