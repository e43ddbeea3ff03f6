"""Models of pairs of compressed and plain text [paper 5.2]."""

import dataclasses
from pathlib import Path
from typing import Any

from equalinfo import codecs
from equalinfo.alphabet import Symbols, cut, join
from equalinfo.data.manifest import CODEC_DIRECTORY
from equalinfo.lm import pairs
from equalinfo.lm.config import OptimizerConfig, TrainConfig, model_config
from equalinfo.lm.data import OrderedBatches, RowBatches
from equalinfo.lm.train import evaluate, train
from experiments.report import runs
from experiments.report.config import Config, Method, Pairs
from experiments.store import Store, key_of

_VERSION = 1  # of what `_train` finds: another number, and all is trained again


def pair_run(store: Store, config: Config, text: Path, method: Method, task: str) -> Path:
    """A model of a task (a direction of `codec_pairs`), trained and scored."""
    assert config.pairs is not None
    options: Pairs = config.pairs
    data = runs.dataset(store, config, text, method)
    values = {
        name: value
        for name, value in dataclasses.asdict(options).items()
        if name not in ("methods", "compress")
    }
    return store.run(
        "pairs",
        f"{method.name} {task}",
        {
            "version": _VERSION,
            "data": key_of(data),
            "task": task,
            "optimizer": dataclasses.asdict(_optimizer(options)),
            **values,
        },
        lambda folder: _train(options, text, data / CODEC_DIRECTORY, task, folder / "run"),
    )


def _optimizer(options: Pairs) -> OptimizerConfig:
    steps = options.steps
    return OptimizerConfig(name="muon", total_steps=steps, cooldown_steps=steps // 4)


def _train(options: Pairs, text: Path, codec_folder: Path, task: str, run: Path) -> dict[str, Any]:
    """Accuracy over the validation pairs' targets, loss in nats a target."""
    codec = codecs.load(codec_folder)
    input_vocab, target_vocab = pairs.pair_vocabularies(task, codec.vocab_size)
    numbers = {"train": options.train_texts, "validation": options.validation_texts}
    found = {
        split: pairs.codec_pairs(task, codec, _texts(text, split, options.text_bytes, number))
        for split, number in numbers.items()
    }
    length = max(len(x.inputs) + len(x.targets) for split in found.values() for x in split)
    rows = {split: pairs.pair_rows(found[split], input_vocab, length) for split in found}
    config = TrainConfig(
        model=model_config(options.size, input_vocab + target_vocab, "auto"),
        optimizer=_optimizer(options),
        steps=options.steps,
        checkpoint_every=options.steps,
        eval_every=max(1, options.steps // 5),
        eval_batches=4,
    )
    batches = OrderedBatches(rows["validation"], options.batch_size)
    trained = RowBatches(rows["train"], options.batch_size)
    params = train(config, trained, run, batches)
    result = evaluate(config.model, params, batches, progress=False)
    return {
        "accuracy": result.accuracy,
        "loss": result.loss,
        "skipped": rows["train"].skipped + rows["validation"].skipped,
        "rows": len(rows["validation"].targets),
    }


def _texts(folder: Path, split: str, size: int, number: int) -> list[Symbols]:
    texts = cut(join(runs.documents(folder, split)), size)[:number]
    if len(texts) < number:
        raise ValueError(f"the {split} text makes {len(texts)} texts of {size}, not {number}.")
    return texts
