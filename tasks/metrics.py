"""Bits/byte and accuracy from scores and exact byte counts, for SeqIO's Evaluator and T5X.

What SeqIO hands a metric: one score an example, the sum of log p over its target tokens in nats.
T5X's `score_batch` weighs each token with `decoder_loss_weights`, which is 0 on padding, so
padding is in no score; here it is in no count either. `num_bytes` comes from the example as it was
before the feature converter, which would drop it.

Accuracy needs more than a score. A `score_fn` that returns `(scores, {"correct_tokens": [n,
...]})`, n = target tokens of an example (padding left out) that had the highest logit, gives it;
T5X passes such a pair through when `score_batch` returns one. Plain scores give bits/byte alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flax.struct
import numpy as np
import numpy.typing as npt
import seqio

from equalinfo import score

CORRECT_TOKENS = "correct_tokens"

# Rounding of float32 sums can lift the score of a certain token a little over 0.
_TOLERANCE_NATS = 1e-3


def target_counts(example: Mapping[str, Any], feature: str = "targets") -> dict[str, int]:
    """What the metrics need of one example: {"num_bytes", "num_tokens"}, padding not counted.

    Args:
      example: with `feature`, int32[n] token ids (0 is padding), and `num_bytes`, the bytes of
        text that they stand for.
      feature: name of the token ids.
    """
    if "num_bytes" not in example:
        raise ValueError(
            f"the example has the fields {sorted(example)} but no num_bytes, without which "
            "there are no bits/byte. Keep num_bytes through every preprocessor of the task."
        )
    return {
        "num_bytes": int(example["num_bytes"]),
        "num_tokens": int(np.count_nonzero(np.asarray(example[feature]) != seqio.PAD_ID)),
    }


def bits_per_byte(targets: Sequence[Mapping[str, int]], scores: Any) -> dict[str, float]:
    """Total code length over total bytes [paper 3.8], not a mean of means.

    Args:
      targets: for each example, `target_counts`.
      scores: float[examples], log-likelihoods in nats (<= 0), or a pair of these and auxiliary
        values.

    Returns:
      {"bits_per_byte", "bits_per_token", "bytes_per_token"}.
    """
    nats, _ = _split(targets, scores)
    num_bytes = sum(target["num_bytes"] for target in targets)
    num_tokens = sum(target["num_tokens"] for target in targets)
    ratio = score.bytes_per_token(num_bytes, num_tokens)
    bits = score.bits_per_byte(-float(nats.sum()), num_bytes)
    return {"bits_per_byte": bits, "bits_per_token": bits * ratio, "bytes_per_token": ratio}


def accuracy(targets: Sequence[Mapping[str, int]], scores: Any) -> dict[str, float]:
    """Share of target tokens that had the highest logit, padding not counted.

    Args:
      targets: for each example, `target_counts`.
      scores: a pair of float[examples] and {"correct_tokens": int[examples]}.

    Returns:
      {"accuracy"}, in [0, 1].
    """
    _, auxiliary = _split(targets, scores)
    if CORRECT_TOKENS not in auxiliary:
        raise ValueError(
            f"scores carry {sorted(auxiliary) or 'no auxiliary values'}: accuracy needs "
            f"{CORRECT_TOKENS!r}. Return (scores, {{{CORRECT_TOKENS!r}: [...]}}) from the score_fn."
        )
    correct = np.asarray(auxiliary[CORRECT_TOKENS]).reshape(-1)
    tokens = np.array([target["num_tokens"] for target in targets], np.int64)
    if len(correct) != len(tokens):
        raise ValueError(
            f"{CORRECT_TOKENS} has {len(correct)} values for {len(tokens)} examples: one each."
        )
    wrong = np.flatnonzero((correct > tokens) | (correct < 0))
    if len(wrong):
        place = int(wrong[0])
        raise ValueError(
            f"example {place}: {correct[place]} tokens correct of {tokens[place]}. "
            "Padding was counted: multiply with decoder_loss_weights first."
        )
    if not tokens.sum():
        raise ValueError(f"{len(tokens)} examples hold no token. Is the split empty?")
    return {"accuracy": float(correct.sum() / tokens.sum())}


def language_model(targets: Sequence[Mapping[str, int]], scores: Any) -> dict[str, float]:
    """`bits_per_byte`, and `accuracy` where the scores carry what it needs."""
    values = bits_per_byte(targets, scores)
    if CORRECT_TOKENS in _split(targets, scores)[1]:
        values |= accuracy(targets, scores)
    return values


_FromFunction: Any = seqio.metrics.PassthroughLegacyMetric.from_metric_fn(language_model)


@flax.struct.dataclass
class LanguageModelScores(_FromFunction):
    """`language_model` as a SeqIO metric object that reads examples and decodes no target.

    Use: `metric_objs=[LanguageModelScores.empty()]`. Every registered task has it.
    """

    def postprocess_targets(
        self,
        task_dataset_as_numpy: Any,
        task_output_features: Any,
        target_field_name: str = "targets",
    ) -> list[dict[str, int]]:
        """`target_counts` of every example."""
        del task_output_features
        return [target_counts(example, target_field_name) for example in task_dataset_as_numpy]


def _split(
    targets: Sequence[Mapping[str, int]], scores: Any
) -> tuple[npt.NDArray[np.float64], Mapping[str, Any]]:
    """(float64[examples] log-likelihoods, auxiliary values), checked."""
    auxiliary: Mapping[str, Any] = {}
    if isinstance(scores, tuple):
        scores, auxiliary = scores
    values = np.asarray(scores, np.float64)
    if values.shape != (len(targets),):
        raise ValueError(
            f"scores is {list(values.shape)}, expected [{len(targets)}]: the sum of log p "
            "over the tokens of each example. Sum over tokens, padding masked, in the score_fn."
        )
    if values.size and np.nanmax(values, initial=-np.inf) > _TOLERANCE_NATS:
        place = int(np.nanargmax(values))
        raise ValueError(
            f"example {place} scores {values[place]:g} nats: a log-likelihood is <= 0. "
            "If these are losses, change their sign."
        )
    return values, auxiliary
