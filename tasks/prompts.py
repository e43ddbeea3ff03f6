"""Prompts as a SeqIO task, for T5X's `infer`: text files to token ids, in their order."""

import functools
from collections.abc import Mapping

import seqio
import tensorflow as tf

from tasks.sources import text_files
from tasks.vocabulary import CodecVocabulary, vocabulary_of

SPLIT = "prompts"


def register_prompts(
    task: str, files: str | None = None, samples: int = 1, module: str | None = None
) -> str:
    """Register the task `TASK_prompts`, in place of an older one of that name.

    Its examples have `inputs` int32[<= P], the ids of a prompt, empty `targets` and
    `inputs_pretokenized`, the prompt.

    Args:
      task: a registered task or mixture, whose targets' vocabulary the prompts are encoded with.
      files: pattern of `tasks.sources.text_files`, a prompt a line; blank lines of a .txt are none,
        an empty prompt is JSON. None: one empty prompt.
      samples: examples of each prompt, one after the other.
      module: imported first; it registers `task`.

    Returns:
      the name.
    """
    if samples < 1:
        raise ValueError(f"samples={samples} of each prompt: must be at least 1.")
    vocabulary = vocabulary_of(task, module)
    name = f"{task}_prompts"
    if name in seqio.TaskRegistry.names():
        seqio.TaskRegistry.remove(name)
    feature = seqio.Feature(vocabulary, add_eos=False, dtype=tf.int32)
    seqio.TaskRegistry.add(
        name,
        source=_source(files),
        preprocessors=[functools.partial(_encode, task=name, samples=samples)],
        output_features={"inputs": feature, "targets": feature},
    )
    return name


def _source(files: str | None) -> seqio.DataSource:
    if files is None:
        return seqio.FunctionDataSource(_empty, splits=[SPLIT], num_input_examples={SPLIT: 1})
    return text_files({SPLIT: files}, documents_per_sequence=1)


def _empty(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
    del split, shuffle_files, seed
    return tf.data.Dataset.from_tensors({"text": [b""]})


def _encode(
    dataset: tf.data.Dataset,
    sequence_length: Mapping[str, int | None] | None,
    output_features: Mapping[str, seqio.Feature],
    *,
    task: str,
    samples: int,
) -> tf.data.Dataset:
    """{"text": string[1]} -> inputs, targets, inputs_pretokenized."""
    vocabulary = output_features["inputs"].vocabulary
    longest = (sequence_length or {}).get("inputs")

    def encode(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        text = tf.reshape(example["text"], [])
        ids = tf.cast(vocabulary.encode_tf(text), tf.int32)
        if isinstance(vocabulary, CodecVocabulary):
            goes_on = tf.numpy_function(vocabulary.goes_on_after, [tf.size(ids)], tf.bool)
            message = (
                f"task {task!r}: the last bits of a prompt's tokens are padding, and what follows "
                "would be read from the wrong bit. Make it longer or shorter by a window. The "
                "prompt and its tokens:"
            )
            whole = tf.debugging.Assert(goes_on, [message, text, tf.size(ids)])
            with tf.control_dependencies([whole]):
                ids = tf.identity(ids)
        if longest is not None:
            message = (
                f"task {task!r}: a prompt has more tokens than the {longest} that "
                "sequence_length gives to inputs. Use a shorter prompt, or raise PROMPT_TOKENS "
                "(gin/runs/infer.gin). The prompt and its tokens:"
            )
            fits = tf.debugging.Assert(tf.size(ids) <= longest, [message, text, tf.size(ids)])
            with tf.control_dependencies([fits]):
                ids = tf.identity(ids)
        return {
            "inputs": ids,
            "targets": tf.zeros([0], tf.int32),
            "inputs_pretokenized": text,
        }

    encoded = dataset.map(encode)
    return encoded.flat_map(lambda example: tf.data.Dataset.from_tensors(example).repeat(samples))
