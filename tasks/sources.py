"""Where text comes from: SeqIO sources whose examples have `text`.

  json_lines({"train": "c4-train.*.json.gz", "validation": "c4-validation.*.json.gz"})
  tfds_text("c4/en:3.1.0", {"train": "train", "validation": "validation"})

Any other `seqio.DataSource` with a string `text` does as well.
"""

import functools
import gzip
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import seqio
import tensorflow as tf

DOCUMENTS_PER_SEQUENCE = 128
"""Documents joined before examples are cut [paper 3.3]."""

_CHUNK_BYTES = 1 << 22


def json_lines(
    splits: Mapping[str, str | Iterable[str]],
    documents_per_sequence: int = DOCUMENTS_PER_SEQUENCE,
    verify: bool = True,
) -> seqio.DataSource:
    """Text in the AllenAI C4 layout: a JSON object with a string "text" per line, .gz or plain.

    Sequences are made within a file, in its order. A line without text is an error, and names the
    file and the line; a `.gz` that breaks off is one too.

    Args:
      splits: from the name of a split to file patterns, local or remote.
      documents_per_sequence: documents joined before pieces are cut.
      verify: decompress each `.gz` once before it is read. TensorFlow takes the end of a truncated
        one for the end of the text, without a word; this notices.
    """
    return seqio.FileDataSource(
        functools.partial(_sequences_of_file, documents_per_sequence, verify), dict(splits)
    )


def text_files(
    splits: Mapping[str, str], documents_per_sequence: int = DOCUMENTS_PER_SEQUENCE
) -> seqio.DataSource:
    """`json_lines` where patterns end in .json or .jsonl (also .gz); else a document is a line.

    Args:
      splits: from the name of a split to a file pattern, local or remote.
      documents_per_sequence: documents that an element holds.
    """
    is_json = {re.search(r"\.jsonl?(\.gz)?$", pattern) is not None for pattern in splits.values()}
    if len(is_json) > 1:
        raise ValueError(f"{dict(splits)}: some patterns end in .json, some do not. Use one kind.")
    if is_json == {True}:
        return json_lines(splits, documents_per_sequence)
    return seqio.FileDataSource(
        lambda file: (
            tf.data.TextLineDataset(file)
            .map(lambda line: {"text": line})
            .batch(documents_per_sequence)
        ),
        dict(splits),
    )


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


def _sequences_of_file(documents: int, verify: bool, file: tf.Tensor) -> tf.data.Dataset:
    """File name -> {"text": string[<= documents]}, one element per sequence."""

    def texts(sequence: tf.Tensor, lines: tf.Tensor) -> dict[str, tf.Tensor]:
        # A sequence a call: a call a line would take longer than all that follows.
        first = sequence * documents + 1
        found = tf.numpy_function(_texts, [file, first, lines], tf.string, stateful=False)
        found.set_shape(lines.shape)
        return {"text": found}

    def lines(name: tf.Tensor, compression: str) -> tf.data.Dataset:
        checked = tf.data.Dataset.from_tensors(name)
        if verify and compression:
            checked = checked.map(_checked)
        return checked.flat_map(
            lambda path: tf.data.TextLineDataset(path, compression_type=compression)
        )

    # The name is a tensor: both readers are built, and one of them gets the file.
    is_gzip = tf.strings.regex_full_match(file, r".*\.gz")
    packed = tf.data.Dataset.from_tensors(file).filter(lambda _: is_gzip)
    plain = tf.data.Dataset.from_tensors(file).filter(lambda _: tf.logical_not(is_gzip))
    everything = packed.flat_map(lambda name: lines(name, "GZIP")).concatenate(
        plain.flat_map(lambda name: lines(name, ""))
    )
    return everything.batch(documents).enumerate().map(texts, num_parallel_calls=tf.data.AUTOTUNE)


def _checked(file: tf.Tensor) -> tf.Tensor:
    name = tf.numpy_function(_check_gzip, [file], tf.string, stateful=False)
    name.set_shape([])
    return name


def _check_gzip(file: bytes) -> bytes:
    """The name of a .gz that can be read to its end, checksums included."""
    with tf.io.gfile.GFile(file, "rb") as stream, gzip.GzipFile(fileobj=stream) as text:
        try:
            while text.read(_CHUNK_BYTES):
                pass
        except (EOFError, OSError) as error:
            raise ValueError(
                f"{file.decode()} is damaged: {error} Copy it again, or leave it out."
            ) from error
    return file


def _texts(file: bytes, first: int, lines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The texts of lines `first`, `first` + 1, ... of a file, as UTF-8."""
    # dtype=object: NumPy's own strings would drop NUL at the end.
    texts = np.empty(len(lines), object)
    for index, line in enumerate(lines.tolist()):
        try:
            content = json.loads(line.decode("utf-8"))
            text = content["text"] if isinstance(content, dict) else None
            if not isinstance(text, str):
                raise ValueError('it is not an object with a string "text"')
            texts[index] = text.encode("utf-8")
        except (ValueError, KeyError) as error:  # UnicodeError is a ValueError
            raise ValueError(
                f"{file.decode()}, line {first + index} has no text: {error}. "
                "Repair the line or remove it."
            ) from error
    return texts
