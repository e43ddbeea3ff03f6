"""The frozen M1: integers only, in one `.eqm` file (safetensors with a JSON header)."""

import dataclasses
import functools
import hashlib
import json
import os
from typing import Any, Self

import numpy as np

from equalinfo import container
from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.container import Tensors
from equalinfo.data import storage
from equalinfo.m1.frozen.arithmetic import (
    DOWN_SHIFT,
    INT8,
    MAX_SUM,
    MULTIPLIER_BITS,
    RESIDUAL_LIMIT,
    max_attention_multiplier,
)
from equalinfo.m1.frozen.counts.tables import TABLES, FrozenCounts

FORMAT_VERSION = 3
"""1: a network; 2: counts, and a network or none; 3: the same, but the tables of counts lie in
another file."""
KIND = "frozen"
START = NUM_SYMBOLS
"""Row of the embedding that stands for the start marker, which opens every context."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """Sizes of the network.

    Attributes:
      embed_dim: E, width of the residual stream.
      num_heads: H.
      num_layers: layers.
      head_dim: D.
      mlp_dim: F, inner width of the gated layer.
      max_distance: distances from here on share one attention bias.
      max_context: symbols of context it was trained with.
    """

    embed_dim: int
    num_heads: int
    num_layers: int
    head_dim: int
    mlp_dim: int
    max_distance: int
    max_context: int

    @property
    def inner_dim(self) -> int:
        """H D, inner width of the attention."""
        return self.num_heads * self.head_dim

    @property
    def num_parameters(self) -> int:
        """Entries of the matrices that every symbol passes, without embedding and logits."""
        attention = 4 * self.embed_dim * self.inner_dim
        return self.num_layers * (attention + 3 * self.embed_dim * self.mlp_dim)


@dataclasses.dataclass(frozen=True)
class FrozenM1:
    """Shape, tensors and shifts; `reference` says what they compute.

    Attributes:
      shape: sizes.
      tensors: by name, see `expected_tensors`.
      shifts: by name: how many bits each multiplication is shifted right.
      made_from: where it comes from (sha256 of the float parameters, step); for people.
    """

    shape: Shape
    tensors: Tensors
    shifts: dict[str, int]
    made_from: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)

    @functools.cached_property
    def sha256(self) -> str:
        """Of what defines the function: shape, shifts and tensors."""
        digest = hashlib.sha256(_json([KIND, dataclasses.asdict(self.shape), self.shifts]))
        for name, value in sorted(self.tensors.items()):
            little = value.astype(value.dtype.newbyteorder("<"))
            digest.update(f"{name}\0{value.dtype.name}{list(value.shape)}\0".encode())
            digest.update(np.ascontiguousarray(little).tobytes())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one file; the same model gives the same bytes."""
        write(path, self, None, self.made_from)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read the network of a file that `write` or `save` wrote.

        Raises:
          FileNotFoundError: there is no such file.
          ValueError: it is of another kind or version, or damaged, or has no network.
        """
        network, _ = read(path)
        if not isinstance(network, cls):
            raise ValueError(f"{os.fspath(path)} holds counts and no network.")
        return network


def content_sha256(network: FrozenM1 | None, counts: FrozenCounts | None) -> str:
    """Of what a file defines."""
    if counts is None:
        assert network is not None
        return network.sha256
    both = [network.sha256 if network else None, counts.sha256]
    return hashlib.sha256(_json([KIND, *both])).hexdigest()


def write(
    path: str | os.PathLike[str],
    network: FrozenM1 | None,
    counts: FrozenCounts | None,
    made_from: dict[str, Any],
    tables_in: str | None = None,
) -> None:
    """Write one file; the same content gives the same bytes.

    Args:
      path: where.
      network: None: counts alone.
      counts: None: the network alone, in format version 1.
      made_from: for people.
      tables_in: name of a file that will lie beside this one and has the same n-grams: nine tenths
        of the file, which are then read from there. None: the file stands alone.

    Raises:
      ValueError: neither network nor counts.
    """
    if network is None and counts is None:
        raise ValueError("an M1 has a network, or counts, or both: nothing to write.")
    header: dict[str, Any] = {
        "format_version": 1 if counts is None else 3 if tables_in else 2,
        "made_from": made_from,
        "sha256": content_sha256(network, counts),
    }
    tensors: Tensors = {}
    if network is not None:
        header |= {"shape": dataclasses.asdict(network.shape), "shifts": network.shifts}
        tensors |= network.tensors
    if counts is not None:
        header["ngram_length"] = counts.length
        tensors |= counts.tensors()
        if tables_in is not None:
            header["tables_in"] = tables_in
            tensors = {name: value for name, value in tensors.items() if name not in TABLES}
    container.write(path, container.FROZEN, header, tensors)


def read(path: str | os.PathLike[str]) -> tuple[FrozenM1 | None, FrozenCounts | None]:
    """Read a file that `write` wrote.

    Raises:
      FileNotFoundError: there is no such file, or none that it takes its n-grams from.
      ValueError: it is of another kind or version, or damaged.
    """
    name = os.fspath(path)
    header, tensors = container.read(path, container.FROZEN, range(1, FORMAT_VERSION + 1))
    version = header["format_version"]
    try:
        if version > 2:
            tensors |= _tables(name, header["tables_in"])
        counted = {key: tensors.pop(key) for key in sorted(tensors) if key.startswith("counts.")}
        counts = FrozenCounts.from_tensors(counted, header["ngram_length"]) if version > 1 else None
        network = None
        if version == 1 or "shape" in header:
            shape = Shape(**header["shape"])
            network = FrozenM1(shape, tensors, header["shifts"], header.get("made_from", {}))
        found = content_sha256(network, counts)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    container.check_sha256(path, container.FROZEN, found, header)
    return network, counts


def _tables(name: str, tables_in: str) -> Tensors:
    """The n-grams of a file, from the one beside it."""
    beside = storage.join(os.path.dirname(name), tables_in)
    if not storage.is_file(beside):
        raise FileNotFoundError(
            f"{name} has its n-grams in {beside}, which does not exist. Copy both."
        )
    _, tensors = container.read(beside, container.FROZEN, [2])
    return {table: tensors[table] for table in TABLES if table in tensors}


def expected_tensors(shape: Shape) -> dict[str, tuple[type, tuple[int, ...], int]]:
    """Name -> type, shape and largest magnitude of each tensor.

    Matrices are [inputs, outputs]; `*_scale` are the multipliers of their outputs; `*_norm` those
    of the norm before; `attention_scale` those of what attention gives; `bias` is [H, distance].
    """
    width, inner, hidden = shape.embed_dim, shape.inner_dim, shape.mlp_dim
    top = 1 << MULTIPLIER_BITS
    out: dict[str, tuple[type, tuple[int, ...], int]] = {
        "embedding": (np.int32, (NUM_SYMBOLS + 1, width), RESIDUAL_LIMIT),
        "final_norm": (np.int32, (width,), top),
        "logits": (np.int8, (width, NUM_SYMBOLS), INT8),
        "logits_scale": (np.int32, (NUM_SYMBOLS,), top),
    }
    matrices = {
        "query": (width, inner),
        "key": (width, inner),
        "value": (width, inner),
        "out": (inner, width),
        "gate": (width, hidden),
        "up": (width, hidden),
        "down": (hidden, width),
    }
    for layer in range(shape.num_layers):
        for name, size in matrices.items():
            out[f"{layer}.{name}"] = (np.int8, size, INT8)
            out[f"{layer}.{name}_scale"] = (np.int32, size[1:], top)
        out[f"{layer}.attention_norm"] = (np.int32, (width,), top)
        out[f"{layer}.mlp_norm"] = (np.int32, (width,), top)
        out[f"{layer}.attention_scale"] = (np.int32, (inner,), top)
        out[f"{layer}.score_scale"] = (
            np.int32,
            (shape.num_heads,),
            max_attention_multiplier(shape.head_dim),
        )
        out[f"{layer}.bias"] = (np.int32, (shape.num_heads, shape.max_distance + 1), 1 << 20)
    return out


def expected_shifts(shape: Shape) -> dict[str, range]:
    """Name -> allowed values of each shift."""
    project, norm = range(13, 44), range(1, 31)
    out = {"final_norm": norm, "logits": project}
    for layer in range(shape.num_layers):
        for name in ("query", "key", "value", "out", "gate", "up"):
            out[f"{layer}.{name}"] = project
        out[f"{layer}.down"] = range(DOWN_SHIFT, 44)
        out[f"{layer}.attention_norm"] = out[f"{layer}.mlp_norm"] = norm
        out[f"{layer}.attention"] = norm
        out[f"{layer}.score"] = range(1, 26)
    return out


def check(model: FrozenM1) -> None:
    """Raise ValueError where a size, type or bound is not what keeps all arithmetic exact."""
    shape = model.shape
    for field in dataclasses.fields(Shape):
        value = getattr(shape, field.name)
        if type(value) is not int or value < 1:
            raise ValueError(f"{field.name}={value!r} is not a positive integer.")
    for name, inputs in (("embed_dim", shape.embed_dim), ("mlp_dim", shape.mlp_dim)):
        if inputs * INT8 * INT8 >= MAX_SUM:
            raise ValueError(
                f"{name}={inputs}: sums of {inputs} products may reach {inputs * INT8 * INT8}, and "
                f"are exact below 2^24 = {MAX_SUM} only. Use a smaller model."
            )
    if shape.inner_dim * INT8 * INT8 >= MAX_SUM:
        raise ValueError(f"num_heads * head_dim = {shape.inner_dim} is too large, see mlp_dim.")
    if shape.num_layers > len(model.tensors):  # before a list of theirs is made
        raise ValueError(f"num_layers={shape.num_layers}, with {len(model.tensors)} tensors.")
    tensors, shifts = expected_tensors(shape), expected_shifts(shape)
    for name in sorted(tensors.keys() | model.tensors.keys()):
        found = model.tensors.get(name)
        if name not in tensors or found is None:
            raise ValueError(f"tensor {name!r} is {'unknown' if found is not None else 'missing'}.")
        kind, size, limit = tensors[name]
        if found.dtype != kind or found.shape != size:
            raise ValueError(
                f"tensor {name!r} is {found.dtype}{list(found.shape)}, expected "
                f"{np.dtype(kind).name}{list(size)}."
            )
        largest = int(np.abs(found.astype(np.int64)).max(initial=0))
        lowest = 0 if name.endswith(("_scale", "_norm")) else -limit
        if largest > limit or int(found.min(initial=0)) < lowest:
            raise ValueError(f"tensor {name!r} leaves {lowest}..{limit}.")
    for name in sorted(shifts.keys() | model.shifts.keys()):
        value = model.shifts.get(name)
        if type(value) is not int or value not in shifts.get(name, range(0)):
            raise ValueError(f"shift {name!r} is {value!r}, expected one in {shifts.get(name)}.")


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
