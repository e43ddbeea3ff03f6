"""Which files an input means."""

import os
from pathlib import Path

import pytest

from equalinfo.data import storage
from equalinfo.data.text import InputFile
from pipelines.sources import InputError, find


def test_order_is_by_base_name_not_by_directory(tmp_path: Path) -> None:
    for name in ("z/a.json", "a/b.txt", "m/c.parquet", "z/d.jsonl.gz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    files = find([str(tmp_path / "*/*.*"), str(tmp_path / "z/a.json")], field="body")
    assert [(file.name, file.format, file.field) for file in files] == [
        ("a.json", "json", "body"),
        ("b.txt", "text", "body"),
        ("c.parquet", "parquet", "body"),
        ("d.jsonl.gz", "json", "body"),
    ]


def test_a_glob_that_fits_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"fits no file"):
        find([str(tmp_path / "*.json")])
    with pytest.raises(InputError, match=r"is a directory: name its files"):
        find([str(tmp_path)])


def test_unknown_suffix_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(InputError, match=r"a\.csv has none of the suffixes"):
        find([str(tmp_path / "*")])


def test_suffixes(tmp_path: Path) -> None:
    for name in ("json", "jsonl", "txt"):
        for packed in ("", ".gz", ".zst", ".GZ"):
            path = tmp_path / f"{name}.{name}{packed}"
            path.write_bytes(b"123")
            (file,) = find([str(path)])
            assert (file.format, file.size) == ("text" if name == "txt" else "json", 3)
    for name in ("a.zst", "a.json.xz", "a.parquet.gz", "a.json.gz.tmp"):
        (tmp_path / name).touch()
        with pytest.raises(InputError, match="has none of the suffixes"):
            find([str(tmp_path / name)])


def test_a_file_that_goes_while_it_is_listed_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = str(tmp_path / "a.json")
    monkeypatch.setattr(storage, "match", lambda pattern: [gone])
    with pytest.raises(InputError, match=r"a\.json is an input, and cannot be read: No such file"):
        find([gone])


def test_two_inputs_of_one_name_are_an_error(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").touch()
    with pytest.raises(InputError, match=r"two inputs are called 'a\.json'"):
        find([str(tmp_path / "*/a.json")])


def test_names_with_brackets_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a[1].json"
    path.touch()
    assert find([str(path)]) == [InputFile(str(path), "json", "text", 0)]
    # As a glob it fits this one; both are what a shell makes of *.json.
    other = tmp_path / "a1.json"
    other.touch()
    assert [file.path for file in find([str(other), str(path)])] == [str(other), str(path)]


def test_a_name_that_records_cannot_hold_is_an_error(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/a\xff.json"
    try:
        open(path, "wb").close()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(InputError, match=r"a\\udcff\.json' is not UTF-8"):
        find([str(tmp_path / "*")])
