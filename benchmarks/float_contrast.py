"""Why M1 is frozen: how often the float one gives other frequencies when it is run in another way.

    python -m benchmarks.float_contrast --text 'C4/validation/*.json.gz' --float_m1 RUN

One JSON line a way; `share` of contexts whose frequencies differ from those of the first way.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from benchmarks.engine_speed.float_model import NeuralModel, from_logits
from benchmarks.engine_speed.floats import IDS, random_model, trained_model
from equalinfo.alphabet import NUM_SYMBOLS, Symbols, join
from equalinfo.data.options import TextOptions
from equalinfo.lm.model import Transformer
from equalinfo.m1.shipped import shipped_m1

Ints = npt.NDArray[np.int64]
Shares = npt.NDArray[np.uint32]

_DEMO = str(Path(__file__).resolve().parents[1] / "demo" / "text" / "train-*.json.gz")
_CONTEXT, _LENGTH = 64, 96
_BATCH = 256


class Way(NamedTuple):
    """Name, share of the texts that are read, and int64[texts, n] -> shares [texts, n, 257]."""

    name: str
    share: float
    read: Callable[[Ints], Shares]


def contrast(model: NeuralModel, text: Symbols, contexts: int) -> Iterator[dict[str, Any]]:
    """A line for each way: contexts, and how many of them get other frequencies.

    Args:
      model: the float M1.
      text: half of the texts come from it, half are random.
      contexts: of the ways that are fast.
    """
    rng = np.random.default_rng(0)
    count = max(2 * _BATCH, -(-contexts // (_LENGTH * _BATCH)) * _BATCH)
    texts = rng.integers(NUM_SYMBOLS, size=(count, _LENGTH))
    for row, begin in enumerate(rng.integers(max(1, len(text) - _LENGTH), size=count // 2)):
        texts[2 * row] = np.resize(text[begin : begin + _LENGTH], _LENGTH)
    first, *others = _ways(model)
    expected = first.read(texts)
    for way in others:
        some = texts[: max(7, round(way.share * count))]
        differing = int((way.read(some) != expected[: len(some)]).any(axis=-1).sum())
        line = {"float setting": f"{way.name}, against {first.name}", "contexts": some.size}
        yield line | {"differing": differing, "share": round(differing / some.size, 5)}


def _ways(model: NeuralModel) -> list[Way]:
    network = Transformer(model.config)

    def apply_whole(params: Any, ids: Any) -> Any:
        return network.apply({"params": params}, ids, attention_span=_CONTEXT)

    def apply_step(params: Any, cache: Any, ids: Any, positions: Any) -> Any:
        logits, changed = network.apply(
            {"params": params, "cache": cache}, ids, decoder_positions=positions, decode=True,
            mutable=["cache"],
        )  # fmt: skip
        return changed["cache"], logits

    def whole(batch: int, jit: bool = True) -> Callable[[Ints], Shares]:
        run = jax.jit(apply_whole) if jit else apply_whole

        def read(texts: Ints) -> Shares:
            out = [run(model.params, _with_marker(some)) for some in _cut(texts, batch)]
            return np.concatenate([_frequencies(logits[:, 1:]) for logits in out])

        return read

    def steps(batch: int, jit: bool = True) -> Callable[[Ints], Shares]:
        run = jax.jit(apply_step) if jit else apply_step

        def read(texts: Ints) -> Shares:
            out = []
            for some in _cut(texts, batch):
                ids = _with_marker(some)
                cache = _empty_cache(network, model.params, len(ids))
                rows = []
                for place in range(ids.shape[1]):
                    positions = jnp.full(len(ids), place, jnp.int32)
                    cache, logits = run(model.params, cache, ids[:, place : place + 1], positions)
                    rows.append(np.asarray(logits[:, 0]))
                out.append(_frequencies(np.stack(rows[1:], 1)))
            return np.concatenate(out)

        return read

    return [
        Way(f"whole texts, batch {_BATCH}", 1.0, whole(_BATCH)),
        Way("whole texts, batch 7", 0.5, whole(7)),
        Way("whole texts, batch 1", 0.1, whole(1)),
        Way("whole texts, batch 7, no jit", 0.1, whole(7, jit=False)),
        Way(f"steps, batch {_BATCH} (NeuralModel)", 1.0, lambda texts: _neural(model, texts)),
        Way("steps, batch 7", 0.05, steps(7)),
        Way("steps, batch 1", 0.02, steps(1)),
        Way("steps, batch 7, no jit", 0.0, steps(7, jit=False)),
    ]


def _neural(model: NeuralModel, texts: Ints) -> Shares:
    state = model.start(len(texts), _CONTEXT)
    columns = []
    for place in range(texts.shape[1]):
        reset = np.full(len(texts), place == 0)
        columns.append(model.step(state, texts[:, place].astype(np.int32), reset).copy())
    return np.stack(columns, 1)


def _frequencies(logits: Any) -> Shares:
    """Frequencies after float32[texts, n, vocabulary]."""
    return np.asarray(from_logits(np.asarray(logits)[..., IDS[:NUM_SYMBOLS]]))


def _with_marker(texts: Ints) -> Any:
    return jnp.asarray(np.pad(IDS[texts], ((0, 0), (1, 0))))


def _cut(texts: Ints, batch: int) -> list[Ints]:
    return [texts[first : first + batch] for first in range(0, len(texts), batch)]


def _empty_cache(network: Transformer, params: Any, lanes: int) -> Any:
    shapes = jax.eval_shape(
        lambda: network.apply(
            {"params": params}, jnp.zeros((lanes, _CONTEXT), jnp.int32), decode=True,
            mutable=["cache"],
        )[1]["cache"]
    )  # fmt: skip
    return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--text", nargs="+", default=[_DEMO], help="default: the demo's")
    parser.add_argument("--float_m1", type=Path, help="run of equalinfo train; default: random")
    parser.add_argument("--contexts", type=int, default=50_000)
    options = parser.parse_args()
    shape = shipped_m1().network.shape
    if options.float_m1:
        model = trained_model(options.float_m1, shape.max_context)
    else:
        model = random_model(shape)
    text = join(TextOptions().documents(options.text))
    for line in contrast(model, text, options.contexts):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
