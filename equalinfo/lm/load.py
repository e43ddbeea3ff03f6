"""Trained parameters, whoever trained them."""

from pathlib import Path
from typing import Any

from equalinfo.lm.config import ModelConfig

PyTree = Any


def load_model(checkpoint: Path) -> tuple[ModelConfig, PyTree, int]:
    """(model, parameters, step) of a run directory of `equalinfo train`, or a T5X checkpoint.

    Raises:
      FileNotFoundError: neither.
      ValueError: a checkpoint of another architecture.
    """
    if not checkpoint.is_dir():
        raise FileNotFoundError(f"{checkpoint} is not a directory.")
    if (checkpoint / "config.json").exists():
        from equalinfo.lm.train import load_params

        return load_params(checkpoint)
    from equalinfo.lm.t5x_checkpoint import load_t5x_params

    return load_t5x_params(checkpoint)
