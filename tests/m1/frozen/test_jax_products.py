"""Products of int8, float32 and bfloat16 give the same integers: none is ever rounded."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from equalinfo.m1.frozen import jax_network
from equalinfo.m1.frozen.arithmetic import INT8, MAX_SUM
from equalinfo.m1.frozen.jax_engine import JaxEngine
from m1.frozen.models import draw, draw_text, random_model, wide_model
from m1.frozen.reading import check_steps, check_texts, script

FLOATS = ["float32", "bfloat16"]


@functools.cache
def engine(products: str) -> JaxEngine:
    return JaxEngine(random_model(), products)


@pytest.mark.parametrize("products", FLOATS)
def test_whole_texts(products: str) -> None:
    texts = [draw_text(f"text {n}", n) for n in (0, 1, 16, 31, 32, 80)]
    check_texts(engine(products), texts, 17)


@pytest.mark.parametrize("products", ["float32", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_steps(products: str) -> None:
    for lanes in (1, 7, 64):
        check_steps(engine(products), script(f"steps {lanes}", lanes, 24), 17)


@pytest.mark.parametrize("products", FLOATS)
def test_sums_at_their_limit(products: str) -> None:
    check_texts(JaxEngine(wide_model(), products), [draw_text("a", 15)], 16)


@pytest.mark.parametrize("products", jax_network.PRODUCTS)
@pytest.mark.parametrize("signs", ["equal", "random"])
def test_attention_over_more_symbols_than_a_float_can_add(products: str, signs: str) -> None:
    # 127 * 127 * 2,500 is above 2^24: floats must add it in parts.
    slots = 2500
    assert slots * INT8 * INT8 > 2 * MAX_SUM
    low = INT8 if signs == "equal" else -INT8
    weights = draw("weights", 3 * slots, max(0, low), INT8).reshape(1, 1, 3, slots)
    values = draw("values", slots * 32, low, INT8).reshape(1, 1, slots, 32)
    net = jax_network.network(random_model(), products)
    found = jax_network._batched(
        net, jnp.asarray(weights, jnp.int8), jnp.asarray(values, jnp.int8), keys_last=False
    )
    np.testing.assert_array_equal(found, weights @ values)
