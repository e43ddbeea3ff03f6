"""The function itself: golden vectors, and the sizes at which it stays exact."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equalinfo import frequencies
from equalinfo.alphabet import EOS
from equalinfo.m1.frozen import reference
from equalinfo.m1.frozen.arithmetic import INT8, MAX_SUM
from equalinfo.m1.frozen.file import FrozenM1, Shape
from equalinfo.m1.frozen.reference import reference_frequencies, reference_logits
from m1.frozen.models import ODD, SMALL, WIDE, Ints, draw_text, random_model, wide_model

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "frozen_m1.json"
MODELS = {"small": SMALL, "odd": ODD, "wide": WIDE}
TEXTS = {
    "empty": [],
    "words": [*b"The quick brown fox, na\xc3\xafve caf\xc3\xa9.", EOS, *b"\xff\x00 The quick", EOS],
    "random": draw_text("golden", 50).tolist(),
}
CASES = [
    (model, text, context, precision)
    for model in MODELS
    for text in TEXTS
    for context in (2, 16, 1000)
    for precision in (14, 16)
    if context == 16 or (text != "empty" and precision == 16)
    if model != "wide" or (text == "words" and context == 16)  # it is slow
]


def model_of(name: str) -> FrozenM1:
    return wide_model() if name == "wide" else random_model(name, MODELS[name])


def golden() -> dict[str, Any]:
    """What the golden file should hold."""
    out: dict[str, Any] = {
        "models": {name: model_of(name).sha256 for name in MODELS},
        "texts": TEXTS,
        "sha256 of uint32[n + 1, 257], little-endian": {},
        "rows of small, words, context 16": {},
    }
    digests = out["sha256 of uint32[n + 1, 257], little-endian"]
    for model, text, context, precision in CASES:
        rows = reference_frequencies(model_of(model), TEXTS[text], context, precision)
        key = f"{model}, {text}, context {context}, precision {precision}"
        digests[key] = hashlib.sha256(rows.astype("<u4").tobytes()).hexdigest()
        if key.startswith("small, words, context 16"):
            for place in (0, 40):
                rows_key = f"after {place} symbols, precision {precision}"
                out["rows of small, words, context 16"][rows_key] = rows[place].tolist()
    return out


def test_golden_vectors() -> None:
    found, wanted = golden(), json.loads(GOLDEN.read_text("utf-8"))
    for part in found:
        assert found[part] == wanted[part], (
            f"{part!r} of the frozen M1 has changed: what was compressed could not be decoded. If "
            "it had to: raise FORMAT_VERSION, say so in CHANGELOG.md, and write test_reference."
            f"golden() to {GOLDEN.name}."
        )
    assert found == wanted


def test_the_random_model_is_no_degenerate_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Ints] = []
    to_int8 = reference._to_int8

    def spy(x: Ints) -> Ints:
        seen.append(x)
        return to_int8(x)

    monkeypatch.setattr(reference, "_to_int8", spy)
    logits = reference_logits(random_model(), draw_text("a", 60), 16)
    assert len(seen) == 2 * 7 + 1
    for x in seen:
        assert np.mean(np.abs(x) > INT8) < 0.05
        assert np.std(x) > 10
    rows = np.stack([reference.reference_share(row, 16) for row in logits]) / 2**16
    assert 1 < -np.mean(np.sum(rows * np.log2(rows), axis=1)) < 6  # bits
    assert len(np.unique(logits, axis=0)) == len(logits)


def test_the_wide_model_reaches_the_largest_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    largest: dict[str, int] = {}
    project = reference._project

    def spy(model: FrozenM1, name: str, x: Ints) -> Ints:
        largest[name] = int(np.abs(x @ model.tensors[name].astype(np.int64)).max())
        return project(model, name, x)

    monkeypatch.setattr(reference, "_project", spy)
    logits = reference_logits(wide_model(), draw_text("a", 5), 16)
    for name in ("0.query", "0.key", "0.value", "0.gate", "0.up", "logits"):
        assert MAX_SUM - INT8 * INT8 <= largest[name] < MAX_SUM
    assert len(np.unique(logits)) > 500  # and nothing is clipped in the end


@pytest.mark.parametrize("context", [2, 5])
def test_a_symbol_sees_its_context_and_no_more(context: int) -> None:
    model = random_model("one layer", dataclasses.replace(SMALL, num_layers=1))
    text = draw_text("a", 20)
    before = reference_logits(model, text, context)
    changed = text.copy()
    changed[10] = (changed[10] + 1) % 257
    differs = np.any(reference_logits(model, changed, context) != before, axis=1)
    # Row i is what follows i symbols: the changed one is the newest in row 11.
    assert np.flatnonzero(differs).tolist() == list(range(11, 11 + context))


def test_frequencies_can_be_coded() -> None:
    rows = reference_frequencies(random_model(), draw_text("a", 10), 16, 14)
    assert rows.shape == (11, 257)
    assert rows.dtype == np.uint32
    frequencies.check(rows, 14)


def test_sums_that_would_not_be_exact_are_refused() -> None:
    limit = (MAX_SUM - 1) // INT8**2
    for name in ("embed_dim", "mlp_dim"):
        shape = dataclasses.replace(SMALL, **{name: limit + 1})
        with pytest.raises(ValueError, match=rf"{name}={limit + 1}: .*exact below 2\^24"):
            FrozenM1(shape, {}, {})
    shape = dataclasses.replace(SMALL, num_heads=33)
    with pytest.raises(ValueError, match=r"num_heads \* head_dim = 1056 is too large"):
        FrozenM1(shape, {}, {})
    assert WIDE.embed_dim == WIDE.mlp_dim == limit


@pytest.mark.parametrize("value", [0, -1, 2.0, True, None, "2"])
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Shape)])
def test_sizes_are_positive_integers(name: str, value: Any) -> None:
    model = random_model()
    with pytest.raises(ValueError, match=f"{name}=.*is not a positive integer"):
        FrozenM1(dataclasses.replace(SMALL, **{name: value}), model.tensors, model.shifts)
