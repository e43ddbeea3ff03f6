"""`equalinfo show`: where the text comes from, where it goes, and when it is coloured."""

import io
import sys
from types import SimpleNamespace

import pytest

from equalinfo.cli import main
from equalinfo.cli.show import use_color
from equalinfo.show.panel import of_tokenizer
from equalinfo.show.terminal import render
from equalinfo.tokenizer import Tokenizer
from tests.models import HashModel


@pytest.fixture(scope="module")
def codebook(tmp_path_factory):
    from equalinfo.codebook import Codebook

    path = tmp_path_factory.mktemp("codebook") / "small.eqi"
    Codebook.compile(HashModel(order=1), num_codes=300, progress=False).save(path)
    return path


@pytest.fixture
def show(codebook, capsys):
    """Function: run the command on the small codebook, return what it prints."""

    def run(*arguments, status=0):
        assert main(["show", *map(str, arguments), "--codebook", str(codebook)]) == status
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    return run


def expected(codebook, text, **options):
    return render(of_tokenizer(Tokenizer.load(codebook), text, **options), 60)


@pytest.mark.parametrize("text", [b"", b"the fox\n\x1b[31m", b"\xff\xe2\x82 \xc3\xa9"])
def test_sources_agree(show, codebook, tmp_path, monkeypatch, text):
    (tmp_path / "text").write_bytes(text)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    outputs = [
        show(*source, "--width", 60)
        # An argument that is not UTF-8 reaches Python so.
        for source in (
            [text.decode("utf-8", "surrogateescape")],
            ["-"],
            ["--file", tmp_path / "text"],
        )
    ]
    assert outputs == [expected(codebook, text)] * 3


def test_eos(show, codebook):
    assert show("fox", "--eos", "--width", 60) == expected(codebook, b"fox", eos=True)


def test_width_is_the_terminals(show, codebook, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert show("the fox " * 20) == expected(codebook, b"the fox " * 20)


def test_default_codebook(capsys):
    assert main(["show", "Hello world.", "--color", "never"]) == 0
    out = capsys.readouterr().out
    assert "12 bytes" in out
    for i in Tokenizer.default().encode("Hello world.").tolist():
        assert str(i) in out


def test_colour(show, monkeypatch):
    assert "\x1b[48;5;" in show("fox", "--color", "always")
    assert "\x1b" not in show("fox", "--color", "never")
    assert "\x1b" not in show("fox")  # captured: no terminal
    for variable in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(variable, raising=False)
    terminal, file = SimpleNamespace(isatty=lambda: True), io.StringIO()
    assert use_color("auto", terminal) and not use_color("auto", file)
    monkeypatch.setenv("NO_COLOR", "")  # as if it were not set: no-color.org
    assert use_color("auto", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not use_color("auto", terminal) and use_color("always", terminal)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not use_color("auto", terminal)


def test_files_instead_of_the_terminal(show, tmp_path):
    pytest.importorskip("matplotlib")
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    out = show("the été", "--html", page, "--png", picture, "--width", 60)
    assert out == f"{page}\n{picture}\n"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_beside_sentencepiece(show, tmp_path):
    spm = pytest.importorskip("sentencepiece")
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(["the quick brown fox"] * 9),
        model_prefix=str(tmp_path / "tiny"),
        vocab_size=19,
        minloglevel=2,
    )
    model = tmp_path / "tiny.model"
    out = show("the fox", "--sentencepiece", model)
    assert out.index("Equal-Info, 300 codes") < out.index("SentencePiece Unigram, 19 pieces")
    show("the fox", "--sentencepiece", model, "--html", tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text().count("<section") == 2


def test_errors(show, tmp_path, capsys):
    assert "--width=0 is less than 1" in show("fox", "--width", 0, status=1)
    assert "not as '.gif'" in show("fox", "--png", tmp_path / "a.gif", status=1)
    assert "no.txt" in show("--file", tmp_path / "no.txt", status=1)
    for arguments in (["show"], ["show", "fox", "--file", "x"]):
        with pytest.raises(SystemExit):
            main(arguments)
        assert "TEXT" in capsys.readouterr().err
