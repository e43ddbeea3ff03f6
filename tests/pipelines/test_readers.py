"""Readers: every document comes out once, or its place and the reason do."""

import gzip
import io
import json
import re
from pathlib import Path

import pytest

from pipelines import storage
from pipelines.readers import DamagedInputError, Reject, read
from pipelines.sources import InputFile, find


def _file(directory: Path, name: str, data: bytes) -> InputFile:
    path = directory / name
    path.write_bytes(data)
    return find([str(path)])[0]


def _texts(file: InputFile) -> list[bytes]:
    items = list(read(file))
    assert all(isinstance(item, bytes) for item in items), items
    return [item for item in items if isinstance(item, bytes)]


def _until_damage(file: InputFile) -> tuple[list[bytes], str]:
    documents = []
    with pytest.raises(DamagedInputError) as caught:
        for item in read(file):
            assert isinstance(item, bytes), item
            documents.append(item)
    return documents, str(caught.value)


def test_bad_json_lines_are_rejected_with_place_and_reason(tmp_path: Path) -> None:
    lines = {
        b'{"text": "good"}': None,
        b"": None,
        b'{"text": "cut off': "invalid JSON",
        b'{"text": "\xff"}': "invalid UTF-8: invalid start byte at byte 10",
        b'{"other": "x"}': r"no field 'text', only \['other'\]",
        b'{"text": 7}': "field 'text' is int",
        b'{"text": null}': "field 'text' is NoneType",
        b'["text"]': "JSON list, expected an object",
        b'{"text": "\\ud800"}': "invalid JSON",
        b'{"text": "also good \\u00e9"}': None,
    }
    items = list(read(_file(tmp_path, "a.json", b"\n".join(lines))))
    assert items[0] == b"good"
    assert items[-1] == "also good é".encode()
    reasons = {number: reason for number, reason in enumerate(lines.values(), 1) if reason}
    assert len(items) == 2 + len(reasons)
    for item, (number, reason) in zip(items[1:-1], reasons.items(), strict=True):
        assert isinstance(item, Reject)
        assert item.place == f"a.json:{number}"
        assert re.search(reason, item.reason), item


def test_text_is_one_document_a_line(tmp_path: Path) -> None:
    data = "one\r\n\n  \ntwo é \nthree".encode() + b"\nbad \xff\n"
    items = list(read(_file(tmp_path, "a.txt", data)))
    assert items[:3] == [
        b"one",
        "two é ".encode(),
        b"three",
    ]
    assert items[3] == Reject("a.txt:6", "invalid UTF-8: invalid start byte at byte 4 of the text")


def test_first_bytes_decide_about_gzip(tmp_path: Path) -> None:
    data = b'{"text": "x"}\n'
    two_members = gzip.compress(data) + b"\0\0" + gzip.compress(data) + b"\0" * 512
    assert _texts(_file(tmp_path, "packed.json", two_members)) == [b"x", b"x"]
    assert _texts(_file(tmp_path, "plain.json.gz", data)) == [b"x"]


def test_empty_files(tmp_path: Path) -> None:
    assert _texts(_file(tmp_path, "a.json", b"")) == []
    assert _texts(_file(tmp_path, "a.txt", b"")) == []
    assert _texts(_file(tmp_path, "a.json.gz", gzip.compress(b""))) == []
    documents, reason = _until_damage(_file(tmp_path, "b.json.gz", b""))
    assert documents == [] and "no bytes at all" in reason


def test_every_truncated_gzip_is_noticed(tmp_path: Path) -> None:
    texts = [f"document {number} {'x' * number}" for number in range(40)]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    whole = gzip.compress(lines)
    for size in range(len(whole)):
        documents, _ = _until_damage(_file(tmp_path, "a.json.gz", whole[:size]))
        assert documents == [text.encode() for text in texts[: len(documents)]]
    assert len(_texts(_file(tmp_path, "a.json.gz", whole))) == 40
    without_footer, _ = _until_damage(_file(tmp_path, "a.json.gz", whole[:-8]))
    assert len(without_footer) == 40


def test_every_flipped_byte_of_a_gzip_is_noticed(tmp_path: Path) -> None:
    lines = b"".join(json.dumps({"text": f"text {n}"}).encode() + b"\n" for n in range(40))
    whole = gzip.compress(lines)
    for place in range(10, len(whole)):  # the header's time and system are not text
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        with pytest.raises(DamagedInputError):
            list(read(_file(tmp_path, "a.json.gz", bytes(damaged))))
    with pytest.raises(DamagedInputError, match="starts with the bytes 1f 8a"):
        list(read(_file(tmp_path, "a.json.gz", b"\x1f\x8a" + whole[2:])))
    documents, _ = _until_damage(_file(tmp_path, "a.json.gz", whole + b"garbage"))
    assert len(documents) == 40


def test_a_file_that_vanished_is_damage(tmp_path: Path) -> None:
    file = _file(tmp_path, "a.json", b"")
    Path(file.path).unlink()
    assert "FileNotFoundError" in _until_damage(file)[1]


def test_a_network_fault_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what is kept of a file would depend on the network, not on the file."""

    class Cut(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise ConnectionResetError("reset by peer")
            return super().read(10)

    monkeypatch.setattr(storage, "open_read", lambda path: Cut(b'{"text": "x"}\n' * 9))
    assert "ConnectionResetError" in _until_damage(InputFile("a.json", "json", "text"))[1]
    with pytest.raises(ConnectionResetError):
        list(read(InputFile("gs://b/a.json", "json", "text")))


def _parquet(path: Path, column: object, name: str = "text") -> InputFile:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(
        pa.table({name: column, "other": list(range(len(column)))}),  # type: ignore[arg-type]
        path,
        row_group_size=100,
        write_page_checksum=True,
        use_dictionary=False,
        compression="none",
    )
    return find([str(path)])[0]


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    texts = [f"text é {number}" for number in range(450)]
    expected = [text.encode() for text in texts]
    path = tmp_path / "a.parquet"
    assert _texts(_parquet(path, pa.array(texts))) == expected
    assert _texts(_parquet(path, pa.array(texts, pa.large_string()))) == expected
    assert _texts(_parquet(path, pa.array(texts).dictionary_encode())) == expected
    assert _texts(_parquet(path, pa.array([], pa.string()))) == []

    binary = pa.array([b"good", b"\xff", None], pa.binary())
    items = list(read(_parquet(path, binary.view(pa.string()))))
    assert items[0] == b"good"
    assert items[1:] == [
        Reject("a.parquet:row 2", "invalid UTF-8: invalid start byte at byte 0 of the text"),
        Reject("a.parquet:row 3", "no text (null)"),
    ]


def test_damaged_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    assert (
        "no column 'text', only ['body'"
        in _until_damage(_parquet(path, pa.array(["x"]), name="body"))[1]
    )
    assert "is int64, expected string" in _until_damage(_parquet(path, pa.array([1])))[1]

    texts = [f"text {number}" for number in range(450)]
    file = _parquet(path, pa.array(texts))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert _until_damage(file)[0] == []
    damaged = bytearray(whole)
    damaged[whole.index(b"text 250")] ^= 1
    path.write_bytes(bytes(damaged))
    documents, reason = _until_damage(file)
    assert documents == [text.encode() for text in texts[:200]]
    assert "after row 200" in reason


def test_five_megabyte_line(tmp_path: Path) -> None:
    text = "long line é " * 400_000
    data = gzip.compress(json.dumps({"text": text}).encode(), 1)
    assert _texts(_file(tmp_path, "a.json.gz", data)) == [text.encode()]
