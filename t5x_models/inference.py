"""What `t5x.infer` writes (gin/runs/infer.gin)."""

import json
import time
from typing import Any

import numpy as np
import seqio
import tensorflow as tf
from absl import logging
from t5x.infer import Inferences, write_inferences_to_file

from equalinfo.data import storage
from tasks.vocabulary import CodecVocabulary


class TextWriter:
    """T5X's `write_inferences_to_file` with ids beside the text; logs tokens/s and bytes/s.

    T5X counts examples only. A chunk's time is that since the one before; the first chunk took the
    time to compile, and has none.
    """

    def __init__(self) -> None:
        self._before: float | None = None

    def __call__(
        self,
        path: str,
        inferences: Inferences,
        task_ds: tf.data.Dataset,
        mode: str,
        vocabulary: seqio.Vocabulary | None = None,
    ) -> None:
        """Write the chunk; see `t5x.infer.infer`."""
        now = time.monotonic()
        write_inferences_to_file(path, inferences, task_ds, mode, vocabulary, output_ids=True)
        with storage.open_read(path) as file:
            lines = [json.loads(line) for line in file]
        num_tokens = sum(len(line["prediction_tokens"]) for line in lines)
        num_bytes = sum(_num_bytes(vocabulary, line) for line in lines)
        speed = "the first chunk, compiled: no speed"
        if self._before is not None:
            seconds = now - self._before
            speed = f"{num_tokens / seconds:,.1f} tokens/s, {num_bytes / seconds:,.1f} bytes/s"
        self._before = now
        logging.info("%d texts: %d tokens, %d bytes; %s", len(lines), num_tokens, num_bytes, speed)


def _num_bytes(vocabulary: seqio.Vocabulary | None, line: dict[str, Any]) -> int:
    """Bytes of a prediction's documents; of text that was no UTF-8 as they were sampled."""
    if isinstance(vocabulary, CodecVocabulary):
        return sum(map(len, vocabulary.documents(np.asarray(line["prediction_tokens"], np.int64))))
    return len(line["prediction"].encode())
