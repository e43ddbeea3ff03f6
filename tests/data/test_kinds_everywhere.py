"""Each kind of file through the commands: the documents of the reader, or its words."""

import contextlib
import io
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from data_kinds import KINDS, Kind

pytest.importorskip("pyarrow")


def said(main: object, argv: Sequence[str]) -> tuple[int, str]:
    """The exit status, and all that was printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        status = main(argv)  # type: ignore[operator]
    return int(status or 0), out.getvalue()


def write(kind: Kind, directory: Path) -> list[str]:
    for name, make in kind.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make())
    return [str(directory / name) for name in kind.files]


def expect(kind: Kind, status: int, text: str) -> None:
    if kind.error:
        assert status and re.search(kind.error, text), text
    else:
        assert not status, text


@pytest.mark.parametrize("name", KINDS)
def test_compress_and_verify(name: str, tmp_path: Path) -> None:
    from equalinfo import Dataset
    from pipelines import compress, verify

    kind = KINDS[name]
    data = ["--input", *write(kind, tmp_path / "in"), *kind.options]
    out = str(tmp_path / "out")
    argv = ["--method=gzip", "--token_bits=8", "--quiet", "--output", out]
    status, text = said(compress.main, [*argv, *data])
    expect(kind, status, text)
    if not kind.error:
        assert f"{kind.documents:,} documents" in text
        assert Dataset.open(out).manifest.split("train").totals["documents"] == kind.documents
        assert said(verify.main, ["--dataset", out, *data])[0] == 0
    elif kind.early:
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", KINDS)
def test_count(name: str, tmp_path: Path) -> None:
    from equalinfo.m1.static import StaticModel
    from pipelines import count

    kind = KINDS[name]
    output = tmp_path / "counts"
    argv = ["--output", str(output), *kind.options]
    expect(kind, *said(count.main, ["--input", *write(kind, tmp_path / "in"), *argv]))
    assert output.exists() != bool(kind.error)
    if not kind.error:
        StaticModel.load(output)


@pytest.mark.filterwarnings("ignore:.* bytes of text support")
@pytest.mark.parametrize("name", KINDS)
def test_compile(name: str, tmp_path: Path) -> None:
    from equalinfo.cli import main

    kind = KINDS[name]
    output = tmp_path / "a.eqi"
    argv = ["-o", str(output), "--codes", "300", "--quiet", "--threads", "1", *kind.options]
    paths = write(kind, tmp_path / "in")
    expect(kind, *said(main, ["compile", "--from-text", *paths, *argv]))
    assert output.exists() != bool(kind.error)
