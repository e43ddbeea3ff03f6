"""Command freeze: a trained byte LM as integers, in one file."""

import argparse
import itertools
from typing import Any

from equalinfo.cli.command import add_command
from equalinfo.data import storage
from equalinfo.data.options import SUFFIXES, TextOptions, add_text_options, local_path

_EXAMPLES, _LENGTH = 128, 256  # of text; half of them choose the scales, half measure the loss
_FEWEST_SYMBOLS = 4096


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "freeze",
        _freeze,
        "turn a trained byte LM into integers (a .eqm file): the same bits on every machine",
    )
    add = parser.add_argument
    add(
        "checkpoint",
        type=local_path,
        help="run directory of `equalinfo train` on method bytes, or a checkpoint of T5X",
    )
    add("-o", "--output", required=True, help=".eqm file to write")
    add(
        "--text",
        nargs="+",
        required=True,
        metavar="GLOB",
        help=f"typical text, 32 kB are enough, to choose scales: {SUFFIXES}",
    )
    add_text_options(parser)
    add(
        "--max_context",
        type=int,
        default=1024,
        help="symbols of context that `ac` gives M1 by default; as trained, or more "
        "(default: %(default)s)",
    )


def _freeze(arguments: argparse.Namespace) -> None:
    import numpy as np

    from equalinfo.alphabet import join
    from equalinfo.codecs import codec_of
    from equalinfo.lm.checkpoint import trained_beside, trained_codec
    from equalinfo.lm.freeze import freeze, information
    from equalinfo.lm.train import load_model
    from equalinfo.m1.frozen.model import FrozenModel

    if arguments.max_context < 2:
        raise ValueError(f"--max_context={arguments.max_context} must be at least 2.")
    storage.check_output(arguments.output)
    trained = trained_codec(arguments.checkpoint)
    if trained is not None and not codec_of(trained["method"]).ids_are_symbols:
        raise ValueError(
            f"{arguments.checkpoint} is a model of tokens of method {trained['method']!r}; an M1 "
            "is one of bytes: train it on a data set of method bytes."
        )
    config, params, step = load_model(arguments.checkpoint)
    if config.vocab_size < 259:
        raise ValueError(
            f"{arguments.checkpoint} is a model of {config.vocab_size} ids; an M1 has 259 or more: "
            "train it on a data set of method bytes."
        )
    documents = TextOptions.of(arguments).documents(arguments.text, "--text")
    # Enough for examples from many places, if there is so much.
    symbols = join(itertools.islice(documents, 2000))
    if len(symbols) < _FEWEST_SYMBOLS:
        raise ValueError(
            f"--text gives {len(symbols)} symbols; expected {_FEWEST_SYMBOLS} or more."
        )
    count = min(_EXAMPLES, len(symbols) // _LENGTH)
    starts = np.linspace(0, len(symbols) - _LENGTH, count).astype(np.int64)
    examples = symbols[starts[:, None] + np.arange(_LENGTH)].astype(np.int32)
    made_from = {"checkpoint": arguments.checkpoint.name, "step": step}
    beside = trained_beside(arguments.checkpoint)
    if beside:
        made_from["trained_beside"] = beside
    frozen = freeze(config, params, examples[::2], arguments.max_context, made_from)
    frozen.save(arguments.output)
    before, after = information(config, params, FrozenModel(frozen), examples[1::2])
    loss = after / before - 1
    print(
        f"{arguments.output}: step {step}, {frozen.shape.num_parameters:,} weights, "
        f"{storage.size(arguments.output):,} bytes, sha256:{frozen.sha256}\n"
        f"bits/symbol on --text: float {before:.4f}, frozen {after:.4f} ({loss:+.2%})"
    )
    if beside:
        print(
            f"it was trained beside counts sha256:{beside[:12]}.. and knows what they lack: make "
            f"an M1 of both with `equalinfo count --counts FILE --network {arguments.output}`."
        )
    if loss > 0.01:
        print("warning: freezing cost more than 1%. Train longer, or give --text like your data.")
