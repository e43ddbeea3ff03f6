"""Documents of text files, in order: the one reader of all that reads text.

What cannot be used is never dropped in silence:
- a bad line or row (no JSON, no text, not UTF-8) is a `Reject`, and reading goes on;
- a file that breaks off (cut off, wrong checksum) raises `DamagedInputError` after the documents
  before the damage. Where the checksum of a whole gzip file or zstd frame fails, that is only known
  at its end, and any document of it may be wrong;
- a file that is not what it is taken for (UTF-16, an error page, a JSON array, another column), or
  whose first documents are rejects, raises `InputError`: there is nothing to be had from it;
- a file that cannot be read (gone, no permission, a fault of the disk or the network) raises an
  `OSError`: the file may be sound.

What no reader can see: a changed bit in a format without checksums (plain text, zstd frames and
Parquet pages written without); plain text, or a file of several gzip members or zstd frames, that
had been cut between two lines, or two of them, before it was listed.

An empty text is a document. A file of no bytes has no documents, but one that is called .gz or the
like is cut off: all of these write a few bytes for nothing. Formats: `equalinfo.data.formats`.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from tqdm import tqdm

from equalinfo.data import storage
from equalinfo.data.formats import reader_of
from equalinfo.data.inputs import (
    ChangedInputError,
    DamagedInputError,
    InputError,
    InputFile,
    Reject,
)

_FIRST = 100
"""Documents after which a file that gives mostly rejects is given up."""
_FEW = 10
"""A shorter file may have nothing but rejects: what it is worth, all files together decide."""
_REASONS = 3
_PEEKED_FILES = 256
_PEEKS_AT_ONCE = 16
_SHOWN = 10

_log = logging.getLogger(__name__)


def read(file: InputFile) -> Iterator[bytes | Reject]:
    """The documents of an input file in order.

    Raises:
      InputError: it is not what it is taken for, or more than `most_rejects` of its first
        documents are rejects; gives the first reasons.
      DamagedInputError: the file breaks off; documents before the damage have been given.
      ChangedInputError: it is not as long as it was when it was listed, or was written to while it
        was read: what is kept of it must not depend on the moment.
      OSError: it cannot be read.
    """
    _check_size(file)
    before = _written(file)
    with storage.open_read(file.path) as raw:
        items = reader_of(file, raw).read(file, raw)
        if file.limit is not None:
            items = _limited(items, file.limit)
        number = 0
        rejects: list[Reject] = []
        for item in islice(items, _FIRST):
            number += 1
            if isinstance(item, Reject):
                rejects.append(item)
            yield item
        if number >= _FEW and len(rejects) > file.most_rejects * number:
            raise InputError(
                f"{file.path}: {len(rejects)} of its first {number} documents cannot be used: "
                f"{reasons(rejects)}. If the text is in another field, name it with --text_field; "
                "to go on all the same, raise --max_reject_fraction."
            )
        yield from items
    _check_size(file)
    if _written(file) != before:
        raise ChangedInputError(
            f"{file.path} was written to while it was read. Wait until nothing does, and start "
            "again."
        )


def reasons(rejects: Sequence[Reject]) -> str:
    """The first three, in words."""
    return "; ".join(f"{reject.place}: {reject.reason}" for reject in rejects[:_REASONS])


def _limited(items: Iterator[bytes | Reject], documents: int) -> Iterator[bytes | Reject]:
    for item in items:
        documents -= isinstance(item, bytes)
        yield item
        if documents == 0:
            return


def text_bytes(file: InputFile) -> int:
    """Bytes of all documents of an input file; of a damaged one, those before the damage."""
    total = 0
    with suppress(DamagedInputError):
        for item in read(file):
            total += len(item) if isinstance(item, bytes) else 0
    return total


def _check_size(file: InputFile) -> None:
    """A plain text that is cut between two lines looks whole."""
    if file.size is not None and (size := storage.size(file.path)) != file.size:
        raise ChangedInputError(
            f"{file.path} has {size} bytes, and had {file.size} when it was listed. Wait until "
            "nothing writes to it, and start again."
        )


def _written(file: InputFile) -> int:
    """When a local file was last written, ns; 0 for others."""
    return os.stat(file.path).st_mtime_ns if storage.is_local(file.path) else 0


def peek(files: Sequence[InputFile]) -> None:
    """Read the beginning of the first files, so that what cannot succeed fails before the work.

    Warns of files without text. What a worker will meet and say (damage, a file that is gone) is
    left to it.

    Raises:
      InputError: a file is not what it is taken for (see `read`), or there is no text in any.
    """
    peeked = files[:_PEEKED_FILES]
    with ThreadPoolExecutor(_PEEKS_AT_ONCE) as threads:
        has_text = list(threads.map(_has_text, peeked))
    empty = [file.path for file, found in zip(peeked, has_text, strict=True) if not found]
    empty += [file.path for file in files[_PEEKED_FILES:] if file.size == 0]
    if not empty:
        return
    shown = ", ".join(empty[:_SHOWN]) + (", ..." if len(empty) > _SHOWN else "")
    if len(empty) == len(files):
        raise InputError(f"there is no text in the input: {shown}. Is it the right file?")
    _log.warning("no text in %d of %d files: %s", len(empty), len(files), shown)


def _has_text(file: InputFile) -> bool:
    """False for a file that was read to its end, and has neither text nor anything to reject."""
    try:
        first = list(islice(read(file), _FIRST + 1))  # one more: `read` looks back at the first
    except (DamagedInputError, ChangedInputError, OSError):
        return True
    return any(first) or len(first) > _FIRST


@dataclass(frozen=True)
class Limits:
    """How much of the input may be unusable.

    Attributes:
      max_reject_fraction: of the documents, 0..1.
      allow_damaged_files: keep what a damaged file gave before it broke off.
    """

    max_reject_fraction: float = 0.001
    allow_damaged_files: bool = False

    def fault(
        self, *, documents: int, rejected: int, rejects: str, damages: Sequence[str] = ()
    ) -> str:
        """Why an input is refused; empty where it is borne.

        Args:
          documents: that could be used.
          rejected: that could not.
          rejects: the first reasons, or where all are.
          damages: "file: why" of each file that broke off.
        """
        if damages and not self.allow_damaged_files:
            return (
                f"{len(damages)} input files are damaged; the first is {damages[0]}. Fetch them "
                "again, or pass --allow_damaged_files to keep the documents before the damage"
            )
        if damages and not documents:
            return (
                f"there is no document: {len(damages)} input files are damaged; the first is "
                f"{damages[0]}"
            )
        fraction = rejected / max(1, documents + rejected)
        if fraction > self.max_reject_fraction:
            return (
                f"{rejected} of {documents + rejected} documents were rejected ({fraction:.4%}), "
                f"the limit is {self.max_reject_fraction:.4%}: {rejects}. Mend the input, or raise "
                "--max_reject_fraction"
            )
        if rejected and not documents:
            return f"there is no document: {rejected} were rejected: {rejects}"
        return ""


DEFAULT_LIMITS = Limits()


class Documents:
    """The documents of some files, one after the other, and an account of what was left out.

    Iterating raises what `read` raises; and an InputError at the end where too much was left out.
    What is left out within the limits is warned of.

    Attributes:
      documents: given so far.
      bytes: of them.
      rejected: left out.
      rejects: the first of them.
      damages: "file: why" of each file that broke off.
    """

    def __init__(
        self, files: Sequence[InputFile], limits: Limits = DEFAULT_LIMITS, *, progress: bool = False
    ) -> None:
        """Take files as `find` gives them; `progress` draws a bar over them."""
        self._files = files
        self._limits = limits
        self._progress = progress
        self.documents = self.bytes = self.rejected = 0
        self.rejects: list[Reject] = []
        self.damages: list[str] = []

    def __iter__(self) -> Iterator[bytes]:
        for file in tqdm(self._files, "read", unit="file", disable=not self._progress):
            try:
                yield from self._of(file)
            except DamagedInputError as error:
                self.damages.append(f"{file.path}: {error}")
                if not self._limits.allow_damaged_files:
                    break
        fault = self._limits.fault(
            documents=self.documents,
            rejected=self.rejected,
            rejects=reasons(self.rejects),
            damages=self.damages,
        )
        if fault:
            raise InputError(f"{fault}.")
        if self.rejected:
            _log.warning(
                "%d of %d documents cannot be used, and are left out: %s",
                self.rejected,
                self.rejected + self.documents,
                reasons(self.rejects),
            )
        for damage in self.damages:
            _log.warning("damaged, and only read up to there: %s", damage)

    def _of(self, file: InputFile) -> Iterator[bytes]:
        for item in read(file):
            if isinstance(item, bytes):
                self.documents += 1
                self.bytes += len(item)
                yield item
            else:
                self.rejected += 1
                if len(self.rejects) < _REASONS:
                    self.rejects.append(item)
