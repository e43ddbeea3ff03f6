"""The table of docs/t5x.md: it is what the script prints, and what the script adds up is right."""

import re
import shlex
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import topologies, training_shapes
from benchmarks.training_shapes import Memory, Run
from equalinfo.lm.config import ModelConfig, model_config
from equalinfo.lm.model import Transformer
from equalinfo.lm.train import batch_sums
from equalinfo.score import flops_per_byte

# Matrices of E or more on each side, so that Adafactor factors them; V != E != F != H * D.
E, H, D, F, V, LAYERS = 128, 4, 64, 512, 384, 3
SMALL = ModelConfig(V, E, H, LAYERS, D, F)
RUN = Run("small", SMALL, batch=8, length=16, steps=10)
INNER = H * D


@pytest.mark.slow
def test_the_tables_in_the_docs_are_what_the_script_prints(repository: Path) -> None:
    text = (repository / "docs" / "t5x.md").read_text("utf-8")
    [found] = re.findall(
        r"```\n(python -m benchmarks\.topologies.*)\n```\n\n((?:\|.*\n|\n)+)", text
    )
    command, tables = found
    assert tables.strip() == topologies.table(shlex.split(command)[3:])


def test_parameters_are_those_of_the_config_and_the_embeddings() -> None:
    for run in topologies.paper_runs(65536):
        both = 2 * run.config.vocab_size * run.config.embed_dim
        total = training_shapes.num_values(training_shapes.shapes(run.config)[0])
        assert total == run.config.num_parameters + both


def test_runs_are_those_of_the_paper() -> None:
    runs = topologies.paper_runs(65536)
    assert [run.tokens * run.steps for run in runs] == [327_680_000_000] + 4 * [26_214_400_000]
    assert {run.config.dtype for run in runs} == {"bfloat16"}


def test_flops_are_the_papers_and_what_it_leaves_out() -> None:
    """2 * parameters forward; backward twice that; norms and biases are no matrix products."""
    vectors = (2 * LAYERS + 1) * E + LAYERS * 32 * H
    papers = 3 * flops_per_byte(SMALL.num_parameters - vectors, bytes_per_token=1)
    logits = 6 * E * V
    attention = LAYERS * 3 * 2 * 2 * RUN.length * INNER  # query-key and weight-value products
    assert training_shapes.step_flops(RUN) == RUN.tokens * (papers + logits + attention)


def test_flops_do_not_depend_on_how_they_are_traced() -> None:
    direct = training_shapes.example_flops(SMALL, RUN.length)
    assert training_shapes.step_flops(RUN) == RUN.batch * direct
    two = training_shapes._batch(2, RUN.length)

    def loss(params, data):
        return batch_sums(Transformer(SMALL), params, data, 1e-4)[0]

    params = training_shapes.shapes(SMALL)[0]
    assert training_shapes.matmul_flops(jax.grad(loss), params, two) == 2 * direct


def test_loops_are_refused() -> None:
    def loop(x):
        return jax.lax.scan(lambda carry, _: (carry @ carry, None), x, None, length=3)[0]

    with pytest.raises(ValueError, match="scan loop are not counted"):
        training_shapes.matmul_flops(loop, jax.ShapeDtypeStruct((2, 2), jnp.float32))


