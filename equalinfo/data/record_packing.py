"""Coded examples to serialised records, many at once.

One compiled pass over the tokens of a batch, in place of a protobuf message a record (measured:
benchmarks/pipeline.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import google_crc32c
import numpy as np
import numpy.typing as npt

from equalinfo.codecs.base import Encoded
from equalinfo.codecs.batch import Joined, JoinedTokens
from equalinfo.data.records import FEATURES
from equalinfo.jit import njit

Int64s = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_INT64_LIST, _BYTES_LIST = 0x1A, 0x0A
_OVERHEAD = 256
"""More than all bytes of a record but its source and its targets, and two to spare."""

_KEYS = tuple(
    np.frombuffer(b"\x0a" + bytes([len(key)]) + key.encode() + b"\x12", np.uint8)
    for key in FEATURES
)
"""The features' names in order, with the tags before the name and before the value."""


@dataclass(frozen=True)
class PackedRecords:
    """Records of some examples, one after the other.

    Attributes:
      data: uint8[n], the serialised `tf.train.Example`s, joined.
      ends: int64[records], where each ends in `data`.
      num_tokens: int64[records].
      num_bytes: int64[records], bytes of text covered.
      num_documents: int64[records], documents that end in it.
    """

    data: Bytes
    ends: Int64s
    num_tokens: Int64s
    num_bytes: Int64s
    num_documents: Int64s


