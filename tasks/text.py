"""Tasks straight from text, tokenised while it is read: nothing is compressed beforehand.

  source = text_files({"train": "c4-train.*.json.gz", "validation": "c4-validation.*.json.gz"})
  register_text_task("c4_text", source)

Documents -> token ids, the id EOS after each -> 128 joined -> examples of the sequence length: what
T5X users know as `tokenize`, `append_eos`, `reduce_concat_tokens`, `split_tokens`. But a sequence
takes one call of the tokenizer, and every token is kept (the last example of a sequence is short).

Examples have `targets` int32[<= L], `num_bytes` and `num_documents` (exact: over an epoch they sum
to those of the text) and `part`, their place in the sequence. All is deterministic given a seed,
and TensorFlow can checkpoint the iterators.

`pipelines.compress` has EOS as a symbol inside windows instead, and never the id. A model knows the
ends of documents as it was trained on them: where text goes with such a data set (training on one,
evaluation on the other), use `eos="symbol"`.
"""

import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import seqio
import tensorflow as tf

from equalinfo.ids import EOS_ID, ID_OFFSET, Ids
from tasks.metrics import LanguageModelScores
from tasks.sources import DOCUMENTS_PER_SEQUENCE, join_documents
from tasks.vocabulary import TokenizerVocabulary

Counts = npt.NDArray[np.int64]


class Tokens(NamedTuple):
    """Documents as tokens, EOS after each.

    Attributes:
      ids: int32[tokens].
      num_bytes: int64[tokens], bytes of text that each stands for.
      num_documents: int64[tokens], documents that end in each.
    """

    ids: Ids
    num_bytes: Counts
    num_documents: Counts


Encode = Callable[[list[bytes]], Tokens]


def register_text_task(
    name: str,
    source: seqio.DataSource,
    codebook: str | os.PathLike[str] | None = None,
    *,
    eos: Literal["id", "symbol"] = "id",
    extra_ids: int = 0,
    documents_per_sequence: int = DOCUMENTS_PER_SEQUENCE,
) -> str:
    """Register a task that tokenises text as it is read.

    Args:
      name: of the task.
      source: `tasks.sources.text_files(...)`, `tfds_text(...)`, or any other with a string `text`.
      codebook: a `.eqi` file, may be remote (gs://...), or the name of one of the package, such as
        english-65536-v2; None takes its default.
      eos: "id": each document is tokenised by itself and followed by the id 1; a model that writes
        the id ends its text, as decoders expect. "symbol": as in data sets of `pipelines.compress`
        (0.24% fewer tokens on C4).
      extra_ids: ids added after the codebook's, for sentinels.
      documents_per_sequence: for sources that do not join documents themselves (`tfds_text`).

    Returns:
      `name`.
    """
    if eos not in ("id", "symbol"):
        raise ValueError(f"eos={eos!r} is neither 'id' nor 'symbol'.")
    vocabulary = TokenizerVocabulary(codebook, extra_ids)
    encoder = functools.partial(_tokenizer_encoder, vocabulary, eos)
    return register_encoder(name, source, vocabulary, encoder, documents_per_sequence)


def register_encoder(
    name: str,
    source: seqio.DataSource,
    vocabulary: seqio.Vocabulary,
    make_encoder: Callable[[], Encode],
    documents_per_sequence: int,
) -> str:
    """Register a task on anything that makes tokens of documents.

    Args:
      name: of the task.
      source: of examples with a string `text`, or string[d] where it joins documents itself.
      vocabulary: that the ids belong to.
      make_encoder: called when a data set is first asked for.
      documents_per_sequence: joined, where the source does not.

    Returns:
      `name`.
    """
    if documents_per_sequence < 1:
        raise ValueError(
            f"documents_per_sequence={documents_per_sequence}: must be >= 1; the paper joins 128."
        )
    seqio.TaskRegistry.add(
        name,
        source=source,
        preprocessors=[
            functools.partial(join_documents, documents=documents_per_sequence),
            functools.partial(_cut, task=name, make_encoder=functools.cache(make_encoder)),
        ],
        output_features={"targets": seqio.Feature(vocabulary, add_eos=False, dtype=tf.int32)},
        metric_objs=[LanguageModelScores.empty()],
    )
    return name


def _tokenizer_encoder(vocabulary: TokenizerVocabulary, eos: str) -> Encode:
    tokenizer = vocabulary.tokenizer
    lengths = tokenizer.codebook.byte_lengths.astype(np.int64)
    num_bytes = np.zeros(tokenizer.vocab_size, np.int64)
    num_bytes[ID_OFFSET:] = lengths
    num_documents = np.zeros(tokenizer.vocab_size, np.int64)
    num_documents[EOS_ID] = 1
    num_documents[ID_OFFSET:] = np.diff(tokenizer.codebook.offsets) - lengths
    end = np.array([EOS_ID], np.int32)

    def encode(documents: list[bytes]) -> Tokens:
        if eos == "symbol":
            ids = tokenizer.encode_documents(documents)
        else:
            encoded = tokenizer.encode_batch(documents)
            ids = np.concatenate([part for of_one in encoded for part in (of_one, end)])
        return Tokens(ids, num_bytes[ids], num_documents[ids])

    return encode


def _cut(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int | None] | None,
    *,
    task: str,
    make_encoder: Callable[[], Encode],
) -> tf.data.Dataset:
    """{"text": string[d]} -> targets int32[<= L], num_bytes, num_documents, part."""
    length = (sequence_length or {}).get("targets")
    if not length:
        raise ValueError(
            f"task {task!r} cuts text into pieces and needs their length. "
            'Pass sequence_length={"targets": 512} (tokens).'
        )
    encode = make_encoder()

    def pieces(texts: npt.NDArray[Any]) -> tuple[Ids, Counts, Counts, Counts, Counts]:
        documents = texts.tolist()
        tokens = encode(documents)
        totals = (int(tokens.num_bytes.sum()), int(tokens.num_documents.sum()))
        expected = (sum(map(len, documents)), len(documents))
        if totals != expected:
            raise ValueError(
                f"task {task!r}: tokens stand for {totals[0]} bytes and {totals[1]} documents of "
                f"{expected[0]} and {expected[1]}. The encoder is at fault."
            )
        starts = np.arange(0, len(tokens.ids), length)
        return (
            tokens.ids,
            np.append(starts, len(tokens.ids)),
            np.add.reduceat(tokens.num_bytes, starts),
            np.add.reduceat(tokens.num_documents, starts),
            np.arange(len(starts)),
        )

    def encode_tf(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        ids, splits, *counts = tf.numpy_function(
            pieces, [example["text"]], (tf.int32, *[tf.int64] * 4), stateful=False
        )
        for tensor in (ids, splits, *counts):
            tensor.set_shape([None])
        return {
            "targets": tf.RaggedTensor.from_row_splits(ids, splits, validate=False),
            **dict(zip(("num_bytes", "num_documents", "part"), counts, strict=True)),
        }

    examples = dataset.map(encode_tf, num_parallel_calls=tf.data.AUTOTUNE)
    return examples.flat_map(tf.data.Dataset.from_tensor_slices)
