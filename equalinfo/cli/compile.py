"""Command compile: a codebook from an M1, or from text alone."""

import argparse
from pathlib import Path
from typing import Any

from equalinfo.cli.command import add_command


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands, "compile", _compile, "make a tokenizer (a .eqi codebook) of an M1, or of text"
    )
    add = parser.add_argument
    add("m1", type=Path, nargs="?", help="frozen M1 (.eqm), as freeze writes it")
    add(
        *("--from-text", "--from_text"),
        nargs="+",
        metavar="GLOB",
        help="in place of M1: count text. Files of JSON lines with a field `text` (.json, .jsonl) "
        "or of one document a line (.txt), also .gz",
    )
    add("-o", "--output", type=Path, required=True, help=".eqi file to write")
    add("--codes", type=int, default=1 << 16, help="V, 257..2^20; plan interval: a power of two")
    add(
        "--plan",
        choices=("best_first", "interval"),
        default="best_first",
        help="best_first: the V likeliest texts. interval: those of the exact W-bit code, V = 2^W",
    )
    add(
        "--rounds",
        type=int,
        help="with --from-text, default 3: the first counts everywhere, each further one where "
        "the windows of the round before begin",
    )
    add("--context", type=int, help="symbols of left context M1 sees; None: 64")
    add("--precision", type=int, default=16, help="P: M1's frequencies sum to 2^P")
    add(
        "--evaluate",
        nargs="+",
        default=[],
        metavar="FILE",
        help="afterwards print what `equalinfo evaluate` does, of this text; its n-grams are "
        "trained on the text of --from-text, or with an M1 on nine tenths of this one",
    )
    add("--quiet", action="store_true", help="draw no bars")


def _compile(arguments: argparse.Namespace) -> None:
    from equalinfo.codebook import Codebook
    from equalinfo.codebook.limits import check_num_codes

    if (arguments.m1 is None) == (not arguments.from_text):
        raise ValueError("give either an M1 file or --from-text GLOB.")
    check_num_codes(arguments.plan, arguments.codes)
    if not arguments.output.absolute().parent.is_dir():
        raise FileNotFoundError(f"{arguments.output.parent} is not a directory.")
    progress = not arguments.quiet
    if arguments.from_text:
        from equalinfo.codebook.from_text import compile_from_text
        from equalinfo.text_files import read_symbols

        if arguments.context is not None:
            raise ValueError("--context is M1's; with --from-text there is none to give.")
        codebook = compile_from_text(
            read_symbols(arguments.from_text, progress),
            arguments.codes,
            plan=arguments.plan,
            rounds=3 if arguments.rounds is None else arguments.rounds,
            precision=arguments.precision,
            progress=progress,
        )
    else:
        from equalinfo.codecs.assets import resolve_model

        if arguments.rounds is not None:
            raise ValueError("--rounds is of --from-text; an M1 is not counted.")
        codebook = Codebook.compile(
            resolve_model(arguments.m1, arguments.precision),
            arguments.codes,
            plan=arguments.plan,
            context=arguments.context,
            progress=progress,
        )
    codebook.save(arguments.output)
    print(
        f"{arguments.output}: {codebook.num_codes} codes ({codebook.info.plan}), "
        f"{arguments.output.stat().st_size:,} bytes, sha256:{codebook.sha256}"
    )
    if arguments.evaluate:
        from equalinfo.cli.evaluate import print_scores
        from equalinfo.token_scores import Texts, evaluate
        from equalinfo.vocabularies import load

        texts = Texts.load(arguments.evaluate, arguments.from_text or ())
        print_scores([evaluate(load(str(arguments.output)), texts)], texts.about)
