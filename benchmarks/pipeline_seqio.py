"""SeqIO's byte task on the files of EQUALINFO_TEXT, for `seqio_cache_tasks --module_import`."""

import json
import os

import seqio
import tensorflow as tf


def _texts(file: str) -> tf.data.Dataset:
    def text(line: bytes) -> bytes:
        return json.loads(line)["text"].encode()

    def parse(line: tf.Tensor) -> dict[str, tf.Tensor]:
        found = tf.numpy_function(text, [line], tf.string, stateful=False)
        return {"targets": tf.ensure_shape(found, [])}

    return tf.data.TextLineDataset(file, compression_type="GZIP").map(parse)


seqio.TaskRegistry.add(
    "byte_task",
    source=seqio.FileDataSource(_texts, {"train": os.environ["EQUALINFO_TEXT"]}),
    preprocessors=[seqio.preprocessors.tokenize, seqio.CacheDatasetPlaceholder()],
    output_features={"targets": seqio.Feature(seqio.ByteVocabulary(), add_eos=False)},
)
