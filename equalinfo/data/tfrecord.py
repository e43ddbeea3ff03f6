"""TFRecord files, without TensorFlow.

A file is a run of records: uint64 length, masked CRC-32C of it, the data, masked CRC-32C of the
data; all little-endian.
"""

import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import BinaryIO

import google_crc32c

_LENGTH_AND_CRC = struct.Struct("<QI")
_CRC = struct.Struct("<I")
_MOST_BYTES = (1 << 31) - 1  # of a record: what protobuf can hold


class DamagedRecordsError(ValueError):
    """A TFRecord file that is cut off, or whose checksums or contents do not fit."""


def _masked_crc(data: bytes) -> int:
    # CRCs of data that itself holds CRCs are weak, so the format rotates and shifts them.
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


@lru_cache(maxsize=1 << 14)
def _header(length: int) -> bytes:
    """Length and its checksum; most records of a file have one of a few thousand lengths."""
    data = length.to_bytes(8, "little")
    return data + _CRC.pack(_masked_crc(data))


def frame_all(data: bytes, ends: Iterable[int]) -> bytes:
    """Many records, one after the other in `data`, as records of a TFRecord file.

    Args:
      data: of all records.
      ends: where each ends in it.
    """
    parts: list[bytes] = []
    start = 0
    for end in ends:
        record = data[start:end]
        parts += (_header(end - start), record, _CRC.pack(_masked_crc(record)))
        start = end
    return b"".join(parts)


def read_records(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The records of a TFRecord file in order, each checked against its checksum.

    Args:
      file: opened for reading bytes, uncompressed and buffered.
      name: of the file, for errors.

    Raises:
      DamagedRecordsError: the file is cut off or damaged; says the record and the byte.
    """
    offset = 0
    number = 0
    while header := file.read(_LENGTH_AND_CRC.size):
        place = f"{name}: record {number} at byte {offset}"
        if len(header) < _LENGTH_AND_CRC.size:
            raise DamagedRecordsError(_cut_off(place, _LENGTH_AND_CRC.size, len(header)))
        length, crc = _LENGTH_AND_CRC.unpack(header)
        if crc != _masked_crc(header[:8]):
            raise DamagedRecordsError(
                f"{place}: the checksum of its length does not fit. "
                "The file is damaged, compressed, or no TFRecord file."
            )
        if length > _MOST_BYTES:
            raise DamagedRecordsError(f"{place}: it says it has {length} bytes. No record has.")
        data = file.read(length)
        footer = file.read(_CRC.size) if len(data) == length else b""
        if len(footer) < _CRC.size:
            read = len(data) + len(footer)
            raise DamagedRecordsError(_cut_off(place, length + _CRC.size, read))
        if _CRC.unpack(footer)[0] != _masked_crc(data):
            raise DamagedRecordsError(
                f"{place}: the checksum of its {length} bytes does not fit. The file is damaged: "
                "compress its input again."
            )
        yield data
        offset += _LENGTH_AND_CRC.size + length + _CRC.size
        number += 1


def _cut_off(place: str, expected: int, got: int) -> str:
    return f"{place}: the file ends after {got} of its next {expected} bytes. It was cut off."
