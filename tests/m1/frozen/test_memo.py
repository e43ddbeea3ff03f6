"""The memo of beginnings changes no integer, full or not, and is used."""

import numpy as np
import pytest

from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.cpu.memo import MemoEngine
from m1.frozen.models import draw, random_model
from m1.frozen.reading import Script, check_steps


def few_symbols(seed: str, lanes: int, steps: int) -> Script:
    """Lanes that read three symbols and are reset often: most beginnings occur again and again."""
    symbols = draw(seed, steps * lanes, 97, 100).reshape(steps, lanes).astype(np.int32)
    resets = draw(f"{seed} resets", steps * lanes, 0, 7).reshape(steps, lanes) == 0
    return Script(symbols, resets)


@pytest.mark.parametrize("context", [2, 3, 8, 33])
@pytest.mark.parametrize("nodes", [1, 7, 300, 1 << 16])
def test_steps(nodes: int, context: int) -> None:
    engine = MemoEngine(CpuEngine(random_model()), nodes)
    for number in range(2):  # the second time the memo is filled
        check_steps(engine, few_symbols(f"memo {number}", 19, 40), context)
    if nodes > 7 and context > 3:
        assert engine.hits > engine.steps // 4
    if nodes == 1:
        assert engine.hits == 0


def test_a_lane_that_leaves_the_memo_and_a_fresh_one() -> None:
    engine = MemoEngine(CpuEngine(random_model()), 4)
    text = np.array([[97, 97], [98, 98], [99, 120], [99, 121], [97, 97], [98, 98], [99, 99]])
    resets = np.zeros(text.shape, np.bool_)
    resets[[0, 4]] = True
    for _ in range(3):
        check_steps(engine, Script(text.astype(np.int32), resets), 20)
