"""Readers: every document comes out once, or its place and the reason do."""

import gzip
import json
import re
from pathlib import Path

import pytest
import zstandard

from equalinfo.data import decompress
from equalinfo.data.find import find
from equalinfo.data.inputs import DamagedInputError, InputFile, Reject
from equalinfo.data.text import read


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


_BLANK_AND_LONG = (
    b'{"text": "one"}\n\n \t\r\n{"text": "two"}\r\n\x0b\n{"text": 3}\n'
    + json.dumps({"text": "long " * 40}).encode()
    + b"\n\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 50, 4096])
@pytest.mark.parametrize("end", [b"", b'{"text": "end"}', b"\n"])
def test_lines_do_not_depend_on_the_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, end: bytes
) -> None:
    for name in ("_HEAD_BYTES", "_CHUNK_BYTES", "_ZIPPED_CHUNK_BYTES"):
        monkeypatch.setattr(decompress, name, max(size, 4) if name == "_HEAD_BYTES" else size)
    data = _BLANK_AND_LONG + end
    expected = [
        b"one",
        b"two",
        Reject("{}:6", "field 'text' is int, expected text"),
        b"long " * 40,
        *([b"end"] if b"end" in end else []),
    ]
    for name, packed in {
        "a.json": data,
        "a.json.gz": gzip.compress(data),
        "a.json.zst": zstandard.compress(data),
    }.items():
        items = list(read(_file(tmp_path, name, packed)))
        assert items == [
            Reject(item.place.format(name), item.reason) if isinstance(item, Reject) else item
            for item in expected
        ]
    lines = [line for line in data.split(b"\n") if line.strip()]
    assert _texts(_file(tmp_path, "a.txt", data)) == [line.removesuffix(b"\r") for line in lines]


_PACK = {"gzip": gzip.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("pack", _PACK)
@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_first_bytes_decide_about_compression(tmp_path: Path, pack: str, suffix: str) -> None:
    data = b'{"text": "x"}\n'
    assert _texts(_file(tmp_path, f"a.json{suffix}", _PACK[pack](data))) == [b"x"]
    assert _texts(_file(tmp_path, f"a.jsonl{suffix}", data)) == [b"x"]
    assert _texts(_file(tmp_path, f"a.txt{suffix}", _PACK[pack](b"x\ny"))) == [b"x", b"y"]


def test_parts_are_one_text(tmp_path: Path) -> None:
    """As `cat a.gz b.gz` makes them, also in the middle of a line."""
    data = b'{"text": "x"}\n{"text": "y"}\n'
    members = gzip.compress(data[:20]) + b"\0\0" + gzip.compress(data[20:]) + b"\0" * 512
    assert _texts(_file(tmp_path, "a.json.gz", members)) == [b"x", b"y"]
    skippable = b"\x5f\x2a\x4d\x18\x03\0\0\0abc"
    frames = b"".join(
        (skippable, zstandard.compress(data[:20]), skippable, zstandard.compress(data[20:]))
    )
    assert _texts(_file(tmp_path, "a.json.zst", frames + skippable)) == [b"x", b"y"]


def test_empty_files(tmp_path: Path) -> None:
    for name in ("a.json", "a.txt"):
        assert _texts(_file(tmp_path, name, b"")) == []
    for name, pack in (("a.json.gz", gzip.compress), ("a.txt.zst", zstandard.compress)):
        assert _texts(_file(tmp_path, name, pack(b""))) == []
        documents, reason = _until_damage(_file(tmp_path, name, b""))
        assert documents == [] and "no bytes at all" in reason


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


def test_numbers_of_parquet_are_not_taken_for_letters(tmp_path: Path) -> None:
    """Small ones of 32 bits look like UTF-32."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    labels = pa.array([1 + i % 200 for i in range(3000)], pa.int32())
    table = pa.table({"label": labels, "text": ["some text"] * 3000})
    parquet.write_table(table, path, use_dictionary=False, compression="none")
    assert _texts(find([str(path)])[0]) == [b"some text"] * 3000


@pytest.mark.parametrize("names", [("a", "a.b"), ("a.b", "a")])
def test_a_column_with_the_name_of_a_field(tmp_path: Path, names: tuple[str, str]) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"a": pa.array([{"b": "inner"}] * 2), "a.b": pa.array(["outer"] * 2)}
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({name: columns[name] for name in names}), path)
    assert _texts(find([str(path)], "a.b")[0]) == [b"outer"] * 2


def test_text_may_begin_as_parquet_does(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"PAR10 is no par.\nPAR\n")
    assert list(read(find([str(path)])[0])) == [b"PAR10 is no par.", b"PAR"]


def test_parquet_is_damaged_from_a_row_group_on(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    texts = [f"text {number}" for number in range(450)]
    path = tmp_path / "a.parquet"
    file = _parquet(path, pa.array(texts))
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"text 250")] ^= 1
    path.write_bytes(bytes(damaged))
    documents, reason = _until_damage(file)
    assert documents == [text.encode() for text in texts[:200]]
    assert "after row 200" in reason


def test_five_megabyte_line(tmp_path: Path) -> None:
    text = "long line é " * 400_000
    data = json.dumps({"text": text}).encode()
    assert _texts(_file(tmp_path, "a.json.gz", gzip.compress(data, 1))) == [text.encode()]
    assert _texts(_file(tmp_path, "a.json.zst", zstandard.compress(data))) == [text.encode()]
