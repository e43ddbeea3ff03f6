"""The records of a finished shard: TFRecord, or ArrayRecord for Grain and MaxText."""

import os
from collections.abc import Iterator

from equalinfo.data import storage
from equalinfo.data.tfrecord import DamagedRecordsError, read_records

_AT_ONCE = 256
_OPTIONS = "max_parallelism:0,readahead_buffer_size:1048576"


def read_shard(path: str) -> Iterator[bytes]:
    """The records of a shard in order; its name tells the format.

    Args:
      path: local or remote; of a remote ArrayRecord file a copy is made.

    Raises:
      DamagedRecordsError: the file is cut off or damaged; says where.
    """
    if ".array_record-" in storage.base_name(path):
        with storage.local_copy(path) as local:
            yield from read_array_records(local, path)
    else:
        with storage.open_read(path) as file:
            yield from read_records(file, path)


def read_array_records(path: str | os.PathLike[str], name: str) -> Iterator[bytes]:
    """The records of a local ArrayRecord file in order; needs the package array_record.

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
