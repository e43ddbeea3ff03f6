"""Claim: training on a CPU reaches half of its rate of float32 matrix products, 60% with AVX2.

    python -m benchmarks.training_speed --torch_python TORCH_VENV/bin/python

Tokens/s of a training step, and the share of the rate that NumPy's product of two matrices reaches
in the same run, beside PyTorch (eager and compiled) with the same architecture, parameters and
batch, in turns. FLOPs are those of the products of the model as it is written
(`training_shapes.step_flops`): whole L x L attention, although blocks leave out what is masked; not
the optimizer's. All use Adafactor. A table goes to standard output, JSON lines to --output.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from benchmarks.training_shapes import Run, step_flops
from equalinfo.cores import num_cores
from equalinfo.lm.config import OptimizerConfig, TrainConfig, micro_batches, model_config
from equalinfo.lm.data import Batch, make_batch
from equalinfo.lm.model import Transformer, relative_bucket
from equalinfo.lm.optimizer import make_optimizer
from equalinfo.lm.train import State, init_params, make_train_step

_WORKER = Path(__file__).with_name("training_speed_torch.py")
_TOLERANCE = 1e-3  # between our first loss and PyTorch's, nats/token
_SIDE = 1536  # of the matrices whose product is the machine's rate
# size, ids, rows of 512 tokens
CASES = {
    "demo, bytes": ("tiny", 259, 4),
    "demo, 4,096 codes": ("tiny", 4099, 4),
    "report, 256 codes": ("small", 259, 16),
    "report, 65,536 codes": ("small", 65_539, 8),
    "3m, bytes": ("3m", 259, 16),
}


class Ours:
    """The local trainer's step."""

    def __init__(self, config: TrainConfig, params: Any, batch: Batch) -> None:
        self._state = State(params, make_optimizer(config.optimizer).init(params))
        self._batch = batch
        self._step = make_train_step(config)
        self._number = 0
        self.loss = self._once()

    def seconds(self, limit: float) -> list[float]:
        """Of each step, for `limit` seconds."""
        return _timed(self._once, limit)

    def _once(self) -> float:
        """Nats/token before the step, z-loss left out."""
        self._state, sums = self._step(self._state, self._batch, self._number)
        self._number += 1
        jax.block_until_ready(self._state)
        return float(sums.nats) / float(sums.tokens)


class Torch:
    """PyTorch's step, in its own process."""

    def __init__(self, python: str, job: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [python, str(_WORKER), json.dumps(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        about = self._answer()
        self.loss, self.version = about["loss"], about["torch"]

    def seconds(self, limit: float) -> list[float]:
        """Of each step, for `limit` seconds."""
        assert self._process.stdin is not None
        print(limit, file=self._process.stdin, flush=True)
        found: list[float] = self._answer()
        return found

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"PyTorch's process ended with code {self._process.wait()}.")
        return json.loads(line)


def _timed(function: Callable[[], Any], limit: float) -> list[float]:
    found: list[float] = []
    end = time.monotonic() + limit
    while not found or time.monotonic() < end:
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return found


def products(limit: float) -> list[float]:
    """Seconds of NumPy's float32 product of two matrices, for `limit` seconds."""
    a = np.random.default_rng(0).random((_SIDE, _SIDE), np.float32)
    out = np.empty_like(a)
    return _timed(lambda: np.dot(a, a, out=out), limit)


def measure(name: str, options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Figures of one case: GFLOP/s of products, and of each competitor tokens/s and its share."""
    size, vocab_size, rows = CASES[name]
    length = 512
    model = model_config(size, vocab_size, jnp.float32)
    config = TrainConfig(
        model=model,
        optimizer=OptimizerConfig(),
        steps=1,
        accumulate=micro_batches(rows, length, vocab_size),
    )
    targets = np.random.default_rng(0).integers(3, vocab_size, (rows, length)).astype(np.int32)
    batch = make_batch(targets, np.ones(rows, np.int64), np.full(rows, length, np.int32))
    params = init_params(Transformer(model), 0)
    file = scratch / "parameters.npz"
    distances = np.arange(length)
    np.savez(
        file,
        inputs=batch.inputs,
        targets=batch.targets,
        buckets=relative_bucket(distances, model.relative_buckets, model.relative_max_distance),
        **{key: np.asarray(x) for key, x in flatten_dict(params, sep="/").items()},  # type: ignore[arg-type]
    )
    competitors: dict[str, Ours | Torch] = {"equalinfo": Ours(config, params, batch)}
    job = {
        "heads": model.num_heads,
        "layers": model.num_layers,
        "head_dim": model.head_dim,
        "z_loss": config.z_loss,
        "threads": num_cores(),
        "file": str(file),
    }
    for label in ("eager", "compiled") if options.torch_python else ():
        competitors[f"PyTorch, {label}"] = Torch(
            options.torch_python, job | {"compiled": label == "compiled"}
        )
    ours = competitors["equalinfo"].loss
    for label, other in competitors.items():
        if abs(other.loss - ours) > _TOLERANCE:
            raise RuntimeError(f"{name}: {label} begins at {other.loss} nats/token, ours at {ours}")
    product, steps = [], {label: [] for label in competitors}  # type: ignore[var-annotated]
    for _ in range(options.rounds):
        product += products(options.seconds / 4)
        for label, competitor in competitors.items():
            steps[label] += competitor.seconds(options.seconds)
    for competitor in competitors.values():
        if isinstance(competitor, Torch):
            competitor.close()
    rate = 2 * _SIDE**3 / min(product)
    flops = step_flops(Run(name, model, rows, length, 1))
    tokens = rows * length
    figures = {
        label: {
            "tokens_per_second": round(tokens / float(np.median(found))),
            "share": round(flops / float(np.median(found)) / rate, 3),
            "best_share": round(flops / min(found) / rate, 3),
            "steps": len(found),
        }
        for label, found in steps.items()
    }
    return {"case": name, "tokens": tokens, "gflops_of_products": round(rate / 1e9), **figures}


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--torch_python", help="an interpreter with PyTorch and NumPy; without it no peer runs")
    add("--cases", nargs="+", choices=CASES, default=list(CASES), help="default: all")
    add("--rounds", type=int, default=2, help="turns of each competitor")
    add("--seconds", type=float, default=4.0, help="of a turn")
    add("--output", type=Path, help="JSON lines")
    options = parser.parse_args(argv)
    if os.getloadavg()[0] > 0.5:
        print(f"WARNING: other programs are busy here (load {os.getloadavg()[0]:.1f}).")
    print("| case | products, GFLOP/s | | tokens/s (median) | share of products: median | best |")
    print("|---|--:|---|--:|--:|--:|")
    lines = []
    for name in options.cases:
        with tempfile.TemporaryDirectory() as scratch:
            line = measure(name, options, Path(scratch))
        lines.append(json.dumps(line) + "\n")
        for label, figures in line.items():
            if isinstance(figures, dict):
                print(
                    f"| {name} | {line['gflops_of_products']} | {label} "
                    f"| {figures['tokens_per_second']:,} | {figures['share']:.0%} "
                    f"| {figures['best_share']:.0%} |",
                    flush=True,
                )
    if options.output:
        options.output.write_text("".join(lines))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
