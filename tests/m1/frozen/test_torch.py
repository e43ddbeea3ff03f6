"""An implementation in PyTorch that shares no code with ours gives the same integers."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="NOT COMPARED with PyTorch, the second implementation: pip install torch"
)

from equalinfo import frequencies  # noqa: E402
from equalinfo.m1.frozen.cpu.engine import CpuEngine  # noqa: E402
from equalinfo.m1.frozen.file import FrozenM1  # noqa: E402
from m1.frozen.models import (  # noqa: E402
    EXTREMES,
    ODD,
    draw_text,
    extreme_model,
    random_model,
    tiny_model,
    wide_model,
)
from m1.frozen.reading import expected, read  # noqa: E402
from m1.frozen.torch_network import TorchNetwork, fractions  # noqa: E402
from m1.frozen.torch_network import frequencies as torch_frequencies  # noqa: E402


def compare(model: FrozenM1, lanes: int, length: int, context: int) -> None:
    texts = draw_text(f"torch {length}", lanes * length).reshape(lanes, length)
    found = TorchNetwork(model).logits(texts, context)
    wanted = np.stack([expected(model, text, context) for text in texts])
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(found, np.stack(read(CpuEngine(model), list(texts), context)))


@pytest.mark.parametrize("context", [2, 16, 17, 1000])
def test_random_models(context: int) -> None:
    compare(random_model(), 5, 70, context)
    compare(random_model("odd", ODD), 3, 40, context)
    compare(random_model(), 2, 1, context)


@pytest.mark.parametrize("name", EXTREMES)
def test_numbers_at_their_limits(name: str) -> None:
    compare(extreme_model(name), 2, 15, 16)


def test_sums_at_their_limit() -> None:
    compare(wide_model(), 2, 8, 5)


def test_a_model_that_was_frozen_from_floats() -> None:
    pytest.importorskip("jax", reason="freezing needs JAX: pip install 'equalinfo[train]'")
    compare(tiny_model(), 4, 60, 32)


def test_many_contexts() -> None:
    # 5,000: too many for the reference.
    model = random_model()
    texts = draw_text("many", 50 * 100).reshape(50, 100)
    found = TorchNetwork(model).logits(texts, 16)
    np.testing.assert_array_equal(found, np.stack(read(CpuEngine(model), list(texts), 16)))
    for precision in (14, 16):
        shares = torch_frequencies(found, precision)
        np.testing.assert_array_equal(
            shares, frequencies.from_log2(found.astype(np.int16), precision)
        )


def test_tables() -> None:
    assert frequencies.LOG2_WEIGHTS.tolist() == fractions()


def test_golden_vectors(repository: Path) -> None:
    golden = json.loads((repository / "tests" / "golden" / "frozen_m1.json").read_text("utf-8"))
    text = golden["texts"]["words"]
    logits = TorchNetwork(random_model()).logits([text], 16)[0]
    for key, row in golden["rows of small, words, context 16"].items():
        place, precision = int(key.split()[1]), int(key.split()[-1])
        assert torch_frequencies(logits[place], precision).tolist() == row
