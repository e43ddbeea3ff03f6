"""The codebooks that come with the package; `equalinfo/codebooks/README.md` says what they are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources

from equalinfo.codebook.book import Codebook

DEFAULT_CODEBOOK = "english-65536-v2.eqi"


@contextmanager
def shipped_file(name: str = DEFAULT_CODEBOOK) -> Iterator[str]:
    """The path of a codebook of the package, for the length of a block.

    Args:
      name: of a file in `equalinfo/codebooks`: older ones stay there when a better one comes.

    Raises:
      FileNotFoundError: no such name.
    """
    files = resources.files("equalinfo") / "codebooks"
    if not (files / name).is_file():
        known = sorted(file.name for file in files.iterdir() if file.name.endswith(".eqi"))
        raise FileNotFoundError(f"no codebook {name!r} in the package: {', '.join(known)}.")
    with resources.as_file(files / name) as path:
        yield str(path)


@cache
def shipped_codebook(name: str = DEFAULT_CODEBOOK) -> Codebook:
    """A codebook of the package, loaded once a process; see `shipped_file`."""
    with shipped_file(name) as path:
        return Codebook.load(path)


def resolve_codebook(
    codebook: Codebook | str | os.PathLike[str] | None, default: str = DEFAULT_CODEBOOK
) -> Codebook:
    """The codebook itself, the one in the file, one of the package by name, or (None) its default.

    Such as "english-8192-v2", with or without .eqi; a file of that name goes before.
    """
    if codebook is None:
        return shipped_codebook(default)
    if isinstance(codebook, str) and not os.path.exists(codebook):
        name = codebook.removesuffix(".eqi") + ".eqi"
        if (resources.files("equalinfo") / "codebooks" / name).is_file():
            return shipped_codebook(name)
    return Codebook.load(codebook) if isinstance(codebook, str | os.PathLike) else codebook
