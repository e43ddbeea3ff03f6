import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equalinfo.lm.attention import blocked_attention
from equalinfo.lm.config import model_config
from equalinfo.lm.model import Transformer
from equalinfo.lm.train import batch_sums, init_params


def plain(query, key, value, bias, segments):
    """The definition: all logits at once."""
    length = query.shape[1]
    distance = np.arange(length)[:, None] - np.arange(length)[None, :]
    logits = jnp.einsum("blhd,bchd->bhlc", query, key) + bias[:, np.maximum(distance, 0)][None]
    same = segments[:, None, :, None] == segments[:, None, None, :]
    logits = jnp.where((distance >= 0)[None, None] & same, logits, -jnp.inf)
    return jnp.einsum("bhlc,bchd->blhd", jax.nn.softmax(logits, axis=-1), value)


@pytest.mark.parametrize("length", [1, 7, 128, 129, 300])
@pytest.mark.parametrize("packed", [False, True])
def test_blocks_are_attention_and_have_its_gradients(length, packed):
    rng = np.random.default_rng(length)
    batch, heads, dim = 3, 2, 8
    query, key, value, factors = rng.normal(size=(4, batch, length, heads, dim)).astype(np.float32)
    bias = rng.normal(size=(heads, length)).astype(np.float32)
    segments = np.zeros((batch, length), np.int32)
    if packed:  # two to four segments a row, ids that are no order
        segments = np.array([5, 2, 9, 1], np.int32)[
            np.arange(length)[None] * np.arange(2, 5)[:, None] // length
        ]

    def run(attend):
        out, gradient = jax.vjp(
            lambda *x: attend(*x, jnp.asarray(segments)), query, key, value, bias
        )
        return out, *gradient(jnp.asarray(factors))

    for ours, expected in zip(run(blocked_attention), run(plain), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("span", [None, 16, 200])
def test_a_model_with_blocks_is_the_same_model(span):
    config = model_config("tiny", 259, jnp.float32)
    params = init_params(Transformer(config), 0)
    assert jax.tree.structure(init_params(Transformer(config, blocked=True), 0)) == (
        jax.tree.structure(params)
    )
    tokens = np.random.default_rng(0).integers(3, 259, (2, 150)).astype(np.int32)
    plain, blocks = (
        Transformer(config, blocked=blocked).apply({"params": params}, tokens, attention_span=span)
        for blocked in (False, True)
    )
    np.testing.assert_allclose(blocks, plain, atol=2e-4)


def test_a_loss_in_blocks_has_the_same_gradients():
    config = model_config("tiny", 259, jnp.float32)
    params = init_params(Transformer(config), 0)
    rng = np.random.default_rng(0)
    batch = {
        "inputs": rng.integers(0, 259, (2, 150)).astype(np.int32),
        "targets": rng.integers(0, 259, (2, 150)).astype(np.int32),
        "weights": rng.integers(0, 2, (2, 150)).astype(np.float32),
        "segments": np.repeat([[1, 2, 3]], 50, axis=1).repeat(2, axis=0).astype(np.int32),
    }

    def gradients(blocked):
        model = Transformer(config, blocked=blocked)
        return jax.grad(lambda p: batch_sums(model, p, batch, 1e-4)[0])(params)

    for ours, expected in zip(*map(jax.tree.leaves, map(gradients, (True, False))), strict=True):
        scale = float(np.abs(expected).max())
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4 * scale)
