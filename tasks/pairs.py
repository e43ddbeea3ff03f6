"""Sequence-to-sequence tasks for a decoder-only model [paper 5.2, Table 5; A.3].

The pairs are those of `equalinfo.lm.pairs`. Examples have `inputs`, `targets` and `num_bytes`
(bytes of text that the targets stand for); as a row, which
`tasks.features.ByteCountingPrefixLMFeatureConverter` makes, they are what `pair_rows` gives.
"""

import functools
import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import seqio
import tensorflow as tf

from equalinfo import alphabet
from equalinfo.lm import pairs
from tasks.metrics import LanguageModelScores
from tasks.sources import text_files
from tasks.vocabulary import CodecVocabulary, vocabulary_of

_log = logging.getLogger(__name__)

# A share of words is kept for validation, the same in every run.
_VALIDATION_SHARE = 10


def register_codec_pairs(
    codec: str, files: Mapping[str, str], direction: str = "decompress", text_bytes: int = 1024
) -> str:
    """Register the task `DIRECTION_METHOD`, in place of an older one of that name [paper 5.2].

    Texts are cut from 128 joined documents of a file, as examples of `pipelines.compress` are. The
    codec works while text is read, at the speed of training only if it is a compiled one.

    Args:
      codec: its directory; may be remote.
      files: from the name of a split to a pattern of `tasks.sources.text_files`.
      direction: "decompress", "compress", or "bytes": no inputs, the targets of "decompress".
      text_bytes: bytes of a text, EOS among them.

    Returns:
      the name.
    """
    if direction not in pairs.DIRECTIONS:
        raise ValueError(f"direction={direction!r} is none of {', '.join(pairs.DIRECTIONS)}.")
    if text_bytes < 4:
        raise ValueError(f"text_bytes={text_bytes}: a character may take 4. The paper has 1,024.")
    coder = CodecVocabulary(codec)
    input_vocab, target_vocab = pairs.pair_vocabularies(direction, coder.vocab_size)

    def make(documents: Sequence[bytes]) -> list[pairs.Pair]:
        texts = alphabet.cut(alphabet.join(documents), text_bytes)
        return pairs.codec_pairs(direction, coder.codec, texts)

    return _register(
        f"{direction}_{coder.method}",
        text_files(files),
        seqio.PassThroughVocabulary(input_vocab + target_vocab),
        make,
        input_vocab,
    )


