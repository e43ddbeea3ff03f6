"""Commands about models: train, eval, curve."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equalinfo.cli.command import add_command

if TYPE_CHECKING:  # JAX; --help is fast without
    from equalinfo.lm.data import Batches
    from equalinfo.lm.train import TrainConfig


def add(commands: Any) -> None:
    """Register the commands."""
    _add_train(commands)
    _add_eval(commands)
    _add_curve(commands)


def _add_train(commands: Any) -> None:
    parser = add_command(
        commands,
        "train",
        _train,
        "train a model on a data set of pipelines.compress; run again to continue",
    )
    add = parser.add_argument
    add("--dataset", type=Path, required=True, help="directory with manifest.json")
    add("--split", default="train", help="split to train on")
    add("--eval_dataset", type=Path, help="directory to evaluate on; default: --dataset")
    add("--eval_split", default="validation", help="skipped if the data set lacks it")
    add("--output", type=Path, required=True, help="run directory; an earlier run is continued")
    add(
        "--size",
        default="3m",
        help="tiny or small, to try (0.1, 0.5 million parameters), or a size of the paper: 3m, "
        "25m, 113m, 403m, 2b",
    )
    add("--steps", type=int, default=200_000, help="optimizer steps; a run of fewer is continued")
    add("--batch_size", type=int, default=256, help="examples per step")
    add(
        "--accumulate",
        type=int,
        default=0,
        help="micro-batches per step, to fit memory; 0: as many as keep the logits of each below "
        "4 GB, on a CPU 0.5 GB",
    )
    add(
        "--optimizer",
        choices=("adafactor", "muon"),
        default="adafactor",
        help="adafactor: as in the paper; muon: for short runs",
    )
    add(
        "--learning_rate",
        type=float,
        help="adafactor: factor of 1/sqrt(step), default 1. muon: the rate, default 0.02",
    )
    add(
        "--warmup_steps",
        type=int,
        help="adafactor: steps at 1/sqrt(warmup_steps), default 10,000. muon: default 100",
    )
    add(
        "--adam_learning_rate",
        type=float,
        default=0.003,
        help="muon: rate of embedding, logits and norms (default: %(default)s)",
    )
    add("--init_from", type=Path, help="run directory whose newest parameters this run begins with")
    add("--cooldown_steps", type=int, default=0, help="last steps, in which the rate falls to 0")
    add("--z_loss", type=float, default=1e-4, help="weight of log(Z)^2")
    add(
        "--dtype",
        choices=("auto", "bfloat16", "float32"),
        default="auto",
        help="of activations; auto: float32 on a CPU, else bfloat16",
    )
    add("--seed", type=int, default=0, help="of parameters and order")
    add(
        "--length",
        type=int,
        default=0,
        help="method bytes only: symbols per example, that begin "
        "anywhere in the text (M1 in the paper: 1024); 0: one record, one example",
    )
    add(
        "--segment_lengths",
        default="",
        help="with --length: contexts to train for, as in 256,16: "
        "every other example is cut into contexts of 16 symbols",
    )
    add("--eval_every", type=int, default=1000, help="steps")
    add("--eval_batches", type=int, default=20, help="first batches of the split; 0: all")
    add("--checkpoint_every", type=int, default=1000, help="steps")
    add("--log_every", type=int, default=50, help="steps")
    add("--max_minutes", type=float, default=0, help="stop after this time, with a checkpoint")


def _train(arguments: argparse.Namespace) -> None:
    from equalinfo.lm.train import load_params, train

    config = _train_config(arguments)
    trained, evaluated = _train_batches(arguments, config.accumulate)
    initial = None
    if arguments.init_from:
        architecture, initial, _ = load_params(arguments.init_from)
        if architecture != config.model:
            raise ValueError(f"{arguments.init_from} is of another architecture: {architecture}.")
    train(config, trained, arguments.output, evaluated, initial=initial)


def _train_config(arguments: argparse.Namespace) -> "TrainConfig":
    from equalinfo.lm.config import micro_batches, model_config
    from equalinfo.lm.optimizer import OptimizerConfig
    from equalinfo.lm.train import TrainConfig
    from equalinfo.manifest import Manifest

    manifest = Manifest.load(arguments.dataset)
    length = arguments.length or manifest.sequence_length
    for name in ("accumulate", "eval_batches", "cooldown_steps"):
        if getattr(arguments, name) < 0:
            raise ValueError(f"--{name}={getattr(arguments, name)} is below 0.")
    accumulate = arguments.accumulate or micro_batches(
        arguments.batch_size, length, manifest.vocab_size
    )
    if arguments.batch_size % accumulate:
        raise ValueError(
            f"--batch_size={arguments.batch_size} is not a multiple of --accumulate={accumulate}."
        )
    if arguments.cooldown_steps > arguments.steps:
        raise ValueError(
            f"--cooldown_steps={arguments.cooldown_steps} is more than --steps={arguments.steps}."
        )
    muon = arguments.optimizer == "muon"
    return TrainConfig(
        model=model_config(arguments.size, manifest.vocab_size, arguments.dtype),
        optimizer=OptimizerConfig(
            name=arguments.optimizer,
            learning_rate=_or(arguments.learning_rate, 0.02 if muon else 1.0),
            warmup_steps=_or(arguments.warmup_steps, 100 if muon else 10_000),
            adam_learning_rate=arguments.adam_learning_rate,
            total_steps=arguments.steps if arguments.cooldown_steps else 0,
            cooldown_steps=arguments.cooldown_steps,
        ),
        steps=arguments.steps,
        z_loss=arguments.z_loss,
        accumulate=accumulate,
        seed=arguments.seed,
        eval_every=arguments.eval_every,
        # Records are evaluated in micro-batches, see `_train_batches`.
        eval_batches=arguments.eval_batches * (1 if arguments.length else accumulate),
        checkpoint_every=arguments.checkpoint_every,
        log_every=arguments.log_every,
        max_seconds=60 * arguments.max_minutes,
        tokens_per_window=_tokens_per_window(arguments.dataset),
    )


def _train_batches(
    arguments: argparse.Namespace, accumulate: int
) -> tuple["Batches", "Batches | None"]:
    """Of the training split, shuffled; and of the other, in its order, in micro-batches."""
    from equalinfo.lm import data
    from equalinfo.manifest import Manifest

    segments = [int(x) for x in arguments.segment_lengths.split(",") if x]
    if segments and not arguments.length:
        raise ValueError("--segment_lengths needs --length.")
    scored = arguments.eval_dataset or arguments.dataset
    is_scored = arguments.eval_split in Manifest.load(scored).splits
    if arguments.eval_dataset and not is_scored:
        raise ValueError(f"{scored} has no split {arguments.eval_split!r}.")

    if arguments.length:

        def pieces(directory: Path, split: str, seed: int) -> data.ByteBatches:
            symbols = data.load_symbols(directory, split)
            return data.ByteBatches(symbols, arguments.batch_size, arguments.length, segments, seed)

        trained = pieces(arguments.dataset, arguments.split, arguments.seed)
        return trained, pieces(scored, arguments.eval_split, 0) if is_scored else None

    rows = data.TokenRows.load(arguments.dataset, arguments.split)
    shuffled = data.RowBatches(rows, arguments.batch_size, arguments.seed)
    if not is_scored:
        return shuffled, None
    rows = data.TokenRows.load(scored, arguments.eval_split)
    return shuffled, data.OrderedBatches(rows, arguments.batch_size // accumulate)


def _tokens_per_window(dataset: Path) -> int:
    """1 also where records are not whole windows: their places are not those of windows."""
    from equalinfo.codecs import codec_of
    from equalinfo.codecs.base import CODEC_FILE
    from equalinfo.manifest import CODEC_DIRECTORY, Manifest

    codec = json.loads((dataset / CODEC_DIRECTORY / CODEC_FILE).read_text("utf-8"))
    number = codec_of(codec["method"]).tokens_per_window(codec["options"]) or 1
    return 1 if Manifest.load(dataset).sequence_length % number else number


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _add_eval(commands: Any) -> None:
    parser = add_command(
        commands, "eval", _eval, "uniform, unigram and model bits/byte, FLOPs/byte of a data set"
    )
    add = parser.add_argument
    add("--dataset", type=Path, required=True, help="directory with manifest.json")
    add("--split", default="validation", help="scored")
    add("--run", type=Path, help="run of an M2, or T5X checkpoint; without it no model is scored")
    add("--train_dataset", type=Path, help="where the training split lies; default: --dataset")
    add("--train_split", default="train", help="unigram frequencies come from here")
    add("--batch_size", type=int, default=32, help="records per batch")
    add(
        "--batches",
        type=int,
        default=20,
        help="first batches of the split, on which the model is scored; 0: all. Uniform and "
        "unigram are always of all",
    )
    add("--json", action="store_true", help="print one JSON object")


def _eval(arguments: argparse.Namespace) -> None:
    from equalinfo.lm.evaluate import evaluate_dataset

    scores = evaluate_dataset(
        arguments.dataset,
        arguments.split,
        arguments.run,
        arguments.train_split,
        arguments.train_dataset,
        arguments.batch_size,
        arguments.batches,
    )
    if arguments.json:
        print(json.dumps(scores.to_json()))
        return

    def show(value: float | None, unit: str = "") -> str:
        return "-" if value is None else f"{value:.4f}{unit}"

    flops = None if scores.flops_per_byte is None else scores.flops_per_byte / 1e6
    print(f"method            {scores.method}")
    print(f"text              {scores.num_bytes:,} bytes, {scores.num_tokens:,} tokens")
    print(f"bytes/token       {show(scores.bytes_per_token)} (= bytes/step)")
    print(f"uniform           {show(scores.uniform, ' bits/byte')}")
    print(f"unigram           {show(scores.unigram, ' bits/byte')} (of the training split)")
    print(f"unigram entropy   {show(scores.unigram_entropy, ' bits/byte')} (of this split itself)")
    part = ""
    if scores.model_bytes not in (None, scores.num_bytes):
        part = f" (of the first {scores.model_bytes:,} bytes; --batches 0: of all)"
    print(f"model             {show(scores.model, ' bits/byte')}{part}")
    print(f"accuracy          {show(scores.accuracy)}")
    print(f"FLOPs/byte        {show(flops, ' million')}")


def _add_curve(commands: Any) -> None:
    parser = add_command(commands, "curve", _curve, "draw bits/byte over the steps of runs")
    parser.add_argument("runs", type=Path, nargs="+", help="run directories")
    parser.add_argument("-o", "--output", type=Path, required=True, help=".png or .svg file")
    parser.add_argument(
        "--level",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "BITS_PER_BYTE"),
        help="a horizontal line, such as: --level unigram 3.41",
    )


def _curve(arguments: argparse.Namespace) -> None:
    from equalinfo.lm.curve import draw

    levels = {name: float(value) for name, value in arguments.level}
    draw(arguments.runs, arguments.output, levels)
    print(arguments.output)
