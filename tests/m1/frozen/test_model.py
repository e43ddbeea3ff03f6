"""Frequencies of a frozen M1: root, steps and whole texts agree, and a wrong engine is found."""

import dataclasses
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from equalinfo import frequencies
from equalinfo.alphabet import EOS, join
from equalinfo.m1.frozen import model as model_module
from equalinfo.m1.frozen.cpu import tiles
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.file import FrozenM1
from equalinfo.m1.frozen.model import FrozenModel
from equalinfo.m1.frozen.reference import reference_frequencies
from equalinfo.m1.frozen.self_test import self_test
from m1.frozen.models import SMALL, draw_text, random_model

TEXTS = [
    join([b"The quick brown fox.", "naïve\x00\xff".encode("latin-1")]),
    np.array([], np.uint16),
    np.array([EOS], np.uint16),
    draw_text("a", 30).astype(np.uint16),
]


@pytest.mark.parametrize(
    ("backend", "precision", "contexts"),
    [("cpu", 16, (2, 5, 64)), ("cpu", 9, (5,)), ("jax", 16, (16,))],
)
def test_root_steps_and_intervals_agree(
    backend: str, precision: int, contexts: Sequence[int]
) -> None:
    texts = TEXTS
    if backend == "jax":
        pytest.importorskip("jax", reason="needs JAX: pip install 'equalinfo[train]'")
        texts = TEXTS[:2]  # sizes for which the self-test has compiled the network
    model = FrozenModel(random_model(), precision, backend)
    for context in contexts:
        intervals = model.intervals(texts, context)
        for text, (starts, sizes) in zip(texts, intervals, strict=True):
            wanted = reference_frequencies(model.frozen, text, context, precision)
            state, rows = model.start(2, context), [model.root()]
            for symbol in text:
                both = model.step(state, np.array([symbol, 65], np.int32), np.zeros(2, np.bool_))
                frequencies.check(both, precision)
                rows.append(both[0])
            np.testing.assert_array_equal(np.stack(rows), wanted)
            assert starts.dtype == sizes.dtype == np.uint32
            below = frequencies.cumulative(wanted)
            where = np.arange(len(text)), text.astype(np.int64)
            np.testing.assert_array_equal(starts, below[where])
            np.testing.assert_array_equal(sizes, wanted[where])


def test_lanes_are_emptied() -> None:
    model = FrozenModel(random_model(), backend="cpu")
    state = model.start(2, 8)
    symbols, keep = np.array([65, 66], np.int32), np.array([False, True])
    first = model.step(state, symbols, np.zeros(2, np.bool_))
    second = model.step(state, symbols, keep)
    np.testing.assert_array_equal(second[1], first[1])
    assert np.any(second[0] != first[0])


def test_progress_counts_every_symbol() -> None:
    seen: list[int] = []
    FrozenModel(random_model(), backend="cpu").intervals(TEXTS, 8, seen.append)
    assert sum(seen) == sum(len(text) for text in TEXTS)


def test_what_identifies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [
        FrozenModel(random_model(), 16, "cpu"),
        FrozenModel(random_model(), 14, "cpu"),
        FrozenModel(random_model("other"), 16, "cpu"),
    ]
    assert len({model.sha256 for model in models}) == 3
    assert models[0].sha256 == FrozenModel(random_model(), 16).sha256
    assert [model.precision for model in models] == [16, 14, 16]
    assert models[0].max_context == 64
    monkeypatch.setenv("EQUALINFO_BACKEND", "jax")
    asked: Any = FrozenModel(random_model()).engine
    assert asked.name.startswith("jax")


