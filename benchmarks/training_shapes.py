"""What a training step needs, from shapes alone: memory of a chip, FLOPs.

No array is made: `jax.eval_shape` and `jax.make_jaxpr` trace the model, the loss and the optimizer
of the local trainer. T5X trains the same model, with the same state in Adafactor.

Letters in shapes: B batch, L length, V vocab_size.
"""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.core import unfreeze
from flax.linen import partitioning as nn_partitioning
from jax.extend.core import Literal

from equalinfo.lm.config import ModelConfig, OptimizerConfig
from equalinfo.lm.model import Transformer
from equalinfo.lm.optimizer import make_optimizer
from equalinfo.lm.train import batch_sums

# Mesh axis of each logical axis: T5X's standard_logical_axis_rules(); a test compares them.
RULES = {
    "batch": "data",
    "vocab": "model",
    "mlp": "model",
    "heads": "model",
    "joined_kv": "model",
    "embed": None,
    "relpos_buckets": None,
}
Z_LOSS = 1e-4
# Arrays of the size of the logits, float32[B, L, V], beside the residuals: their gradient, and two
# that XLA holds on a CPU for T5X's loss (it works with one-hot targets) but not for ours.
LOGITS = 3


@dataclasses.dataclass(frozen=True)
class Run:
    """A training run: a model, and what it reads. `batch` examples of `length` tokens a step."""

    name: str
    config: ModelConfig
    batch: int
    length: int
    steps: int

    @property
    def tokens(self) -> int:
        """Tokens a step."""
        return self.batch * self.length


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes on one chip in the middle of a training step; see docs/t5x.md."""

    parameters: int
    optimizer: int
    gradients: int
    activations: int

    @property
    def total(self) -> int:
        """Their sum."""
        return sum(dataclasses.astuple(self))


def num_bytes(tree: Any) -> int:
    """Bytes of all arrays of a tree of shapes."""
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def num_values(tree: Any) -> int:
    """Elements of all arrays of a tree of shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@functools.lru_cache
def shapes(config: ModelConfig) -> tuple[Any, Any]:
    """(parameters, their logical axes), trees of `jax.ShapeDtypeStruct` and `PartitionSpec`."""
    tokens = jax.ShapeDtypeStruct((1, 8), jnp.int32)
    made = jax.eval_shape(Transformer(config).init, jax.random.key(0), tokens)
    return made["params"], unfreeze(nn_partitioning.get_axis_names(made["params_axes"]))


def share(tree: Any, axes: Any, mesh: Mapping[str, int]) -> int:
    """Bytes of the largest part that a chip holds of arrays laid out by RULES.

    Args:
      tree: shapes.
      axes: their logical axes.
      mesh: chips along "data" and "model".
    """

    def part(leaf: Any, names: Sequence[str]) -> int:
        ways = [mesh.get(RULES[name] or "", 1) for name in names]
        shape = [-(-size // way) for size, way in zip(leaf.shape, ways, strict=True)]
        return math.prod(shape) * leaf.dtype.itemsize

    return sum(jax.tree.leaves(jax.tree.map(part, tree, axes)))


def optimizer_share(params: Any, axes: Any, mesh: Mapping[str, int]) -> int:
    """Bytes of Adafactor's state on a chip: factors everywhere whole, other moments as parameters.

    So T5X lays them out. An array that another stands for has one element, in both libraries.
    """
    state = jax.eval_shape(make_optimizer(OptimizerConfig()).init, params)
    found = jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, optax.FactoredState))
    [factored] = [node for node in found if isinstance(node, optax.FactoredState)]

    def part(param: Any, moment: Any, names: Any) -> int:
        if moment.shape != param.shape:
            return num_bytes(moment)
        return share([moment], [names], mesh)

    moments = jax.tree.map(part, params, factored.v, axes)
    return num_bytes((factored.v_row, factored.v_col)) + sum(jax.tree.leaves(moments))


def local_config(config: ModelConfig, partitions: int) -> ModelConfig:
    """The model whose whole is one chip's part of `config`: its heads, mlp and vocabulary.

    Raises:
      ValueError: they do not divide.
    """
    parts = {}
    for field in ("num_heads", "mlp_dim", "vocab_size"):
        parts[field], rest = divmod(getattr(config, field), partitions)
        if rest:
            raise ValueError(
                f"{field}={getattr(config, field)} does not divide into {partitions} partitions "
                "of the model. Take a divisor."
            )
    return dataclasses.replace(config, **parts)


def _batch(batch: int, length: int) -> dict[str, Any]:
    types = {"inputs": jnp.int32, "targets": jnp.int32, "segments": jnp.int32, "weights": None}
    shape = (batch, length)
    return {name: jax.ShapeDtypeStruct(shape, t or jnp.float32) for name, t in types.items()}


