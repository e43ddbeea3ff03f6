"""Command count: n-grams of text, mixed into a frozen M1 or an M1 of their own, in one file."""

import argparse
from typing import Any

from equalinfo.cli.command import add_command
from equalinfo.data import storage
from equalinfo.data.options import SUFFIXES, TextOptions, add_text_options, positive

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
        nargs="+",
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
    add("--length", type=int, default=10, help="symbols of the longest n-grams: 3..16")
    add("--ngrams", type=positive, default=13_000_000, help="how many to keep; 1.35 bytes each")
    add(
        "--min_count",
        type=positive,
        default=6,
        help="rarer n-grams of 10 symbols are left out",
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


def _count(arguments: argparse.Namespace) -> None:
    import numpy as np

    from equalinfo.alphabet import cut, join
    from equalinfo.codebook.shipped import shipped_codebook
    from equalinfo.m1.frozen import file as files
    from equalinfo.m1.frozen.counts import counting
    from equalinfo.m1.frozen.counts.tables import MOST_SYMBOLS, USES, FrozenCounts
    from equalinfo.m1.frozen.counts.tuning import initial_mixer, tune
    from equalinfo.m1.frozen.model import make_engine

    if not 3 <= arguments.length <= MOST_SYMBOLS:
        raise ValueError(f"--length={arguments.length} is not in 3..{MOST_SYMBOLS}.")
    storage.check_output(arguments.output)
    network = files.FrozenM1.load(arguments.network) if arguments.network else None
    options = TextOptions.of(arguments)
    tuning = join(options.documents(arguments.tune, "--tune"))[: arguments.tune_symbols]
    text = join(options.documents(arguments.text, "the text to count", progress=True))

    def window_starts(symbols: Any) -> Any:
        """Windows begin where others ended, and not anywhere: those of 16 bits show where."""
        codebook = shipped_codebook(_STARTS)
        ends = np.cumsum(codebook.lengths(codebook.encode(symbols)))
        return np.concatenate([np.zeros(1, np.int64), ends[:-1]])

    counted = counting.count(
        text, window_starts(text), arguments.length, min_count=arguments.min_count
    )
    num_symbols = len(text)
    del text
    tables: Any = counting.keep_best(counted, arguments.ngrams)
    del counted
    mixers = {use: initial_mixer(arguments.length, use.startswith("mixed")) for use in USES}
    counts = FrozenCounts(arguments.length, **tables, mixers=mixers)
    engine = None if network is None else make_engine(network, "cpu")
    texts = cut(tuning, _TEXT)
    # Windows begin and end where M1 lets them; what it is before it knows how is near enough.
    for use in ("alone.window", *USES):
        if use.startswith("mixed") and engine is None:
            continue
        learned_from = texts if use.endswith("text") else _windows(counts, texts)
        mixers[use], bits = tune(counts, use, learned_from, engine)
        counts = FrozenCounts(arguments.length, **tables, mixers=dict(mixers))
        print(f"{use}: {bits:.4f} bits/symbol on --tune, in the last round")
    made_from = dict(network.made_from) if network else {}
    made_from["counted_symbols"] = num_symbols
    files.write(arguments.output, network, counts, made_from)
    print(
        f"{arguments.output}: {len(counts.symbols):,} n-grams, "
        f"{storage.size(arguments.output):,} bytes, sha256:{files.content_sha256(network, counts)}"
    )
