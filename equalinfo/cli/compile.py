"""Command compile: a codebook from an M1, or from text alone."""

import argparse
from typing import TYPE_CHECKING, Any

from equalinfo.cli.command import add_command
from equalinfo.codebook.limits import BEST_FIRST, PLANS, UNIGRAM, check_num_codes
from equalinfo.cores import num_cores
from equalinfo.data import storage
from equalinfo.data.options import SUFFIXES, TextOptions, add_text_options
from equalinfo.m1.base import DEFAULT_PRECISION, check_precision

if TYPE_CHECKING:
    from equalinfo.codebook import Codebook


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands, "compile", _compile, "make a tokenizer (a .eqi codebook) of an M1, or of text"
    )
    add = parser.add_argument
    add("m1", nargs="?", help="frozen M1 (.eqm), as freeze writes it")
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
    given = _given(arguments, plan)
    outputs = [arguments.output.replace("{codes}", str(codes)) for codes in arguments.codes]
    if len(set(outputs)) < len(outputs):
        raise ValueError(
            f"-o {arguments.output} is one file for {len(outputs)} codebooks. Write {{codes}} into "
            "its name."
        )
    for output in outputs:
        storage.check_output(output)
    texts = None
    if arguments.evaluate:
        from equalinfo.evaluation.token_scores import Texts

        texts = Texts.load(
            arguments.evaluate,
            arguments.from_text or (),
            TextOptions.of(arguments),
            given_with=("--evaluate", "--from-text"),
        )
    for output, codebook in zip(outputs, _codebooks(arguments, plan, given), strict=True):
        codebook.save(output)
        print(
            f"{output}: {codebook.num_codes} codes ({codebook.info.plan}), "
            f"{storage.size(output):,} bytes, sha256:{codebook.sha256}"
        )
    if texts is not None:
        from equalinfo.cli.evaluate import print_scores
        from equalinfo.evaluation.token_scores import evaluate
        from equalinfo.evaluation.vocabularies import load

        print_scores([evaluate(load(output), texts) for output in outputs], texts.about)


def _given(arguments: argparse.Namespace, plan: str) -> dict[str, Any]:
    """The options of how that were given; a ValueError for one that the plan does not take."""
    every = ("context", "rounds", "precision", "max_words", "token_cost", "threads")
    takes = every[3:] if plan == UNIGRAM else every[1:3] if arguments.from_text else every[0:3:2]
    given = {name: getattr(arguments, name) for name in every}
    given = {name: value for name, value in given.items() if value is not None}
    source = "--from-text" if arguments.from_text else "an M1"
    for name in given:
        if name not in takes:
            raise ValueError(f"--{name} is not for plan {plan!r} with {source}.")
    if arguments.weight and plan != UNIGRAM:
        raise ValueError(f"--weight is not for plan {plan!r}.")
    for number, *patterns in arguments.weight:
        if not number.isdigit() or int(number) < 1 or not patterns:
            raise ValueError(f"--weight {' '.join([number, *patterns])}: give N >= 1 and files.")
    check_precision(given.get("precision", DEFAULT_PRECISION))
    if given.get("rounds", 1) < 1:
        raise ValueError(f"--rounds={given['rounds']} is less than 1.")
    if plan == UNIGRAM and not arguments.from_text:
        raise ValueError("plan 'unigram' chooses texts for a corpus: give --from-text GLOB.")
    if plan != UNIGRAM and len(arguments.codes) > 1:
        raise ValueError(f"plan {plan!r} makes one codebook: give --codes one number.")
    return given


def _codebooks(arguments: argparse.Namespace, plan: str, given: dict[str, Any]) -> "list[Codebook]":
    from equalinfo.codebook import Codebook

    options, progress = TextOptions.of(arguments), not arguments.quiet
    if plan == UNIGRAM:
        from equalinfo.codebook.unigram import train_on_documents

        weighed = [(options.documents(arguments.from_text, "--from-text"), 1)]
        for number, *patterns in arguments.weight:
            weighed.append((options.documents(patterns, "--weight"), int(number)))
        documents = (text for texts, number in weighed for text in texts for _ in range(number))
        given.setdefault("threads", num_cores())
        return train_on_documents(documents, arguments.codes, progress=progress, **given)
    (num_codes,) = arguments.codes
    if arguments.from_text:
        from equalinfo.alphabet import join
        from equalinfo.codebook.from_text import compile_from_text

        text = join(options.documents(arguments.from_text, "--from-text", progress=progress))
        return [compile_from_text(text, num_codes, plan=plan, progress=progress, **given)]
    from equalinfo.m1.load import resolve_model

    model = resolve_model(arguments.m1, None, given.pop("precision", DEFAULT_PRECISION))
    return [Codebook.compile(model, num_codes, plan=plan, progress=progress, **given)]
