"""Numbers at their limits do not overflow int32 in the JAX engine; nor without jit."""

import jax
import pytest

from equalinfo.m1.frozen import jax_engine
from equalinfo.m1.frozen.jax_engine import JaxEngine
from m1.frozen.models import EXTREMES, draw_text, extreme_model, random_model, wide_model
from m1.frozen.reading import check_steps, check_texts, script

TEXT = draw_text("a", 15)


@pytest.mark.parametrize("name", EXTREMES)
def test_numbers_at_their_limits(name: str) -> None:
    # Shifts are compiled in: with jit each model would be compiled anew.
    with jax.disable_jit():
        check_texts(JaxEngine(extreme_model(name), "int8"), [TEXT], 16)


@pytest.mark.parametrize("name", ["scores least", "hidden least"])
def test_numbers_at_their_limits_with_jit(name: str) -> None:
    check_texts(JaxEngine(extreme_model(name), "int8"), [TEXT], 16)


def test_sums_at_their_limit() -> None:
    check_texts(JaxEngine(wide_model(), "int8"), [TEXT], 16)


@pytest.mark.slow
def test_jit_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax_engine, "_MULTIPLE", 1)  # one lane: few shapes to compile
    engine = JaxEngine(random_model(), "int8")
    with jax.disable_jit():
        check_texts(engine, [TEXT], 16)
        check_steps(engine, script("no jit", 1, 6), 4)
