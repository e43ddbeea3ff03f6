"""Counts: engines give the reference's integers, in windows and texts, with and without network."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from equalinfo.m1.frozen import file as files
from equalinfo.m1.frozen.arithmetic import LOGIT_LIMIT
from equalinfo.m1.frozen.counts.beside import beside_network
from equalinfo.m1.frozen.counts.engine import CountsEngine
from equalinfo.m1.frozen.counts.reference import reference_counts
from equalinfo.m1.frozen.counts.tables import TEXT_CONTEXT, FrozenCounts
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.model import FrozenModel
from equalinfo.m1.frozen.reference import reference
from tests.m1.frozen.counts_models import TEXT, random_counts
from tests.m1.frozen.models import draw_text, random_model

PLAIN = np.frombuffer(TEXT * 3, np.uint8).astype(np.int64)
TEXTS = [
    PLAIN,
    np.concatenate([draw_text("x", 40), PLAIN[:60], [256], PLAIN[10:40], draw_text("y", 20)]),
    np.array([116]),
    np.tile([97, 98], 60),  # a count reaches its limit
]


def whole(engine: CountsEngine, texts: list[Any], context: int) -> list[Any]:
    """What `sequences` gives."""
    rows: list[Any] = [[] for _ in texts]
    engine.sequences(texts, context, lambda text, place, x: rows[text].append(x.copy()))
    return [np.concatenate(x) for x in rows]


def stepped(engine: CountsEngine, texts: list[Any], context: int) -> list[Any]:
    """What steps give, after texts that were there before; without the row of the empty text."""
    rows: list[Any] = [[] for _ in texts]
    state = engine.start(len(texts), context)
    for begin in (True, False):
        for symbol in (116, 104, 101):
            engine.step(state, np.full(len(texts), symbol, np.int32), np.full(len(texts), begin))
            begin = False
    for place in range(max(map(len, texts))):
        symbols = np.array([x[place] if place < len(x) else 32 for x in texts], np.int32)
        out = engine.step(state, symbols, np.full(len(texts), place == 0))
        for index, text in enumerate(texts):
            if place < len(text):
                rows[index].append(out[index].copy())
    return [np.array(x) for x in rows]


@pytest.mark.parametrize("context", [16, TEXT_CONTEXT])
@pytest.mark.parametrize("with_network", [False, True])
@pytest.mark.parametrize("extreme", [False, True])
def test_engine_gives_the_integers_of_the_reference(
    context: int, with_network: bool, extreme: bool
) -> None:
    counts = random_counts(extreme=extreme)
    network = random_model() if with_network else None
    engine = CountsEngine(counts, None if network is None else CpuEngine(network))
    expected = [reference(network, counts, text, context) for text in TEXTS]
    for wanted, found in zip(expected, whole(engine, TEXTS, context), strict=True):
        np.testing.assert_array_equal(wanted, found)
    for wanted, found in zip(expected, stepped(engine, TEXTS, context), strict=True):
        np.testing.assert_array_equal(wanted[1:], found)


@pytest.mark.parametrize("context", [16, TEXT_CONTEXT])
def test_counts_on_a_network_that_runs_in_jax(context: int) -> None:
    pytest.importorskip("jax", reason="needs JAX: pip install 'equalinfo[train]'")
    from equalinfo.m1.frozen.jax_engine import JaxEngine

    engine = CountsEngine(random_counts(), JaxEngine(random_model(), "int8"))
    expected = reference(random_model(), random_counts(), PLAIN, context)
    np.testing.assert_array_equal(expected, whole(engine, [PLAIN], context)[0])
    np.testing.assert_array_equal(expected[1:], stepped(engine, [PLAIN], context)[0])


def test_history_matters_in_texts_only() -> None:
    counts = random_counts()
    window, text = (reference_counts(counts, PLAIN, context, None) for context in (512, 1024))
    same = {**counts.mixers, "alone.window": counts.mixers["alone.text"]}
    same_weights = dataclasses.replace(counts, mixers=same)
    assert (window != text).any()
    assert (reference_counts(same_weights, PLAIN, 512, None)[2:] != text[2:]).any()


@pytest.mark.parametrize("window", [False, True])
def test_a_network_is_trained_beside_what_will_be_mixed_with_it(window: bool) -> None:
    counts, network = random_counts(), random_model()
    context = 64 if window else TEXT_CONTEXT
    text = TEXTS[1][:60]
    (alone,) = whole(CpuEngine(network), [text], context)  # type: ignore[arg-type]
    (mixed,) = whole(CountsEngine(counts, CpuEngine(network)), [text], context)
    given, shares = beside_network(counts, text.astype(np.uint16), window)
    assert np.ptp(shares) > 0
    sums = alone[:-1] * shares[:, None].astype(np.float64) + given
    sums -= sums.max(axis=1, keepdims=True)
    floor = -LOGIT_LIMIT
    # Row 0 is that of windows in both uses. What one of them clips, the other need not.
    both = (mixed[:-1] > floor) & (given > floor) & (np.abs(alone[:-1]) < LOGIT_LIMIT)
    both[0] &= window
    assert both.mean() > 0.5
    np.testing.assert_allclose(sums[both], mixed[:-1][both], atol=2)


@pytest.mark.parametrize("with_network", [False, True])
def test_file_keeps_everything(tmp_path: Any, with_network: bool) -> None:
    counts, network = random_counts(), random_model() if with_network else None
    files.write(tmp_path / "m1.eqm", network, counts, {"from": "a test"})
    files.write(tmp_path / "again.eqm", network, counts, {"from": "a test"})
    assert (tmp_path / "m1.eqm").read_bytes() == (tmp_path / "again.eqm").read_bytes()
    found_network, found = files.read(tmp_path / "m1.eqm")
    assert found is not None and found.sha256 == counts.sha256
    assert (found_network is None) is (network is None)
    model = FrozenModel.load(tmp_path / "m1.eqm")
    assert model.max_context == TEXT_CONTEXT
    assert model.sha256 == FrozenModel(network, counts=counts).sha256
    model.save(tmp_path / "third.eqm")
    assert files.read(tmp_path / "third.eqm")[1].sha256 == counts.sha256  # type: ignore[union-attr]


def test_tables_may_lie_in_a_file_beside(tmp_path: Any) -> None:
    counts, network = random_counts(), random_model()
    files.write(tmp_path / "first.eqm", None, counts, {})
    other = dataclasses.replace(counts, mixers=random_counts("weights").mixers)
    files.write(tmp_path / "second.eqm", network, other, {}, tables_in="first.eqm")
    files.write(tmp_path / "alone.eqm", network, other, {})
    found_network, found = files.read(tmp_path / "second.eqm")
    assert files.content_sha256(found_network, found) == files.content_sha256(network, other)
    # What is written again stands alone.
    FrozenModel.load(tmp_path / "second.eqm").save(tmp_path / "again.eqm")
    assert files.read(tmp_path / "again.eqm")[1].sha256 == other.sha256  # type: ignore[union-attr]
    assert (tmp_path / "again.eqm").read_bytes() == (tmp_path / "alone.eqm").read_bytes()
    # Other tables are noticed, and none.
    files.write(tmp_path / "first.eqm", None, random_counts("others"), {})
    with pytest.raises(ValueError, match=r"second\.eqm is damaged: its content has"):
        files.read(tmp_path / "second.eqm")
    (tmp_path / "first.eqm").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"its n-grams in .*first\.eqm, which does not exist"
    ):
        files.read(tmp_path / "second.eqm")


def test_counts_change_the_sha256_of_a_model() -> None:
    network = random_model()
    shas = {
        FrozenModel(network).sha256,
        FrozenModel(network, counts=random_counts()).sha256,
        FrozenModel(network, counts=random_counts("others")).sha256,
        FrozenModel(None, counts=random_counts()).sha256,
    }
    assert len(shas) == 4


def _with(**changes: Any) -> FrozenCounts:
    return dataclasses.replace(random_counts(), **changes)


def _swapped() -> Any:
    symbols = random_counts().symbols.copy()
    place = int(np.argmax(random_counts().children[:257] > 1))
    begin = int(random_counts().children[:place].sum())
    symbols[begin : begin + 2] = symbols[begin : begin + 2][::-1]
    return symbols


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (lambda: {"length": 17}, "length=17"),
        (lambda: {"length": 4}, "counts.children has"),
        (lambda: {"codes": random_counts().codes[1:]}, "as many of each"),
        (lambda: {"codes": random_counts().codes + np.uint8(32)}, "codes below 32"),
        (lambda: {"children": random_counts().children[:-1]}, "ends within"),
        (lambda: {"symbols": _swapped()}, "do not ascend"),
        (lambda: {"pairs": np.abs(random_counts().pairs)}, "probabilities above 1"),
        (lambda: {"mixers": {}}, "expected mixed.window"),
    ],
)
def test_damaged_tables_are_refused(changes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _with(**changes())


def test_damaged_weights_are_refused() -> None:
    counts = random_counts()
    mixer = counts.mixers["mixed.text"]
    too_large = mixer._replace(base=np.full_like(mixer.base, 16385))
    with pytest.raises(ValueError, match=r"counts.mixed.text.base leaves -16384..16384"):
        _with(mixers={**counts.mixers, "mixed.text": too_large})


def test_a_model_needs_network_or_counts(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="nothing to run"):
        FrozenModel(None)
    with pytest.raises(ValueError, match="nothing to write"):
        files.write(tmp_path / "m1.eqm", None, None, {})