def by_hand(partitions: int) -> tuple[int, int]:
    """(values of parameters, of Adafactor's state) on a chip; everything is float32."""
    cut = [
        *((V, E, V * E // partitions), (E, V, V * E // partitions)),
        *LAYERS * 4 * [(E, INNER, E * INNER // partitions)],
        *LAYERS * 3 * [(E, F, E * F // partitions)],
    ]
    biases = LAYERS * [H * 32 // partitions]
    norms = (2 * LAYERS + 1) * [E]
    parameters = sum(size for _, _, size in cut) + sum(biases) + sum(norms)
    factored = sum(rows + columns + 1 for rows, columns, _ in cut)
    whole = sum(size + 2 for size in biases + norms)
    return parameters, factored + whole


@pytest.mark.parametrize(("partitions", "microbatches"), [(1, 1), (2, 2), (4, 1)])
def test_memory_of_a_chip_by_hand(partitions: int, microbatches: int) -> None:
    parameters, state = by_hand(partitions)
    need = training_shapes.memory(RUN, 2, partitions, microbatches)
    kept = training_shapes.activations(
        training_shapes.local_config(SMALL, partitions), 4 // microbatches, RUN.length
    )
    assert need == Memory(4 * parameters, 4 * state, 4 * parameters * microbatches, kept)
    assert need.total == 4 * (parameters * (1 + microbatches) + state) + kept


@pytest.mark.parametrize("partitions", [1, 2, 4])
def test_a_chips_part_of_the_model_is_a_model(partitions: int) -> None:
    """What a chip holds by the logical axes is all of `local_config`."""
    params, axes = training_shapes.shapes(SMALL)
    local = training_shapes.shapes(training_shapes.local_config(SMALL, partitions))[0]
    held = training_shapes.share(params, axes, {"data": 2, "model": partitions})
    assert held == training_shapes.num_bytes(local)


@pytest.mark.parametrize(("batch", "layers"), [(1, 1), (3, 2), (5, 4)])
def test_activations_are_linear_in_batch_and_layers(batch: int, layers: int) -> None:
    config = ModelConfig(V, E, H, layers, D, F)
    direct = training_shapes.activations(config, batch, RUN.length)
    assert training_shapes.all_activations(config, batch, RUN.length) == direct


def test_activations_of_one_product_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """tanh(x @ a) @ b keeps x once, and what tanh needs; not a and b, which are inputs."""

    class Product:
        def __init__(self, config): ...

    def loss(model, params, data, z_loss):
        x = data["weights"] * 2.0  # float32[B, L]
        return (jnp.tanh(x @ params["a"]) @ params["b"]).sum(), None

    shape = {"a": (16, 32), "b": (32, 4)}
    params = {name: jax.ShapeDtypeStruct(each, jnp.float32) for name, each in shape.items()}
    monkeypatch.setattr(training_shapes, "Transformer", Product)
    monkeypatch.setattr(training_shapes, "batch_sums", loss)
    monkeypatch.setattr(training_shapes, "shapes", lambda config: (params, None))
    logits = training_shapes.LOGITS * 4 * 8 * 16 * V
    x, hidden = 4 * 8 * 16, 4 * 8 * 32
    kept = training_shapes.activations(SMALL, 8, 16) - logits
    # tanh's derivative and its value, which the product with b needs.
    assert kept == x + 2 * hidden


def test_xla_plans_no_more_than_is_counted() -> None:
    """XLA's own plan, on this CPU: it fuses, so it needs less than all residuals."""
    config = model_config("3m", 259, "float32")
    model = Transformer(config)
    params, data = training_shapes.shapes(config)[0], training_shapes._batch(1, 256)
    gradient = jax.grad(lambda p, d: batch_sums(model, p, d, 1e-4)[0])
    planned = jax.jit(gradient).lower(params, data).compile().memory_analysis().temp_size_in_bytes
    counted = training_shapes.activations(config, 1, 256)
    assert 0.3 * counted < planned < 1.05 * counted


def test_what_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="num_heads=4 does not divide into 8 partitions"):
        training_shapes.memory(RUN, 1, 8)
    with pytest.raises(ValueError, match="batch=8 does not divide into 3 parts"):
        training_shapes.memory(RUN, 3, 1)
    with pytest.raises(ValueError, match="small fits no slice"):
        topologies.smallest_plan(RUN, topologies.TPUS["v4"], 0.4, max_days=0)


def test_time_and_money_by_hand() -> None:
    tpu = topologies.TPUS["v5e"]
    run = Run("run", SMALL, batch=8, length=16, steps=3_000_000)
    plan = topologies.Plan(run, tpu, (2, 4, 1), 2, 4, Memory(1, 2, 3, 4), utilization=0.5)
    seconds = training_shapes.step_flops(run) / (8 * 197e12 * 0.5)
    assert plan.step_seconds == pytest.approx(seconds)
    assert plan.days == pytest.approx(seconds * 3e6 / 86400)
    cells = [cell.strip() for cell in topologies.row(plan, dollars=1000).split("|")]
    assert cells[2:6] == ["v5litepod-8", "4 × 2", "(2,1,1,1)", "4"]
    assert cells[-2] == f"${seconds * 3e6 / 3600 * 8 * 1000:,.0f}"


@pytest.mark.parametrize("tpu", topologies.TPUS)
def test_slices_double_and_submeshes_tile_them(tpu: str) -> None:
    kind = topologies.TPUS[tpu]
    chips = [int(np.prod(shape)) for shape in kind.slices]
    assert chips == sorted(chips)
    for shape in kind.slices:
        for partitions in topologies.PARTITIONS:
            if partitions > np.prod(shape):
                continue
            plan = topologies.Plan(RUN, kind, shape, partitions, 1, Memory(0, 0, 0, 0), 1.0)
            assert np.prod(plan.submesh) == partitions
            assert all(side % tile == 0 for side, tile in zip(shape, plan.submesh[:3], strict=True))
