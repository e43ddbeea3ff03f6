"""Which input files patterns mean, in which order, and what they are called.

Files are sorted by name, and names do not say where the folder lies that they have in common: what
is made of them depends on the files, not on their place.
"""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from equalinfo.data import storage
from equalinfo.data.formats import format_of
from equalinfo.data.inputs import InputError, InputFile

_log = logging.getLogger(__name__)


def find(
    patterns: Sequence[str], field: str = "text", *, option: str = "--input"
) -> list[InputFile]:
    """The files that names and globs stand for, by name, each once.

    Args:
      patterns: paths or globs (`**` works), local or gs://, s3://.
      field: field or column that holds the text.
      option: what the patterns were given with, for errors.

    Raises:
      InputError: a pattern fits nothing, a suffix is not known, or a name is not UTF-8.
    """
    return in_order([file for pattern in patterns for file in _of_pattern(pattern, field, option)])


def in_order(files: Sequence[InputFile]) -> list[InputFile]:
    """Files by name, each once, the first N documents of them all.

    A file's name is the last part of its path; where two share that, all are named by their paths
    below the folder that they have in common. A local file that links lead to again is read once,
    with a warning.
    """
    by_path = {file.path: file for file in files}
    files = [by_path[path] for path in _each_once(by_path)]
    if len({file.name for file in files}) < len(files):
        paths = [file.path.replace(os.sep, "/") for file in files]
        if all(map(storage.is_local, paths)):
            paths = [os.path.abspath(path).replace(os.sep, "/") for path in paths]
        stores = {path.partition("://")[0] if "://" in path else "" for path in paths}
        folders = [os.path.dirname(path) for path in paths]
        folder = os.path.commonpath(folders) if len(stores) == 1 else ""
        files = [
            replace(file, name=path[len(folder) :].lstrip("/"))
            for file, path in zip(files, paths, strict=True)
        ]
    return sorted(files, key=lambda file: file.name)


def _each_once(paths: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    links = []
    # Of several the shortest is kept, in whatever order they were given.
    for path in sorted(paths, key=lambda path: (len(path), path)):
        local = storage.is_local(path)
        kept = found.setdefault(os.path.realpath(path) if local else path, path)
        if local and os.path.abspath(kept) != os.path.abspath(path):
            links.append(f"{path} is {kept}")
    if links:
        _log.warning("%d inputs are others once more, and left out: %s", len(links), links[0])
    return list(found.values())


def in_both(one: Sequence[str], other: Sequence[str], options: tuple[str, str]) -> str | None:
    """A file that both of two lists of names and globs mean; None: they share none.

    Args:
      one: names and globs.
      other: as well.
      options: what each was given with, for errors.
    """
    first, second = (
        {os.path.realpath(file.path) for file in find(patterns, option=option)}
        for patterns, option in zip((one, other), options, strict=True)
    )
    return min(first & second, default=None)


def limited(files: Sequence[InputFile], documents: int | None) -> list[InputFile]:
    """The files for a trial with at most so many documents, shared out among them alike."""
    if documents is None:
        return list(files)
    share, more = divmod(documents, len(files))
    shares = [share + (index < more) for index in range(len(files))]
    return [replace(file, limit=limit) for file, limit in zip(files, shares, strict=True) if limit]


def _of_pattern(pattern: str, field: str, option: str) -> list[InputFile]:
    # A name may look like a glob that fits other files: a[1].txt.
    paths = [pattern] if storage.exists(pattern) else storage.match(pattern)
    if not paths:
        if os.path.isdir(pattern):
            raise InputError(f"{option} {pattern!r} is a directory: name its files, DIR/*.")
        raise InputError(
            f"{option} {pattern!r} fits no file (looked from {os.getcwd()!r}). "
            "Quote globs, and check the path."
        )
    return [listed(path, format_of(path), field) for path in _each_once(paths)]


def listed(
    path: str, format_name: str, field: str = "text", records: int | None = None
) -> InputFile:
    """A file as it is now.

    Raises:
      InputError: its name is not UTF-8, or it is gone.
    """
    try:
        # Asking for the size of every remote file would take long.
        size = storage.size(path) if storage.is_local(path) else None
        return InputFile(path, format_name, field, size, records)
    except UnicodeDecodeError as error:
        raise InputError(
            f"the name of the input {path!r} is not UTF-8. Records name their input: rename it."
        ) from error
    except OSError as error:
        raise InputError(f"{path} is an input, and cannot be read: {error.strerror}.") from error
