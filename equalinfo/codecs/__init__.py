"""Compression methods by name: text to token ids and back.

`create` makes a codec from its options, `Codec.save` writes a self-contained directory, `load`
reads it. Importing this package loads neither JAX nor SentencePiece.
"""

import inspect
import json
import os
from pathlib import Path
from typing import Any

from equalinfo.codecs.ac import AcCodec, StaticAcCodec
from equalinfo.codecs.assets import PROBE_OPTION
from equalinfo.codecs.base import (
    CODEC_FILE,
    EOS_ID,
    FORMAT_VERSION,
    ID_OFFSET,
    PAD_ID,
    UNK_ID,
    Codec,
    Encoded,
    LossyCodecError,
    file_sha256,
)
from equalinfo.codecs.codebook import CodebookCodec
from equalinfo.codecs.equal_info import EqualInfoCodec
from equalinfo.codecs.equal_info_ac import EqualInfoAcCodec
from equalinfo.codecs.gzip import GzipCodec
from equalinfo.codecs.plain import BytesCodec
from equalinfo.codecs.sentencepiece import SentencePieceCodec

__all__ = [
    "EOS_ID",
    "ID_OFFSET",
    "METHODS",
    "PAD_ID",
    "UNK_ID",
    "Codec",
    "Encoded",
    "LossyCodecError",
    "create",
    "load",
    "options_of",
]

METHODS: dict[str, type[Codec]] = {
    codec.method: codec
    for codec in (
        BytesCodec,
        SentencePieceCodec,
        GzipCodec,
        StaticAcCodec,
        AcCodec,
        EqualInfoAcCodec,
        EqualInfoCodec,
        CodebookCodec,
    )
}


def create(method: str, **options: Any) -> Codec:
    """Make a codec.

    Args:
      method: a key of METHODS.
      **options: those of the method's class method `create`, for example
        `EqualInfoCodec.create(model=..., window_bits=16, token_bits=16)`.

    Raises:
      ValueError: an unknown method or option, a missing one, or values that do not go together.
    """
    known = options_of(method)
    for name in options:
        if name not in known:
            raise ValueError(
                f"method {method!r} has no option {name!r}. "
                f"Its options: {', '.join(known) or 'none'}."
            )
    missing = [
        name
        for name, parameter in _parameters(method).items()
        if parameter.default is inspect.Parameter.empty and name not in options
    ]
    if missing:
        raise ValueError(f"method {method!r} needs option {missing[0]!r}.")
    return METHODS[method].create(**options)


def options_of(method: str) -> tuple[str, ...]:
    """Names of the options that `create` takes for a method."""
    return tuple(_parameters(method))


def load(directory: str | os.PathLike[str]) -> Codec:
    """Read a codec that `Codec.save` wrote, and verify every asset's sha256.

    Raises:
      FileNotFoundError: no `codec.json`, or an asset is missing.
      ValueError: another format version, an unknown method, or a damaged file.
    """
    directory = Path(directory)
    path = directory / CODEC_FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: {directory} is not a codec directory.")
    try:
        description = json.loads(path.read_text("utf-8"))
        version, method = description["format_version"], description["method"]
        options, assets = dict(description["options"]), dict(description["assets"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version!r}, this equalinfo reads {FORMAT_VERSION}. "
            "Compress again, or use the version of equalinfo that wrote it."
        )
    if not isinstance(method, str) or method not in METHODS:
        raise ValueError(f"{path}: method {method!r} is not one of {', '.join(METHODS)}.")
    # The codec sees these files only: an asset that codec.json leaves out is not read unverified.
    files = {name: _verify(directory, name, expected) for name, expected in assets.items()}
    try:
        codec = METHODS[method]._load(files, options)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: its options or assets do not fit method {method!r}: {error!r}"
        ) from error
    found = codec.options()
    if found.get(PROBE_OPTION) != options.get(PROBE_OPTION):
        raise ValueError(
            f"{directory}: M1's frequencies come from floats, and here they differ from those of "
            "the machine that made this codec: what it wrote could not be decoded here, nor the "
            "other way round. Use that machine, or a codebook (method 'equal_info' "
            "with window_bits <= 20), which holds integers only."
        )
    if found != options:
        raise ValueError(f"{path} is damaged: it says {options}, its assets give {found}.")
    return codec


def _parameters(method: str) -> dict[str, inspect.Parameter]:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}.")
    return dict(inspect.signature(METHODS[method].create).parameters)


def _verify(directory: Path, name: str, expected: str) -> Path:
    path = directory / name
    if Path(name).name != name:
        raise ValueError(f"asset {name!r} of {directory} lies outside of it.")
    if not path.is_file():
        raise FileNotFoundError(f"asset {path} does not exist; a codec needs all its files.")
    found = file_sha256(path)
    if found != expected:
        raise ValueError(
            f"asset {path} has sha256:{found[:12]}.., but {CODEC_FILE} says "
            f"sha256:{str(expected)[:12]}.. It is damaged or was replaced: its tokens would mean "
            "something else. Restore the file."
        )
    return path
