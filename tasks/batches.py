"""Batches of a task for the local trainer (`equalinfo.lm.train`), streamed, never all in memory.

register_text_task("c4_text", text_files({"train": "c4-train.*.json.gz"}))
train(config, task_batches("c4_text", length=512, batch_size=64), Path("runs/m2"))
"""

import hashlib
import json
import os
from collections.abc import Iterator

import numpy as np
import seqio

from equalinfo.lm.data import Batch, IteratorBatches, make_batch
from tasks.features import NUM_BYTES
from tasks.registration import manifest_sha256


def task_batches(
    name: str, length: int, batch_size: int, split: str = "train", seed: int = 0
) -> IteratorBatches:
    """Shuffled batches of a registered task, epoch after epoch.

    Equal arguments give equal batches. A run that goes on reads what it has seen once more.

    Args:
      name: of a task of `tasks.text`, `tasks.baselines` or `tasks.registration`, or of a mixture.
      length: tokens per row, L.
      batch_size: rows per batch, B.
      split: to read.
      seed: of the order.
    """
    provider = seqio.get_mixture_or_task(name)
    if split not in provider.splits:
        raise ValueError(f"{name!r} has no split {split!r}, but {sorted(provider.splits)}.")
    # A mixture drops what is no feature of the model, unless asked.
    keep = {"passthrough_features": [NUM_BYTES]} if isinstance(provider, seqio.Mixture) else {}

    def batches() -> Iterator[Batch]:
        dataset = provider.get_dataset(
            {"targets": length}, split, shuffle=True, seed=seed, num_epochs=None, **keep
        )
        rows = dataset.map(lambda example: {key: example[key] for key in ("targets", NUM_BYTES)})
        padded = rows.padded_batch(
            batch_size, padded_shapes={"targets": [length], NUM_BYTES: []}, drop_remainder=True
        )
        whole = np.full(batch_size, length, np.int32)
        for batch in padded.as_numpy_iterator():
            yield make_batch(batch["targets"], batch[NUM_BYTES], whole)

    vocabulary = provider.output_features["targets"].vocabulary
    if " at 0x" in str(vocabulary):  # of seqio.ByteVocabulary: an address, no description
        vocabulary = f"{type(vocabulary).__name__}(vocab_size={vocabulary.vocab_size})"
    described = f"task:{name}:{split}:{vocabulary}:{length}:{batch_size}:{seed}"
    return IteratorBatches(batches, f"{described}:{_digest(provider, split)}")


def _digest(provider: seqio.Task | seqio.Mixture, split: str) -> str:
    """What the data is, as far as its manifests or its file names tell, wherever it lies."""
    tasks = provider.tasks if isinstance(provider, seqio.Mixture) else [provider]
    told = []
    for task in tasks:
        rate = provider.get_rate(task) if isinstance(provider, seqio.Mixture) else 1
        files = [os.path.basename(file) for file in task.source.list_shards(split)]
        known = manifest_sha256(task.name) or task.source.num_input_examples(split)
        told.append([task.name, rate, known, files])
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
