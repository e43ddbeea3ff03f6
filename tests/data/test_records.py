"""Records and TFRecord files: what TensorFlow writes and reads, without TensorFlow."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo import alphabet
from equalinfo.data import tfrecord
from equalinfo.data.records import Record, parse, symbols_checksum
from equalinfo.data.tfrecord import DamagedRecordsError, read_records
from tests.records import cut_example, frame, serialize, write_records

RECORD = Record(
    targets=np.array([3, 65_538, 70], np.int32),
    num_bytes=1_000,
    num_documents=0,
    source="é.json.gz:128:10240",
    part=2,
    checksum=2**32 - 1,
)


def _same(left: Record, right: Record) -> bool:
    return np.array_equal(left.targets, right.targets) and {
        **vars(left),
        "targets": None,
    } == {**vars(right), "targets": None}


@settings(deadline=None)
@given(
    targets=st.lists(st.integers(0, 2**31 - 1), max_size=20),
    numbers=st.tuples(*[st.integers(0, 2**40)] * 3, st.integers(0, 2**32 - 1)),
    source=st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
)
def test_serialize_round_trip(
    targets: list[int], numbers: tuple[int, int, int, int], source: str
) -> None:
    record = Record(np.array(targets, np.int32), *numbers[:2], source, *numbers[2:])
    assert _same(parse(serialize(record)), record)


def test_bytes_are_those_of_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")

    def integers(*values: int) -> object:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    example = tf.train.Example(
        features=tf.train.Features(
            feature={
                "targets": integers(*RECORD.targets.tolist()),
                "num_bytes": integers(RECORD.num_bytes),
                "num_documents": integers(RECORD.num_documents),
                "part": integers(RECORD.part),
                "checksum": integers(RECORD.checksum),
                "source": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[RECORD.source.encode()])
                ),
            }
        )
    )
    assert serialize(RECORD) == example.SerializeToString(deterministic=True)
    assert _same(parse(example.SerializeToString()), RECORD)


def test_parse_names_what_is_missing() -> None:
    with pytest.raises(DamagedRecordsError, match="file: record 3 has no feature 'checksum'"):
        parse(b"", "file: record 3")
    with pytest.raises(DamagedRecordsError, match=r"x is not a tf\.train\.Example"):
        parse(b"\xff\xff\xff", "x")


def test_tensorflow_reads_our_files(tmp_path: object) -> None:
    tf = pytest.importorskip("tensorflow")
    path = f"{tmp_path}/file"
    data = [b"", b"x", bytes(range(256)) * 300]
    with open(path, "wb") as file:
        assert write_records(file, data) == 3
    assert [item.numpy() for item in tf.data.TFRecordDataset(path)] == data


def test_we_read_tensorflows_files(tmp_path: object) -> None:
    tf = pytest.importorskip("tensorflow")
    path = f"{tmp_path}/file"
    data = [b"", b"x", bytes(range(256)) * 300]
    with tf.io.TFRecordWriter(path) as writer:
        for item in data:
            writer.write(item)
    with open(path, "rb") as file:
        assert list(read_records(file, path)) == data


def test_every_cut_is_noticed_unless_between_records() -> None:
    data = [b"abc", b"", b"defgh"]
    whole = b"".join(map(frame, data))
    ends = {len(b"".join(map(frame, data[:number]))): number for number in range(4)}
    for size in range(len(whole) + 1):
        reader = read_records(io.BytesIO(whole[:size]), "file")
        if size in ends:
            assert list(reader) == data[: ends[size]]
        else:
            with pytest.raises(DamagedRecordsError, match=r"file: record \d at byte \d+.*cut off"):
                list(reader)


def test_every_flipped_bit_is_noticed() -> None:
    whole = frame(b"abc") + frame(b"defgh")
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedRecordsError, match="checksum"):
            list(read_records(io.BytesIO(bytes(damaged)), "file"))


class _Trickle(io.RawIOBase):
    """Gives one byte at a time, as a remote file may."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, 1))


@settings(deadline=None)
@given(documents=st.lists(st.binary(max_size=9), min_size=1, max_size=5), data=st.data())
def test_records_cover_every_symbol_once(documents: list[bytes], data: st.DataObject) -> None:
    symbols = alphabet.join(documents)
    inner = data.draw(st.lists(st.integers(0, len(symbols)), max_size=12))
    ends = np.array([*sorted(inner), len(symbols)], np.int64)
    encoded = SimpleNamespace(ids=np.arange(len(ends), dtype=np.int32) + 3, ends=ends)
    max_tokens = data.draw(st.integers(1, 5))

    records = cut_example(encoded, symbols, "in:0:0", max_tokens)

    assert [record.part for record in records] == list(range(len(records)))
    assert all(len(record.targets) == max_tokens for record in records[:-1])
    assert np.array_equal(np.concatenate([record.targets for record in records]), encoded.ids)
    assert sum(record.num_bytes for record in records) == sum(map(len, documents))
    assert sum(record.num_documents for record in records) == len(documents)
    start = 0
    for record in records:
        piece = symbols[start : start + record.num_symbols]
        assert record.checksum == symbols_checksum(piece)
        start += record.num_symbols


def test_a_codec_that_does_not_cover_its_example_is_found_out() -> None:
    symbols = alphabet.join([b"abc"])
    encoded = SimpleNamespace(ids=np.array([3], np.int32), ends=np.array([3], np.int64))
    with pytest.raises(ValueError, match="cover 3 of 4 symbols"):
        cut_example(encoded, symbols, "in:0:0", 512)


@pytest.mark.parametrize("length", [1 << 31, 1 << 45, 1 << 63])
def test_no_record_is_so_long(length: int) -> None:
    framed = bytearray(frame(b"x"))
    framed[:12] = tfrecord._header(length)
    with pytest.raises(DamagedRecordsError, match=f"record 0 at byte 0: it says it has {length}"):
        list(read_records(io.BytesIO(bytes(framed)), "x"))
