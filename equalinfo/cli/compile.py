"""Command compile: a codebook from an M1, or from text alone."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equalinfo.cli.command import add_command
from equalinfo.codebook.limits import BEST_FIRST, PLANS, UNIGRAM, check_num_codes
from equalinfo.data.options import SUFFIXES, TextOptions, add_text_options

if TYPE_CHECKING:
    from equalinfo.codebook import Codebook


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
        help=f"in place of M1: files of text, {SUFFIXES}",
    )
    add_text_options(parser)
    add(
        "-o",
        "--output",
        required=True,
        help=".eqi file to write; with several --codes, {codes} in its name is each",
    )
    add(
        "--codes",
        type=int,
        nargs="+",
        default=[1 << 16],
        metavar="V",
        help="257..2^20, "
        "default 65536; plan interval: a power of two. Several, with plan unigram: each set is "
        "pruned from the next larger",
    )
    add(
        "--plan",
        choices=PLANS,
        help="unigram (default with --from-text): texts that spell the corpus in the fewest bits. "
        "The paper's method: best_first (default with an M1), the V likeliest texts; interval, "
        "those of the exact W-bit code, V = 2^W",
    )
    add("--max_words", type=int, help="unigram: most words of a text, default 8; 1: within words")
    add(
        "--token_cost",
        type=float,
        help="unigram: bits that a token costs beside its own, "
        "default 12: more of it, fewer tokens",
    )
    add("--threads", type=int, help="unigram: default all; the result does not depend on it")
    add(
        "--weight",
        nargs="+",
        action="append",
        default=[],
        metavar=("N", "GLOB"),
        help="unigram: more files of text, each of whose documents counts N times: those most like "
        "what the tokenizer is for, where there are few",
    )
    add(
        "--rounds",
        type=int,
        help="best_first and interval with --from-text, default 3: the first counts everywhere, "
        "each further one where the windows of the round before begin",
    )
    add("--context", type=int, help="symbols of left context M1 sees; None: 64")
    add("--precision", type=int, help="P: M1's frequencies sum to 2^P, default 16")
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
    if (arguments.m1 is None) == (not arguments.from_text):
        raise ValueError("give either an M1 file or --from-text GLOB.")
    plan = arguments.plan or (UNIGRAM if arguments.from_text else BEST_FIRST)
    for codes in arguments.codes:
        check_num_codes(plan, codes)
    _check_options(arguments, plan)
    outputs = [Path(arguments.output.replace("{codes}", str(codes))) for codes in arguments.codes]
    if len(set(outputs)) < len(outputs):
        raise ValueError(
            f"-o {arguments.output} is one file for {len(outputs)} codebooks. Write {{codes}} into "
            "its name."
        )
    for output in outputs:
        if not output.absolute().parent.is_dir():
            raise FileNotFoundError(f"{output.parent} is not a directory.")
    for output, codebook in zip(outputs, _codebooks(arguments, plan), strict=True):
        codebook.save(output)
        print(
            f"{output}: {codebook.num_codes} codes ({codebook.info.plan}), "
            f"{output.stat().st_size:,} bytes, sha256:{codebook.sha256}"
        )
    if arguments.evaluate:
        from equalinfo.cli.evaluate import print_scores
        from equalinfo.evaluation.token_scores import Texts, evaluate
        from equalinfo.evaluation.vocabularies import load

        texts = Texts.load(arguments.evaluate, arguments.from_text or (), TextOptions.of(arguments))
        print_scores([evaluate(load(str(output)), texts) for output in outputs], texts.about)


def _check_options(arguments: argparse.Namespace, plan: str) -> None:
    """Raise a ValueError for an option that the plan does not take."""
    takes = {
        "context": not arguments.from_text,
        "rounds": bool(arguments.from_text) and plan != UNIGRAM,
        "precision": plan != UNIGRAM,
        "max_words": plan == UNIGRAM,
        "token_cost": plan == UNIGRAM,
        "threads": plan == UNIGRAM,
    }
    source = "--from-text" if arguments.from_text else "an M1"
    for name, taken in takes.items():
        if not taken and getattr(arguments, name) is not None:
            raise ValueError(f"--{name} is not for plan {plan!r} with {source}.")
    if arguments.weight and plan != UNIGRAM:
        raise ValueError(f"--weight is not for plan {plan!r}.")
    for number, *patterns in arguments.weight:
        if not number.isdigit() or int(number) < 1 or not patterns:
            raise ValueError(f"--weight {' '.join([number, *patterns])}: give N >= 1 and files.")
    if plan == UNIGRAM and not arguments.from_text:
        raise ValueError("plan 'unigram' chooses texts for a corpus: give --from-text GLOB.")
    if plan != UNIGRAM and len(arguments.codes) > 1:
        raise ValueError(f"plan {plan!r} makes one codebook: give --codes one number.")


def _codebooks(arguments: argparse.Namespace, plan: str) -> "list[Codebook]":
    from equalinfo.codebook import Codebook

    progress = not arguments.quiet
    precision = 16 if arguments.precision is None else arguments.precision
    if plan == UNIGRAM:
        from equalinfo.codebook.unigram import train_on_documents

        options = TextOptions.of(arguments)
        weighed = [(options.documents(arguments.from_text, "--from-text"), 1)]
        for number, *patterns in arguments.weight:
            weighed.append((options.documents(patterns, "--weight"), int(number)))
        return train_on_documents(
            (text for texts, number in weighed for text in texts for _ in range(number)),
            arguments.codes,
            max_words=8 if arguments.max_words is None else arguments.max_words,
            token_cost=12.0 if arguments.token_cost is None else arguments.token_cost,
            threads=len(os.sched_getaffinity(0))
            if arguments.threads is None
            else arguments.threads,
            progress=progress,
        )
    (num_codes,) = arguments.codes
    if arguments.from_text:
        from equalinfo.alphabet import join
        from equalinfo.codebook.from_text import compile_from_text

        documents = TextOptions.of(arguments).documents(
            arguments.from_text, "--from-text", progress=progress
        )
        return [
            compile_from_text(
                join(documents),
                num_codes,
                plan=plan,
                rounds=3 if arguments.rounds is None else arguments.rounds,
                precision=precision,
                progress=progress,
            )
        ]
    from equalinfo.m1.load import resolve_model

    return [
        Codebook.compile(
            resolve_model(arguments.m1, None, precision),
            num_codes,
            plan=plan,
            context=arguments.context,
            progress=progress,
        )
    ]
