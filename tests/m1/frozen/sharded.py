"""Run by test_sharding: the network on eight simulated devices, batch and matrices sharded."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from equalinfo.m1.frozen import jax_network
from equalinfo.m1.frozen.file import START, Shape
from m1.frozen.models import draw_text, random_model
from m1.frozen.reading import expected, expected_steps, script

# Four heads: the model axis of up to four devices can take whole ones.
SHAPE = Shape(
    embed_dim=64, num_heads=4, num_layers=2, head_dim=32, mlp_dim=128, max_distance=16,
    max_context=64,
)  # fmt: skip
MODEL = random_model("sharded", SHAPE)
CONTEXT = 7
LANES = 16
STEPS = 20

BY_COLUMNS = PartitionSpec(None, "model")
BY_ROWS = PartitionSpec("model", None)
BY_ENTRY = PartitionSpec("model")
CACHE = PartitionSpec(None, "data", "model", None, None)
SPECS = {
    "embedding": BY_COLUMNS,
    "query": BY_COLUMNS,
    "key": BY_COLUMNS,
    "value": BY_COLUMNS,
    "gate": BY_COLUMNS,
    "up": BY_COLUMNS,
    # These sum over what other devices hold: partial sums are exchanged.
    "out": BY_ROWS,
    "down": BY_ROWS,
    "logits": BY_ROWS,
    "bias": BY_ROWS,
    "logits_scale": PartitionSpec(),  # 257 entries cannot be cut
}

Place = Callable[[Any, PartitionSpec], Any]


def main() -> None:
    """Compare all meshes with the reference; print one line for each."""
    assert len(jax.devices()) == 8, jax.devices()
    for data, model, products in (
        (8, 1, "int8"),
        (4, 2, "int8"),
        (2, 4, "int8"),
        (2, 4, "bfloat16"),
    ):
        mesh = Mesh(np.array(jax.devices()).reshape(data, model), ("data", "model"))

        def place(x: Any, spec: PartitionSpec, mesh: Mesh = mesh) -> Any:
            return jax.device_put(x, NamedSharding(mesh, spec))

        params = {
            name: place(value, SPECS.get(name.split(".")[-1], BY_ENTRY))
            for name, value in jax_network.parameters(MODEL, products).items()
        }
        for name in ("0.gate", "1.out"):
            assert params[name].addressable_shards[0].data.size == params[name].size // model
        net = jax_network.network(MODEL, products)
        sequences(net, params, place, model > 1)
        if products == "int8":
            steps(net, params, place, model > 1)
        print(f"{data} x {model} {products} equal")


def compiled(function: Any, exchanges: bool, *args: Any) -> Any:
    """The function for these arguments; does it exchange partial sums where matrices are cut?"""
    out = jax.jit(function).lower(*args).compile()
    assert ("all-reduce" in (out.as_text() or "")) == exchanges
    return out


def sequences(net: jax_network.Network, params: Any, place: Place, exchanges: bool) -> None:
    """`read_sequence`, a text a lane."""
    texts = draw_text("sharded", LANES * STEPS).reshape(LANES, STEPS)
    symbols = place(
        np.pad(texts, ((0, 0), (1, 0)), constant_values=START).astype(np.int32),
        PartitionSpec("data", None),
    )
    empty = jax.tree.map(lambda x: place(x, CACHE), jax_network.empty_cache(SHAPE, LANES, 0))
    read = functools.partial(jax_network.read_sequence, net, CONTEXT)
    args = params, empty, jnp.int32(0), symbols
    _, logits = compiled(read, exchanges, *args)(*args)
    wanted = np.stack([expected(MODEL, text, CONTEXT) for text in texts])
    np.testing.assert_array_equal(np.asarray(logits), wanted)


@functools.cache
def start_marker() -> Any:
    """Cache of the start marker, from one device."""
    read = functools.partial(jax_network.read_sequence, jax_network.network(MODEL, "int8"), 2)
    params, empty = jax_network.parameters(MODEL, "int8"), jax_network.empty_cache(SHAPE, 1, 0)
    marker, _ = jax.jit(read)(params, empty, jnp.int32(0), jnp.full((1, 1), START, jnp.int32))
    return jax.tree.map(np.asarray, marker)


def steps(net: jax_network.Network, params: Any, place: Place, exchanges: bool) -> None:
    """`read_step`, with resets."""
    what = script("sharded steps", LANES, STEPS)
    wanted = expected_steps(MODEL, what, CONTEXT)
    marker = jax.tree.map(lambda x: place(x, PartitionSpec()), start_marker())
    cache = jax.tree.map(lambda x: place(x, CACHE), jax_network.empty_cache(SHAPE, LANES, CONTEXT))
    by_lane = PartitionSpec("data")
    positions = place(np.zeros(LANES, np.int32), by_lane)
    run = None
    for step, (symbols, resets) in enumerate(zip(*what, strict=True)):
        resets = place(resets if step else np.ones(LANES, np.bool_), by_lane)
        args = params, marker, cache, positions, place(symbols, by_lane), resets
        if run is None:
            run = compiled(functools.partial(jax_network.read_step, net), exchanges, *args)
        cache, positions, logits = run(*args)
        cache = jax.tree.map(lambda x: place(x, CACHE), cache)
        positions = place(positions, by_lane)
        np.testing.assert_array_equal(np.asarray(logits), wanted[step], f"step {step}")


if __name__ == "__main__":
    main()
