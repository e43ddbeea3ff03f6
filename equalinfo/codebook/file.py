"""The `.eqi` file: safetensors, with one JSON header in its metadata.

It is read, not mapped: with all checks that is a tenth of a second at 65,536 codes, and what has
been checked cannot change under the walk, which does not check again.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from equalinfo import container
from equalinfo.codebook.limits import LONGEST, MAX_TOKEN_COST, UNIGRAM
from equalinfo.container import Header, Tensors
from equalinfo.m1.base import check_precision

VERSIONS = (2, 3)

M1_FIELDS = {"precision": int, "m1_sha256": str, "m1_context": int}
_FIELDS = {
    # `float_border` was for M1s whose frequencies came from floats; it is false, and hashed.
    2: {"plan": str, "num_codes": int, **M1_FIELDS, "float_border": bool},
    3: {"plan": str, "num_codes": int, "parse": str, "token_cost": int, "made_of": dict},
}
_TENSORS = {
    2: {"entries": "uint64", "information": "uint16", "offsets": "int64", "texts": "uint16"},
    3: {"bases": "uint32", "information": "uint16", "lengths": "uint16", "texts": "uint16"},
}


INFORMATION_UNIT_BITS = 1 / 256
"""Unit of `Codebook.information` and of `CodebookInfo.token_cost`."""


@dataclass(frozen=True)
class CodebookInfo:
    """How a codebook was made, and is used.

    Attributes:
      plan: unigram, best_first or interval.
      num_codes: V.
      parse: longest or fewest, where none is named.
      token_cost: what a token costs parse `fewest` beside its information, in 1/256 bit.
      made_of: what the plan chose the texts from, integers and strings by name. best_first and
        interval: `precision` P, `m1_sha256` and `m1_context`, of M1 and its frequencies.
    """

    plan: str
    num_codes: int
    parse: str = LONGEST
    token_cost: int = 0
    made_of: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def precision(self) -> int:
        """P, of plans that an M1 chose the texts for."""
        return int(self.made_of["precision"])

    @property
    def m1_context(self) -> int:
        """Symbols of left context M1 saw, of plans that an M1 chose the texts for."""
        return int(self.made_of["m1_context"])

    def check(self) -> None:
        """Raise a ValueError unless what a plan must tell is told, and can be written."""
        for name, value in self.made_of.items():
            if type(name) is not str or type(value) not in (int, str, bool):
                raise ValueError(
                    f"made_of[{name!r}] is {value!r}, expected an integer or a string."
                )
        if self.plan != UNIGRAM:
            for name, kind in M1_FIELDS.items():
                if type(self.made_of.get(name)) is not kind:
                    raise ValueError(
                        f"made_of[{name!r}] of plan {self.plan!r} is {self.made_of.get(name)!r}, "
                        f"expected {kind.__name__}."
                    )
            check_precision(self.precision)
            if self.m1_context < 0:
                raise ValueError(f"m1_context={self.m1_context} is negative.")
        if type(self.token_cost) is not int or not 0 <= self.token_cost <= MAX_TOKEN_COST:
            raise ValueError(
                f"token_cost={self.token_cost} is not an integer in 0..{MAX_TOKEN_COST}."
            )

    def header(self, version: int) -> Header:
        """What the file's header says, without the sha256 of the content."""
        head = {**container.KINDS[container.CODEBOOK], "format_version": version}
        if version == 2:
            return {**head, "plan": self.plan, "num_codes": self.num_codes, **self.made_of}
        return {**head, **asdict(self), "made_of": dict(self.made_of)}

    @classmethod
    def of_header(cls, header: Header) -> Self:
        """Undo `header`; a ValueError for a field of another type, a KeyError for one missing."""
        fields = _FIELDS[header["format_version"]]
        for name, kind in fields.items():
            if type(header[name]) is not kind:
                raise ValueError(
                    f"header field {name!r} is {header[name]!r}, expected {kind.__name__}."
                )
        found = {name: header[name] for name in fields}
        if "made_of" not in found:
            found["made_of"] = {name: found.pop(name) for name in (*M1_FIELDS, "float_border")}
        return cls(**found)


def content_sha256(header: dict[str, Any], tensors: Tensors) -> str:
    """Of header and tables, 64 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        little_endian = tensors[name].astype(tensors[name].dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}:{len(little_endian)}:".encode())
        digest.update(little_endian.data)
    return digest.hexdigest()


def read(path: str | os.PathLike[str]) -> tuple[Header, Tensors]:
    """Header and tables, of the right names, types and ranks; their content is not checked yet.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: not a codebook, of another format version, or damaged.
    """
    header, tensors = container.read(path, container.CODEBOOK, VERSIONS)
    found = {key: (str(tensor.dtype), tensor.ndim) for key, tensor in tensors.items()}
    expected = {key: (dtype, 1) for key, dtype in _TENSORS[header["format_version"]].items()}
    if found != expected:
        raise ValueError(
            f"codebook {os.fspath(path)} is damaged: it holds {found}, expected {expected}."
        )
    return header, tensors