def activations(config: ModelConfig, batch: int, length: int) -> int:
    """Bytes that one chip keeps from the forward pass for the backward pass.

    All residuals of `jax.vjp`, each array once, inputs left out: nothing is computed again
    (no rematerialisation). Beside them, `LOGITS` arrays.
    """
    model = Transformer(config)

    def backward(params: Any, data: dict[str, jax.Array]) -> Any:
        return jax.vjp(lambda p: batch_sums(model, p, data, Z_LOSS)[0], params)[1]

    jaxpr = jax.make_jaxpr(backward)(shapes(config)[0], _batch(batch, length)).jaxpr
    inputs = set(jaxpr.invars)
    kept = {v for v in jaxpr.outvars if not isinstance(v, Literal) and v not in inputs}
    return num_bytes([v.aval for v in kept]) + LOGITS * 4 * batch * length * config.vocab_size


@functools.lru_cache
def _activation_plane(config: ModelConfig, length: int) -> tuple[int, int, int, int]:
    one, two = (dataclasses.replace(config, num_layers=layers) for layers in (1, 2))
    a, b, c, d = (activations(cfg, batch, length) for cfg in (one, two) for batch in (1, 2))
    return a, b - a, c - a, d - c - b + a


def all_activations(config: ModelConfig, batch: int, length: int) -> int:
    """What `activations` gives, from small models: it is linear in batch and in layers."""
    first, each, layer, both = _activation_plane(dataclasses.replace(config, num_layers=1), length)
    rows, layers = batch - 1, config.num_layers - 1
    return first + rows * each + layers * layer + rows * layers * both


@functools.lru_cache
def _state(config: ModelConfig, partitions: int) -> tuple[int, int]:
    params, axes = shapes(config)
    mesh = {"model": partitions}  # no axis of a parameter goes along "data"
    return share(params, axes, mesh), optimizer_share(params, axes, mesh)


def memory(run: Run, data: int, partitions: int, microbatches: int = 1) -> Memory:
    """Memory of a chip, the batch cut into `data` parts and the model into `partitions`.

    With micro-batches, one after the other, activations are those of one, and T5X holds gradients
    twice: their sum, and those of one.

    Raises:
      ValueError: batch or model do not divide.
    """
    if run.batch % (data * microbatches):
        raise ValueError(
            f"batch={run.batch} does not divide into {data} parts of {microbatches} micro-batches."
        )
    held, optimizer = _state(run.config, partitions)
    return Memory(
        parameters=held,
        optimizer=optimizer,
        gradients=held * (1 if microbatches == 1 else 2),
        activations=all_activations(
            local_config(run.config, partitions), run.batch // (data * microbatches), run.length
        ),
    )


def _equations(jaxpr: Any) -> Iterator[Any]:
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("scan", "while"):
            raise ValueError(f"FLOPs in a {equation.primitive.name} loop are not counted here.")
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _equations(inner)


def matmul_flops(function: Any, *arguments: Any) -> int:
    """FLOPs of all matrix products of a function: 2 for a multiplication and an addition.

    A product with a vector is none: with ones, as in `equalinfo.lm.model`, it is a sum.

    Args:
      function: traced, not run.
      *arguments: trees of shapes.
    """
    total = 0
    for equation in _equations(jax.make_jaxpr(function)(*arguments).jaxpr):
        if equation.primitive.name == "dot_general":
            contracted = equation.params["dimension_numbers"][0][0]
            shape, other = (operand.aval.shape for operand in equation.invars)
            if min(len(shape), len(other)) < 2:
                continue
            total += 2 * equation.outvars[0].aval.size * math.prod(shape[i] for i in contracted)
    return total


@functools.lru_cache
def example_flops(config: ModelConfig, length: int) -> int:
    """FLOPs of all matrix products of training on one example, forward and backward.

    More than 6 * parameters * tokens: the paper counts neither logits nor attention's products of
    activations [paper 3.8], which chips must do all the same.
    """
    model = Transformer(config)

    def loss(params: Any, data: dict[str, jax.Array]) -> jax.Array:
        return batch_sums(model, params, data, Z_LOSS)[0]

    return matmul_flops(jax.grad(loss), shapes(config)[0], _batch(1, length))


@functools.lru_cache
def step_flops(run: Run) -> int:
    """What `example_flops` gives, times batch, from small models: it is linear in layers."""
    one, two = (
        example_flops(dataclasses.replace(run.config, num_layers=layers), run.length)
        for layers in (1, 2)
    )
    return run.batch * (one + (run.config.num_layers - 1) * (two - one))
