"""Command count: n-grams of text, mixed into a frozen M1 or an M1 of their own, in one file."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from equalinfo.cli.command import add_command
from equalinfo.data.options import SUFFIXES, TextOptions, add_text_options

_TEXT = 10_240  # symbols of texts with a history
_WIDTHS = (24, 32, 64, 128)  # bits of windows
_START_TEXT = 24_000_000  # symbols, cut into windows to see how they begin
_NEAR, _NEAR_START = 8, 4  # times that text like what will be coded counts, and its windows


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
        nargs="+",
        metavar="GLOB",
        help=f"text to count, a hundred MB if there are: {SUFFIXES}",
    )
    add("-o", "--output", type=Path, required=True, help=".eqm file to write")
    add(
        "--tune",
        nargs="+",
        required=True,
        metavar="GLOB",
        help="other text, like what will be coded, 2 MB are enough: every second document counts "
        "several times, and weights are learned on the others",
    )
    add_text_options(parser)
    add("--network", help=".eqm file whose network the counts are mixed with; default: none")
    add("--length", type=int, default=10, help="symbols of the longest n-grams")
    add("--ngrams", type=int, default=13_000_000, help="how many to keep; 1.35 bytes each")
    add("--min_count", type=int, default=6, help="rarer n-grams of 10 symbols are not considered")
    add("--tune_symbols", type=int, default=2_200_000, help="of --tune to read at most")


def _count(arguments: argparse.Namespace) -> None:
    import numpy as np

    from equalinfo.alphabet import cut, join
    from equalinfo.m1.frozen import file as files
    from equalinfo.m1.frozen.counts import counting
    from equalinfo.m1.frozen.counts.tables import USES, FrozenCounts
    from equalinfo.m1.frozen.counts.tuning import initial_mixer, tune
    from equalinfo.m1.frozen.counts.windows import window_starts
    from equalinfo.m1.frozen.model import make_engine
    from equalinfo.m1.frozen.threads import num_threads, spread

    if not arguments.output.absolute().parent.is_dir():
        raise FileNotFoundError(f"{arguments.output.parent} is not a directory.")
    network = files.FrozenM1.load(arguments.network) if arguments.network else None
    options = TextOptions.of(arguments)
    documents = list(options.documents(arguments.tune, "--tune"))
    if len(documents) < 2:
        raise ValueError(f"--tune has {len(documents)} documents: expected 2 or more.")
    near, tuning = join(documents[::2]), join(documents[1::2])[: arguments.tune_symbols]
    far = join(options.documents(arguments.text, "the text to count", progress=True))
    length = arguments.length
    mixers = {use: initial_mixer(length, use.startswith("mixed")) for use in USES}

    def counts_of(levels: Any) -> FrozenCounts:
        tables: Any = counting.keep_best(levels, arguments.ngrams)
        return FrozenCounts(length, **tables, mixers=dict(mixers))

    def starts(counts: FrozenCounts, texts: list[Any]) -> list[Any]:
        """Where windows begin in texts, whose windows have each width by turns."""
        found: list[Any] = [None] * len(texts)

        def run(begin: int, end: int) -> None:
            for index in range(begin, end):
                width = _WIDTHS[index % len(_WIDTHS)]
                found[index] = window_starts(counts, texts[index], width)

        spread(run, len(texts), 1, num_threads())
        return found

    parts = [counting.Part(far), counting.Part(near, weight=_NEAR)]
    levels = counting.count(parts, length, arguments.min_count)
    # Windows begin where others ended, and not anywhere: those that counts so far cut show where.
    pieces = [*np.array_split(far[:_START_TEXT], len(_WIDTHS)), *[near] * len(_WIDTHS)]
    weights = [1] * len(_WIDTHS) + [_NEAR_START] * len(_WIDTHS)
    places = starts(counts_of(levels), pieces)
    parts = [counting.Part(*part) for part in zip(pieces, places, weights, strict=True)]
    num_symbols = len(far) + len(near)
    del far, pieces
    begun = counting.count(parts, length, arguments.min_count)
    counts = counts_of(counting.with_starts(levels, begun))
    del levels, begun
    engine = None if network is None else make_engine(network, "cpu")
    texts = cut(tuning, _TEXT)
    for use in ("alone.window", *USES):
        if use.startswith("mixed") and engine is None:
            continue
        learned_from = texts
        if use.endswith("window"):  # as what is learned so far cuts them
            cuts = zip(texts, starts(counts, texts), strict=True)
            learned_from = [x for text, begins in cuts for x in np.split(text, begins[1:])]
        mixers[use], bits = tune(counts, use, learned_from, engine)
        counts = dataclasses.replace(counts, mixers=dict(mixers))
        print(f"{use}: {bits:.4f} bits/symbol on --tune, in the last round")
    made_from = dict(network.made_from) if network else {}
    made_from["counted_symbols"] = num_symbols
    files.write(arguments.output, network, counts, made_from)
    print(
        f"{arguments.output}: {len(counts.symbols):,} n-grams, "
        f"{arguments.output.stat().st_size:,} bytes, sha256:{files.content_sha256(network, counts)}"
    )
