"""Records: the token stream on disk, as `tf.train.Example`s in TFRecord files, without TensorFlow.

A record holds at most L tokens of one example and says which text they stand for:

  targets        int64[<= L]  token ids
  num_bytes      int64        bytes of source text covered (EOS is not a byte of text)
  num_documents  int64        documents that end in it (EOS symbols covered)
  source         bytes        "{input}:{first document}:{offset}", the example it was cut from
  part           int64        its place in that example, from 0
  checksum       int64        CRC-32C of the covered symbols, written as `alphabet.to_bytes` does

In `source`, `first document` is the index, among the documents kept of that input, of the first of
the sequence's 128 documents; `offset` is the example's first symbol in that sequence.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt

from equalinfo import alphabet
from equalinfo.alphabet import Symbols
from equalinfo.data.tfrecord import DamagedRecordsError
from equalinfo.jit import njit

Bytes = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.int32]

FEATURES = ("checksum", "num_bytes", "num_documents", "part", "source", "targets")

_VALUE, _INT64_LIST, _BYTES_LIST = 0x12, 0x1A, 0x0A
_SOURCE, _TARGETS = FEATURES.index("source"), FEATURES.index("targets")
_KEYS = tuple(
    np.frombuffer(b"\x0a" + bytes([len(key)]) + key.encode(), np.uint8) for key in FEATURES
)
"""The features' names in order, with the tag and the size before each."""

_OTHER = -1


@dataclass(frozen=True)
class Record:
    """At most L tokens of one example, and the text they stand for.

    Attributes:
      targets: int32[<= L], token ids.
      num_bytes: bytes of text covered.
      num_documents: EOS symbols covered.
      source: "{input}:{first document}:{offset}".
      part: place among the example's records, from 0.
      checksum: CRC-32C of the covered symbols (`alphabet.to_bytes`).
    """

    targets: Ids
    num_bytes: int
    num_documents: int
    source: str
    part: int
    checksum: int

    @property
    def num_symbols(self) -> int:
        """Symbols covered: bytes and EOS."""
        return self.num_bytes + self.num_documents


def symbols_checksum(symbols: Symbols) -> int:
    """CRC-32C (0..2^32-1) of symbols, uint16[n], EOS included."""
    return int(google_crc32c.value(alphabet.to_bytes(symbols)))


