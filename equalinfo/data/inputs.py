"""What the readers of text share: an input file, a document that cannot be used, and errors."""

import os
from dataclasses import dataclass


class InputError(ValueError):
    """There is no such input, or it is not what it is taken for: nothing can be read as asked."""


class DamagedInputError(ValueError):
    """An input file breaks off: what follows cannot be read."""


class ChangedInputError(RuntimeError):
    """An input file is longer or shorter than it was when it was listed."""


@dataclass(frozen=True)
class InputFile:
    """One input file.

    Attributes:
      path: where it lies; local, or what `equalinfo.data.storage` opens.
      format: a key of `equalinfo.data.formats.FORMATS`.
      field: field (JSON), column (Parquet) or feature (TFDS) that holds the text, `a.b` inside
        another; unused for plain text.
      size: bytes when it was listed, if it is local; it must not change.
      records: how many TFDS says there are, if it does.
      name: names the input in records, rejects and manifest; default: the path's last part.
      limit: documents to read at most; None: all.
      most_rejects: fraction of the first documents; where more cannot be used, reading stops.

    Raises:
      UnicodeDecodeError: the name is not UTF-8, in which it is read whatever the locale.
    """

    path: str
    format: str
    field: str = "text"
    size: int | None = None
    records: int | None = None
    name: str = ""
    limit: int | None = None
    most_rejects: float = 0.5

    def __post_init__(self) -> None:
        name = self.name or self.path.replace(os.sep, "/").rsplit("/", 1)[-1]
        name = name.encode("utf-8", "surrogateescape").decode("utf-8")
        object.__setattr__(self, "name", name)


@dataclass(frozen=True)
class Reject:
    """A place ("file:line", counted from 1) that gave no document, and why."""

    place: str
    reason: str
