"""`equalinfo.Dataset` as functions: its name before there was the object."""

import os
from collections.abc import Iterator

from equalinfo.data.dataset import Dataset


def restore(
    directory: str | os.PathLike[str], split: str, *, allow_errors: bool = False
) -> Iterator[bytes]:
    """See `Dataset.restore`."""
    return Dataset.open(directory).restore(split, allow_errors=allow_errors)
