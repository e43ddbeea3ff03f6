"""The JAX engine gives the reference's integers, for whole texts and by steps."""

import functools

import pytest

from equalinfo.m1.frozen import jax_engine
from equalinfo.m1.frozen.jax_engine import JaxEngine
from m1.frozen.models import draw_text, random_model
from m1.frozen.reading import check_steps, check_texts, script

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


# Lanes are padded to a multiple of 64, so 1, 7 and 64 share what is compiled.
@pytest.mark.parametrize(("context", "lanes"), [(2, (130,)), (16, (1, 7, 64)), (1000, (7,))])
def test_steps(context: int, lanes: tuple[int, ...]) -> None:
    for number in lanes:
        check_steps(engine(), script(f"steps {number}", number, 24), context)


def test_unknown_products_are_refused() -> None:
    with pytest.raises(ValueError, match="products='float16' is not one of int8, float32"):
        JaxEngine(random_model(), "float16")
