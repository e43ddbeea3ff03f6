import dataclasses

import jax
import numpy as np
import pytest

from equalinfo.lm import cores
from equalinfo.lm.data import OrderedBatches, RowBatches
from equalinfo.lm.model import Transformer
from equalinfo.lm.train import State, evaluate, init_params, make_optimizer, make_train_step
from tests.lm.test_train import CONFIG, MODEL, text_rows


@pytest.mark.parametrize("rows", [7, 8])
@pytest.mark.parametrize("number", [2, 3])
def test_parts_give_what_the_whole_batch_gives(rows, number, monkeypatch):
    batch = RowBatches(text_rows(), rows).batch(0)
    params = init_params(Transformer(MODEL), 0)
    results = []
    for count in (1, number, number):
        monkeypatch.setattr(cores, "num_cores", lambda count=count: count)
        state = State(
            jax.tree.map(lambda x: x + 0, params), make_optimizer(CONFIG.optimizer).init(params)
        )
        step = make_train_step(dataclasses.replace(CONFIG))
        for place in range(2):
            state, sums = step(state, batch, place)
        results.append((state.params, [float(x) for x in sums]))
    whole, parts, again = results
    np.testing.assert_allclose(parts[1], whole[1], rtol=1e-5)
    for a, b, c in zip(*(jax.tree.leaves(x[0]) for x in (whole, parts, again)), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
        np.testing.assert_array_equal(b, c)  # the order of threads changes nothing


def test_an_evaluation_in_parts_counts_every_row_once(monkeypatch):
    params = init_params(Transformer(MODEL), 0)
    scores = []
    for count in (1, 3):
        monkeypatch.setattr(cores, "num_cores", lambda count=count: count)
        scores.append(evaluate(MODEL, params, OrderedBatches(text_rows(10), 4), progress=False))
    assert scores[0].tokens == scores[1].tokens == np.count_nonzero(text_rows(10).targets)
    assert scores[0].correct == scores[1].correct
    assert scores[0].nats == pytest.approx(scores[1].nats, rel=1e-6)


def test_a_part_is_padded_with_rows_of_no_weight():
    batch = {"weights": np.ones((5, 4), np.float32), "targets": np.full((5, 4), 7, np.int32)}
    parts = cores.split(batch, 2)
    assert [float(part["weights"].sum()) for part in parts] == [12.0, 8.0]
    assert all(part["targets"].shape == (3, 4) for part in parts)


def test_pieces_divide_a_part_and_keep_logits_small():
    assert cores.piece_rows(8, 512, 384, 8) == 2
    assert cores.piece_rows(9, 512, 384, 9) == 1  # 2 does not divide 9
    assert cores.piece_rows(8, 512, 4224, 8) == 1
    assert cores.piece_rows(8, 10_240, 65_664, 8) == 1
    assert cores.piece_rows(8, 16, 128, 2) == 2  # no more than there is memory for


def test_parts_are_no_more_than_rows_or_memory_for_gradients(monkeypatch):
    monkeypatch.setattr(cores, "num_cores", lambda: 16)
    assert cores.num_parts(4, 1000) == 4
    assert cores.num_parts(64, 1000) == 16
    assert cores.num_parts(64, 2**28) == 4
    assert cores.num_parts(64, 2**40) == 1
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert cores.num_parts(64, 1000) == 1


def test_an_error_in_a_part_is_raised():
    def fails(number):
        if number == 2:
            raise RuntimeError("part 2")
        return number

    with pytest.raises(RuntimeError, match="part 2"):
        cores.OnCores(fails)([(0,), (1,), (2,)])
