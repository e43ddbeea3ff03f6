"""`equalinfo compile`: which plan, which options, and several sizes in one run."""

import json
import re
from pathlib import Path

import pytest

from equalinfo import Tokenizer
from equalinfo.cli import main
from equalinfo.codebook.limits import FEWEST, LONGEST


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "text.jsonl"
    words = [
        "the",
        "cat",
        "and",
        "the",
        "dog",
        "went",
        "to",
        "the",
        "house",
        "of",
        "the",
        "old",
        "man",
        "in",
        "the",
        "town",
    ]
    lines = [" ".join(words[i % 7 :] + words[: i % 5]) + f" number {i}." for i in range(300)]
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    return path


def run(*arguments: str | Path) -> int:
    return main(["compile", *map(str, arguments), "--quiet"])


def test_several_sizes_in_one_run(text: Path, tmp_path: Path) -> None:
    sizes = ("300", "280")
    assert run("--from-text", text, "--codes", *sizes, "-o", tmp_path / "{codes}.eqi") == 0
    for size in sizes:
        tokenizer = Tokenizer.load(tmp_path / f"{size}.eqi")
        info = tokenizer.codebook.info
        assert (info.plan, info.parse, info.num_codes) == ("unigram", FEWEST, int(size))
        assert info.made_of["num_documents"] == 300
        assert tokenizer.decode(tokenizer.encode("the old man")) == "the old man"
    assert len(tokenizer.encode("the cat and the dog")) < 8


def test_documents_that_count_more(text: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("zebras zigzag\n" * 3)
    arguments = ("--from-text", text, "--codes", "290", "--weight", "50", other)
    assert run(*arguments, "-o", tmp_path / "weighed.eqi") == 0
    book = Tokenizer.load(tmp_path / "weighed.eqi")
    assert book.codebook.info.made_of["num_documents"] == 450
    assert len(book.encode("zebras zigzag")) == 1


def test_the_papers_plans(text: Path, tmp_path: Path) -> None:
    out = tmp_path / "best.eqi"
    assert run("--from-text", text, "--codes", "300", "--plan", "best_first", "-o", out) == 0
    assert Tokenizer.load(out).codebook.info.parse == LONGEST


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--codes", "300", "280"), r"one file for 2 codebooks. Write \{codes\}"),
        (("--codes", "10"), "num_codes=10 is not in 257"),
        (("--plan", "best_first", "--max_words", "2"), "--max_words is not for plan 'best_first'"),
        (("--plan", "best_first", "--weight", "2", "x"), "--weight is not for plan"),
        (("--weight", "0", "x"), "give N >= 1 and files"),
        (("--rounds", "2"), "--rounds is not for plan 'unigram'"),
        (("--context", "9"), "--context is not for plan 'unigram' with --from-text"),
        (("--max_words", "0"), "max_words=0"),
        (("--plan", "best_first", "--rounds", "0"), "--rounds=0 is less than 1"),
        (("--plan", "best_first", "--precision", "30"), r"precision=30 is outside 9\.\.20"),
        (("--evaluate", "none.json"), "--evaluate 'none.json' fits no file"),
    ],
)
def test_what_does_not_go_together(
    text: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    assert run("--from-text", text, "-o", tmp_path / "x.eqi", *arguments) == 1
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert not list(tmp_path.glob("*.eqi"))
