"""ArrayRecord files, for Grain and MaxText; needs the package array_record."""

import os
from collections.abc import Iterator

from equalinfo.data.tfrecord import DamagedRecordsError

SUFFIX = ".array_record-"
"""In the names of shards: `train.array_record-00000-of-00012`."""

_AT_ONCE = 256
_OPTIONS = "max_parallelism:0,readahead_buffer_size:1048576"


def read_array_records(path: str | os.PathLike[str], name: str) -> Iterator[bytes]:
    """The records of a local ArrayRecord file in order.

    A file that was cut off may read as one without records: compare their number.

    Args:
      path: of the file.
      name: of the file, for errors.

    Raises:
      DamagedRecordsError: the file is damaged.
    """
    from array_record.python.array_record_module import ArrayRecordReader

    try:
        reader = ArrayRecordReader(os.fspath(path), _OPTIONS)
        try:
            total = reader.num_records()
            for first in range(0, total, _AT_ONCE):
                yield from reader.read(list(range(first, min(total, first + _AT_ONCE))))
        finally:
            reader.close()
    except (RuntimeError, ValueError, IndexError) as error:
        raise DamagedRecordsError(f"{name}: {error}") from error
