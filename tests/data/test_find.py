"""Which files an input means."""

import os
from pathlib import Path

import pytest

from equalinfo.data import storage
from equalinfo.data.find import find, limited
from equalinfo.data.inputs import InputError, InputFile
from equalinfo.data.text import read


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
    for name in ("json", "jsonl", "ndjson", "txt"):
        for packed in ("", ".gz", ".zst", ".bz2", ".xz", ".GZ"):
            path = tmp_path / f"{name}.{name.upper()}{packed}"
            path.write_bytes(b"123")
            (file,) = find([str(path)])
            assert (file.format, file.size) == ("text" if name == "txt" else "json", 3)
    for name in ("a.zst", "a.json.zip", "a.parquet.gz", "a.json.gz.tmp"):
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


def test_inputs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    """As Hive and Spark write them; what is above the folder in common plays no part."""
    for name in ("x/day=1/a.json", "x/day=2/a.json", "y/b.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    below = [file.name for file in find([str(tmp_path / "x/*/a.json")])]
    assert below == ["day=1/a.json", "day=2/a.json"]
    every = [file.name for file in find([str(tmp_path / "**/*.json")])]
    assert every == ["x/day=1/a.json", "x/day=2/a.json", "y/b.json"]
    alone = [file.name for file in find([str(tmp_path / "x/day=1/*"), str(tmp_path / "y/*")])]
    assert alone == ["a.json", "b.json"]


@pytest.mark.parametrize(("limit", "shares"), [(1, [1]), (3, [1, 1, 1]), (8, [3, 3, 2])])
def test_a_limit_is_shared_out(tmp_path: Path, limit: int, shares: list[int]) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_bytes(b"one\ntwo\nthree\nfour\n")
    files = limited(find([str(tmp_path / "*")]), limit)
    assert [file.limit for file in files] == shares
    assert [len(list(read(file))) for file in files] == shares


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


def test_a_file_is_read_once_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.json").touch()
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path)
    given = ["x/../a.json", str(tmp_path / "a.json"), "./a.json", "*.json"]
    assert [file.path for file in find(given)] == ["a.json"]
    assert not caplog.records
    (tmp_path / "b.json").symlink_to("a.json")
    (tmp_path / "loop").symlink_to(".")
    assert [file.name for file in find(["**/*.json"])] == ["a.json"]
    assert "b.json is a.json" in caplog.text


def test_globs_find_what_a_shell_would(tmp_path: Path) -> None:
    """Not what editors and snapshots hide."""
    for name in ("a.json", ".a.json", ".checkpoints/a.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert len(find([f"{tmp_path}/*.json", f"{tmp_path}/**/*.json"])) == 1
    hidden = find([f"{tmp_path}/.*.json", f"{tmp_path}/.checkpoints/*"])
    assert [file.name for file in hidden] == [".a.json", "a.json"]


def test_a_scheme_beside_a_path(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.json").touch()
    names = [
        file.name for file in find([str(tmp_path / "x/a.json"), f"file://{tmp_path}/y/a.json"])
    ]
    assert len(set(names)) == 2
