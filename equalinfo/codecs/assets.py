"""Frozen models beside a codec: reading either kind of M1 file, and how many lanes to run it in."""

import json
import os
from pathlib import Path
from typing import cast

from equalinfo.m1.base import FrequencyModel

M1_ASSET = "m1.safetensors"

ModelOrPath = FrequencyModel | str | os.PathLike[str]

_FEWEST_LANES, _MOST_LANES, _LANE_SYMBOLS = 256, 1024, 1 << 18


def load_model(path: str | os.PathLike[str], precision: int | None) -> FrequencyModel:
    """Read a frozen M1, neural or static.

    Args:
      path: a safetensors file; its metadata says which kind.
      precision: P of the frequencies; None takes the file's own.

    Raises:
      ValueError: not an M1 file, or a static one of another precision.
    """
    kind = _kind(path)
    if kind == "neural":
        from equalinfo.m1.neural import NeuralModel  # JAX

        return (
            NeuralModel.load(Path(path))
            if precision is None
            else NeuralModel.load(Path(path), precision)
        )
    if kind == "static":
        from equalinfo.m1.static import StaticModel

        model = StaticModel.load(Path(path))
        if precision not in (None, model.precision):
            raise ValueError(
                f"{os.fspath(path)}: its frequencies have precision {model.precision}, expected "
                f"{precision}. Count them again at that precision."
            )
        return model
    raise ValueError(
        f"{os.fspath(path)} is not a frozen M1: its metadata says kind={kind!r}, expected "
        "'neural' or 'static'."
    )


def resolve_model(model: ModelOrPath, precision: int) -> FrequencyModel:
    """The model itself, or the one in the file. `precision` applies to a file only."""
    if isinstance(model, str | os.PathLike):
        return load_model(model, precision)
    return model


def save_model(model: FrequencyModel, directory: Path) -> str:
    """Write the model into `directory`; returns the asset's name."""
    save = getattr(model, "save", None)
    if save is None:
        raise TypeError(
            f"{type(model).__name__} has no save(path), so a codec on it cannot be saved. "
            "Use NeuralModel or StaticModel."
        )
    save(directory / M1_ASSET)
    return M1_ASSET


def lanes_for(context: int) -> int:
    """Texts that a model runs at once: 256..1024, fewer where contexts take more memory."""
    return max(_FEWEST_LANES, min(_MOST_LANES, _LANE_SYMBOLS // max(context, 1)))


def _kind(path: str | os.PathLike[str]) -> str | None:
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    if not os.path.isfile(name):
        raise FileNotFoundError(f"M1 file {name} does not exist.")
    try:
        with safe_open(name, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get("equalinfo", "{}"))
    except (SafetensorError, json.JSONDecodeError) as error:
        raise ValueError(f"{name} is not a frozen M1, or it is damaged: {error}") from error
    if not isinstance(header, dict):
        return None
    if header.get("format") == "equalinfo-static":
        return "static"
    return cast("str | None", header.get("kind"))
