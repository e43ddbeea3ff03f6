"""Frozen models beside a codec: reading either kind of M1 file, and how many lanes to run it in."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, cast

import numpy as np

from equalinfo.m1.base import FrequencyModel

M1_ASSET = "m1.safetensors"
PROBE_OPTION = "probe_sha256"

ModelOrPath = FrequencyModel | str | os.PathLike[str]

_FEWEST_LANES, _MOST_LANES, _LANE_SYMBOLS = 24, 1024, 1 << 18


def load_model(path: str | os.PathLike[str], precision: int | None) -> FrequencyModel:
    """Read an M1: frozen, float or static.

    Args:
      path: a safetensors file; its metadata says which kind.
      precision: P of the frequencies; None takes the file's own.

    Raises:
      ValueError: not an M1 file, or a static one of another precision.
    """
    kind = _kind(path)
    if kind == "frozen":
        from equalinfo.m1.frozen.model import FrozenModel  # compiles kernels

        return FrozenModel.load(path) if precision is None else FrozenModel.load(path, precision)
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
        f"{os.fspath(path)} is not an M1: its metadata says kind={kind!r}, expected 'frozen', "
        "'neural' or 'static'."
    )


def resolve_model(model: ModelOrPath | None, precision: int) -> FrequencyModel:
    """The model itself, the one in the file, or (None) the M1 that comes with the package.

    `precision` does not apply to a model that is given as such.
    """
    if model is None:
        from equalinfo.m1.shipped import shipped_m1  # compiles kernels

        return shipped_m1(precision)
    if isinstance(model, str | os.PathLike):
        return load_model(model, precision)
    return model


def save_model(model: FrequencyModel, directory: Path) -> str:
    """Write the model into `directory`; returns the asset's name."""
    save = getattr(model, "save", None)
    if save is None:
        raise TypeError(
            f"{type(model).__name__} has no save(path), so a codec on it cannot be saved. "
            "Use FrozenModel, NeuralModel or StaticModel."
        )
    save(directory / M1_ASSET)
    return M1_ASSET


_PROBE = b"It is a truth universally acknowledged, that a window has W bits."


def describe_model(model: FrequencyModel, context: int) -> dict[str, Any]:
    """What codec.json says of M1.

    Where frequencies come from floats, it holds what they are here for a fixed text: a machine on
    which they differ could not decode, and `codecs.load` refuses to run there. (That they agree on
    this text is no proof that they do on every text.)

    Args:
      model: M1.
      context: symbols of left context it is run with.
    """
    described = {
        "precision": model.precision,
        "m1_sha256": model.sha256,
        "float_border": bool(model.float_border),
    }
    if model.float_border:
        digest = hashlib.sha256(model.root().tobytes())
        state, no_reset = model.start(1, context), np.zeros(1, np.bool_)
        for symbol in _PROBE:
            frequencies = model.step(state, np.array([symbol], np.int32), no_reset)
            digest.update(np.ascontiguousarray(frequencies, np.uint32).tobytes())
        described[PROBE_OPTION] = digest.hexdigest()
    return described


def lanes_for(context: int) -> int:
    """Texts that a model runs at once: 24..1024, fewer where contexts take more memory."""
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
