"""Where text comes from: SeqIO sources whose examples have `text`.

  json_lines({"train": "c4-train.*.json.gz", "validation": "c4-validation.*.json.gz"})
  tfds_text("c4/en:3.1.0", {"train": "train", "validation": "validation"})

Any other `seqio.DataSource` with a string `text` does as well.
"""

import functools
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
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

    Sequences are made within a file, in its order. Blank lines are skipped. A line without text is
    an error, and names the file and the line; a `.gz` that breaks off is one too.

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
    """`json_lines` where patterns end in .json or .jsonl; in .txt, a line is a document; also .gz.

    The documents of a .txt are those of `pipelines.compress`: lines end in LF or CRLF, blank ones
    are skipped, and one that is not UTF-8 is an error. Such a file is in memory as a whole.

    Args:
      splits: from the name of a split to a file pattern, local or remote.
      documents_per_sequence: documents that an element holds.
    """
    is_json = set()
    for pattern in splits.values():
        suffix = re.search(r"\.(jsonl?|txt)(\.gz)?$", pattern)
        if suffix is None:
            raise ValueError(
                f"{pattern!r} does not end in .json, .jsonl or .txt, with or without .gz, so its "
                "format is not known. Rename the files, decompress them, or end the pattern so."
            )
        is_json.add(suffix[1] != "txt")
    if len(is_json) > 1:
        raise ValueError(f"{dict(splits)}: some patterns end in .json, some in .txt. Use one kind.")
    if is_json == {True}:
        return json_lines(splits, documents_per_sequence)
    return seqio.FileDataSource(
        functools.partial(_sequences_of_text_file, documents_per_sequence), dict(splits)
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


def _sequences_of_text_file(documents: int, file: tf.Tensor) -> tf.data.Dataset:
    """File name -> {"text": string[<= documents]}, one element per sequence."""

    def read(name: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"text": _strings(_lines_of_file, [name])}

    return tf.data.Dataset.from_tensors(file).map(read).rebatch(documents)


def _sequences_of_file(documents: int, verify: bool, file: tf.Tensor) -> tf.data.Dataset:
    """File name -> {"text": string[<= documents]}, one element per sequence."""

    def texts(sequence: tf.Tensor, lines: tf.Tensor) -> dict[str, tf.Tensor]:
        # A sequence a call: a call a line would take longer than all that follows.
        first = sequence * documents + 1
        return {"text": _strings(_texts_of_json, [file, first, lines])}

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
    sequences = everything.batch(documents).enumerate()
    # `rebatch` passes full sequences on, and fills up those that blank lines were skipped in.
    return sequences.map(texts, num_parallel_calls=tf.data.AUTOTUNE).rebatch(documents)


def _strings(function: Callable[..., npt.NDArray[Any]], inputs: list[tf.Tensor]) -> tf.Tensor:
    """What a Python function gives: string[n]."""
    found = tf.numpy_function(function, inputs, tf.string, stateful=False)
    found.set_shape([None])
    return found


def _checked(file: tf.Tensor) -> tf.Tensor:
    name = tf.numpy_function(_check_gzip, [file], tf.string, stateful=False)
    name.set_shape([])
    return name


def _check_gzip(file: bytes) -> bytes:
    """The name of a .gz that can be read to its end, checksums included."""
    for _ in _decompressed(file):
        pass
    return file


def _decompressed(file: bytes) -> Iterator[bytes]:
    with tf.io.gfile.GFile(file, "rb") as stream, gzip.GzipFile(fileobj=stream) as text:
        try:
            while chunk := text.read(_CHUNK_BYTES):
                yield chunk
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"{file.decode()} is damaged: {error} Copy it again, or leave it out."
            ) from error


def _lines_of_file(file: bytes) -> npt.NDArray[Any]:
    """The documents of a .txt or .txt.gz."""
    if file.endswith(b".gz"):
        content = b"".join(_decompressed(file))
    else:
        with tf.io.gfile.GFile(file, "rb") as stream:
            content = stream.read()
    return _texts(file, 1, content.split(b"\n"), _text_of_line)


def _texts_of_json(file: bytes, first: int, lines: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return _texts(file, first, lines.tolist(), _text_of_json)


def _texts(
    file: bytes, first: int, lines: list[bytes], text_of: Callable[[bytes], bytes]
) -> npt.NDArray[Any]:
    """The texts of lines `first`, `first` + 1, ... of a file, as UTF-8, without blank lines."""
    texts = []
    for number, line in enumerate(lines, first):
        if not line or line.isspace():
            continue
        try:
            texts.append(text_of(line))
        except (ValueError, KeyError) as error:  # UnicodeError is a ValueError
            raise ValueError(
                f"{file.decode()}, line {number} has no text: {error}. "
                "Repair the line or remove it."
            ) from error
    # dtype=object: NumPy's own strings would drop NUL at the end.
    return np.array(texts, object)


def _text_of_json(line: bytes) -> bytes:
    content = json.loads(line.decode("utf-8"))
    text = content["text"] if isinstance(content, dict) else None
    if not isinstance(text, str):
        raise ValueError('it is not an object with a string "text"')
    return text.encode("utf-8")


def _text_of_line(line: bytes) -> bytes:
    line.decode("utf-8")
    return line.removesuffix(b"\r")
