"""The engine on a CPU gives the reference's integers, whatever is set and however texts come."""

import dataclasses

import numpy as np
import pytest

from equalinfo.m1.frozen.cpu import tiles
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from m1.frozen.models import (
    EXTREMES,
    ODD,
    draw,
    draw_text,
    extreme_model,
    random_model,
    wide_model,
)
from m1.frozen.reading import check_steps, check_texts, expected_steps, script

# Around the sizes of the engine's blocks: 4, 6, 16, 64 and 192 symbols.
LENGTHS = [0, 1, 2, 5, 16, 17, 62, 63, 64, 65, 191, 192, 193, 400]
CONTEXTS = [2, 16, 17, 1000]


@pytest.fixture(scope="module", params=tiles.able())
def kernel(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("context", CONTEXTS)
def test_whole_texts(kernel: str, threads: int, context: int) -> None:
    engine = CpuEngine(random_model(), kernel, threads)
    check_texts(engine, [draw_text(f"text {n}", n) for n in LENGTHS], context)
    check_texts(engine, [], context)


def test_a_text_longer_than_a_long_context(kernel: str) -> None:
    check_texts(CpuEngine(random_model(), kernel, 1), [draw_text("long", 1100)], 1000)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("context", CONTEXTS)
def test_steps(kernel: str, threads: int, context: int) -> None:
    engine = CpuEngine(random_model(), kernel, threads)
    for lanes in (1, 7, 64) if threads == 1 else (7, 130):
        check_steps(engine, script(f"steps {lanes}", lanes, 24), context)


def test_a_ring_wraps_many_times(kernel: str) -> None:
    what = script("ring", 1, 150)
    what = what._replace(resets=np.zeros_like(what.resets))
    for context in (3, 31):
        check_steps(CpuEngine(random_model(), kernel, 1), what, context)


@pytest.mark.parametrize("threads", [1, 2])
def test_steps_of_some_lanes(kernel: str, threads: int) -> None:
    engine = CpuEngine(random_model(), kernel, threads)
    lanes, context = 40, 16
    what = script("active", lanes, 60)
    wanted = expected_steps(engine.model, what, context)
    state = engine.start(lanes, context)
    place = np.zeros(lanes, np.int64)
    # Lanes advance at different times; none, one, some or all of them, in any order.
    for turn in range(90):
        order = np.argsort(draw(f"order {turn}", lanes, 0, 1 << 30))
        active = order[: [0, 1, 25, lanes][turn % 4]]
        active = active[place[active] < len(wanted)]
        # Where a lane is not active, its symbol and reset mean nothing.
        symbols, resets = np.full(lanes, 256, np.int32), np.ones(lanes, np.bool_)
        symbols[active] = what.symbols[place[active], active]
        resets[active] = what.resets[place[active], active]
        found = engine.step(state, symbols, resets, active)
        assert found.shape == (len(active), 257)
        np.testing.assert_array_equal(found, wanted[place[active], active], f"turn {turn}")
        place[active] += 1
    assert place.min() > 20


@pytest.mark.parametrize("name", EXTREMES)
def test_numbers_at_their_limits(kernel: str, name: str) -> None:
    engine = CpuEngine(extreme_model(name), kernel, 1)
    check_texts(engine, [draw_text("a", 24)], 16)
    check_steps(engine, script("extreme", 7, 20), 16)


def test_sums_at_their_limit(kernel: str) -> None:
    engine = CpuEngine(wide_model(), kernel, 1)
    check_texts(engine, [draw_text("a", 24)], 16)
    check_steps(engine, script("wide", 2, 12), 5)


def test_widths_that_fill_no_tile(kernel: str) -> None:
    engine = CpuEngine(random_model("odd", ODD), kernel, 1)
    check_texts(engine, [draw_text("a", 70)], 17)
    check_steps(engine, script("odd", 7, 40), 17)


def test_what_the_engine_cannot_run_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"kernel='neon' is no kernel.*this CPU can run .*portable"
    ):
        CpuEngine(random_model(), "neon")
    shape = dataclasses.replace(ODD, head_dim=16)
    with pytest.raises(
        ValueError, match=r"head_dim=16 must be a multiple of 32 .*Use the JAX engine"
    ):
        CpuEngine(random_model("small heads", shape))
