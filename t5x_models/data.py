"""Training data epoch by epoch, for T5X's `train`."""

import dataclasses
from collections.abc import Callable

import seqio
import tensorflow as tf
from t5x import utils


def whole_epochs(
    cfg: utils.DatasetConfig,
    shard_id: int,
    num_shards: int,
    feature_converter_cls: Callable[..., seqio.FeatureConverter],
    num_epochs: int | None = None,
    continue_from_last_checkpoint: bool = False,
) -> tf.data.Dataset:
    """T5X's `get_dataset`, but every example once an epoch, in batches that hosts do not change.

    T5X has SeqIO repeat the data before they are shuffled: around the end of an epoch some examples
    come twice while others are still to come. Here each epoch is shuffled by itself, in an order of
    its own.

    T5X deals the files out to the hosts, so that their number changes every batch. Here each host
    reads everything and takes its rows of the batch: a step has the same examples on one host and
    on many. (A step of the paper reads 256 records of one kilobyte.)

    Args:
      cfg: of the data.
      shard_id: of this host.
      num_shards: hosts that read different rows.
      feature_converter_cls: from task features to those of the model.
      num_epochs: None: no end.
      continue_from_last_checkpoint: must be False; the iterator's state is in T5X's checkpoints.

    Returns:
      batches of cfg.batch_size / num_shards rows.
    """
    if cfg.batch_size % num_shards:
        raise ValueError(
            f"batch_size={cfg.batch_size} is not a multiple of the {num_shards} hosts that read "
            "data. Use another BATCH_SIZE."
        )
    epoch = utils.get_dataset(
        dataclasses.replace(cfg, batch_size=1),
        0,
        1,
        feature_converter_cls,
        num_epochs=1,
        continue_from_last_checkpoint=continue_from_last_checkpoint,
    )
    rows = epoch.unbatch().repeat(num_epochs).shard(num_shards, shard_id)
    batches = rows.batch(cfg.batch_size // num_shards, drop_remainder=True)
    return batches.prefetch(tf.data.AUTOTUNE)
