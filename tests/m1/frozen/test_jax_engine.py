"""The JAX engine gives the reference's integers, for whole texts and by steps."""

import functools

import jax
import numpy as np
import pytest

from equalinfo.m1.frozen import jax_engine, jax_network
from equalinfo.m1.frozen.file import START
from equalinfo.m1.frozen.jax_engine import JaxEngine
from m1.frozen.models import draw_text, random_model
from m1.frozen.reading import check_steps, check_texts, expected, script

# Nearly all time goes into compiling, anew for each context, number of lanes and size of cache.


@functools.cache
def engine() -> JaxEngine:
    """One for all tests of this file: it compiles its steps for itself."""
    return JaxEngine(random_model(), "int8")


@pytest.mark.parametrize("context", [2, 17, 1000])
def test_whole_texts(context: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two chunks, the second with a cache, for texts that are short.
    monkeypatch.setattr(jax_engine, "_CHUNK", 64)
    texts = [draw_text(f"text {n}", n) for n in (0, 1, 2, 16, 62, 63, 64, 65, 120)]
    check_texts(engine(), texts, context)
    check_texts(engine(), [], context)


def test_groups_of_texts_with_and_without_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_engine, "_ROWS", 1024)  # four texts of up to 256
    # With the start marker, four fill their group; three do not, and are of several lengths.
    texts = [draw_text(f"group {i}", n) for i, n in enumerate((15, 9, 15, 15, 3, 15, 14))]
    check_texts(engine(), texts, 16)


def test_slots_that_hold_no_symbol_yet_are_not_seen() -> None:
    # The engine's caches grow; one that has its last size from the start gives the same.
    model, context, texts = random_model(), 17, draw_text("slots", 3 * 31).reshape(3, 31)
    net, params = jax_network.network(model, "int8"), jax_network.parameters(model, "int8")
    symbols = np.pad(texts, ((0, 0), (1, 0)), constant_values=START).astype(np.int32)
    cache = jax_network.empty_cache(model.shape, 3, context - 1)
    # Whatever was there before must not matter.
    cache = jax.tree.map(lambda x: x + 77, cache)
    read = jax.jit(functools.partial(jax_network.read_sequence, net, context))
    for place in range(0, 32, 8):
        cache, logits = read(params, cache, np.int32(place), symbols[:, place : place + 8])
        wanted = [expected(model, text, context)[place : place + 8] for text in texts]
        np.testing.assert_array_equal(logits, np.stack(wanted))


# Lanes are padded to a multiple of 64, so 1, 7 and 64 share what is compiled.
@pytest.mark.parametrize(("context", "lanes"), [(2, (130,)), (16, (1, 7, 64)), (1000, (7,))])
def test_steps(context: int, lanes: tuple[int, ...]) -> None:
    for number in lanes:
        check_steps(engine(), script(f"steps {number}", number, 24), context)


def test_unknown_products_are_refused() -> None:
    with pytest.raises(ValueError, match="products='float16' is not one of int8, float32"):
        JaxEngine(random_model(), "float16")
