"""The float model of the same size, in JAX: as this package runs it, and one stream at a time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from benchmarks.engine_speed.float_model import NeuralModel
from benchmarks.engine_speed.measure import Turn, local
from benchmarks.engine_speed.ours import steps
from benchmarks.engine_speed.windows import Pattern
from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.ids import symbols_to_ids
from equalinfo.lm.config import ModelConfig, padded_vocab_size
from equalinfo.lm.model import Transformer, relative_bucket
from equalinfo.lm.train import load_model
from equalinfo.m1.frozen.file import START, Shape

# Id of each symbol, and of the start marker after them.
IDS = np.append(symbols_to_ids(np.arange(NUM_SYMBOLS, dtype=np.uint16)), 0)


def random_model(shape: Shape) -> NeuralModel:
    """A float model of a frozen one's size."""
    config = ModelConfig(
        vocab_size=padded_vocab_size(NUM_SYMBOLS + 2),
        embed_dim=shape.embed_dim,
        num_heads=shape.num_heads,
        num_layers=shape.num_layers,
        head_dim=shape.head_dim,
        mlp_dim=shape.mlp_dim,
        relative_max_distance=shape.max_distance,
        dtype=jnp.dtype(jnp.float32),
    )
    params = Transformer(config).init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32))["params"]
    return NeuralModel(config, params, shape.max_context)


def trained_model(run: Path, max_context: int) -> NeuralModel:
    """The float model of a run of `equalinfo train`."""
    config, params, _ = load_model(run)
    return NeuralModel(config, params, max_context)


def jax_steps(model: NeuralModel, pattern: Pattern) -> dict[str, Turn]:
    """`NeuralModel.step`: frequencies."""
    state = model.start(pattern.lanes, pattern.context)
    for number, block in enumerate(state.blocks):
        rows = pattern.first[number * len(block.positions) :][: len(block.positions)]
        block.positions[: len(rows)] = rows
    return {"float JAX, frequencies": steps(model.step, state, pattern)}


def jax_one_stream(model: NeuralModel, pattern: Pattern) -> dict[str, Turn]:
    """A jitted step of one lane: logits."""
    network, slots = Transformer(model.config), pattern.context

    def apply(params: Any, cache: Any, ids: jax.Array, positions: jax.Array) -> Any:
        variables = {"params": params, "cache": cache}
        logits, changed = network.apply(
            variables, ids, decoder_positions=positions, decode=True, mutable=["cache"]
        )
        return changed["cache"], logits[:, 0]

    run = jax.jit(apply, donate_argnums=1)
    shapes = jax.eval_shape(
        lambda: network.apply(
            {"params": model.params}, jnp.zeros((1, slots), jnp.int32), decode=True,
            mutable=["cache"],
        )[1]["cache"]
    )  # fmt: skip
    cache = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    position = int(pattern.first[0])

    def step(state: None, symbols: npt.NDArray[np.int32], resets: npt.NDArray[np.bool_]) -> None:
        nonlocal cache, position
        if resets[0]:  # the marker's keys and values in slot 0 are left out: it saves nothing
            position = 1
        ids = IDS[symbols][:, None]
        cache, logits = run(model.params, cache, ids, np.array([position], np.int32))
        np.asarray(logits)
        position += 1

    return {"float JAX, one stream": steps(step, None, pattern.one_lane())}


def jax_whole(model: NeuralModel, texts: list[Symbols]) -> dict[str, Turn]:
    """A jitted pass over whole texts of one length: logits."""
    read, ids = _jitted(model), IDS[with_marker(texts)]

    def run() -> int:
        np.asarray(read(model.params, ids))
        return ids.size

    return {"float JAX": local(run)}


def logits(model: NeuralModel, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """float32[B, L, 257] of symbols int64[B, L] with the start marker."""
    return np.asarray(_jitted(model)(model.params, IDS[ids]))[..., IDS[:NUM_SYMBOLS]]


def with_marker(texts: list[Symbols]) -> npt.NDArray[np.int64]:
    """int64[texts, 1 + n]."""
    return np.stack([np.concatenate([[START], text.astype(np.int64)]) for text in texts])


def for_torch(model: NeuralModel) -> dict[str, npt.NDArray[np.float32]]:
    """Parameters as `torch_worker.Network` reads them: matrices are [outputs, inputs]."""
    config, decoder = model.config, jax.tree.map(np.asarray, model.params)["decoder"]
    distances = np.arange(config.relative_max_distance + 1)
    buckets = relative_bucket(distances, config.relative_buckets, config.relative_max_distance)
    found: dict[str, Any] = {
        "embedding": decoder["token_embedder"][IDS],
        "final_norm": decoder["decoder_norm"]["scale"],
        "logits": decoder["logits_dense"]["kernel"][:, IDS[:NUM_SYMBOLS]].T,
    }
    biases = []
    for number in range(config.num_layers):
        layer = decoder[f"layers_{number}"]
        attention, mlp = layer["self_attention"], layer["mlp"]
        biases.append(attention["relpos_bias"]["rel_embedding"][:, buckets])

        def rows(part: Any, *names: str) -> Any:
            return np.concatenate([part[name]["kernel"].T for name in names])

        found[f"{number}.query_key_value"] = rows(attention, "query", "key", "value")
        found[f"{number}.out"] = rows(attention, "out")
        found[f"{number}.gate_up"] = rows(mlp, "wi_0", "wi_1")
        found[f"{number}.down"] = rows(mlp, "wo")
        found[f"{number}.attention_norm"] = layer["pre_self_attention_layer_norm"]["scale"]
        found[f"{number}.mlp_norm"] = layer["pre_mlp_layer_norm"]["scale"]
    found["bias"] = np.stack(biases)
    return {name: np.ascontiguousarray(value, np.float32) for name, value in found.items()}


def _jitted(model: NeuralModel) -> Callable[..., Any]:
    network = Transformer(model.config)
    return jax.jit(lambda params, ids: network.apply({"params": params}, ids))
