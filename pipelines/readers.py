"""Documents of one input file of a job, wherever it lies: `equalinfo.data.text`, and its size."""

from collections.abc import Iterator
from contextlib import suppress

from equalinfo.data import storage, text
from equalinfo.data.text import DamagedInputError, InputFile, Reject


class ChangedInputError(RuntimeError):
    """An input file is longer or shorter than it was when it was listed."""


def read(file: InputFile) -> Iterator[bytes | Reject]:
    """The documents of an input file in order.

    Raises:
      DamagedInputError: the file breaks off; documents before the damage have been given.
      ChangedInputError: it is not as long as it was when it was listed: something writes to it, and
        what is kept of it must not depend on the moment.
      OSError: it cannot be read.
    """
    _check_size(file)
    yield from text.read(file, storage.open_read)
    _check_size(file)


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
