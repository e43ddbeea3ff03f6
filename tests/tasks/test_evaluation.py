"""SeqIO's Evaluator gives bits/byte that are known in closed form, padding not counted."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio
import tensorflow as tf

from equalinfo import score
from equalinfo.data.manifest import Manifest
from tasks import metrics
from tasks.features import ByteCountingLMFeatureConverter
from tasks.registration import register

Write = Callable[..., Path]
Documents = Callable[..., list[bytes]]
Scores = list[tuple[int, float]]


def examples_of(dataset: tf.data.Dataset) -> Iterator[tuple[int, Mapping[str, np.ndarray]]]:
    for index, example in dataset.as_numpy_iterator():
        yield int(index), example


def uniform(vocab: int) -> Callable[..., Scores]:
    """A model that knows nothing, scored as T5X's score_batch does: sum of log p * weights."""

    def score_fn(dataset: tf.data.Dataset, model_feature_shapes: Any = None) -> Scores:
        scores = [
            (index, float(-math.log(vocab) * example["decoder_loss_weights"].sum()))
            for index, example in examples_of(dataset)
        ]
        return scores[::-1]  # in any order: the index tells

    return score_fn


def evaluate(name: str, score_fn: Callable[..., Any], **options: Any) -> dict[str, float]:
    evaluator = seqio.Evaluator(
        name,
        feature_converter=options.pop("converter", None) or seqio.LMFeatureConverter(pack=False),
        eval_split="validation",
        sequence_length=options.pop("sequence_length", {"targets": 16}),
        **options,
    )
    future, _ = evaluator.evaluate(compute_metrics=True, score_fn=score_fn)
    values = future.result()[name]
    evaluator.close()
    return {key: float(getattr(value, "value", value)) for key, value in values.items()}


@pytest.mark.parametrize("method", ["bytes", "equal_info_n8", "static_ac"])
def test_a_uniform_model_scores_uniform(
    write_dataset: Write, make_documents: Documents, method: str
) -> None:
    """`static_ac` cannot be decoded without lengths: the metrics must not try."""
    texts = make_documents(4, 4)
    directory = write_dataset(method, {"validation": [texts]})
    name = register(directory)
    task = seqio.get_mixture_or_task(name)
    vocab = task.output_features["targets"].vocabulary.vocab_size
    records = list(task.get_dataset({"targets": 16}, "validation").as_numpy_iterator())
    assert min(len(record["targets"]) for record in records) < 16, "no padding, nothing shown"
    tokens = sum(len(record["targets"]) for record in records)
    num_bytes = sum(map(len, texts))

    values = evaluate(name, uniform(vocab))

    ratio = num_bytes / tokens
    assert values["bits_per_byte"] == pytest.approx(score.uniform_bits_per_byte(vocab, ratio))
    assert values["bits_per_token"] == pytest.approx(math.log2(vocab))
    assert values["bytes_per_token"] == pytest.approx(ratio)
    assert "accuracy" not in values


def test_every_record_has_its_own_score(write_dataset: Write, make_documents: Documents) -> None:
    """Scores that differ by record and come in another order: the total must not change."""
    name = register(write_dataset("equal_info", {"validation": [make_documents(6, 5)]}))
    nats: dict[int, float] = {}

    def score_fn(dataset: tf.data.Dataset, model_feature_shapes: Any = None) -> Scores:
        for index, example in examples_of(dataset):
            nats[index] = float(example["decoder_target_tokens"].sum()) / 1000
        return [(index, -nats[index]) for index in sorted(nats, key=lambda i: (i * 7) % 11)]

    values = evaluate(name, score_fn)
    expected = sum(nats.values()) / math.log(2) / sum(map(len, make_documents(6, 5)))
    assert values["bits_per_byte"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("length", "converter"),
    [
        (64, seqio.LMFeatureConverter),
        (None, seqio.DecoderFeatureConverter),  # that of T5X's DecoderOnlyModel
        (16, ByteCountingLMFeatureConverter),
    ],
)
def test_length_and_converter_change_nothing(
    write_dataset: Write, make_documents: Documents, length: int | None, converter: Any
) -> None:
    texts = make_documents(6, 5)
    directory = write_dataset("equal_info", {"validation": [texts]})
    name = register(directory)
    tokens = Manifest.load(directory).split("validation").totals["tokens"]
    values = evaluate(
        name,
        uniform(100),
        converter=converter(pack=False),
        sequence_length=None if length is None else {"targets": length},
    )
    expected = tokens * math.log2(100) / sum(map(len, texts))
    assert values["bits_per_byte"] == pytest.approx(expected)


