"""Adafactor and the learning rate schedule [paper 3.2]."""

import dataclasses

import jax.numpy as jnp
import optax


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The paper's settings are the defaults.

    Attributes:
      learning_rate: factor of the schedule; it is relative to each parameter's scale.
      warmup_steps: the rate is `learning_rate / sqrt(warmup_steps)` until here, then
        `learning_rate / sqrt(step)` ("from 1.0 with 10,000 warm-up steps").
      total_steps, cooldown_steps: over the last `cooldown_steps` of `total_steps` the rate falls
        linearly to 0. Not in the paper: it pays in short runs. 0: none.
    """

    learning_rate: float = 1.0
    warmup_steps: int = 10_000
    total_steps: int = 0
    cooldown_steps: int = 0

    def __post_init__(self) -> None:
        if self.warmup_steps < 1:
            raise ValueError(f"warmup_steps={self.warmup_steps} must be at least 1.")
        if self.cooldown_steps > self.total_steps:
            raise ValueError(
                f"cooldown_steps={self.cooldown_steps} exceeds total_steps={self.total_steps}. "
                "Set total_steps to the length of the run."
            )


def learning_rate(config: OptimizerConfig) -> optax.Schedule:
    """Step -> learning rate."""

    def schedule(step: jnp.ndarray) -> jnp.ndarray:
        rate = config.learning_rate / jnp.sqrt(jnp.maximum(step, config.warmup_steps))
        if config.cooldown_steps:
            left = (config.total_steps - step) / config.cooldown_steps
            rate = rate * jnp.clip(left, 0.0, 1.0)
        return rate

    return schedule


def make_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Adafactor with factored second moments, update clipping and parameter scaling."""
    return optax.adafactor(learning_rate=learning_rate(config))
