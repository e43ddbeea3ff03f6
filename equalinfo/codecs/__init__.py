"""Compression methods by name: text to token ids and back.

`create` makes a codec from its options, `Codec.save` writes a self-contained directory, `load`
reads it. Importing this package loads neither JAX nor SentencePiece.
"""

import inspect
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from equalinfo.codecs.ac import AcCodec, StaticAcCodec
from equalinfo.codecs.base import (
    CODEC_FILE,
    FORMAT_VERSION,
    Codec,
    Encoded,
    LossyCodecError,
    option,
)
from equalinfo.codecs.bytes import BytesCodec
from equalinfo.codecs.codebook import CODEBOOK_ASSET, CodebookCodec
from equalinfo.codecs.equal_info import EqualInfoCodec
from equalinfo.codecs.equal_info_ac import EqualInfoAcCodec
from equalinfo.codecs.gzip import GzipCodec
from equalinfo.codecs.sentencepiece import SentencePieceCodec
from equalinfo.data import storage

__all__ = [
    "CODEBOOK_ASSET",
    "DEFAULT_METHOD",
    "METHODS",
    "BytesCodec",
    "CodebookCodec",
    "Codec",
    "Encoded",
    "LossyCodecError",
    "SentencePieceCodec",
    "codec_of",
    "create",
    "load",
    "option",
    "register",
]

METHODS: dict[str, type[Codec]] = {}
"""The codec of each method."""

DEFAULT_METHOD = EqualInfoCodec.method


def register(codec: type[Codec]) -> type[Codec]:
    """Add a method: a dataclass of `Codec`, in a file of its own, with one line here or elsewhere.

    From then on `create`, `load`, the command line of the pipeline, data sets and tasks know it.

    Raises:
      ValueError: there is a method of that name.
    """
    if METHODS.setdefault(codec.method, codec) is not codec:
        raise ValueError(f"method {codec.method!r} is {METHODS[codec.method].__name__} already.")
    return codec


register(BytesCodec)
register(SentencePieceCodec)
register(GzipCodec)
register(StaticAcCodec)
register(AcCodec)
register(EqualInfoAcCodec)
register(EqualInfoCodec)
register(CodebookCodec)


def codec_of(method: str) -> type[Codec]:
    """The class of a method: what it is like, without its assets.

    Raises:
      ValueError: no such method.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}.")
    return METHODS[method]


def create(method: str, *, progress: bool = True, **options: Any) -> Codec:
    """Make a codec.

    Args:
      method: a key of METHODS.
      progress: draw a bar where making it takes long.
      **options: fields of the method's codec, for example model=..., window_bits=16 and
        token_bits=16 for `EqualInfoCodec`. Models and codebooks may be given as files, local or
        remote (gs://...).

    Raises:
      ValueError: an unknown method or option, a missing one, or values that do not go together.
    """
    parameters = inspect.signature(codec_of(method)).parameters
    for name in options:
        if name not in parameters:
            raise ValueError(
                f"method {method!r} has no option {name!r}. "
                f"Its options: {', '.join(parameters) or 'none'}."
            )
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in options:
            raise ValueError(f"method {method!r} needs option {name!r}.")
    if "quiet" in parameters:
        options.setdefault("quiet", not progress)
    with ExitStack() as copies:
        for name, about in METHODS[method].declared().items():
            if about.asset and isinstance(options.get(name), str | os.PathLike):
                path = os.fspath(options[name])
                options[name] = copies.enter_context(storage.local_copy(path))
        return METHODS[method](**options)


def describe(directory: str) -> dict[str, Any]:
    """The description of a codec: method, options, sha256 of each asset; nothing is loaded.

    Args:
      directory: local or remote (gs://...), with a codec.json.

    Raises:
      FileNotFoundError: there is no codec.json.
      ValueError: it is no JSON object.
    """
    path = storage.join(directory, CODEC_FILE)
    try:
        content = json.loads(storage.read_text(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} does not exist: {directory} is no codec directory. A data set has its own in "
            "DIR/codec; `equalinfo.codecs.create(...).save(DIR)` makes one."
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is a JSON {type(content).__name__}, expected an object.")
    return content


def load(directory: str | os.PathLike[str]) -> Codec:
    """Read a codec that `Codec.save` wrote, and verify every asset's sha256.

    Args:
      directory: local or remote (gs://...).

    Raises:
      FileNotFoundError: no `codec.json`, or an asset is missing.
      ValueError: another format version, an unknown method, or a damaged file.
    """
    place = os.fspath(directory)
    path, description = storage.join(place, CODEC_FILE), describe(place)
    try:
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
    with storage.local_copy(place) as local:
        files = {name: _verify(Path(local), name, expected) for name, expected in assets.items()}
        return METHODS[method].load(files, options, path)


def _verify(directory: Path, name: str, expected: str) -> Path:
    path = directory / name
    if Path(name).name != name:
        raise ValueError(f"asset {name!r} of {directory} lies outside of it.")
    if not path.is_file():
        raise FileNotFoundError(f"asset {path} does not exist; a codec needs all its files.")
    found = storage.sha256(os.fspath(path))
    if found != expected:
        raise ValueError(
            f"asset {path} has sha256:{found[:12]}.., but {CODEC_FILE} says "
            f"sha256:{str(expected)[:12]}.. It is damaged or was replaced: its tokens would mean "
            "something else. Restore the file."
        )
    return path
