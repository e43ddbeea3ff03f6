"""Command count: n-grams of text, mixed into a frozen M1 or an M1 of their own, in one file."""

import argparse
import dataclasses
import os
from typing import TYPE_CHECKING, Any

from equalinfo import container
from equalinfo.cli.command import add_command
from equalinfo.data import storage
from equalinfo.data.find import in_both
from equalinfo.data.options import SUFFIXES, TextOptions, add_text_options, positive

if TYPE_CHECKING:  # --help is fast without
    from equalinfo.m1.frozen.counts.tables import FrozenCounts

_LENGTH, _NGRAMS, _MIN_COUNT = 10, 13_000_000, 6
_TEXT = 10_240  # symbols of texts with a history
_WIDTHS = (24, 32, 64, 128)  # bits of windows
_STARTS = "english-65536-v1.eqi"


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "count",
        _count,
        "count n-grams for a frozen M1 (.eqm file): with its network they code better, and alone "
        "much faster",
    )
    add = parser.add_argument
    add(
        "text",
        nargs="*",
        metavar="GLOB",
        help=f"text to count, a hundred MB if there are: {SUFFIXES}",
    )
    add("-o", "--output", required=True, help=".eqm file to write")
    add(
        "--tune",
        nargs="+",
        required=True,
        metavar="GLOB",
        help="other text, like what will be coded, 2 MB are enough: weights are learned on it",
    )
    add_text_options(parser)
    add("--network", help=".eqm file whose network the counts are mixed with; default: none")
    add(
        "--counts",
        metavar="FILE",
        help=".eqm file whose n-grams, and weights without a network, are taken in place of text: "
        "for another --network, in minutes",
    )
    add(
        "--share_tables",
        action="store_true",
        help="leave the n-grams out of the file: they are read from that of --counts, which must "
        "lie beside it",
    )
    add("--length", type=int, help=f"symbols of the longest n-grams: 3..16 (default: {_LENGTH})")
    add(
        "--ngrams",
        type=positive,
        help=f"how many to keep; 1.35 bytes each (default: {_NGRAMS:,})",
    )
    add(
        "--min_count",
        type=positive,
        help=f"rarer n-grams of 10 symbols are left out (default: {_MIN_COUNT})",
    )
    add("--tune_symbols", type=positive, default=2_200_000, help="of --tune to read at most")


def _windows(counts: Any, texts: list[Any]) -> list[Any]:
    """The windows of several widths that counts alone cut texts into."""
    import numpy as np

    from equalinfo.coding.drive import encode_windows
    from equalinfo.coding.exact import ExactCode
    from equalinfo.m1.frozen.model import FrozenModel

    model = FrozenModel(None, counts=counts)
    found = []
    for number, bits in enumerate(_WIDTHS):
        some, coder = texts[number :: len(_WIDTHS)], ExactCode(bits, model.precision)
        coded = encode_windows(some, model, coder, context=4 * bits)
        for text, of_text in zip(some, coded, strict=True):
            found += np.split(text, np.cumsum(of_text.lengths)[:-1])
    return found


def _check(arguments: argparse.Namespace) -> None:
    from equalinfo.m1.frozen.counts.tables import MOST_SYMBOLS

    if arguments.length is not None and not 3 <= arguments.length <= MOST_SYMBOLS:
        raise ValueError(f"--length={arguments.length} is not in 3..{MOST_SYMBOLS}.")
    if arguments.counts is None:
        if not arguments.text:
            raise ValueError("there is no text to count. Name some, or an M1's file as --counts.")
        if arguments.share_tables:
            raise ValueError("--share_tables needs --counts: the file whose tables are shared.")
    else:
        if not arguments.network:
            raise ValueError("--counts needs --network: without one there is nothing to learn.")
        given = [x for x in ("text", "length", "ngrams", "min_count") if getattr(arguments, x)]
        if given:
            raise ValueError(f"--counts has its n-grams already: leave out {', '.join(given)}.")
    if arguments.share_tables:
        header = container.read_header(arguments.counts, "frozen M1")
        if header.get("format_version") != 2:
            raise ValueError(
                f"--share_tables: --counts={arguments.counts} holds no n-grams itself."
            )
        beside = storage.join(os.path.dirname(arguments.output), os.path.basename(arguments.counts))
        if not storage.exists(beside) or beside == arguments.output:
            raise ValueError(
                f"--share_tables: {arguments.output} must lie beside --counts={arguments.counts}, "
                "under another name."
            )
    storage.check_output(arguments.output)
    if both := in_both(arguments.text, arguments.tune, ("the text to count", "--tune")):
        raise ValueError(
            f"{both} is to be counted and to tune on: weights would trust counts as no other text "
            "bears out. Leave it out of one."
        )


