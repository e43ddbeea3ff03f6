"""The options of all commands that read text, and the documents that they mean."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from equalinfo.data import storage
from equalinfo.data.find import find, limited
from equalinfo.data.inputs import InputFile
from equalinfo.data.text import Documents, Limits, peek
from equalinfo.flags import add_flags, flag, flags_of

SUFFIXES = (
    ".json, .jsonl, .ndjson or .txt (a document a line), also .gz, .zst, .bz2 or .xz; .parquet"
)


def local_path(text: str) -> Path:
    """What an option names that must lie on this machine."""
    if not storage.is_local(text):
        raise argparse.ArgumentTypeError(f"{text} is not on this machine, as it must be here")
    return Path(text)


def positive(text: str) -> int:
    """An integer of the command line, from 1."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{value} is not positive")
    return value


def fraction(text: str) -> float:
    """A number of the command line, from 0 to 1."""
    if not 0 <= (value := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"{value} is not in 0..1")
    return value


@dataclass(frozen=True)
class TextOptions:
    """How text is read."""

    text_field: str = flag("text", help="field or column of the text, a.b inside another")
    limit: int | None = flag(
        None, type=positive, metavar="N", help="at most N documents, for a trial"
    )
    max_reject_fraction: float = flag(
        Limits.max_reject_fraction, type=fraction, help="fail if more of the documents are bad"
    )
    allow_damaged_files: bool = flag(
        False,
        help="keep the documents before the damage in files that break off, instead of failing",
    )

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "TextOptions":
        """What `add_text_options` has parsed."""
        return cls(**flags_of(cls, arguments))

    @property
    def limits(self) -> Limits:
        """Of what cannot be used."""
        return Limits(self.max_reject_fraction, self.allow_damaged_files)

    def documents(
        self, patterns: Sequence[str], option: str = "the text", *, progress: bool = False
    ) -> Documents:
        """The documents of files.

        Args:
          patterns: names and globs.
          option: what they were given with, for errors.
          progress: draw a bar over the files.

        Raises:
          InputError: see `find` and `peek`.
        """
        files = self.checked(find(patterns, self.text_field, option=option))
        return Documents(files, self.limits, progress=progress)

    def checked(self, files: Sequence[InputFile]) -> list[InputFile]:
        """Of these files, what is to be read: see `peek` and `InputFile.most_rejects`."""
        most = max(InputFile.most_rejects, self.max_reject_fraction)
        read = [replace(file, most_rejects=most) for file in limited(files, self.limit)]
        peek(read)
        return read


def add_text_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of all commands that read text, but for the files themselves."""
    add_flags(parser, TextOptions)
