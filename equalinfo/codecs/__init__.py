"""Compression methods by name: text to token ids and back.

`create` makes a codec from its options, `Codec.save` writes a self-contained directory, `load`
reads it. Importing this package loads neither JAX nor SentencePiece.
"""

import argparse
import dataclasses
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from equalinfo.codecs.ac import AcCodec, StaticAcCodec
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
    Option,
    file_sha256,
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
    "EOS_ID",
    "ID_OFFSET",
    "METHODS",
    "PAD_ID",
    "UNK_ID",
    "BytesCodec",
    "CodebookCodec",
    "Codec",
    "Encoded",
    "LossyCodecError",
    "Option",
    "SentencePieceCodec",
    "add_options",
    "codec_of",
    "create",
    "files_of",
    "given_options",
    "load",
    "option",
    "options_of",
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


def options_of(method: str) -> tuple[str, ...]:
    """Names of the options that `create` takes for a method."""
    return tuple(inspect.signature(codec_of(method)).parameters)


def codec_of(method: str) -> type[Codec]:
    """The class of a method: what it is like, without its assets.

    Raises:
      ValueError: no such method.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}.")
    return METHODS[method]


def create(method: str, **options: Any) -> Codec:
    """Make a codec.

    Args:
      method: a key of METHODS.
      **options: fields of the method's codec, for example model=..., window_bits=16 and
        token_bits=16 for `EqualInfoCodec`. Models and codebooks may be given as files.

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
    return METHODS[method](**options)


def files_of(method: str, options: Mapping[str, Any]) -> list[str]:
    """Names of those of the options for `create` that are paths of files."""
    declared = codec_of(method).declared()
    return [
        name
        for name, value in options.items()
        if declared[name].asset and isinstance(value, str | os.PathLike)
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of all methods on a command line; `given_options` reads them.

    An option of several methods is one option, whose help says what it means to each.
    """
    uses: dict[str, list[tuple[str, dataclasses.Field[Any], Option]]] = {}
    for method in METHODS:
        for flag, field, about in _flags(method):
            uses.setdefault(flag, []).append((method, field, about))
    for flag, of_methods in uses.items():
        helps: dict[str, list[str]] = {}
        for method, _, about in of_methods:
            helps.setdefault(about.help, []).append(method)
        text = "; ".join(f"{', '.join(methods)}: {text}" for text, methods in helps.items())
        _, field, about = of_methods[0]
        settings: dict[str, Any] = {"help": text.replace("%", "%%")}
        if about.asset:
            settings["metavar"] = "FILE"
        elif field.type is bool:
            on = field.default
            settings["action"] = argparse.BooleanOptionalAction if on else "store_true"
        elif field.type is int:
            settings["type"] = _integer(min(about.lowest or 0 for _, _, about in of_methods))
        elif about.choices:
            settings["choices"] = about.choices
        parser.add_argument(f"--{flag}", default=None, **settings)


def given_options(method: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Options for `create` that a command line with `add_options` gave.

    Raises:
      ValueError: one of another method, or one is missing; names it as the command line does.
    """
    own = {flag: (field, about) for flag, field, about in _flags(method)}
    given = {}
    for flag in dict.fromkeys(flag for name in METHODS for flag, _, _ in _flags(name)):
        value = getattr(arguments, flag)
        if value is None:
            continue
        if flag not in own:
            takes = ", ".join(f"--{name}" for name in own) or "no options"
            raise ValueError(f"--{flag} is not for --method={method}, which takes {takes}.")
        given[own[flag][0].name] = value
    for flag, (field, about) in own.items():
        if field.default is dataclasses.MISSING and field.name not in given:
            raise ValueError(f"--method={method} needs --{flag} FILE. {about.missing}".rstrip())
    return given


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

    Raises:
      FileNotFoundError: no `codec.json`, or an asset is missing.
      ValueError: another format version, an unknown method, or a damaged file.
    """
    directory = Path(directory)
    path = directory / CODEC_FILE
    description = describe(str(directory))
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
    files = {name: _verify(directory, name, expected) for name, expected in assets.items()}
    return METHODS[method].load(files, options, str(path))


def _flags(method: str) -> Iterator[tuple[str, dataclasses.Field[Any], Option]]:
    """Those of a method's options that the command line has: name there, field, properties."""
    codec = codec_of(method)
    fields = {field.name: field for field in dataclasses.fields(codec)}  # type: ignore[arg-type]
    for name, about in codec.declared().items():
        if about.help:
            yield about.flag or name, fields[name], about


def _integer(lowest: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        if int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text} is less than {lowest}")
        return int(text)

    return integer


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