def test_num_examples_takes_the_bytes_of_those(
    write_dataset: Write, make_documents: Documents
) -> None:
    """20 batches of validation [paper 3.8]: a part of the split, its own byte counts."""
    name = register(write_dataset("equal_info", {"validation": [make_documents(6, 5)]}))
    dataset = seqio.get_mixture_or_task(name).get_dataset(None, "validation", shuffle=False)
    some = list(dataset.take(4).as_numpy_iterator())
    values = evaluate(name, uniform(100), num_examples=4)
    tokens = sum(len(e["targets"]) for e in some)
    expected = tokens * math.log2(100) / sum(int(e["num_bytes"]) for e in some)
    assert values["bits_per_byte"] == pytest.approx(expected)


def test_accuracy_comes_with_correct_tokens(
    write_dataset: Write, make_documents: Documents
) -> None:
    name = register(write_dataset("equal_info", {"validation": [make_documents(6, 5)]}))
    counted = {"correct": 0, "tokens": 0}

    def score_fn(
        dataset: tf.data.Dataset, model_feature_shapes: Any = None
    ) -> tuple[Scores, dict[str, list[int]]]:
        scores, correct = [], []
        for index, example in examples_of(dataset):
            weights = example["decoder_loss_weights"]
            right = (example["decoder_target_tokens"] % 3 == 0) * weights
            scores.append((index, -float(weights.sum())))
            correct.append(int(right.sum()))
            counted["correct"] += correct[-1]
            counted["tokens"] += int(weights.sum())
        return scores[::-1], {"correct_tokens": correct[::-1]}

    values = evaluate(name, score_fn)
    assert values["accuracy"] == pytest.approx(counted["correct"] / counted["tokens"])
    assert 0 < values["accuracy"] < 1


def test_byte_counts_reach_training(write_dataset: Write, make_documents: Documents) -> None:
    texts = make_documents(6, 5)
    name = register(write_dataset("equal_info", {"validation": [texts]}))
    dataset = seqio.get_dataset(
        name,
        task_feature_lengths={"targets": 16},
        dataset_split="validation",
        shuffle=False,
        feature_converter=ByteCountingLMFeatureConverter(),
    )
    (batch,) = dataset.batch(10_000).as_numpy_iterator()
    assert batch["num_bytes"].dtype == np.int32
    assert batch["num_bytes"].shape == batch["decoder_target_tokens"].shape[:1]
    assert batch["num_bytes"].sum() == sum(map(len, texts))
    assert ((batch["decoder_target_tokens"] > 0) == batch["decoder_loss_weights"]).all()


def test_packing_is_refused() -> None:
    with pytest.raises(ValueError, match="pack=True would join records"):
        ByteCountingLMFeatureConverter(pack=True)


TARGETS = [{"num_bytes": 10, "num_tokens": 4}, {"num_bytes": 6, "num_tokens": 2}]


def test_bits_per_byte_by_hand() -> None:
    values = metrics.bits_per_byte(TARGETS, [-8 * math.log(2), -4 * math.log(2)])
    assert values == pytest.approx(
        {"bits_per_byte": 0.75, "bits_per_token": 2.0, "bytes_per_token": 16 / 6}
    )


def test_accuracy_by_hand() -> None:
    scores = ([-1.0, -1.0], {"correct_tokens": np.array([3, 0])})
    assert metrics.accuracy(TARGETS, scores) == {"accuracy": 0.5}
    assert metrics.language_model(TARGETS, scores)["accuracy"] == 0.5


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([-1.0], r"scores is \[1\], expected \[2\]"),
        ([[-1.0, -1.0], [-1.0, 0.0]], r"scores is \[2, 2\]"),
        ([-1.0, 3.5], "example 1 scores 3.5 nats"),
    ],
)
def test_wrong_scores_are_errors(scores: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.bits_per_byte(TARGETS, scores)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([-1.0, -1.0], "no auxiliary values: accuracy needs 'correct_tokens'"),
        (([-1.0, -1.0], {"correct_tokens": [1]}), "1 values for 2 examples"),
        (([-1.0, -1.0], {"correct_tokens": [4, 3]}), "example 1: 3 tokens correct of 2. Padding"),
    ],
)
def test_wrong_counts_are_errors(scores: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.accuracy(TARGETS, scores)


def test_a_diverged_model_shows() -> None:
    assert math.isnan(metrics.bits_per_byte(TARGETS, [float("nan"), -1.0])["bits_per_byte"])


def test_a_task_without_byte_counts_is_an_error() -> None:
    with pytest.raises(ValueError, match="no num_bytes"):
        metrics.target_counts({"targets": [1, 2]})
