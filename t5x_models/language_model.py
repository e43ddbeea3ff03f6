"""T5X's decoder-only model, with the metrics of this project [paper 3.8, 6.2].

Letters in shapes: B batch, L length, V vocabulary, P positions in a window.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import clu.metrics
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import seqio
from t5x import decoding, losses, models

from equalinfo.ids import EOS_ID, ID_OFFSET
from equalinfo.lm.model import Transformer
from t5x_models.byte_metrics import PerByte
from tasks.features import NUM_BYTES, ByteCountingLMFeatureConverter
from tasks.metrics import CORRECT_TOKENS

Batch = Mapping[str, jax.Array]
_MEAN = "NUM_REAL_TARGET_TOKENS"  # T5X's name of the mean over tokens


class LanguageModel(models.DecoderOnlyModel):
    """`DecoderOnlyModel` that also reports bits/byte, FLOPs/byte and accuracy by position.

    In training and evaluation, beside T5X's metrics:

      bits_per_byte: sum of nats / ln 2 / sum of bytes, z-loss and padding left out.
      bytes_per_token: of the tokens that are not padding.
      flops_per_byte: 2 * parameters for every token, and M1's for every byte [paper 3.8].
      accuracy/window_position_1 ..: where windows have several tokens [paper 6.2].
    """

    FEATURE_CONVERTER_CLS = ByteCountingLMFeatureConverter

    def __init__(
        self,
        module: Transformer,
        vocabulary: seqio.Vocabulary,
        optimizer_def: Any,
        decode_fn: Callable[..., Any] = decoding.temperature_sample,
        feature_converter_cls: Callable[..., seqio.FeatureConverter] | None = None,
        z_loss: float = 0.0,
        loss_normalizing_factor: float | str | None = None,
        tokens_per_window: int | None = None,
        m1_parameters: int = 0,
        ends_with_eos: bool = True,
        sampling_seed: int = 0,
    ) -> None:
        """Make the model.

        Args:
          module: the network.
          vocabulary: of the task, which T5X compares.
          optimizer_def: T5X's optimizer.
          decode_fn: how `t5x.infer` samples.
          feature_converter_cls: default: `ByteCountingLMFeatureConverter`; with another one, whose
            batches have no `num_bytes`, there is no figure per byte.
          z_loss: weight of log(Z)^2.
          loss_normalizing_factor: divides the sum over tokens; None: the sum, T5X's default;
            "NUM_REAL_TARGET_TOKENS": the mean, as in `equalinfo train`. Adafactor divides by the
            size of past gradients: the two differ as far as batches differ in padding.
          tokens_per_window: P; None or 1: no accuracy by position.
          m1_parameters: of the M1 that runs on every byte, 0 where none does.
          ends_with_eos: the id 1 is sampled, too, and ends a text. False where windows hold the end
            of a document as a symbol, and the model has never seen the id.
          sampling_seed: of `t5x.infer`, which has none of its own.
        """
        known = module.config.vocab_size
        if known < vocabulary.vocab_size:
            raise ValueError(
                f"the network knows {known} ids, but the task's vocabulary has "
                f"{vocabulary.vocab_size}: ModelConfig.vocab_size must be at least that, rounded "
                "up to a multiple of 128."
            )
        if isinstance(loss_normalizing_factor, str) and loss_normalizing_factor != _MEAN:
            raise ValueError(
                f"loss_normalizing_factor={loss_normalizing_factor!r} does not weigh all tokens "
                f"alike, as bits/byte must. Use None, a number or {_MEAN!r}."
            )
        super().__init__(
            module,
            vocabulary,
            optimizer_def,
            decode_fn=decode_fn,
            feature_converter_cls=feature_converter_cls,
            z_loss=z_loss,
            loss_normalizing_factor=loss_normalizing_factor,
        )
        self._tokens_per_window = tokens_per_window or 1
        self._m1_parameters = m1_parameters
        self._sampling_seed = sampling_seed
        self._sampled = np.zeros(known, np.bool_)  # neither pad, unk nor what only pads the network
        self._sampled[ID_OFFSET : vocabulary.vocab_size] = True
        self._sampled[EOS_ID] = ends_with_eos

    def get_initial_variables(
        self,
        rng: jax.Array,
        input_shapes: Mapping[str, Any],
        input_types: Mapping[str, Any] | None = None,
    ) -> Any:
        """Initial variables; `t5x.eval` and `t5x.infer` name no types, and ids are no floats."""
        types = dict.fromkeys(input_shapes, jnp.int32) | dict(input_types or {})
        return super().get_initial_variables(rng, input_shapes, types)

    def loss_fn(
        self, params: Any, batch: Batch, dropout_rng: jax.Array | None
    ) -> tuple[jax.Array, dict[str, clu.metrics.Metric]]:
        """Loss to minimise, and metrics; see T5X's `BaseModel.loss_fn`."""
        logits = self._compute_logits(params, batch, dropout_rng)
        targets, weights = batch["decoder_target_tokens"], batch["decoder_loss_weights"]
        num_tokens = jnp.maximum(jnp.sum(weights), 1.0)
        factor = self._loss_normalizing_factor
        divisor: Any = num_tokens if factor == _MEAN else 1.0 if factor is None else factor
        loss, z_loss, _ = losses.compute_weighted_cross_entropy(
            logits,
            targets=targets,
            weights=weights,
            z_loss=self._z_loss,
            loss_normalizing_factor=divisor,
        )
        metrics: dict[str, Any] = self._compute_metrics(
            logits=logits,
            targets=targets,
            mask=weights,
            loss=loss,
            z_loss=z_loss,
            segment_ids={"decoder_target_tokens": targets != 0},
        )
        if NUM_BYTES in batch:
            nats = (loss - z_loss) * divisor
            tokens_read = jnp.sum(targets != 0)  # inputs without loss, too
            metrics |= self._per_byte(nats, num_tokens, tokens_read, batch[NUM_BYTES])
        if self._tokens_per_window > 1:
            correct = (jnp.argmax(logits, axis=-1) == targets) * weights
            metrics |= accuracy_by_position(correct, weights, self._tokens_per_window)
        return loss, metrics

    def _per_byte(
        self, nats: jax.Array, num_tokens: jax.Array, tokens_read: jax.Array, num_bytes: jax.Array
    ) -> dict[str, clu.metrics.Metric]:
        total_bytes = jnp.sum(num_bytes)
        parameters = self.module.config.num_parameters
        flops = 2.0 * parameters * tokens_read + 2.0 * self._m1_parameters * total_bytes
        return {
            "bits_per_byte": PerByte.from_sums(nats / math.log(2), num_bytes),
            "flops_per_byte": PerByte.from_sums(flops, num_bytes),
            "bytes_per_token": clu.metrics.Average(
                total=total_bytes.astype(jnp.float32), count=num_tokens
            ),
        }

    def score_batch(self, params: Any, batch: Batch, return_intermediates: bool = False) -> Any:
        """Log-likelihood of each row, and how many of its tokens were the likeliest.

        Returns:
          (float32[B] nats, {"correct_tokens": int32[B]}), padding in neither, as
          `tasks.metrics.LanguageModelScores` takes it. With `return_intermediates` as in T5X.
        """
        if return_intermediates:
            return super().score_batch(params, batch, return_intermediates=True)
        logits: Any = self._compute_logits(params, batch)
        targets, weights = batch["decoder_target_tokens"], batch["decoder_loss_weights"]
        of_target = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        log_likelihood = of_target - nn.logsumexp(logits, axis=-1)
        correct = (jnp.argmax(logits, axis=-1) == targets) & (weights > 0)
        return (
            jnp.sum(log_likelihood * weights, axis=-1),
            {CORRECT_TOKENS: jnp.sum(correct, axis=-1, dtype=jnp.int32)},
        )

    def predict_batch_with_aux(
        self, params: Any, batch: Batch, rng: jax.Array | None = None, **options: Any
    ) -> Any:
        """T5X's own, and with other seeds other samples; see `DecoderOnlyModel`."""
        if rng is not None:
            rng = jax.random.fold_in(rng, self._sampling_seed)
        return super().predict_batch_with_aux(params, batch, rng, **options)

    def _compute_logits_from_slice(
        self, decoding_state: decoding.DecodingState, params: Any, max_decode_length: int
    ) -> tuple[jax.Array, Mapping[str, jax.Array]]:
        """Of the next token, float32[B, V]: ids without meaning get T5X's smallest logit."""
        logits, cache = super()._compute_logits_from_slice(
            decoding_state, params, max_decode_length
        )
        return jnp.where(self._sampled, logits, decoding.NEG_INF_VALUE), cache

    def _compute_kv_cache(
        self, params: Any, inputs: jax.Array, causal_attention_mask: jax.Array
    ) -> tuple[Any, jax.Array]:
        """The cache after the prompts, read token by token: the network reads no prefix at once.

        Args:
          params: of the network.
          inputs: int32[B, L], 0, the prompt, zeros.
          causal_attention_mask: not used, as the network is causal.

        Returns:
          (cache of L slots, int32[B] tokens of each prompt: the place of its last token, which is
          not in the cache yet).
        """
        del causal_attention_mask
        lengths = jnp.sum(inputs[:, 1:] != 0, axis=-1)

        def read(variables: Any, tokens: jax.Array) -> Any:
            _, changed = self.module.apply(
                {"params": params, **variables}, tokens, decode=True, mutable=["cache"]
            )
            return changed["cache"]

        def read_token(place: jax.Array, cache: Any) -> Any:
            return read({"cache": cache}, jax.lax.dynamic_slice_in_dim(inputs, place, 1, axis=1))

        empty = read({}, jnp.ones_like(inputs))
        cache = jax.lax.fori_loop(0, jnp.max(lengths), read_token, empty)
        # Shorter prompts have read zeros behind their end: the slots are written again before
        # anything sees them, if places are counted from the end of the prompt.
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: lengths if path[-1].key == "cache_index" else leaf, cache
        ), lengths


def accuracy_by_position(
    correct: jax.Array, weights: jax.Array, tokens_per_window: int
) -> dict[str, clu.metrics.Metric]:
    """Accuracy at each place of a window [paper 6.2].

    Records are cut every L tokens, so that token i of a row stands at place i modulo P if P
    divides L. If it does not, nothing is returned.

    Args:
      correct: float32[B, L], 1 where the prediction is right, 0 on padding.
      weights: float32[B, L], 0 on padding.
      tokens_per_window: P.
    """
    batch, length = correct.shape
    if length % tokens_per_window:
        return {}
    by_place = (batch, length // tokens_per_window, tokens_per_window)
    totals = jnp.sum(correct.reshape(by_place), axis=(0, 1))
    counts = jnp.sum(weights.reshape(by_place), axis=(0, 1))
    return {
        f"accuracy/window_position_{place + 1}": clu.metrics.Average(
            total=totals[place], count=counts[place]
        )
        for place in range(tokens_per_window)
    }
