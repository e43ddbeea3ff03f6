"""The fast reader of records gives what protobuf gives, or its error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equalinfo.data import records
from equalinfo.data.records import Record
from equalinfo.data.tfrecord import DamagedRecordsError
from tests.records import serialize

_INT63 = st.integers(0, 2**63 - 1)
_RECORDS = st.builds(
    Record,
    targets=st.lists(st.integers(0, 2**31 - 1), max_size=8).map(
        lambda ids: np.array(ids, np.int32)
    ),
    num_bytes=_INT63,
    num_documents=st.integers(-3, 300),
    source=st.text(max_size=200),
    part=_INT63,
    checksum=_INT63,
)


def _parsed(parse, data: bytes):  # type: ignore[no-untyped-def]
    """The record's fields, or the class of the error."""
    try:
        record = parse(data)
    except DamagedRecordsError:
        return DamagedRecordsError
    assert record.targets.dtype == np.int32
    return {**vars(record), "targets": record.targets.tolist()}


def _serializable(record: Record) -> bool:
    try:
        record.source.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@given(_RECORDS.filter(_serializable))
def test_what_was_written_is_read(record: Record) -> None:
    data = serialize(record)
    assert _parsed(records.parse, data) == _parsed(records.parse_any_form, data)
    assert _parsed(records.parse, data)["targets"] == record.targets.tolist()


def test_the_fast_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record(np.arange(0, 70_000, 9, dtype=np.int32), 2**40, 0, "a.json:128:10240", 7, 2**32)
    data = serialize(record)
    monkeypatch.setattr(records, "parse_any_form", None)
    assert _parsed(records.parse, data)["targets"] == record.targets.tolist()


def test_every_flipped_bit_and_every_cut_reads_as_the_reference_reads_it() -> None:
    record = Record(np.array([3, 300, 70_000], np.int32), 130, 1, "a:0:0", 2, 2**32 - 1)
    data = serialize(record)
    cut = [data[:size] for size in range(len(data))]
    longer = [data + extra for extra in (b"\0", b"\x0a\0", data)]
    flipped = []
    for place in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[place] ^= 1 << bit
            flipped.append(bytes(changed))
    for changed in [*cut, *longer, *flipped]:
        assert _parsed(records.parse, changed) == _parsed(records.parse_any_form, changed), changed


def test_other_forms_are_read_too() -> None:
    """As TensorFlow may write them: features in any order."""
    example = records.example_class()()
    record = Record(np.array([5, 6], np.int32), 1, 1, "a:0:0", 0, 9)
    data = serialize(record)
    example.ParseFromString(data)
    entries = sorted(
        (len(key), key, example.features.feature[key].SerializeToString())
        for key in example.features.feature
    )
    body = b"".join(
        b"\x0a"
        + bytes([4 + len(key) + len(value)])
        + b"\x0a"
        + bytes([len(key)])
        + key.encode()
        + b"\x12"
        + bytes([len(value)])
        + value
        for _, key, value in entries
    )
    data = b"\x0a" + bytes([len(body) % 128 + 128, len(body) // 128]) + body
    assert _parsed(records.parse, data) == _parsed(records.parse_any_form, data)
    assert _parsed(records.parse, data)["targets"] == [5, 6]


def test_a_token_beyond_int32_is_damage() -> None:
    data = serialize(Record(np.array([2**40]), 1, 1, "a:0:0", 0, 9))  # type: ignore[arg-type]
    with pytest.raises(DamagedRecordsError, match="record 3: a target is no 32-bit integer"):
        records.parse(data, "record 3")
