"""Freezing: the integers mean nearly what the floats meant."""

import dataclasses
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason="freezing needs JAX: pip install 'equalinfo[train]'")

from equalinfo import frequencies  # noqa: E402
from equalinfo.alphabet import NUM_SYMBOLS  # noqa: E402
from equalinfo.ids import symbols_to_ids  # noqa: E402
from equalinfo.lm.freeze import freeze  # noqa: E402
from equalinfo.lm.model import Transformer  # noqa: E402
from equalinfo.m1.frozen.cpu import tiles  # noqa: E402
from equalinfo.m1.frozen.cpu.engine import CpuEngine  # noqa: E402
from m1.frozen.models import draw_text, tiny_float, tiny_model  # noqa: E402
from m1.frozen.reading import check_steps, check_texts, read, script  # noqa: E402

TEXT = draw_text("calibration", 16 * 64).reshape(16, 64)


def float_log2(texts: Any) -> Any:
    """log2 of the float model's probabilities, float64[texts, L, 257]."""
    config, params = tiny_float()
    ids = symbols_to_ids(texts.astype(np.uint16))
    inputs = np.pad(ids, ((0, 0), (1, 0)))[:, :-1]
    logits = np.asarray(jax.jit(Transformer(config).apply)({"params": params}, inputs))
    logits = logits.astype(np.float64)[
        ..., symbols_to_ids(np.arange(NUM_SYMBOLS, dtype=np.uint16))
    ] / np.log(2)
    return logits - np.log2(np.sum(np.exp2(logits), axis=-1, keepdims=True))


def test_frozen_logits_are_near_the_float_ones() -> None:
    texts = draw_text("other text", 8 * 64).reshape(8, 64)
    wanted = float_log2(texts)
    rows = np.stack(read(CpuEngine(tiny_model()), list(texts), 65))[:, :-1]
    sizes = frequencies.from_log2(rows, 20).astype(np.float64) / 2**20
    # What a coder with the frozen M1 pays for text that the float one is right about.
    entropy = -np.mean(np.sum(np.exp2(wanted) * wanted, axis=-1))
    excess = np.mean(np.sum(np.exp2(wanted) * (wanted - np.log2(sizes)), axis=-1))
    assert 2 < entropy < 7.5  # bits per byte: the test is of something
    assert 0 < excess < 0.01 * entropy
    # And each logit: 1/8 bit, while the model's own range is several bits.
    found = rows / 1024
    error = (found - found.mean(-1, keepdims=True)) - (wanted - wanted.mean(-1, keepdims=True))
    assert np.sqrt(np.mean(error**2)) < 0.125
    assert np.std(wanted) > 1


@pytest.mark.parametrize("kernel", tiles.able())
def test_the_engine_runs_what_was_frozen(kernel: str) -> None:
    engine = CpuEngine(tiny_model(), kernel, 2)
    check_texts(engine, [draw_text("a", 200), draw_text("b", 5)], 17)
    check_steps(engine, script("tiny", 13, 30), 17)


def test_what_a_frozen_model_notes() -> None:
    model = tiny_model()
    assert model.made_from == {"test": "tiny"}
    assert model.shape.max_context == 64
    assert model.shape.max_distance == tiny_float()[0].relative_max_distance
    config, params = tiny_float()
    assert freeze(config, params, TEXT, max_context=64).sha256 == model.sha256


@pytest.mark.parametrize("activations", [("gelu", "linear"), ("relu",)])
def test_other_activations_are_refused(activations: tuple[str, ...]) -> None:
    config, params = tiny_float()
    other = dataclasses.replace(config, mlp_activations=activations)
    with pytest.raises(ValueError, match=r"mlp_activations=.*only the gated ReLU"):
        freeze(other, params, TEXT, max_context=64)


def test_weights_that_do_not_fit_are_refused() -> None:
    config, params = tiny_float()
    large = jax.tree.map(lambda x: x, params)
    large["decoder"]["logits_dense"]["kernel"] = large["decoder"]["logits_dense"]["kernel"] * 1e6
    with pytest.raises(ValueError, match="too large to be frozen"):
        freeze(config, large, TEXT, max_context=64)
