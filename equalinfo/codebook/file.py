"""The `.eqi` file: safetensors, with one JSON header in its metadata.

It is read, not mapped: with all checks that is a tenth of a second at 65,536 codes, and what has
been checked cannot change under the walk, which does not check again.
"""

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

if TYPE_CHECKING:
    from equalinfo.codebook.book import CodebookInfo

FORMAT = "equalinfo.codebook"
VERSIONS = (2, 3)

Tensors = dict[str, npt.NDArray[Any]]

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

# What safetensors raises for a type that NumPy lacks.
_FOREIGN_FILE_ERRORS = (AttributeError, TypeError)


def header_of(info: "CodebookInfo", version: int) -> dict[str, Any]:
    """The header without the sha256 of the content."""
    head = {"format": FORMAT, "format_version": version}
    fields = {**asdict(info), "made_of": dict(info.made_of)}
    if version == 2:
        fields = {"plan": info.plan, "num_codes": info.num_codes, **info.made_of}
    return {**head, **fields}


def info_fields(header: dict[str, Any]) -> dict[str, Any]:
    """The fields of `CodebookInfo`, their types checked."""
    fields = _FIELDS[header["format_version"]]
    for name, kind in fields.items():
        if type(header[name]) is not kind:
            raise ValueError(
                f"header field {name!r} is {header[name]!r}, expected {kind.__name__}."
            )
    found = {name: header[name] for name in fields}
    if "made_of" not in found:
        made_of = {name: found.pop(name) for name in (*M1_FIELDS, "float_border")}
        found["made_of"] = made_of
    return found


def content_sha256(header: dict[str, Any], tensors: Tensors) -> str:
    """Of header and tables, 64 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        little_endian = tensors[name].astype(tensors[name].dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name}:{len(little_endian)}:".encode())
        digest.update(little_endian.data)
    return digest.hexdigest()


def write(path: str | os.PathLike[str], header: dict[str, Any], tensors: Tensors) -> None:
    """Write the file in one move, never half of it."""
    from safetensors.numpy import save

    # One metadata key: safetensors writes several in random order.
    content = save(tensors, metadata={"equalinfo": json.dumps(header, sort_keys=True)})
    unfinished = Path(f"{os.fspath(path)}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Tensors]:
    """Header and tables, of the right names, types and ranks; their content is not checked yet.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: not a codebook, of another format version, or damaged.
    """
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    if not os.path.isfile(name):
        raise FileNotFoundError(f"codebook {name} does not exist.")
    try:
        with safe_open(name, framework="numpy") as file:
            header = _parse((file.metadata() or {}).get("equalinfo", "null"))
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise ValueError(f"{name} is a safetensors file, but not a codebook of equalinfo.")
            version = header.get("format_version")
            if type(version) is not int or version not in VERSIONS:
                raise ValueError(
                    f"codebook {name} has format version {version!r}, this equalinfo reads "
                    f"{' and '.join(map(str, VERSIONS))}. Compile it again, or change the version."
                )
            tensors = {key: file.get_tensor(key) for key in sorted(file.keys())}
    except (SafetensorError, *_FOREIGN_FILE_ERRORS) as error:
        raise ValueError(f"{name} is not a codebook, or it is damaged: {error}") from error
    found = {key: (str(tensor.dtype), tensor.ndim) for key, tensor in tensors.items()}
    expected = {key: (dtype, 1) for key, dtype in _TENSORS[version].items()}
    if found != expected:
        raise ValueError(f"codebook {name} is damaged: it holds {found}, expected {expected}.")
    return header, tensors


def _parse(text: str) -> Any:
    """JSON, or None: what is no JSON is no header either."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # RecursionError: very deep nesting
        return None