def pack_records(
    encoded: Sequence[Encoded],
    examples: Joined,
    sources: Sequence[str],
    max_tokens: int,
    max_parts: int | None = None,
) -> PackedRecords:
    """Cut coded examples into records of at most `max_tokens` tokens, and serialise these.

    Args:
      encoded: ids int32[tokens] and ends int64[tokens] of each example.
      examples: those.
      sources: where each comes from: "{input}:{first document}:{offset}".
      max_tokens: L.
      max_parts: keep only so many records of an example, the first.

    Raises:
      ValueError: `ends` does not cover an example exactly.
    """
    tokens = JoinedTokens.of(encoded)
    sizes = np.diff(tokens.id_ends, prepend=0)
    lengths = np.diff(examples.ends, prepend=0)
    covered = np.zeros(len(sizes), np.int64)
    covered[sizes > 0] = tokens.ends[tokens.id_ends[sizes > 0] - 1]
    for wrong in np.flatnonzero(covered != lengths).tolist():
        raise ValueError(
            f"example {sources[wrong]}: {sizes[wrong]} tokens cover {covered[wrong]} of "
            f"{lengths[wrong]} symbols. The codec is at fault: its tokens must cover all of it."
        )
    parts = -(-sizes // max_tokens)
    if max_parts is not None:
        parts = np.minimum(parts, max_parts)
    example = np.repeat(np.arange(len(sizes)), parts)
    part = np.arange(len(example)) - np.repeat(np.cumsum(parts) - parts, parts)
    first = (tokens.id_ends - sizes)[example] + part * max_tokens
    num_tokens = np.minimum(max_tokens, sizes[example] - part * max_tokens)
    # Symbols of an example complete after a record; those before it are complete where it starts.
    begin = (examples.ends - lengths)[example]
    end = begin + tokens.ends[first + num_tokens - 1]
    start = np.where(part > 0, np.concatenate([[0], end])[:-1], begin)
    text = examples.text
    documents = np.searchsorted(examples.eos, end) - np.searchsorted(examples.eos, start)
    pieces = zip(start.tolist(), end.tolist(), strict=True)
    checksums = np.array([google_crc32c.value(text[a:b]) for a, b in pieces], np.int64)
    names = [source.encode("utf-8") for source in sources]
    name_ends = np.cumsum([len(name) for name in names], dtype=np.int64)
    data, data_ends = _serialize(
        tokens.ids,
        first,
        num_tokens,
        np.stack([checksums, end - start - documents, documents, part]),
        np.frombuffer(b"".join(names), np.uint8),
        name_ends,
        example,
    )
    return PackedRecords(data, data_ends, num_tokens, end - start - documents, documents)


@njit(cache=True, nogil=True)
def _serialize(
    ids: npt.NDArray[np.int32],
    first: Int64s,
    num_tokens: Int64s,
    numbers: Int64s,
    names: Bytes,
    name_ends: Int64s,
    example: Int64s,
) -> tuple[Bytes, Int64s]:
    """The bytes of all records, and where each ends.

    Args:
      ids: int32[tokens] of all examples.
      first: int64[records], place of a record's first token in `ids`.
      num_tokens: int64[records].
      numbers: int64[4, records]: checksum, num_bytes, num_documents, part.
      names: sources of the examples, joined.
      name_ends: int64[examples], where each ends in `names`.
      example: int64[records], the example of each.
    """
    records = len(first)
    sizes = np.empty((6, records), np.int64)  # of the values of each feature
    room = 0
    for record in range(records):
        for which in range(4):
            sizes[which, record] = _varint_size(numbers[which, record])
        before = name_ends[example[record] - 1] if example[record] else 0
        sizes[4, record] = name_ends[example[record]] - before
        size = _targets_size(ids[first[record] : first[record] + num_tokens[record]])
        sizes[5, record] = size
        room += _OVERHEAD + sizes[4, record] + size
    out = np.empty(room, np.uint8)
    ends = np.empty(records, np.int64)
    at = 0
    for record in range(records):
        features = 0
        for which in range(6):
            features += _entry_size(len(_KEYS[which]), sizes[which, record])
        out[at] = 0x0A
        at = _varint(out, at + 1, features)
        for which in range(4):
            at = _entry(out, at, _KEYS[which], _INT64_LIST, sizes[which, record])
            at = _varint(out, at, numbers[which, record])
        at = _entry(out, at, _KEYS[4], _BYTES_LIST, sizes[4, record])
        stop = name_ends[example[record]]
        at = _copy(out, at, names[stop - sizes[4, record] : stop])
        at = _entry(out, at, _KEYS[5], _INT64_LIST, sizes[5, record])
        _targets(out[at:], ids[first[record] : first[record] + num_tokens[record]])
        at += sizes[5, record]
        ends[record] = at
    return out[:at], ends


@njit(cache=True, nogil=True)
def _targets_size(ids: npt.NDArray[np.int32]) -> int:
    """Bytes of ids as varints."""
    more = np.int32(0)  # int32 throughout, and a plain range: so LLVM counts many at once
    for index in range(len(ids)):
        token = ids[index]
        more += np.int32(token >= 1 << 7) + np.int32(token >= 1 << 14)
        more += np.int32(token >= 1 << 21) + np.int32(token >= 1 << 28)
    return len(ids) + np.int64(more)  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def _targets(out: Bytes, ids: npt.NDArray[np.int32]) -> None:
    """Write ids as varints. `out` has room for two bytes more, which are spoiled."""
    at = np.uint64(0)  # unsigned: else each index is looked at for being negative
    for token in ids:
        if token >= 1 << 21:
            at = np.uint64(_varint(out, np.int64(at), np.int64(token)))
        else:  # without a branch on the size, which would be mispredicted
            two, three = token >= 1 << 7, token >= 1 << 14
            out[at] = (token & 127) | (two << 7)
            out[at + np.uint64(1)] = ((token >> 7) & 127) | (three << 7)
            out[at + np.uint64(2)] = token >> 14
            at += np.uint64(1) + np.uint64(two) + np.uint64(three)


@njit(cache=True, nogil=True, inline="always")
def _entry_size(key: int, size: int) -> int:
    """Bytes of a map entry: tags and sizes, a key of `key` bytes (with tags), `size` of values."""
    values = 1 + _varint_size(size) + size
    feature = 1 + _varint_size(values) + values
    entry = key + _varint_size(feature) + feature
    return 1 + _varint_size(entry) + entry


@njit(cache=True, nogil=True, inline="always")
def _entry(out: Bytes, at: int, key: Bytes, kind: int, size: int) -> int:
    """Write a map entry up to its `size` bytes of values; `kind` is the tag of their list."""
    values = 1 + _varint_size(size) + size
    feature = 1 + _varint_size(values) + values
    out[at] = 0x0A
    at = _varint(out, at + 1, len(key) + _varint_size(feature) + feature)
    at = _copy(out, at, key)
    at = _varint(out, at, feature)
    out[at] = kind
    at = _varint(out, at + 1, values)
    out[at] = 0x0A
    return _varint(out, at + 1, size)


@njit(cache=True, nogil=True, inline="always")
def _copy(out: Bytes, at: int, data: Bytes) -> int:
    for index in range(len(data)):
        out[at + index] = data[index]
    return at + len(data)


@njit(cache=True, nogil=True, inline="always")
def _varint_size(value: int) -> int:
    """Bytes of a value that is not negative."""
    size = 1
    while value >= 128:
        value >>= 7
        size += 1
    return size


@njit(cache=True, nogil=True, inline="always")
def _varint(out: Bytes, at: int, value: int) -> int:
    while value >= 128:
        out[at] = (value & 127) | 128
        value >>= 7
        at += 1
    out[at] = value
    return at + 1
