"""Batches of a task for the local trainer (`equalinfo.lm.train`), streamed, never all in memory.

register_text_task("c4_text", text_files({"train": "c4-train.*.json.gz"}))
train(config, task_batches("c4_text", length=512, batch_size=64), Path("runs/m2"))
"""

from collections.abc import Iterator

import numpy as np
import seqio

from equalinfo.lm.data import Batch, IteratorBatches, make_batch
from tasks.features import NUM_BYTES


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
    return IteratorBatches(
        batches, f"task:{name}:{split}:{vocabulary}:{length}:{batch_size}:{seed}"
    )
