"""Feature converters that keep exact byte counts beside the tokens, for bits/byte while training.

SeqIO's converters drop every field that a model does not read. Evaluation does not mind (the
Evaluator keeps the examples as they were), training does: there a mean ratio would have to stand
in for the bytes of the batch at hand. T5X takes the converter from its model:
`FEATURE_CONVERTER_CLS = ...` in a subclass of DecoderOnlyModel, whose loss then finds
`batch["num_bytes"]`, int32[B].
"""

from collections.abc import Mapping
from typing import Any

import seqio
import tensorflow as tf

NUM_BYTES = "num_bytes"


class _CountsBytes(seqio.FeatureConverter):
    """Adds `num_bytes`, int32 (int32[B] in a batch), to a converter's features.

    Without packing only: packed rows would mix the counts of several records. Records are full of
    tokens already (all but the last of each example).
    """

    def __init__(self, pack: bool = False, **kwargs: Any) -> None:
        """As the converter, but `pack` is False by default and must be."""
        if pack:
            raise ValueError(
                "pack=True would join records in one row, and num_bytes is a count per record. "
                "Use pack=False, or seqio.LMFeatureConverter without bits/byte while training."
            )
        super().__init__(pack=False, **kwargs)

    def _convert_features(
        self, ds: tf.data.Dataset, task_feature_lengths: Mapping[str, int]
    ) -> tf.data.Dataset:
        if NUM_BYTES not in ds.element_spec:
            raise ValueError(
                f"the examples have the fields {sorted(ds.element_spec)} but no {NUM_BYTES}. "
                "Use a task of tasks.registration, tasks.text, tasks.baselines or tasks.pairs; of "
                f"a mixture, get_dataset(..., passthrough_features=[{NUM_BYTES!r}])."
            )
        return super()._convert_features(ds, task_feature_lengths)

    def _convert_example(self, features: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        converted = dict(super()._convert_example(features))
        return converted | {NUM_BYTES: tf.cast(features[NUM_BYTES], tf.int32)}

    def get_model_feature_lengths(self, task_feature_lengths: Mapping[str, int]) -> dict[str, int]:
        """Lengths of the model's features; a scalar counts as 1."""
        return {**super().get_model_feature_lengths(task_feature_lengths), NUM_BYTES: 1}


_SPEC = {NUM_BYTES: seqio.FeatureConverter.FeatureSpec(dtype=tf.int32, rank=0)}


class ByteCountingLMFeatureConverter(_CountsBytes, seqio.LMFeatureConverter):
    """`seqio.LMFeatureConverter` that also gives `num_bytes`."""

    MODEL_FEATURES: Mapping[str, Any] = {**seqio.LMFeatureConverter.MODEL_FEATURES, **_SPEC}


class ByteCountingPrefixLMFeatureConverter(_CountsBytes, seqio.PrefixLMFeatureConverter):
    """`seqio.PrefixLMFeatureConverter` (loss on targets only) that also gives `num_bytes`."""

    MODEL_FEATURES: Mapping[str, Any] = {**seqio.PrefixLMFeatureConverter.MODEL_FEATURES, **_SPEC}

    def _concat_and_add_masks(self, features: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
        concatenated = dict(super()._concat_and_add_masks(features))
        return concatenated | {NUM_BYTES: features[NUM_BYTES]}