def _counted(arguments: argparse.Namespace) -> tuple["FrozenCounts", int]:
    """N-grams of the text, with weights before anything is learned; and the text's symbols."""
    import numpy as np

    from equalinfo.alphabet import join
    from equalinfo.codebook.shipped import shipped_codebook
    from equalinfo.m1.frozen.counts import counting
    from equalinfo.m1.frozen.counts.tables import USES, FrozenCounts
    from equalinfo.m1.frozen.counts.tuning import initial_mixer

    documents = TextOptions.of(arguments).documents(
        arguments.text, "the text to count", progress=True
    )
    text = join(documents)
    length = arguments.length or _LENGTH
    # Windows begin where others ended, and not anywhere: those of 16 bits show where.
    codebook = shipped_codebook(_STARTS)
    ends = np.cumsum(codebook.lengths(codebook.encode(text)))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    counted = counting.count(text, starts, length, min_count=arguments.min_count or _MIN_COUNT)
    num_symbols = len(text)
    del text, ends, starts  # gigabytes
    tables: Any = counting.keep_best(counted, arguments.ngrams or _NGRAMS)
    mixers = {use: initial_mixer(length, use.startswith("mixed")) for use in USES}
    return FrozenCounts(length, **tables, mixers=mixers), num_symbols


def _count(arguments: argparse.Namespace) -> None:
    from equalinfo.alphabet import cut, join
    from equalinfo.m1.frozen import file as files
    from equalinfo.m1.frozen.counts.tables import USES
    from equalinfo.m1.frozen.counts.tuning import tune
    from equalinfo.m1.frozen.model import make_engine

    _check(arguments)
    network = files.FrozenM1.load(arguments.network) if arguments.network else None
    engine = None if network is None else make_engine(network, "cpu")
    made_from = dict(network.made_from) if network else {}
    tuning = join(TextOptions.of(arguments).documents(arguments.tune, "--tune"))
    texts = cut(tuning[: arguments.tune_symbols], _TEXT)
    if arguments.counts is None:
        counts, made_from["counted_symbols"] = _counted(arguments)
        # Windows begin and end where M1 lets them; what it is before it knows how is near enough.
        uses = ["alone.window", *(use for use in USES if network or use.startswith("alone"))]
    else:
        _, found = files.read(arguments.counts)
        if found is None:
            raise ValueError(f"--counts={arguments.counts} holds a network and no counts.")
        told = container.read_header(arguments.counts, "frozen M1").get("made_from", {})
        if "counted_symbols" in told:
            made_from["counted_symbols"] = told["counted_symbols"]
        counts, uses = found, [use for use in USES if use.startswith("mixed")]
    for use in uses:
        learned_from = texts if use.endswith("text") else _windows(counts, texts)
        mixer, bits = tune(counts, use, learned_from, engine)
        counts = dataclasses.replace(counts, mixers={**counts.mixers, use: mixer})
        print(f"{use}: {bits:.4f} bits/symbol on --tune, in the last round")
    beside = os.path.basename(arguments.counts) if arguments.share_tables else None
    files.write(arguments.output, network, counts, made_from, tables_in=beside)
    print(
        f"{arguments.output}: {len(counts.symbols):,} n-grams, "
        f"{storage.size(arguments.output):,} bytes, sha256:{files.content_sha256(network, counts)}"
    )
