"""One model of pairs of compressed and plain text [paper 5.2]: a command of its own.

    python -m experiments.report.pair_runs --task decompress --codec DIR --text DIR --output DIR ...

Prints {"accuracy", "loss", "skipped", "rows"} of the validation pairs: accuracy over targets, loss
in nats a target.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from equalinfo import codecs
from equalinfo.alphabet import Symbols, cut, join
from equalinfo.codecs.base import Codec
from equalinfo.lm import pairs
from equalinfo.lm.config import model_config
from equalinfo.lm.optimizer import OptimizerConfig
from equalinfo.lm.train import TrainConfig, evaluate, train
from experiments.report import runs

TASKS = ("decompress", "compress", "bytes")
"""Tokens to bytes, bytes to tokens, nothing to bytes: a byte LM on the targets of the first."""


def main(argv: Sequence[str] | None = None) -> None:
    """Train and score."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--task", choices=TASKS, required=True)
    add("--codec", type=Path, required=True, help="codec directory")
    add("--text", type=Path, required=True, help="folder of `runs.text`")
    add("--output", type=Path, required=True, help="run directory")
    add("--text_bytes", type=int, required=True, help="symbols of each text; paper: 1024")
    add("--train_texts", type=int, required=True)
    add("--validation_texts", type=int, required=True)
    add("--size", required=True)
    add("--steps", type=int, required=True)
    add("--batch_size", type=int, required=True)
    add("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    codec = codecs.load(options.codec)
    target_vocab = codec.vocab_size if options.task == "compress" else pairs.BYTE_VOCAB_SIZE
    input_vocab = pairs.BYTE_VOCAB_SIZE if options.task == "compress" else codec.vocab_size
    found = {
        split: _pairs(options.task, codec, _texts(options.text, split, options.text_bytes, number))
        for split, number in (
            ("train", options.train_texts),
            ("validation", options.validation_texts),
        )
    }
    length = max(len(x.inputs) + len(x.targets) for split in found.values() for x in split)
    rows = {split: pairs.pair_rows(found[split], input_vocab, length) for split in found}
    config = TrainConfig(
        model=model_config(options.size, pairs.pair_vocab_size(input_vocab, target_vocab), "auto"),
        optimizer=OptimizerConfig(
            name="muon",
            learning_rate=0.02,
            warmup_steps=100,
            adam_learning_rate=0.003,
            total_steps=options.steps,
            cooldown_steps=options.steps // 4,
        ),
        steps=options.steps,
        seed=options.seed,
        checkpoint_every=options.steps,
        eval_every=max(1, options.steps // 5),
        eval_batches=4,
    )
    batches = pairs.OrderedPairBatches(rows["validation"], options.batch_size)
    trained = pairs.PairBatches(rows["train"], options.batch_size, options.seed)
    params = train(config, trained, options.output, batches)
    result = evaluate(config.model, params, batches, progress=False)
    values = {
        "accuracy": result.accuracy,
        "loss": result.loss,
        "skipped": rows["train"].skipped + rows["validation"].skipped,
        "rows": len(rows["validation"].targets),
    }
    print(json.dumps(values))


def _texts(folder: Path, split: str, size: int, number: int) -> list[Symbols]:
    texts = cut(join(runs.documents(folder, split)), size)[:number]
    if len(texts) < number:
        raise ValueError(f"the {split} text makes {len(texts)} texts of {size}, not {number}.")
    return texts


def _pairs(task: str, codec: Codec, texts: list[Symbols]) -> list[pairs.Pair]:
    if task == "decompress":
        return pairs.decompression_pairs(codec, texts)
    return (
        pairs.compression_pairs(codec, texts) if task == "compress" else pairs.byte_targets(texts)
    )


if __name__ == "__main__":
    main()