def register_spelling(
    task: str, files: str, num_words: int = 10_000, module: str | None = None
) -> str:
    """Register the task `TASK_spelling`, in place of an older one of that name [paper A.3].

    A word's tokens -> its letters, for a model of another task. Splits `train` and `validation`,
    one word in ten, in an order of their own.

    Args:
      task: the model's, whose tokens words and letters become.
      files: pattern of `tasks.sources.text_files`; all text is read once.
      num_words: the most frequent ones; a word is letters between white space.
      module: imported first; it registers `task`.

    Returns:
      the name.
    """
    vocabulary = vocabulary_of(task, module)
    if not isinstance(vocabulary, CodecVocabulary):
        raise ValueError(
            f"task {task!r} has the vocabulary {vocabulary}; spelling needs one of "
            "tasks.vocabulary."
        )

    def encode(texts: Sequence[bytes]) -> list[npt.NDArray[np.int32]]:
        ragged = vocabulary.encode_tf(tf.constant(list(texts), tf.string))
        return [np.asarray(ids, np.int32) for ids in ragged]

    def make(words: Sequence[bytes]) -> list[pairs.Pair]:
        return pairs.spelling_pairs([word.decode() for word in words], encode)

    words = functools.cache(functools.partial(frequent_words, files, num_words))

    def source(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors({"text": [w.encode() for w in words()[split]]})

    return _register(
        f"{task}_spelling",
        seqio.FunctionDataSource(source, splits=["train", "validation"]),
        vocabulary,
        make,
        input_vocab=0,
    )


def frequent_words(files: str, num_words: int) -> dict[str, list[str]]:
    """{"train": nine words of ten, "validation": the tenth}, both ordered by a hash.

    Args:
      files: pattern of `tasks.sources.text_files`.
      num_words: the most frequent ones, of equally frequent ones the first by code point.
    """
    counts: Counter[str] = Counter()
    dataset = text_files({"all": files}).get_dataset("all", shuffle=False)
    for sequence in dataset.as_numpy_iterator():
        for text in sequence["text"].tolist():
            counts.update(filter(str.isalpha, text.decode("utf-8", "replace").split()))
    if len(counts) < num_words:
        raise ValueError(
            f"{files} has {len(counts)} different words, num_words={num_words}. Use fewer words or "
            "more text."
        )
    most = sorted(counts, key=lambda word: (-counts[word], word))[:num_words]
    order = {word: int.from_bytes(hashlib.sha256(word.encode()).digest()[:8]) for word in most}
    words = sorted(most, key=lambda word: (order[word], word))
    splits: dict[str, list[str]] = {"train": [], "validation": []}
    for word in words:
        splits["train" if order[word] % _VALIDATION_SHARE else "validation"].append(word)
    return splits


def _register(
    name: str,
    source: seqio.DataSource,
    vocabulary: seqio.Vocabulary,
    make: Callable[[Sequence[bytes]], list[pairs.Pair]],
    input_vocab: int,
) -> str:
    if name in seqio.TaskRegistry.names():
        seqio.TaskRegistry.remove(name)
    feature = seqio.Feature(vocabulary, add_eos=False, dtype=tf.int32)
    seqio.TaskRegistry.add(
        name,
        source=source,
        preprocessors=[functools.partial(_pairs, task=name, make=make, input_vocab=input_vocab)],
        output_features={"inputs": feature, "targets": feature},
        metric_objs=[LanguageModelScores.empty()],
    )
    return name


def _pairs(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int | None] | None,
    *,
    task: str,
    make: Callable[[Sequence[bytes]], list[pairs.Pair]],
    input_vocab: int,
) -> tf.data.Dataset:
    """{"text": string[d]} -> inputs, targets, num_bytes; pairs that are too long are left out."""
    limits = [(sequence_length or {}).get(name) for name in ("inputs", "targets")]
    left_out = 0

    def pairs_of(texts: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
        nonlocal left_out
        made = make(texts.tolist())
        sides = [
            [pair.inputs for pair in made],
            [(pair.targets + input_vocab).astype(np.int32) for pair in made],
        ]
        lengths = np.array([[len(ids) for ids in side] for side in sides], np.int64)
        fits = np.ones(len(made), np.bool_)
        for of_side, limit in zip(lengths, limits, strict=True):
            fits &= of_side <= (limit or of_side)
        if not left_out and not fits.all():
            _log.warning(
                "Task %r leaves out pairs of more tokens than %s (inputs, targets), such as %s. "
                "TASK_FEATURE_LENGTHS could be larger.",
                task,
                limits,
                lengths[:, np.flatnonzero(~fits)[0]].tolist(),
            )
        left_out += int((~fits).sum())
        flat = [np.concatenate([np.empty(0, np.int32), *side]) for side in sides]
        num_bytes = np.array([pair.num_bytes for pair in made], np.int64)
        return (*flat, *lengths, num_bytes, fits)

    def make_tf(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor | tf.RaggedTensor]:
        types = (tf.int32, tf.int32, tf.int64, tf.int64, tf.int64, tf.bool)
        made = tf.numpy_function(pairs_of, [example["text"]], types, stateful=False)
        for tensor in made:
            tensor.set_shape([None])
        inputs, targets, of_inputs, of_targets, num_bytes, fits = made
        return {
            "inputs": tf.RaggedTensor.from_row_lengths(inputs, of_inputs, validate=False),
            "targets": tf.RaggedTensor.from_row_lengths(targets, of_targets, validate=False),
            "num_bytes": num_bytes,
            "fits": fits,
        }

    examples = dataset.map(make_tf, num_parallel_calls=tf.data.AUTOTUNE)
    examples = examples.flat_map(tf.data.Dataset.from_tensor_slices)
    examples = examples.filter(lambda example: example["fits"])
    return examples.map(lambda e: {name: e[name] for name in ("inputs", "targets", "num_bytes")})
