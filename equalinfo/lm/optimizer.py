"""Optimizers and their learning rate schedules: the paper's Adafactor [paper 3.2], and Muon."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, muon

from equalinfo.lm.config import OptimizerConfig


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
    """Adafactor with factored second moments, update clipping and parameter scaling; or Muon.

    With Muon, attention's biases have a rate of their own. A head that looks at the token before
    needs one of 5 or so, which Adam's usual steps take a thousand for: till then a model knows no
    more than pairs of tokens.
    """
    if config.name == "adafactor":
        return optax.adafactor(learning_rate=learning_rate(config))
    rest = muon(
        learning_rate(config),
        adam_learning_rate=learning_rate(config, config.adam_learning_rate),
        adam_b2=0.98,
        muon_weight_dimension_numbers=_matrices,
    )
    faster = config.bias_learning_rate / config.adam_learning_rate

    def update(grads: Any, state: Any, params: Any) -> tuple[Any, Any]:
        updates, state = rest.update(grads, state, params)
        return jax.tree_util.tree_map_with_path(
            lambda path, x: x * faster if path[-1].key == "rel_embedding" else x, updates
        ), state

    return optax.GradientTransformation(rest.init, update)


def _matrices(params: Any) -> Any:
    """Marks the matrices between activations; the logits, like the embedding, are not."""

    def mark(path: Any, _: Any) -> MuonDimensionNumbers | None:
        names = [key.key for key in path]
        matrix = names[-1] == "kernel" and "logits_dense" not in names
        return MuonDimensionNumbers() if matrix else None

    return jax.tree_util.tree_map_with_path(mark, params)
