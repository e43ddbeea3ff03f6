"""The records of a finished shard: TFRecord, or ArrayRecord for Grain and MaxText."""

from collections.abc import Iterator

from equalinfo.data import storage
from equalinfo.data.array_record import SUFFIX, read_array_records
from equalinfo.data.tfrecord import read_records


def read_shard(path: str, name: str = "") -> Iterator[bytes]:
    """The records of a shard in order; its name tells the format.

    Args:
      path: local or remote; of a remote ArrayRecord file a copy is made.
      name: for errors; default: the path.

    Raises:
      DamagedRecordsError: the file is cut off or damaged; says where.
    """
    name = name or path
    if SUFFIX in storage.base_name(path):
        with storage.local_copy(path) as local:
            yield from read_array_records(local, name)
    else:
        with storage.open_read(path) as file:
            yield from read_records(file, name)
