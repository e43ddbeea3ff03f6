"""The codebooks that come with the package; `equalinfo/codebooks/README.md` says what they are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources

from equalinfo.codebook.book import Codebook
from equalinfo.data import storage

DEFAULT_CODEBOOK = "english-65536-v2.eqi"
_FOLDER = resources.files("equalinfo") / "codebooks"


@contextmanager
def shipped_file(name: str = DEFAULT_CODEBOOK) -> Iterator[str]:
    """The path of a codebook of the package, for the length of a block.

    Args:
      name: of a file in `equalinfo/codebooks`, with or without .eqi: older ones stay there when a
        better one comes.

    Raises:
      FileNotFoundError: no such name.
    """
    name = name.removesuffix(".eqi") + ".eqi"
    if name not in shipped_names():
        raise FileNotFoundError(
            f"no codebook {name!r} in the package: {', '.join(shipped_names())}."
        )
    with resources.as_file(_FOLDER / name) as path:
        yield str(path)


def shipped_names() -> list[str]:
    """Of the codebooks of the package."""
    return sorted(file.name for file in _FOLDER.iterdir() if file.name.endswith(".eqi"))


def named(path: str) -> str | None:
    """The codebook of the package that `path` names; None where there is a file of that name."""
    name = path.removesuffix(".eqi") + ".eqi"
    return name if name in shipped_names() and not storage.is_file(path) else None


def shipped_codebook(name: str = DEFAULT_CODEBOOK) -> Codebook:
    """A codebook of the package, loaded once a process; see `shipped_file`."""
    return _load(name.removesuffix(".eqi"))


@cache
def _load(name: str) -> Codebook:
    with shipped_file(name) as path:
        return Codebook.load(path)


def resolve_codebook(
    codebook: Codebook | str | os.PathLike[str] | None, default: str = DEFAULT_CODEBOOK
) -> Codebook:
    """The codebook itself, the one in a file, one of the package by name, or (None) its default.

    Such as "english-8192-v2", with or without .eqi; a file of that name goes before.

    Raises:
      FileNotFoundError: there is none; names those of the package.
      ValueError: the file is none, or damaged.
    """
    if codebook is None:
        return shipped_codebook(default)
    if not isinstance(codebook, str | os.PathLike):
        return codebook
    path = os.fspath(codebook)
    if name := named(path):
        return shipped_codebook(name)
    if storage.is_file(path):
        return Codebook.load(path)
    raise FileNotFoundError(
        f"there is no codebook {path!r}, neither as a file (looked from {os.getcwd()!r}) nor in "
        f"the package, which has {', '.join(shipped_names())}."
    )
