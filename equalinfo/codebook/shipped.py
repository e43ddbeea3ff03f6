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
    """The codebook itself, the one in the file, or (None) that of the package."""
    if codebook is None:
        return shipped_codebook(default)
    return Codebook.load(codebook) if isinstance(codebook, str | os.PathLike) else codebook
