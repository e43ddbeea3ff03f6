"""The paper's baselines, `bytes` (ByT5) and `sentencepiece` (T5), straight from text [paper 3.3].

Documents -> 128 joined, EOS after each -> token ids -> pieces of the task's sequence length. Every
token is kept: the last piece of a sequence is short, and each piece has its exact `num_bytes`, so
that these sum to the bytes of the text. All is deterministic, and TensorFlow can checkpoint the
iterators.

  source = json_lines({"train": "c4-train.*.json.gz", "validation": "c4-validation.*.json.gz"})
  source = tfds_text("c4/en:3.1.0", {"train": "train", "validation": "validation"})
  register_bytes(source)
  register_sentencepiece(source, "sp.model")
"""

import functools
import gzip
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import seqio
import tensorflow as tf

from equalinfo import alphabet, codecs
from equalinfo.codecs.base import Codec
from equalinfo.records import cut_example
from tasks.metrics import LanguageModelScores

DOCUMENTS_PER_SEQUENCE = 128

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


def register_bytes(
    source: seqio.DataSource,
    name: str = "bytes",
    documents_per_sequence: int = DOCUMENTS_PER_SEQUENCE,
) -> str:
    """Register the byte baseline: id = byte + 3, EOS = 1, `seqio.ByteVocabulary` (ByT5's).

    Args:
      source: `json_lines(...)` or `tfds_text(...)`.
      name: of the task.
      documents_per_sequence: for sources that do not join documents themselves (`tfds_text`).

    Returns:
      `name`.
    """
    return _register(
        source,
        name,
        documents_per_sequence,
        seqio.ByteVocabulary(),
        functools.partial(codecs.create, "bytes"),
    )


def register_sentencepiece(
    source: seqio.DataSource,
    model: str,
    name: str = "sentencepiece",
    documents_per_sequence: int = DOCUMENTS_PER_SEQUENCE,
) -> str:
    """Register the SentencePiece baseline; each document is tokenised by itself.

    Args:
      source: `json_lines(...)` or `tfds_text(...)`.
      model: a .model file with pad 0, eos 1, unk 2 (T5's); may be remote.
      name: of the task.
      documents_per_sequence: for sources that do not join documents themselves (`tfds_text`).

    Returns:
      `name`.
    """
    return _register(
        source,
        name,
        documents_per_sequence,
        seqio.SentencePieceVocabulary(model),
        functools.partial(_sentencepiece, model),
    )


def _register(
    source: seqio.DataSource,
    name: str,
    documents: int,
    vocabulary: seqio.Vocabulary,
    make_codec: Callable[[], Codec],
) -> str:
    if documents < 1:
        raise ValueError(f"documents_per_sequence={documents}: must be >= 1; the paper joins 128.")
    seqio.TaskRegistry.add(
        name,
        source=source,
        preprocessors=[
            functools.partial(_join, documents=documents),
            functools.partial(_cut, task=name, make_codec=functools.cache(make_codec)),
        ],
        output_features={"targets": seqio.Feature(vocabulary, add_eos=False, dtype=tf.int32)},
        metric_objs=[LanguageModelScores.empty()],
    )
    return name


def _sentencepiece(model: str) -> Codec:
    if "://" not in model:
        return codecs.create("sentencepiece", model=model)
    with tempfile.NamedTemporaryFile(suffix=".model") as local:
        tf.io.gfile.copy(model, local.name, overwrite=True)
        return codecs.create("sentencepiece", model=local.name)


def _sequences_of_file(documents: int, verify: bool, file: tf.Tensor) -> tf.data.Dataset:
    """File name -> {"text": string[<= documents]}, one element per sequence."""

    def text(number: tf.Tensor, line: tf.Tensor) -> tf.Tensor:
        value = tf.numpy_function(_text, [file, number, line], tf.string, stateful=False)
        value.set_shape([])
        return value

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
    texts = everything.enumerate(1).map(text, num_parallel_calls=tf.data.AUTOTUNE)
    return texts.batch(documents).map(lambda batch: {"text": batch})


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


def _text(file: bytes, number: int, line: bytes) -> bytes:
    """The text of one line, as UTF-8."""
    try:
        content = json.loads(line.decode("utf-8"))
        text = content["text"] if isinstance(content, dict) else None
        if not isinstance(text, str):
            raise ValueError('it is not an object with a string "text"')
        return text.encode("utf-8")
    except (ValueError, KeyError) as error:  # UnicodeError is a ValueError
        raise ValueError(
            f"{file.decode()}, line {number} has no text: {error}. Repair the line or remove it."
        ) from error


def _join(dataset: tf.data.Dataset, *, documents: int) -> tf.data.Dataset:
    """{"text": string} -> {"text": string[<= documents]}; sequences pass as they are."""
    dataset = dataset.map(lambda example: {"text": example["text"]})
    return dataset.batch(documents) if dataset.element_spec["text"].shape.rank == 0 else dataset


def _cut(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int | None] | None,
    *,
    task: str,
    make_codec: Callable[[], Codec],
) -> tf.data.Dataset:
    """{"text": string[d]} -> targets int32[<= L], num_bytes, num_documents, part."""
    length = (sequence_length or {}).get("targets")
    if not length:
        raise ValueError(
            f"task {task!r} cuts text into pieces and needs their length. "
            'Pass sequence_length={"targets": 512} (tokens).'
        )
    codec = make_codec()

    def pieces(texts: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        symbols = alphabet.join(texts.tolist())
        records = cut_example(codec.encode([symbols])[0], symbols, task, length)
        ids = np.zeros((len(records), length), np.int32)
        counts = np.zeros((len(records), 4), np.int64)
        for row, record in enumerate(records):
            ids[row, : len(record.targets)] = record.targets
            counts[row] = len(record.targets), record.num_bytes, record.num_documents, record.part
        return ids, counts

    def encode(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        ids, counts = tf.numpy_function(
            pieces, [example["text"]], (tf.int32, tf.int64), stateful=False
        )
        ids.set_shape([None, length])
        counts.set_shape([None, 4])
        return ids, counts

    def unpad(ids: tf.Tensor, counts: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "targets": ids[: counts[0]],
            "num_bytes": counts[1],
            "num_documents": counts[2],
            "part": counts[3],
        }

    return (
        dataset.map(encode, num_parallel_calls=tf.data.AUTOTUNE)
        .flat_map(lambda ids, counts: tf.data.Dataset.from_tensor_slices((ids, counts)))
        .map(unpad, num_parallel_calls=tf.data.AUTOTUNE)
    )
