"""Every kind of file gives the same documents, or the same error, to all that read text."""

import logging
import re
from argparse import ArgumentParser
from pathlib import Path

import pytest

from data_kinds import BYTES, KINDS, TEXTS, Kind
from equalinfo.data.inputs import InputError
from equalinfo.data.options import TextOptions, add_text_options


def write(kind: Kind, directory: Path) -> list[str]:
    """Write the files of a kind; gives the paths."""
    if any("parquet" in repr(make.__code__.co_names) for make in kind.files.values()):
        pytest.importorskip("pyarrow")
    for name, make in kind.files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(make())
    return [str(directory / name) for name in kind.files]


def options(*arguments: str) -> TextOptions:
    parser = ArgumentParser()
    add_text_options(parser)
    return TextOptions.of(parser.parse_args(arguments))


@pytest.mark.parametrize("name", KINDS)
def test_reader(name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    paths = write(kind, tmp_path)
    if kind.error and kind.early:
        with pytest.raises(InputError, match=kind.error):
            options(*kind.options).documents(paths)
        return
    documents = options(*kind.options).documents(paths)
    if kind.error:
        with pytest.raises(InputError, match=kind.error):
            list(documents)
        return
    found = list(documents)
    assert (len(found), documents.documents) == (kind.documents, kind.documents)
    if kind.documents % len(TEXTS) == 0:
        assert found[: len(TEXTS)] == [text.encode() for text in TEXTS]
        assert documents.bytes == BYTES * (kind.documents // len(TEXTS))


def test_what_is_left_out_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = KINDS["an empty file beside others"]
    with caplog.at_level(logging.WARNING):
        options().documents(write(empty, tmp_path))
    assert re.search(r"no text in 1 of 2 files: .*b\.jsonl", caplog.text)
    caplog.clear()
    list(options().documents(write(KINDS["one bad line of 2,001"], tmp_path)))
    assert "1 of 2001 documents cannot be used, and are left out: a.jsonl:1001" in caplog.text


def test_a_damaged_file_may_be_borne(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = write(KINDS["gzip and other bytes"], tmp_path)
    assert len(list(options("--allow_damaged_files").documents(paths))) == len(TEXTS)
    assert re.search(r"damaged, and only read up to there: .*a\.jsonl\.gz: after", caplog.text)


def test_bad_lines_may_be_borne(tmp_path: Path) -> None:
    """Also more than half of the first hundred."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"other": 1}\n' * 200 + b'{"text": "at last"}\n')
    with pytest.raises(InputError, match=r"100 of its first 100 documents.*a\.jsonl:3: no field"):
        options().documents([str(path)])
    assert list(options("--max_reject_fraction=1").documents([str(path)])) == [b"at last"]


def test_a_limit_is_for_all_files(tmp_path: Path) -> None:
    paths = write(KINDS["one name in two folders"], tmp_path)
    assert len(list(options("--limit=7").documents(paths))) == 7
