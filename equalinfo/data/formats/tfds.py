"""Records of tf.train.Example, as `tfds build` writes them (`c4/en:3.1.0` and others).

In TFRecord, ArrayRecord or Parquet files, without a suffix: their data set says what they are.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from equalinfo.data.formats import parquet
from equalinfo.data.formats.lines import utf8_fault
from equalinfo.data.inputs import DamagedInputError, InputFile, Reject
from equalinfo.data.records import parse_example
from equalinfo.data.shards import read_array_records
from equalinfo.data.tfrecord import DamagedRecordsError, read_records

_PARQUET_COLUMN = "data"
Records = Callable[[InputFile, BinaryIO], Iterator[bytes]]


def reader(records: Records) -> Callable[[InputFile, BinaryIO], Iterator[bytes | Reject]]:
    """What reads documents of the files that `records` reads."""

    def read(file: InputFile, raw: BinaryIO) -> Iterator[bytes | Reject]:
        number = 0
        try:
            for data in records(file, raw):
                number += 1
                place = f"{file.name}:record {number}"
                features = parse_example(data, place)
                texts = features[file.field].bytes_list.value if file.field in features else []
                if len(texts) != 1:
                    yield Reject(place, f"feature {file.field!r} has {len(texts)} texts, not 1")
                elif fault := utf8_fault(text := texts[0]):
                    yield Reject(place, fault)
                else:
                    yield text
        except DamagedRecordsError as error:
            raise DamagedInputError(f"{error} (after record {number})") from error
        if file.records not in (None, number):
            raise DamagedInputError(f"it has {number} records, and TFDS wrote {file.records} to it")

    return read


def tfrecords(file: InputFile, raw: BinaryIO) -> Iterator[bytes]:
    """Of a TFRecord file."""
    return read_records(raw, file.name)


def array_records(file: InputFile, raw: BinaryIO) -> Iterator[bytes]:
    """Of an ArrayRecord file, which must be local."""
    raw.close()  # its library opens the file by its name
    return read_array_records(file.path, file.name)


def parquet_records(file: InputFile, raw: BinaryIO) -> Iterator[bytes]:
    """Of a Parquet file."""
    for records in parquet.column(file, raw, _PARQUET_COLUMN):
        for record in records:
            if record is None:
                raise DamagedRecordsError("a record is null")
            yield record
