"""Where commands write: stores as well as this machine, and what cannot be is told at once."""

from pathlib import Path

import pytest

from equalinfo import Tokenizer, hugging_face
from equalinfo.cli import main
from equalinfo.codebook import Codebook
from equalinfo.data import storage
from tests.models import HashModel


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder of a store; a path that is taken for a local one would come to lie in tmp_path."""
    monkeypatch.chdir(tmp_path)
    return f"memory://{tmp_path.name}"


def test_what_is_written_to_a_store_is_read_from_there(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Codebook.compile(HashModel(order=1), num_codes=300, progress=False)
    at = f"{store}/small.eqi"
    book.save(at)
    assert Tokenizer.load(at).encode("a fox") is not None
    assert main(["export", at, "--hf", f"{store}/hf"]) == 0
    assert main(["export", at, "--tokens", f"{store}/tokens.tsv"]) == 0
    assert main(["show", "a fox", "--codebook", at, "--html", f"{store}/a.html"]) == 0
    text = tmp_path / "text.txt"
    text.write_bytes(b"a fox\nand a dog\n")
    for form in ("id", "npy"):
        options = ["--codebook", at, "--output_format", form, "-o", f"{store}/ids.{form}"]
        assert main(["encode", str(text), *options]) == 0
    assert main(["decode", f"{store}/ids.id", "--codebook", at, "-o", f"{store}/back.txt"]) == 0
    assert storage.read_text(f"{store}/back.txt") == text.read_text()
    names = ("small.eqi", "tokens.tsv", "a.html", "ids.id", "ids.npy", "back.txt", "hf/README.md")
    assert all(storage.size(f"{store}/{name}") for name in names)
    assert f"{store}/hf/tokenizer.json" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match=r"tokenizer\.json"):
        hugging_face.export(book, f"{store}/hf")
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--dataset", "d", "--output", "gs://bucket/run"],
        ["generate", "--run", "gs://bucket/run", "--codec", "c"],
        ["eval", "--dataset", "d", "--run", "s3://bucket/run"],
        ["show", "fox", "--png", "gs://bucket/a.png"],
        ["curve", "run", "-o", "gs://bucket/a.png"],
        ["export", "run", "--t5x", "gs://bucket/run"],
    ],
)
def test_what_must_lie_here(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "is not on this machine" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "a.txt"
    text.write_text("some text\n" * 20)
    (tmp_path / "folder").mkdir()
    for command in (
        ["compile", "--from-text", str(text), "--codes", "257"],
        ["count", str(text), "--tune", "none of it is read"],
        ["encode", str(text), "--codebook", "english-8192-v2"],
    ):
        assert main([*command, "-o", str(tmp_path / "folder")]) == 1
        assert "a directory: name a file in it" in capsys.readouterr().err
        assert main([*command, "-o", str(text / "x")]) == 1
        assert "cannot be written" in capsys.readouterr().err
    for place in ("none.jsonl", str(text)):  # what cannot be evaluated, before it is trained
        options = ["--codes", "257", "-o", str(tmp_path / "x.eqi"), "--evaluate", place]
        assert main(["compile", "--from-text", str(text), *options]) == 1
        assert not (tmp_path / "x.eqi").exists()
    capsys.readouterr()
    assert main(["encode", str(text), "-o", str(tmp_path / "new" / "ids")]) == 0  # as export does
    page = tmp_path / "a.html"
    assert main(["show", "fox", "--html", str(page), "--png", str(tmp_path / "a.jpg")]) == 1
    assert not page.exists()
