"""`equalinfo train`: M1 or M2 on a data set."""

import argparse
from typing import TYPE_CHECKING, Any

from equalinfo.cli.command import add_command
from equalinfo.data.manifest import Manifest
from equalinfo.data.options import local_path
from equalinfo.flags import add_flags, flags_of, given
from equalinfo.lm.config import OptimizerConfig, TrainConfig

if TYPE_CHECKING:  # JAX; --help is fast without
    from equalinfo.lm.data import Batches
    from equalinfo.m1.frozen.counts.tables import FrozenCounts


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "train",
        _train,
        "train a model on a data set of pipelines.compress; run again to continue",
    )
    add = parser.add_argument
    add("--dataset", required=True, help="directory with manifest.json")
    add("--split", default="train", help="split to train on")
    add("--eval_dataset", help="directory to evaluate on; default: --dataset")
    add("--eval_split", default="validation", help="skipped if the data set lacks it")
    add(
        "--output",
        type=local_path,
        required=True,
        help="run directory; an earlier run is continued",
    )
    add(
        "--size",
        default="3m",
        help="tiny or small, to try (0.1, 0.5 million parameters), or a size of the paper: 3m, "
        "25m, 113m, 403m, 2b",
    )
    add("--batch_size", type=int, default=256, help="examples per step")
    add(
        "--accumulate",
        type=int,
        default=0,
        help="micro-batches per step, to fit memory; 0: as many as keep the logits of each below "
        "4 GB, on a CPU 0.5 GB",
    )
    add(
        "--init_from",
        type=local_path,
        help="run directory whose newest parameters this run begins with",
    )
    add(
        "--dtype",
        choices=("auto", "bfloat16", "float32"),
        default="auto",
        help="of activations; auto: float32 on a CPU, else bfloat16",
    )
    add(
        "--length",
        type=int,
        default=0,
        help="method bytes only: symbols per example, that begin "
        "anywhere in the text (M1 in the paper: 1024); 0: one record, one example",
    )
    add(
        "--segment_lengths",
        type=_lengths,
        default=[],
        metavar="N,N",
        help="with --length: contexts to train for, as in 256,16: "
        "every other example is cut into contexts of 16 symbols",
    )
    add(
        "--counts",
        metavar="FILE",
        help="with --length: .eqm file of `equalinfo count` with the counts that the network will "
        "be mixed with; it learns what they lack, and scores are of both. --dataset must be text "
        "that they have not seen",
    )
    add(
        "--max_minutes",
        type=float,
        default=0,
        help="stop after this time, with a checkpoint; 0: no limit",
    )
    add_flags(parser, TrainConfig)
    add_flags(parser, OptimizerConfig)


def _train(arguments: argparse.Namespace) -> None:
    from equalinfo.lm.checkpoint import check, trained_codec
    from equalinfo.lm.data import mean_the_same
    from equalinfo.lm.train import load_params, train

    segments = arguments.segment_lengths
    config = _train_config(arguments)
    check(arguments.output, config, _data_options(arguments, segments), partly=True)
    initial = None
    if arguments.init_from:
        architecture, initial, _ = load_params(arguments.init_from)
        if architecture != config.model:
            raise ValueError(f"{arguments.init_from} is of another architecture: {architecture}.")
        theirs = trained_codec(arguments.init_from)
        if theirs and not mean_the_same(theirs, Manifest.load(arguments.dataset).codec):
            raise ValueError(
                f"--init_from={arguments.init_from} was trained on tokens of {theirs['method']!r} "
                f"that mean something else than those of {arguments.dataset}."
            )
    trained, evaluated = _train_batches(arguments, segments, config.accumulate)
    codec = Manifest.load(arguments.dataset).codec
    train(config, trained, arguments.output, evaluated, initial=initial, codec=codec)


def _lengths(text: str) -> list[int]:
    """Integers of the command line with commas between."""
    return [int(number) for number in text.split(",") if number]


def _data_options(arguments: argparse.Namespace, segments: list[int]) -> dict[str, Any]:
    """What `Batches.fingerprint` will have, known before the data is read."""
    known = {"batch_size": arguments.batch_size, "seed": arguments.seed}
    if not arguments.length:
        return known
    lengths = {"length": arguments.length, "segment_lengths": segments or [arguments.length]}
    return known | lengths


