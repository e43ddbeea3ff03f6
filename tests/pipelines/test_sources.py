"""Which files an input means."""

import os
from pathlib import Path

import pytest

from pipelines.sources import InputError, InputFile, find


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


def test_unknown_suffix_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(InputError, match=r"a\.csv has none of the suffixes"):
        find([str(tmp_path / "*")])


def test_two_inputs_of_one_name_are_an_error(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").touch()
    with pytest.raises(InputError, match=r"two inputs are called 'a\.json'"):
        find([str(tmp_path / "*/a.json")])


def test_names_with_brackets_are_found(tmp_path: Path) -> None:
    path = tmp_path / "a[1].json"
    path.touch()
    assert find([str(path)]) == [InputFile(str(path), "json", "text")]


def test_a_name_that_records_cannot_hold_is_an_error(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/a\xff.json"
    try:
        open(path, "wb").close()
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(InputError, match=r"a\\udcff\.json' is not UTF-8"):
        find([str(tmp_path / "*")])
