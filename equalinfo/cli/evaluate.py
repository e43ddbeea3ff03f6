"""`equalinfo evaluate`: tokenizers compared on a text."""

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from equalinfo.cli.command import add_command
from equalinfo.codebook.limits import PARSES
from equalinfo.data.options import TextOptions, add_text_options, local_path

if TYPE_CHECKING:
    from equalinfo.evaluation.token_scores import TokenScores

_SHOWN = 60  # characters of a text


def add(commands: Any) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "evaluate",
        _evaluate,
        "bytes/token, entropy and n-gram bits/byte of tokenizers on a text (a trained M2 is scored "
        "by eval)",
    )
    add = parser.add_argument
    add(
        "codebook",
        metavar="CODEBOOK",
        help="a .eqi file, or the name of one in the package (english-65536-v1); also a "
        "SentencePiece .model, or a tokenizer.json of Hugging Face",
    )
    add("files", nargs="+", metavar="FILE", help="text, as compress takes it; names or globs")
    add("--compare", nargs="+", default=[], metavar="CODEBOOK", help="others, on the same text")
    add(
        "--train",
        nargs="+",
        default=[],
        metavar="FILE",
        help="text to train n-grams on. Without: each tenth document of FILE is scored, and the "
        "other nine are trained on",
    )
    add("--parse", choices=PARSES, help="of all codebooks; default: each one's own")
    add("--max_bytes", type=int, default=20_000_000, help="of FILE to score; default: 20,000,000")
    add("--train_bytes", type=int, default=60_000_000, help="to train on; default: 60,000,000")
    add_text_options(parser)
    add("--cache", type=local_path, metavar="DIR", help="keeps the ids of tokenizers that are slow")
    add("--json", action="store_true", help="print one JSON object")


def _evaluate(arguments: argparse.Namespace) -> None:
    from equalinfo.evaluation import vocabularies
    from equalinfo.evaluation.token_scores import Texts, evaluate

    names = [arguments.codebook, *arguments.compare]
    found = [vocabularies.load(name, arguments.parse) for name in names]
    if len({vocabulary.name for vocabulary in found}) < len(found):  # tokenizer.json, all of them
        for vocabulary, name in zip(found, names, strict=True):
            vocabulary.name = name
    texts = Texts.load(
        arguments.files,
        arguments.train,
        TextOptions.of(arguments),
        max_bytes=arguments.max_bytes,
        train_bytes=arguments.train_bytes,
    )
    scores = [evaluate(vocabulary, texts, arguments.cache) for vocabulary in found]
    if arguments.json:
        print(json.dumps({"text": texts.about, "tokenizers": [one.to_json() for one in scores]}))
    else:
        print_scores(scores, texts.about)


def print_scores(scores: "Sequence[TokenScores]", about: str) -> None:
    """What `evaluate` and `compile --evaluate` print."""
    print(f"{about}\n\n{table(scores)}", end="")


def table(scores: "Sequence[TokenScores]") -> str:
    """Figures for a terminal: a row a tokenizer, then the longest texts of each."""
    from equalinfo.show.glyphs import shown

    titles = ["tokenizer", "codes", "bytes/token", "entropy b/B", "KN-2 b/B", "KN-3 b/B"]
    titles += ["unused codes", "across words", "restored"]
    rows = [
        [
            one.tokenizer,
            f"{one.codes:,}",
            f"{one.bytes_per_token:.3f}",
            f"{one.entropy:.3f}",
            *(f"{bits:.3f}" for bits in one.ngram.values()),
            f"{one.unused:,} ({one.unused / one.codes:.1%})",
            f"{one.crossing:.1%}",
            f"{one.restored:,} of {one.num_documents:,}",
        ]
        for one in scores
    ]
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (titles, *rows)
    ]
    lines += ["", "b/B: bits/byte. across words: tokens with parts of two words. Longest texts:"]
    for one in scores:
        lines.append(f"{one.tokenizer}:")
        for text in one.longest:
            told = shown(text)
            told = told if len(told) <= _SHOWN else f"{told[: _SHOWN - 3]}..."
            lines.append(f"  {len(text)} bytes  {told}")
    return "".join(f"{line.rstrip()}\n" for line in lines)