def _train_config(arguments: argparse.Namespace) -> TrainConfig:
    from equalinfo.lm.config import micro_batches, model_config

    manifest = Manifest.load(arguments.dataset)
    length = arguments.length or manifest.sequence_length
    for name, least in (("batch_size", 1), ("accumulate", 0), ("length", 0)):
        if getattr(arguments, name) < least:
            raise ValueError(f"--{name}={getattr(arguments, name)} must be at least {least}.")
    accumulate = arguments.accumulate or micro_batches(
        arguments.batch_size, length, manifest.vocab_size
    )
    if arguments.batch_size % accumulate:
        raise ValueError(
            f"--batch_size={arguments.batch_size} is not a multiple of --accumulate={accumulate}."
        )
    rates = {"--adam_learning_rate", "--bias_learning_rate"} & set(
        given(OptimizerConfig, arguments)
    )
    if arguments.optimizer != "muon" and rates:
        raise ValueError(f"{min(rates)} is for --optimizer=muon, and not {arguments.optimizer}.")
    flags = flags_of(TrainConfig, arguments)
    if not arguments.length:
        flags["eval_batches"] *= accumulate  # of micro-batches, see `_train_batches`
    return TrainConfig(
        model=model_config(arguments.size, manifest.vocab_size, arguments.dtype),
        optimizer=OptimizerConfig(
            total_steps=arguments.steps, **flags_of(OptimizerConfig, arguments)
        ),
        accumulate=accumulate,
        max_seconds=60 * arguments.max_minutes,
        tokens_per_window=_tokens_per_window(arguments.dataset),
        **flags,
    )


def _train_batches(
    arguments: argparse.Namespace, segments: list[int], accumulate: int
) -> tuple["Batches", "Batches | None"]:
    """Of the training split, shuffled; and of the other, in its order, in micro-batches."""
    from equalinfo.lm import data

    for name in ("segment_lengths", "counts"):
        if getattr(arguments, name) and not arguments.length:
            raise ValueError(f"--{name} needs --length.")
    counts = _counts(arguments.counts) if arguments.counts else None
    scored = arguments.eval_dataset or arguments.dataset
    is_scored = arguments.eval_split in Manifest.load(scored).splits
    if arguments.eval_dataset and not is_scored:
        raise ValueError(f"{scored} has no split {arguments.eval_split!r}.")
    data.check_same_codec(arguments.dataset, scored)

    if arguments.length:

        def pieces(directory: str, split: str, seed: int, scored: bool) -> data.ByteBatches:
            symbols = data.load_symbols(directory, split)
            batch_size, length = arguments.batch_size, arguments.length
            if scored:  # a short text is scored whole, in a smaller batch
                batch_size = max(1, min(batch_size, len(symbols) // length - 1))
            try:
                return data.ByteBatches(symbols, batch_size, length, segments, seed, counts)
            except ValueError as error:
                raise ValueError(f"{directory}, split {split!r}: {error}") from None

        trained = pieces(arguments.dataset, arguments.split, arguments.seed, False)
        return trained, pieces(scored, arguments.eval_split, 0, True) if is_scored else None

    rows = data.TokenRows.load(arguments.dataset, arguments.split)
    shuffled = data.RowBatches(rows, arguments.batch_size, arguments.seed)
    if not is_scored:
        return shuffled, None
    rows = data.TokenRows.load(scored, arguments.eval_split)
    return shuffled, data.OrderedBatches(rows, arguments.batch_size // accumulate)


def _counts(path: str) -> "FrozenCounts":
    from equalinfo.m1.frozen import file

    _, counts = file.read(path)
    if counts is None:
        raise ValueError(f"--counts={path} holds a network and no counts.")
    return counts


def _tokens_per_window(dataset: str) -> int:
    """1 also where records are not whole windows: their places are not those of windows."""
    from equalinfo.codecs import codec_of

    manifest = Manifest.load(dataset)
    number = codec_of(manifest.method).tokens_per_window(manifest.codec["options"]) or 1
    return 1 if manifest.sequence_length % number else number
