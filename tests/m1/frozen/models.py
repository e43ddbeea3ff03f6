"""Small frozen M1s for tests. Their numbers come from SHAKE-256: the same with every NumPy."""

import functools
import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, NUM_SYMBOLS
from equalinfo.m1.frozen.arithmetic import INT8, MAX_SUM
from equalinfo.m1.frozen.file import FrozenM1, Shape, Tensors, expected_shifts, expected_tensors

Ints = npt.NDArray[np.int64]

SMALL = Shape(
    embed_dim=64, num_heads=2, num_layers=2, head_dim=32, mlp_dim=128, max_distance=16,
    max_context=64,
)  # fmt: skip

ODD = Shape(
    embed_dim=36, num_heads=3, num_layers=2, head_dim=32, mlp_dim=84, max_distance=5,
    max_context=64,
)  # fmt: skip
"""No width is a multiple of 64."""

WIDE = Shape(
    embed_dim=(MAX_SUM - 1) // INT8**2, num_heads=2, num_layers=1, head_dim=512,
    mlp_dim=(MAX_SUM - 1) // INT8**2, max_distance=16, max_context=64,
)  # fmt: skip
"""As wide as sums below 2^24 allow."""

# (multiplier, shift): multipliers are drawn from a quarter to 7 quarters of the first.
_SCALES = {
    "attention_norm": (10_000, 20),
    "mlp_norm": (10_000, 20),
    "final_norm": (10_000, 20),
    "query": (14_000, 23),
    "key": (14_000, 23),
    "value": (14_000, 23),
    "score": (2_300, 15),
    "attention": (16_000, 20),
    "out": (15_000, 14),
    "gate": (11_000, 18),
    "up": (11_000, 18),
    "down": (18_000, 30),
    "logits": (18_000, 17),
}
_EMBEDDING, _BIAS = 100_000, 700


def draw(seed: str, size: int, low: int, high: int) -> Ints:
    """int64[size], evenly in [low, high], from the seed alone."""
    numbers = np.frombuffer(hashlib.shake_256(seed.encode()).digest(8 * size), "<u8")
    return (numbers % np.uint64(high - low + 1)).astype(np.int64) + low


def draw_signs(seed: str, size: int) -> Ints:
    """int64[size] of 1 and -1."""
    return 2 * draw(seed, size, 0, 1) - 1


def draw_text(seed: str, size: int) -> Ints:
    """Symbols int64[size]: each of the 257 is as likely, and the eighth is EOS."""
    text = draw(seed, size, 0, NUM_SYMBOLS - 1)
    text[7:8] = EOS
    return text


@functools.cache
def random_model(seed: str = "small", shape: Shape = SMALL) -> FrozenM1:
    """Weights over all of [-127, 127], activations of ordinary size: neither zero nor clipped."""
    tensors: Tensors = {}
    for name, (kind, size, limit) in expected_tensors(shape).items():
        low, high = -limit, limit
        part = _part(name)
        if part == "embedding":
            low, high = -_EMBEDDING, _EMBEDDING
        elif part == "bias":
            low, high = -_BIAS, _BIAS
        elif _is_multiplier(name):
            low, high = _SCALES[part][0] // 4, _SCALES[part][0] * 7 // 4
        values = draw(f"{seed} {name}", int(np.prod(size)), low, high)
        tensors[name] = values.reshape(size).astype(kind)
    shifts = {name: _SCALES[_part(name)][1] for name in expected_shifts(shape)}
    return FrozenM1(shape, tensors, shifts)


_GROUPS: dict[str, tuple[str, ...]] = {
    "embedding": ("embedding",),
    "norms": ("attention_norm", "mlp_norm", "final_norm"),
    "projections": ("query", "key", "value"),
    "scores": ("score", "bias"),
    "attention": ("attention", "out"),
    "hidden": ("gate", "up", "down"),
    "logits": ("logits",),
}
_GROUPS["all"] = tuple(part for group in _GROUPS.values() for part in group)
EXTREMES = [f"{group} {shifts}" for group in _GROUPS for shifts in ("least", "most")]


