"""`equalinfo eval`: a data set, and the M2 trained on it, in bits/byte."""

import argparse
import dataclasses
import json
from typing import Any

from equalinfo.cli.command import add_command
from equalinfo.data.options import local_path


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands, "eval", _eval, "uniform, unigram and model bits/byte, FLOPs/byte of a data set"
    )
    add = parser.add_argument
    add("--dataset", required=True, help="directory with manifest.json")
    add("--split", default="validation", help="scored")
    add(
        "--run",
        type=local_path,
        help="run of an M2, or T5X checkpoint; without it no model is scored",
    )
    add("--train_dataset", help="where the training split lies; default: --dataset")
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

    for name, least in (("batch_size", 1), ("batches", 0)):
        if getattr(arguments, name) < least:
            raise ValueError(f"--{name}={getattr(arguments, name)} must be at least {least}.")
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
        print(json.dumps(dataclasses.asdict(scores)))
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
