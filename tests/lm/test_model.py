import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equalinfo.lm.config import micro_batches, model_config, padded_vocab_size
from equalinfo.lm.model import Transformer, relative_bucket
from equalinfo.lm.train import init_params

CONFIG = model_config("tiny", 259, jnp.float32)


@pytest.fixture(scope="module")
def params():
    return init_params(Transformer(CONFIG), 0)


def tokens(batch: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(3, 259, (batch, length)).astype(np.int32)


def stepwise(params, inputs: np.ndarray, slots: int) -> np.ndarray:
    """Logits [B, L, V] of one token at a time, over a ring of `slots`."""
    model = Transformer(CONFIG)
    batch, length = inputs.shape
    _, variables = model.apply(
        {"params": params}, jnp.zeros((batch, slots), jnp.int32), decode=True, mutable=["cache"]
    )
    cache = variables["cache"]
    step = jax.jit(
        lambda cache, ids: model.apply(
            {"params": params, "cache": cache}, ids, decode=True, mutable=["cache"]
        )
    )
    out = []
    for i in range(length):
        logits, variables = step(cache, inputs[:, i : i + 1])
        cache = variables["cache"]
        out.append(np.asarray(logits[:, 0]))
    return np.stack(out, axis=1)


def test_sizes_have_the_paper_s_parameter_counts():
    # [paper Table 4]: a size is named after its parameters without embeddings.
    millions = {
        size: model_config(size, 259).num_parameters / 1e6 for size in ("3m", "25m", "113m", "403m")
    }
    assert {size: round(count) for size, count in millions.items()} == {
        "3m": 3,
        "25m": 25,
        "113m": 113,
        "403m": 403,
    }


def test_num_parameters_counts_what_the_module_has(params):
    flat = sum(x.size for x in jax.tree.leaves(params))
    embeddings = 2 * CONFIG.vocab_size * CONFIG.embed_dim
    assert flat - embeddings == CONFIG.num_parameters


def test_vocabulary_is_padded_to_128():
    assert padded_vocab_size(259) == 384
    assert padded_vocab_size(65_539) == 65_664
    assert padded_vocab_size(128) == 128


@pytest.mark.parametrize(
    ("batch_size", "length", "vocab_size", "expected"),
    # 0.5 GB on a CPU: 3 rows of 512 tokens and 65,664 logits, so 2 of a power of two.
    [(16, 512, 259, 1), (8, 512, 65_539, 4), (256, 512, 65_539, 128), (1, 10_240, 65_539, 1)],
)
def test_logits_of_a_micro_batch_fit_memory(batch_size, length, vocab_size, expected, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert micro_batches(batch_size, length, vocab_size) == expected


def test_unknown_size_names_the_known_ones():
    with pytest.raises(ValueError, match=r"size='4m'.*3m, 25m"):
        model_config("4m", 259)


def test_steps_agree_with_the_whole_sequence(params):
    inputs = tokens(3, 40)
    whole = Transformer(CONFIG).apply({"params": params}, inputs)
    np.testing.assert_allclose(stepwise(params, inputs, 40), whole, atol=2e-4)


def test_a_ring_of_slots_sees_what_an_attention_span_sees(params):
    inputs = tokens(2, 50)
    span = Transformer(CONFIG).apply({"params": params}, inputs, attention_span=16)
    np.testing.assert_allclose(stepwise(params, inputs, 16), span, atol=2e-4)
    whole = Transformer(CONFIG).apply({"params": params}, inputs)
    assert np.abs(np.asarray(whole - span))[:, 20:].max() > 1e-3  # the span does cut something off


def test_no_token_sees_the_future(params):
    one, two = tokens(1, 32, 1), tokens(1, 32, 1)
    two[:, 20:] = tokens(1, 12, 2)
    model = Transformer(CONFIG)
    a, b = (np.asarray(model.apply({"params": params}, x)) for x in (one, two))
    np.testing.assert_array_equal(a[:, :20], b[:, :20])
    assert np.any(a[:, 20:] != b[:, 20:])


def test_segments_do_not_see_each_other(params):
    inputs = tokens(1, 24)
    segments = np.array([[1] * 10 + [2] * 14])
    model = Transformer(CONFIG)
    packed = model.apply({"params": params}, inputs, decoder_segment_ids=segments)
    alone = model.apply({"params": params}, inputs[:, 10:])
    np.testing.assert_allclose(packed[:, 10:], alone, atol=1e-4)


def test_layers_have_their_own_relative_biases(params):
    biases = [
        np.asarray(
            params["decoder"][f"layers_{i}"]["self_attention"]["relpos_bias"]["rel_embedding"]
        )
        for i in range(CONFIG.num_layers)
    ]
    assert biases[0].shape == (CONFIG.num_heads, 32)
    assert np.any(biases[0] != biases[1])


def test_relative_buckets_are_those_of_t5():
    distances = np.array([-3, 0, 1, 15, 16, 17, 20, 64, 127, 128, 10_000])
    # 16 exact buckets, then logarithmic ones up to distance 128 (T5, causal).
    expected = [0, 0, 1, 15, 16, 16, 17, 26, 31, 31, 31]
    assert relative_bucket(distances, 32, 128).tolist() == expected


def test_every_parameter_has_logical_axes():
    variables = Transformer(CONFIG).init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32))
    shapes = {path: x.ndim for path, x in jax.tree_util.tree_leaves_with_path(variables["params"])}
    axes = jax.tree.leaves(variables["params_axes"], is_leaf=lambda x: hasattr(x, "names"))
    assert len(axes) == len(shapes)
    assert {name for axis in axes for name in axis.names} == {
        "embed",
        "heads",
        "joined_kv",
        "mlp",
        "relpos_buckets",
        "vocab",
    }


def test_what_is_not_supported_is_refused(params):
    with pytest.raises(ValueError, match="causal throughout"):
        Transformer(CONFIG).apply({"params": params}, tokens(1, 8), prefill=True)


def test_bfloat16_computes_in_bfloat16_and_gives_float32(params):
    config = dataclasses.replace(CONFIG, dtype=jnp.bfloat16)
    logits = Transformer(config).apply({"params": params}, tokens(1, 8))
    assert logits.dtype == jnp.float32
    exact = Transformer(CONFIG).apply({"params": params}, tokens(1, 8))
    difference = np.abs(np.asarray(logits - exact))
    assert 0 < difference.max() < 0.3