@functools.cache
def extreme_model(name: str, shape: Shape = SMALL) -> FrozenM1:
    """A random model, of which some numbers are all at their limits, with random signs.

    Only some, so that what overflows there is seen: after it nothing is clipped.

    Args:
      name: one of `EXTREMES`: which numbers, and whether their shifts are the least or the most
        that are allowed.
      shape: sizes.
    """
    group, which = name.split()
    parts = _GROUPS[group]
    normal = random_model("small", shape)
    tensors, shifts = dict(normal.tensors), dict(normal.shifts)
    for key, (kind, size, limit) in expected_tensors(shape).items():
        if _part(key) in parts:
            count = int(np.prod(size))
            signs = np.ones(count) if _is_multiplier(key) else draw_signs(f"{name} {key}", count)
            tensors[key] = (signs * limit).reshape(size).astype(kind)
    for key, allowed in expected_shifts(shape).items():
        if _part(key) in parts:
            shifts[key] = min(allowed) if which == "least" else max(allowed)
    return FrozenM1(shape, tensors, shifts)


# How many bits the sums of `wide_model` are shifted, so that the largest is just not clipped.
_WIDE_SHIFTS = {
    "attention_norm": 18,
    "mlp_norm": 18,
    "final_norm": 18,
    "query": 13,
    "key": 13,
    "value": 13,
    "score": 1,
    "attention": 22,
    "out": 20,
    "gate": 13,
    "up": 13,
    "down": 37,
    "logits": 25,
}


@functools.cache
def wide_model() -> FrozenM1:
    """All terms of a sum have one sign and are as large as they can be: sums of 2^24 - 3,056.

    The sign is the symbol's, so that scores are near 2^30 or near -2^30.
    """
    shape = WIDE
    # Hidden and inner channels have signs; what reads them has the same ones.
    inner = draw_signs("wide value", shape.inner_dim)
    hidden = draw_signs("wide up", shape.mlp_dim)
    rows = {"out": inner, "down": hidden}
    columns = {
        "value": inner,
        "up": hidden,
        "logits": draw_signs("wide logits", NUM_SYMBOLS),
        "bias": draw_signs("wide bias", shape.max_distance + 1),
    }
    tensors: Tensors = {}
    for name, (kind, size, limit) in expected_tensors(shape).items():
        part = _part(name)
        values = np.full(size, limit, np.int64)
        if part == "embedding":
            values *= draw_signs("wide embedding", len(values))[:, None]
        elif _is_multiplier(name):
            if part in ("out", "down", "logits"):
                values = draw(f"wide {name}", size[0], limit // 4, limit)
        else:
            values *= columns.get(part, np.int64(1))
            if part in rows:
                values *= rows[part][:, None]
        tensors[name] = values.astype(kind)
    shifts = {name: _WIDE_SHIFTS[_part(name)] for name in expected_shifts(shape)}
    return FrozenM1(shape, tensors, shifts)


@functools.cache
def tiny_float() -> tuple[Any, Any]:
    """A `tiny` byte LM with random parameters, its logits as far apart as a trained one's."""
    import jax
    import jax.numpy as jnp

    from equalinfo.lm.config import model_config
    from equalinfo.lm.model import Transformer
    from equalinfo.lm.train import init_params

    config = model_config("tiny", NUM_SYMBOLS + 2, jnp.float32)
    params = jax.jit(lambda: init_params(Transformer(config), 5))()
    params["decoder"]["logits_dense"]["kernel"] *= 3.0
    return config, params


@functools.cache
def tiny_model() -> FrozenM1:
    """What `lm.freeze` makes of `tiny_float`."""
    from equalinfo.lm.freeze import freeze

    config, params = tiny_float()
    text = draw_text("calibration", 16 * 64).reshape(16, 64)
    return freeze(config, params, text, max_context=64, made_from={"test": "tiny"})


def _part(name: str) -> str:
    """ "0.query_scale" -> "query"."""
    return name.split(".")[-1].removesuffix("_scale")


def _is_multiplier(name: str) -> bool:
    return name.endswith(("_scale", "_norm"))