@pytest.mark.parametrize(
    ("able", "accelerator", "kernel", "head_dim", "expected"),
    [
        (["avx2", "portable"], True, "", 32, "cpu"),
        (["portable"], False, "", 32, "cpu"),
        (["portable"], True, "", 32, "jax"),
        (["portable"], True, "portable", 32, "cpu"),
        (["avx2", "portable"], False, "", 16, "jax"),
    ],
)
def test_jax_runs_where_it_finds_an_accelerator_or_no_tile_fits(
    able: list[str], accelerator: bool, kernel: str, head_dim: int, expected: str,
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    pytest.importorskip("jax", reason="needs JAX: pip install 'equalinfo[train]'")
    monkeypatch.setattr(tiles, "able", lambda: able)
    monkeypatch.setattr(model_module, "_accelerator", lambda: accelerator)
    monkeypatch.setenv("EQUALINFO_KERNEL", kernel)
    frozen = random_model("heads", dataclasses.replace(SMALL, head_dim=head_dim))
    assert model_module._default_backend(frozen) == expected
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert bool(warned) == (head_dim == 16)
    assert all("head_dim=16 must be a multiple of 32 on a CPU" in text for text in warned)


def test_jax_is_asked_only_where_it_may_find_an_accelerator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine: Any = pytest.importorskip(
        "equalinfo.m1.frozen.jax_engine", reason="needs JAX: pip install 'equalinfo[train]'"
    )
    found = importlib.util.find_spec
    for plugins, platform, expected in (
        (None, "gpu", False),
        ("x", "gpu", True),
        ("x", "cpu", False),
    ):
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, x=plugins: x if name in ("jax_plugins", "libtpu") else found(name),
        )
        monkeypatch.setattr(engine, "platform", lambda x=platform: x)
        assert model_module._accelerator() is expected


def test_load_and_save(tmp_path: Any) -> None:
    model = FrozenModel(random_model(), 14, "cpu")
    model.save(tmp_path / "m1.eqm")
    loaded = FrozenModel.load(tmp_path / "m1.eqm", 14, "cpu")
    assert loaded.sha256 == model.sha256
    np.testing.assert_array_equal(loaded.root(), model.root())
    assert FrozenM1.load(tmp_path / "m1.eqm").sha256 == model.frozen.sha256


class WrongEngine:
    """A CPU engine that adds 1 to one logit, at the right length of text."""

    def __init__(self, model: FrozenM1, mode: str, place: int, lane: int, symbol: int) -> None:
        self.inner = CpuEngine(model)
        self.mode, self.place, self.lane, self.symbol = mode, place, lane, symbol
        self.steps = 0

    def start(self, lanes: int, context: int) -> Any:
        return self.inner.start(lanes, context)

    def step(self, state: Any, symbols: Any, reset: Any) -> npt.NDArray[np.int16]:
        out = self.inner.step(state, symbols, reset)
        self.steps += 1
        if self.mode == "steps" and self.steps == self.place:
            out[self.lane, self.symbol] += 1
        return out

    def sequences(self, texts: Any, context: int, take: Any) -> None:
        def wrong(text: int, place: int, logits: npt.NDArray[np.int16]) -> None:
            if self.mode == "texts" and place <= self.place < place + len(logits):
                logits = logits.copy()
                logits[self.place - place, self.symbol] += 1
            take(text, place, logits)

        self.inner.sequences(texts, context, wrong)


@pytest.mark.parametrize(
    ("mode", "place", "lane", "symbol", "what"),
    [
        ("texts", 0, 0, 0, "reading a whole text, after 0 symbols of the self-test, symbol 0"),
        (
            "texts",
            20,
            0,
            256,
            "reading a whole text, after 20 symbols of the self-test, symbol 256",
        ),
        ("steps", 1, 0, 97, "reading by steps, after 1 symbols of the self-test, symbol 97"),
        ("steps", 20, 2, 256, "reading by steps, after 20 symbols of the self-test, symbol 256"),
    ],
)
def test_one_wrong_integer_is_found(
    mode: str, place: int, lane: int, symbol: int, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = WrongEngine(random_model(), mode, place, lane, symbol)
    with pytest.raises(RuntimeError, match=rf"{what}: -?\d+ for -?\d+\..*Use another backend"):
        self_test(random_model(), wrong)
    wrong.steps = 0
    monkeypatch.setattr(model_module, "make_engine", lambda *_: wrong)
    with pytest.raises(RuntimeError, match=what):
        FrozenModel(random_model())


def test_a_wrapped_engine_that_is_right_passes() -> None:
    self_test(random_model(), WrongEngine(random_model(), "neither", 0, 0, 0))


def test_refusals() -> None:
    model = FrozenModel(random_model(), backend="cpu")
    for context in (1, 0, -1):
        with pytest.raises(ValueError, match=rf"context={context} is not in 2..133,144"):
            model.start(1, context)
        with pytest.raises(ValueError, match=rf"context={context} is not in 2"):
            model.intervals(TEXTS, context)
    with pytest.raises(ValueError, match="lanes=0 must be at least 1"):
        model.start(0, 16)
    with pytest.raises(ValueError, match=r"backend='tpu' .* is not one of cpu, jax"):
        FrozenModel(random_model(), backend="tpu")
    with pytest.raises(ValueError, match="precision=8"):
        FrozenModel(random_model(), 8)