@cache
def example_class() -> Any:
    """`tf.train.Example` by its wire format, in a pool of its own: TensorFlow has the real name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

    pool = descriptor_pool.DescriptorPool()
    pool.Add(text_format.Parse(_EXAMPLE_PROTO, descriptor_pb2.FileDescriptorProto()))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("equalinfo.Example"))


_EXAMPLE_PROTO = """
name: "equalinfo/example.proto" package: "equalinfo" syntax: "proto3"
message_type {
  name: "Example"
  field { name: "features" number: 1 type_name: ".equalinfo.Features" }
}
message_type {
  name: "Features"
  field { name: "feature" number: 1 label: LABEL_REPEATED
          type_name: ".equalinfo.Features.FeatureEntry" }
  nested_type {
    name: "FeatureEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING }
    field { name: "value" number: 2 type_name: ".equalinfo.Feature" }
  }
}
message_type {
  name: "Feature" oneof_decl { name: "kind" }
  field { name: "bytes_list" number: 1 type_name: ".equalinfo.BytesList" oneof_index: 0 }
  field { name: "int64_list" number: 3 type_name: ".equalinfo.Int64List" oneof_index: 0 }
}
message_type {
  name: "BytesList" field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES }
}
message_type {
  name: "Int64List" field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64 }
}
"""


def parse_example(data: bytes, place: str = "record") -> Any:
    """The features of a serialised `tf.train.Example`: a mapping from name to Feature message.

    Raises:
      DamagedRecordsError: `data` is no `tf.train.Example`.
    """
    from google.protobuf.message import DecodeError

    try:
        return example_class().FromString(data).features.feature
    except DecodeError as error:
        raise DamagedRecordsError(f"{place} is not a tf.train.Example: {error}.") from error


def parse(data: bytes, place: str = "record") -> Record:
    """The record of a serialised `tf.train.Example`.

    A compiled walk reads what `record_packing` writes; whatever has another form is left to
    protobuf, which makes a Python integer of each token.

    Args:
      data: the bytes.
      place: names the record in errors.

    Raises:
      DamagedRecordsError: not an Example, or one without the features of a record.
    """
    values = np.empty(len(FEATURES), np.int64)
    targets = np.empty(len(data), np.int32)
    count = _walk(np.frombuffer(data, np.uint8), values, targets)
    if count == _OTHER:
        return parse_any_form(data, place)
    checksum, num_bytes, num_documents, part, end, _ = values.tolist()
    source = data[end >> 32 : end & 0xFFFFFFFF].decode("utf-8", "replace")
    return Record(targets[:count].copy(), num_bytes, num_documents, source, part, checksum)


def parse_any_form(data: bytes, place: str = "record") -> Record:
    """As `parse`, whoever wrote the example."""
    feature = parse_example(data, place)
    missing = [name for name in FEATURES if name not in feature]
    if missing:
        raise DamagedRecordsError(
            f"{place} has no feature {missing[0]!r}; it has {sorted(feature)}. "
            "Expected a record written by pipelines.compress."
        )
    numbers: dict[str, int] = {}
    for name in ("num_bytes", "num_documents", "part", "checksum"):
        value = feature[name].int64_list.value
        if len(value) != 1:
            raise DamagedRecordsError(
                f"{place}: feature {name!r} has {len(value)} integers, expected 1."
            )
        numbers[name] = value[0]
    sources = feature["source"].bytes_list.value
    if len(sources) != 1:
        raise DamagedRecordsError(
            f"{place}: feature 'source' has {len(sources)} strings, expected 1."
        )
    try:
        targets = np.array(feature["targets"].int64_list.value, np.int32)
    except OverflowError as error:
        raise DamagedRecordsError(f"{place}: a target is no 32-bit integer: {error}.") from error
    return Record(targets=targets, source=sources[0].decode("utf-8", "replace"), **numbers)


@njit(cache=True, nogil=True)
def _walk(data: Bytes, values: npt.NDArray[np.int64], targets: npt.NDArray[np.int32]) -> int:
    """Read one record.

    Args:
      data: uint8[n], less than 4 GiB.
      values: int64[6], gets the integers, and for the source: start << 32 | end.
      targets: int32[n], gets the tokens.

    Returns:
      The number of tokens; _OTHER where the record has another form.
    """
    count = 0
    at, end = _sized(data, 0, len(data), 0x0A)
    if end != len(data):
        return _OTHER
    for which in range(len(_KEYS)):
        at, end = _sized(data, at, len(data), 0x0A)
        key = _KEYS[which]
        if end < 0 or at + len(key) > end:
            return _OTHER
        for index in range(len(key)):
            if data[at + index] != key[index]:
                return _OTHER
        at += len(key)
        # A feature holds a list, which holds the values: all three end together.
        kind = _BYTES_LIST if which == _SOURCE else _INT64_LIST
        at, feature = _sized(data, at, end, _VALUE)
        at, listed = _sized(data, at, end, kind)
        at, inner = _sized(data, at, end, 0x0A)
        if feature != end or listed != end or inner != end:
            return _OTHER
        if which == _SOURCE:
            values[which] = (at << 32) | end
            at = end
        elif which == _TARGETS:
            while at < end:
                value, at = _varint(data, at, end)
                if at < 0 or value < 0 or value > 0x7FFFFFFF:
                    return _OTHER
                targets[count] = value
                count += 1
        else:
            values[which], at = _varint(data, at, end)
            if at != end:
                return _OTHER
    return count if at == len(data) else _OTHER


@njit(cache=True, nogil=True, inline="always")
def _sized(data: Bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """Start and end of a field with this tag, which must lie before `end`; (-1, -1) otherwise."""
    if at < 0 or at >= end or data[at] != tag:
        return -1, -1
    size, at = _varint(data, at + 1, end)
    if at < 0 or size < 0 or size > end - at:
        return -1, -1
    return at, at + size


@njit(cache=True, nogil=True, inline="always")
def _varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """A number below 2^63 and where it ends; (0, -1) where there is none."""
    value, shift = 0, 0
    while at < end and shift < 63:
        byte = int(data[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return 0, -1
