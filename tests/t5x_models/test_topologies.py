"""benchmarks/topologies.py counts what T5X holds: its rules, its optimizer's state, its meshes."""

import dataclasses
import itertools
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from benchmarks import topologies, training_shapes
from benchmarks.training_shapes import Memory
from equalinfo.lm.config import ModelConfig, model_config
from equalinfo.lm.model import Transformer

# As tests/t5x_models/conftest.py says, this folder is skipped where T5X is not installed.
SMALL = ModelConfig(384, 128, 4, 2, 64, 512)


@pytest.mark.filterwarnings("ignore")
def test_rules_are_t5xs_standard_ones() -> None:
    from t5x import partitioning

    rules = dict(partitioning.standard_logical_axis_rules())
    assert {name: rules[name] for name in training_shapes.RULES} == training_shapes.RULES


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("config", [SMALL, model_config("25m", 65539)], ids=["small", "25m"])
def test_adafactor_holds_what_is_counted(config: ModelConfig) -> None:
    from t5x import adafactor

    params, axes = training_shapes.shapes(config)
    optimizer = adafactor.Adafactor(
        decay_rate=0.8,
        step_offset=0,
        logical_factor_rules=adafactor.standard_logical_factor_rules(),
    )
    state = jax.eval_shape(lambda: optimizer.init_state(jax.tree.map(_zeros, params)))
    unused = len(jax.tree.leaves(params))  # T5X keeps a float for a momentum that is off
    step = 1
    counted = training_shapes.optimizer_share(params, axes, {})
    assert training_shapes.num_bytes(state) == counted + 4 * (unused + step)


def _zeros(shape: jax.ShapeDtypeStruct) -> jax.Array:
    return jax.numpy.zeros(shape.shape, shape.dtype)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("vocab_size", [259, 8195])
def test_xla_plans_no_more_than_is_counted(vocab_size: int) -> None:
    """With T5X's loss, on this CPU. It fuses, so it needs less than all residuals."""
    from t5x import losses

    config = model_config("3m", vocab_size, "float32")
    model = Transformer(config)

    def loss(params: Any, data: dict[str, jax.Array]) -> jax.Array:
        logits = model.apply({"params": params}, data["inputs"])
        return losses.compute_weighted_cross_entropy(
            logits, data["targets"], data["weights"], z_loss=training_shapes.Z_LOSS
        )[0]

    params, data = training_shapes.shapes(config)[0], training_shapes._batch(1, 256)
    with jax.numpy_rank_promotion("allow"):  # T5X promotes
        plan = jax.jit(jax.grad(loss)).lower(params, data).compile().memory_analysis()
    counted = training_shapes.activations(config, 1, 256)
    assert 0.3 * counted < plan.temp_size_in_bytes < counted


@dataclasses.dataclass(frozen=True)
class Chip:
    """What T5X looks at in a device."""

    coords: tuple[int, int, int]
    process_index: int
    core_on_chip: int = 0


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("tpu", topologies.TPUS)
def test_t5x_takes_the_submeshes(tpu: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from t5x import partitioning

    # JAX's own Mesh wants real devices.
    monkeypatch.setattr(
        partitioning,
        "Mesh",
        lambda devices, names: SimpleNamespace(devices=devices, axis_names=names),
    )
    kind = topologies.TPUS[tpu]
    for shape in kind.slices:
        # Hosts of 2 x 2 chips; slices of up to 8 in a plane have one host.
        flat = tpu in ("v5e", "v6e") and np.prod(shape) <= 8
        host = shape if flat else (2, 2, 1)
        chips = [
            Chip(
                at,
                int(
                    np.ravel_multi_index([a // h for a, h in zip(at, host, strict=True)], (64,) * 3)
                ),
            )
            for at in itertools.product(*(range(side) for side in shape))
        ]
        local = [chip for chip in chips if chip.process_index == 0]
        for partitions in topologies.PARTITIONS:
            if partitions <= len(chips):
                plan = topologies.Plan(
                    None, kind, shape, partitions, 1, Memory(0, 0, 0, 0), utilization=1.0
                )
                mesh = partitioning.get_mesh(plan.submesh, chips, local).devices
                assert mesh.shape == (len(chips) // partitions, partitions)
                assert set(mesh.flat) == set(chips)
