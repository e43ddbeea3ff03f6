"""The one kind of file that holds a codebook or an M1: arrays, and a JSON header (safetensors).

The header stands in the metadata under one key: safetensors writes several in no fixed order. It
says what the file is, in which format version, and the sha256 of the content. The words for what
a file is differ with its age; `KINDS` knows them.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.data import storage

Header = dict[str, Any]
Tensors = dict[str, npt.NDArray[Any]]

CODEBOOK, FROZEN, STATIC = "codebook", "frozen M1", "static M1"

KINDS: dict[str, Header] = {
    CODEBOOK: {"format": "equalinfo.codebook"},
    FROZEN: {"kind": "frozen"},
    STATIC: {"format": "equalinfo-static"},
}
"""What the header of each kind says."""

_MADE_BY = {
    CODEBOOK: "equalinfo compile",
    FROZEN: "equalinfo freeze",
    STATIC: "python -m pipelines.count",
}
_KEY = "equalinfo"


def write(path: str | os.PathLike[str], kind: str, header: Header, tensors: Tensors) -> None:
    """Write a file, in one move: the same bytes for the same content.

    Args:
      path: where.
      kind: a key of KINDS.
      header: what it says besides: `format_version`, `sha256` and what the kind needs.
      tensors: by name.
    """
    from safetensors.numpy import save

    # An array as it lies in memory is what safetensors writes.
    whole = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
    text = json.dumps({**KINDS[kind], **header}, sort_keys=True)
    with storage.create(os.fspath(path)) as file:
        file.write(save(whole, metadata={_KEY: text}))


def read(
    path: str | os.PathLike[str], kind: str, versions: Sequence[int]
) -> tuple[Header, Tensors]:
    """Header and arrays of a file; what they hold is not checked yet.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: of another kind or format version, or damaged.
    """
    name = os.fspath(path)
    header, tensors = _read(name, kind, with_tensors=True)
    if kind_of_header(header) != kind:
        says = header.get("kind", header.get("format"))
        raise ValueError(
            f"{name} is not a {kind} (its header says {says!r}). Make one with `{_MADE_BY[kind]}`."
        )
    version = header.get("format_version")
    if type(version) is not int or version not in versions:
        raise ValueError(
            f"{kind} {name} has format version {version!r}, this equalinfo reads "
            f"{' and '.join(map(str, versions))}. Make it again, or use the version that wrote it."
        )
    return header, tensors


def read_header(path: str | os.PathLike[str], what: str) -> Header:
    """The header alone, empty where there is none; `what` it should be, for errors.

    Raises:
      FileNotFoundError, ValueError: no such file, or damaged.
    """
    return _read(os.fspath(path), what, with_tensors=False)[0]


def kind_of_header(header: Header) -> str | None:
    """A key of KINDS; None for others."""
    for kind, words in KINDS.items():
        if words.items() <= header.items():
            return kind
    return None


def check_sha256(path: str | os.PathLike[str], kind: str, found: str, header: Header) -> None:
    """Raise a ValueError unless the content is what the header says."""
    if found != header.get("sha256"):
        raise ValueError(
            f"{kind} {os.fspath(path)} is damaged: its content has sha256:{found[:12]}.., its "
            f"header says sha256:{str(header.get('sha256'))[:12]}.. Get the file again."
        )


def _read(name: str, what: str, *, with_tensors: bool) -> tuple[Header, Tensors]:
    from safetensors import SafetensorError, safe_open

    if not storage.is_file(name):
        raise FileNotFoundError(f"{what} {name} does not exist.")
    try:
        with storage.local_copy(name) as path, safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY, "null")
            keys = sorted(file.keys()) if with_tensors else ()
            tensors = {key: file.get_tensor(key) for key in keys}
    # The last two for types that NumPy lacks.
    except (SafetensorError, AttributeError, TypeError) as error:
        raise ValueError(f"{name} is not a {what}, or it is damaged: {error}") from error
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):  # very deep nesting; what is no JSON is no header either
        header = None
    return header if isinstance(header, dict) else {}, tensors
