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
from typing import Any, Protocol

import google_crc32c
import numpy as np
import numpy.typing as npt

from equalinfo import alphabet
from equalinfo.alphabet import EOS, Symbols
from equalinfo.data.tfrecord import DamagedRecordsError

Ids = npt.NDArray[np.int32]

FEATURES = ("checksum", "num_bytes", "num_documents", "part", "source", "targets")


class EncodedLike(Protocol):
    """What `cut_example` needs of `equalinfo.codecs.base.Encoded`."""

    @property
    def ids(self) -> Ids:
        """int32[tokens]."""

    @property
    def ends(self) -> npt.NDArray[np.int64]:
        """int64[tokens], symbols complete after each token."""


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


def cut_example(
    encoded: EncodedLike, symbols: Symbols, source: str, max_tokens: int
) -> list[Record]:
    """Cut one coded example into records of at most `max_tokens` tokens.

    A record covers the symbols that become complete with its tokens, so the records of an example
    cover each of its symbols once. (A window that a cut divides counts where its last token is.)

    Args:
      encoded: ids int32[tokens] and ends int64[tokens] of the example.
      symbols: uint16[n], the example.
      source: where the example comes from.
      max_tokens: L.

    Raises:
      ValueError: `ends` does not cover the example exactly.
    """
    ids, ends = encoded.ids, encoded.ends
    covered = int(ends[-1]) if len(ends) else 0
    if len(ids) != len(ends) or covered != len(symbols):
        raise ValueError(
            f"example {source}: {len(ids)} tokens with {len(ends)} ends cover {covered} of "
            f"{len(symbols)} symbols. The codec is at fault: its tokens must cover all of it."
        )
    records = []
    start = 0
    for part, first in enumerate(range(0, len(ids), max_tokens)):
        targets = ids[first : first + max_tokens]
        end = int(ends[first + len(targets) - 1])
        piece = symbols[start:end]
        documents = int(np.count_nonzero(piece == EOS))
        records.append(
            Record(
                targets, end - start - documents, documents, source, part, symbols_checksum(piece)
            )
        )
        start = end
    return records


@cache
def _example_class() -> Any:
    """`tf.train.Example` by its wire format, in a pool of its own: TensorFlow has the real name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file: Any = descriptor_pb2.FileDescriptorProto(
        name="equalinfo/example.proto", package="equalinfo", syntax="proto3"
    )
    kinds = descriptor_pb2.FieldDescriptorProto

    def message(name: str, parent: Any = None) -> Any:
        return (file.message_type if parent is None else parent.nested_type).add(name=name)

    def field(owner: Any, name: str, number: int, kind: int, **more: Any) -> None:
        more.setdefault("label", kinds.LABEL_OPTIONAL)
        owner.field.add(name=name, number=number, type=kind, **more)

    lists = (
        ("BytesList", kinds.TYPE_BYTES),
        ("FloatList", kinds.TYPE_FLOAT),
        ("Int64List", kinds.TYPE_INT64),
    )
    feature = message("Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(lists, 1):
        field(message(name), "value", 1, kind, label=kinds.LABEL_REPEATED)
        field(
            feature,
            f"{name[:-4].lower()}_list",
            number,
            kinds.TYPE_MESSAGE,
            type_name=f".equalinfo.{name}",
            oneof_index=0,
        )
    features = message("Features")
    entry = message("FeatureEntry", features)
    entry.options.map_entry = True
    field(entry, "key", 1, kinds.TYPE_STRING)
    field(entry, "value", 2, kinds.TYPE_MESSAGE, type_name=".equalinfo.Feature")
    field(
        features,
        "feature",
        1,
        kinds.TYPE_MESSAGE,
        type_name=".equalinfo.Features.FeatureEntry",
        label=kinds.LABEL_REPEATED,
    )
    example = message("Example")
    field(example, "features", 1, kinds.TYPE_MESSAGE, type_name=".equalinfo.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("equalinfo.Example"))


def serialize(record: Record) -> bytes:
    """A record as the bytes of a `tf.train.Example`: the same bytes every time (keys in order)."""
    example = _example_class()()
    feature = example.features.feature
    feature["targets"].int64_list.value.extend(record.targets.tolist())
    feature["num_bytes"].int64_list.value.append(record.num_bytes)
    feature["num_documents"].int64_list.value.append(record.num_documents)
    feature["part"].int64_list.value.append(record.part)
    feature["checksum"].int64_list.value.append(record.checksum)
    feature["source"].bytes_list.value.append(record.source.encode("utf-8"))
    return bytes(example.SerializeToString(deterministic=True))


def parse_example(data: bytes, place: str = "record") -> Any:
    """The features of a serialised `tf.train.Example`: a mapping from name to Feature message.

    Raises:
      DamagedRecordsError: `data` is no `tf.train.Example`.
    """
    from google.protobuf.message import DecodeError

    try:
        return _example_class().FromString(data).features.feature
    except DecodeError as error:
        raise DamagedRecordsError(f"{place} is not a tf.train.Example: {error}.") from error


def parse(data: bytes, place: str = "record") -> Record:
    """Undo `serialize`.

    Args:
      data: a serialised `tf.train.Example`.
      place: names the record in errors.

    Raises:
      DamagedRecordsError: not an Example, or one without the features of a record.
    """
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
