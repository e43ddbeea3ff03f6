"""Where text comes from: SeqIO sources whose examples have `text`.

  text_files({"train": "c4-train.*.json.gz", "validation": "c4-validation.*.json.gz"})
  tfds_text("c4/en:3.1.0", {"train": "train", "validation": "validation"})

Any other `seqio.DataSource` with a string `text` does as well.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import seqio
import tensorflow as tf

from equalinfo.data.find import find
from equalinfo.data.formats import format_of
from equalinfo.data.inputs import InputFile
from equalinfo.data.text import DEFAULT_LIMITS, Documents, Limits, peek

DOCUMENTS_PER_SEQUENCE = 128
"""Documents joined before examples are cut [paper 3.3]."""

_OPEN_FILES = 256
"""Kept where their last sequence ended; SeqIO reads 16 at a time, for each iterator."""


def text_files(
    splits: Mapping[str, str | Iterable[str]],
    documents_per_sequence: int = DOCUMENTS_PER_SEQUENCE,
    field: str = "text",
    limits: Limits = DEFAULT_LIMITS,
) -> seqio.DataSource:
    """The documents that `pipelines.compress` reads from files: see `equalinfo.data.text`.

    Sequences are made within a file, in its order. What cannot be used is left out within the
    limits, which hold for each file; beyond them it is an error, and names the place.

    Args:
      splits: from the name of a split to names or globs of files, local or remote.
      documents_per_sequence: documents joined before pieces are cut.
      field: field or column that holds the text.
      limits: of what cannot be used; default: a document in a thousand, no damaged file.

    Raises:
      ValueError: documents_per_sequence below 1.
    """
    if documents_per_sequence < 1:
        raise ValueError(f"documents_per_sequence={documents_per_sequence} must be at least 1.")
    patterns = {
        split: [given] if isinstance(given, str) else list(given) for split, given in splits.items()
    }
    return _TextFiles(patterns, documents_per_sequence, field, limits)


def tfds_text(
    tfds_name: str,
    splits: Mapping[str, str],
    data_dir: str | None = None,
) -> seqio.DataSource:
    """Text of a prepared TFDS data set with a feature "text", such as c4/en:3.1.0.

    Args:
      tfds_name: name, config and version.
      splits: from the name of a split to TFDS's.
      data_dir: where TFDS has it; None for TFDS's default.
    """
    return seqio.TfdsDataSource(tfds_name=tfds_name, splits=dict(splits), tfds_data_dir=data_dir)


def join_documents(dataset: tf.data.Dataset, *, documents: int) -> tf.data.Dataset:
    """{"text": string} -> {"text": string[<= documents]}; sequences pass as they are."""
    dataset = dataset.map(lambda example: {"text": example["text"]})
    return dataset.batch(documents) if dataset.element_spec["text"].shape.rank == 0 else dataset


class _TextFiles(seqio.FileDataSource):
    def __init__(
        self, patterns: dict[str, list[str]], documents: int, field: str, limits: Limits
    ) -> None:
        for pattern in (one for of_split in patterns.values() for one in of_split):
            if "*" not in pattern:
                format_of(pattern)  # an unknown suffix is refused now, not when it is read
        self._field = field
        self._read = _Sequences(documents, field, limits)
        super().__init__(self._sequences, patterns)

    def list_shards(self, split: str) -> list[str]:
        files = find(self._split_to_filepattern[split], self._field, option=f"split {split!r}:")
        peek(files)
        return [file.path for file in files]

    def _sequences(self, file: tf.Tensor) -> tf.data.Dataset:
        """File name -> {"text": string[<= documents]}, one element per sequence."""

        def sequence(number: tf.Tensor) -> tf.Tensor:
            texts = tf.numpy_function(self._read, [file, number], tf.string, stateful=False)
            texts.set_shape([None])
            return texts

        numbers = tf.data.Dataset.range(np.iinfo(np.int64).max)
        sequences = numbers.map(sequence).take_while(lambda texts: tf.size(texts) > 0)
        return sequences.map(lambda texts: {"text": texts})


class _Sequences:
    """(file, number) -> the documents of a sequence of a file; none after its end.

    A function of both, so that TensorFlow can checkpoint what calls it; what makes it fast is that
    files stay open, each where its last sequence ended.
    """

    def __init__(self, documents: int, field: str, limits: Limits) -> None:
        self._documents = documents
        self._field = field
        self._limits = limits
        self._open: dict[tuple[bytes, int], Iterator[bytes]] = {}
        self._lock = threading.Lock()

    def __call__(self, file: bytes, number: int) -> npt.NDArray[Any]:
        with self._lock:
            documents = self._open.pop((file, number), None)
        if documents is None:
            path = file.decode("utf-8")
            listed = InputFile(path, format_of(path), self._field)
            documents = iter(Documents([listed], self._limits))
            for _ in islice(documents, number * self._documents):
                pass
        texts = list(islice(documents, self._documents))
        if texts:
            with self._lock:
                self._open[file, number + 1] = documents
                while len(self._open) > _OPEN_FILES:
                    del self._open[next(iter(self._open))]
        # dtype=object: NumPy's own strings would drop NUL at the end.
        return np.array(texts, object)
