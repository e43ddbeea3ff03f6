"""Claim: the frozen M1 steps as fast as PyTorch steps the float model, many texts at once.

    python -m benchmarks.engine --text 'C4/validation/*.json.gz' --float_m1 RUN \
        --torch_python TORCH_VENV/bin/python --output engine.jsonl --table engine.md

Times the frozen M1's engines by steps (windows of several sizes, full caches) and on whole texts,
in turns with the float model of the same size: in JAX as this package runs it, in PyTorch, and one
stream at a time. Also the rate of this machine's matrix products, and the share of NumPy's in
float32 that each reaches. With --kernels, kernels of the CPU engine beside JAX and PyTorch alone:

    OPENBLAS_CORETYPE=Haswell python -m benchmarks.engine --kernels avx2 avx512_vnni portable \
        --lanes 1 64 1024 --torch_python TORCH_VENV/bin/python

JSON lines go to --output or to standard output, tables to --table or to standard error.
benchmarks/README.md says what each figure is.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numba
import numpy as np

from benchmarks.engine_speed import floats, report
from benchmarks.engine_speed.kernels import Kernel
from benchmarks.engine_speed.measure import Speed, Turn, in_turns
from benchmarks.engine_speed.ours import Ours, blas, operations, products
from benchmarks.engine_speed.report import Figure
from benchmarks.engine_speed.torch_peer import TorchPeer
from benchmarks.engine_speed.windows import MEAN_LENGTHS, Pattern, full_rings, texts, windows
from benchmarks.engine_speed.worker import Worker
from equalinfo.alphabet import Symbols, join
from equalinfo.data.options import TextOptions
from equalinfo.m1.frozen.cpu import tiles
from equalinfo.m1.frozen.file import FrozenM1
from equalinfo.m1.frozen.threads import num_threads
from equalinfo.m1.shipped import shipped_m1

DEMO = Path(__file__).resolve().parents[1] / "demo" / "text" / "train-*.json.gz"
_PASS = 8192  # symbols of whole texts in a pass, at least
_FLOAT_WHOLE = 2048  # longest text that the float JAX model reads: it keeps all scores at once
_TOLERANCE = 1e-3  # between PyTorch's logits and JAX's, nats


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison; 0 whether or not the promises hold."""
    options = _parser().parse_args(argv)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as scratch:
        lines, bench = [], _Bench(options, Path(scratch))
        try:
            lines.append({"run": bench.about})
            for figure in bench.figures():
                figures.append(figure)
                print(f"{figure.workload}: {figure.competitor}", file=sys.stderr)
        finally:
            bench.close()
    kept = report.promises(figures)
    lines += [figure.as_json() for figure in figures] + report.ratios(figures) + kept
    _write(options.output, "".join(json.dumps(line) + "\n" for line in lines), sys.stdout)
    _write(options.table, report.tables(figures, kept), sys.stderr)
    return 0


class _Bench:
    """All that is timed."""

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options = options
        self.text: Symbols = join(TextOptions().documents(options.text))
        frozen = FrozenM1.load(options.m1) if options.m1 else shipped_m1().network
        self.shape = frozen.shape
        self.ours = Ours(frozen, options.threads)
        frozen.save(scratch / "m1.eqm")
        self.kernels = [
            Kernel(kernel, str(scratch / "m1.eqm"), options.threads, scratch)
            for kernel in options.kernels
        ]
        self.float = (
            floats.trained_model(options.float_m1, self.shape.max_context)
            if options.float_m1
            else floats.random_model(self.shape)
        )
        self.about: dict[str, Any] = {
            "platform": platform.platform(),
            "load_before": [round(x, 2) for x in os.getloadavg()],
            "kernels": tiles.able(),
            "openblas": blas(),
            "threads": options.threads,
            **{module.__name__: module.__version__ for module in (np, numba, jax)},
            "m1": frozen.sha256,
            "shape": vars(self.shape),
            "float_m1": str(options.float_m1) if options.float_m1 else "random parameters",
            "text_symbols": len(self.text),
            "rounds": options.rounds,
            "seconds": options.seconds,
        }
        if os.getloadavg()[0] > 0.5:
            _say(f"WARNING: other programs are busy here (load {os.getloadavg()[0]:.1f}).")
        self.torch: TorchPeer | None = None
        if not options.torch_python:
            _say("WARNING: no --torch_python: PyTorch, the peer that counts, is LEFT OUT.")
            return
        parameters = floats.for_torch(self.float)
        self.torch = TorchPeer(
            options.torch_python,
            parameters,
            self.shape.num_heads,
            options.threads,
            scratch,
            ("float32",) if options.kernels else ("float32", "bfloat16"),
        )
        self.about |= {"pytorch": self.torch.about, "pytorch_differs": self._check(self.torch)}

    def close(self) -> None:
        """End the other processes."""
        for worker in self._workers():
            worker.close()

    def _workers(self) -> list[Worker]:
        return [*self.kernels, *([] if self.torch is None else [self.torch])]

    def figures(self) -> Iterator[Figure]:
        """Everything."""
        self.rate = 0.0
        for name, rounds in self._time(products(self.options.threads, self.shape)).items():
            if name.startswith("float32"):
                self.rate = max(self.rate, *(speed.wall for speed in rounds))
            yield Figure("products", name, rounds)
        sample = texts(self.text, 8, 1000)
        for name, rounds in self._time(self.ours.frequencies(sample)).items():
            yield Figure("frequencies", name, rounds)
        for bits in self.options.windows:
            for lanes in self.options.lanes:
                pattern = windows(self.text, lanes, bits)
                yield from self._steps(f"steps, W={bits}, {lanes} lanes", pattern)
        context, lanes = self.options.ring, self.options.ring_lanes
        if context and not self.kernels:
            pattern = full_rings(self.text, lanes, context)
            yield from self._steps(f"steps, full caches of {context}, {lanes} lanes", pattern)
        for context in self.options.contexts:
            yield from self._whole(context)

    def _steps(self, workload: str, pattern: Pattern) -> Iterator[Figure]:
        competitors: dict[str, Turn] = {}
        if self.kernels:
            for kernel in self.kernels:
                competitors |= kernel.turns("steps", pattern)
            competitors |= self.ours.jax_steps(pattern)
        else:
            competitors |= self.ours.steps(pattern)
        memo = None
        if pattern.has_windows and not self.kernels:
            memo, competitors["cpu, frequencies, memo"] = self.ours.memo(pattern)
        # What JAX takes a symbol does not depend on the lanes, from some hundreds on.
        if not self.kernels and (
            pattern.lanes == self.options.jax_lanes or not pattern.has_windows
        ):
            competitors |= self.ours.jax_steps(pattern)
            competitors |= floats.jax_steps(self.float, pattern)
            competitors |= floats.jax_one_stream(self.float, pattern)
            competitors |= self.ours.one_stream(pattern)
            if self.torch is not None:
                streams = self.torch.steps(pattern.one_lane())
                competitors |= {f"{name}, one stream": turn for name, turn in streams.items()}
        if self.torch is not None:
            competitors |= self.torch.steps(pattern)
        before = (memo.hits, memo.steps) if memo is not None else (0, 0)
        detail = {"lanes": pattern.lanes, "context": pattern.context}
        for figure in self._figures(workload, competitors, pattern.seen, detail):
            if memo is not None and figure.competitor.endswith("memo"):
                hits = (memo.hits - before[0]) / (memo.steps - before[1])
                figure.detail["hits"] = round(hits, 4)
            yield figure

    def _whole(self, context: int) -> Iterator[Figure]:
        some = texts(self.text, max(1, _PASS // context), context - 1)
        competitors = self.ours.whole(some, context)
        if self.kernels:
            competitors = {"jax": competitors["jax"]}
            for kernel in self.kernels:
                competitors |= kernel.turns("whole", some, context)
        elif context <= _FLOAT_WHOLE:
            competitors |= floats.jax_whole(self.float, some)
        else:
            _say(f"left out: float JAX on whole texts of {context}, which keeps all scores")
        if self.torch is not None:
            competitors |= self.torch.whole(floats.with_marker(some))
        detail = {"texts": len(some), "context": context}
        yield from self._figures(f"whole texts of {context}", competitors, context / 2, detail)

    def _figures(
        self, workload: str, competitors: dict[str, Turn], seen: float, detail: dict[str, Any]
    ) -> Iterator[Figure]:
        work = operations(self.shape, seen)
        for name, rounds in self._time(competitors).items():
            share = max(speed.wall for speed in rounds) * work / self.rate
            yield Figure(workload, name, rounds, share, {**detail, "seen": round(seen, 1)})
        for worker in self._workers():
            worker.drop()

    def _time(self, competitors: dict[str, Turn]) -> dict[str, list[Speed]]:
        return in_turns(competitors, self.options.rounds, self.options.seconds)

    def _check(self, torch: TorchPeer) -> float:
        """Largest difference between PyTorch's float32 logits and JAX's, which must be rounding."""
        ids = floats.with_marker(texts(self.text, 2, 200))
        expected = floats.logits(self.float, ids)[:, 1:]
        expected -= expected.max(axis=-1, keepdims=True)
        found = torch.logits(ids)
        found -= found.max(axis=-1, keepdims=True)
        largest = float(np.abs(found - expected).max())
        if largest > _TOLERANCE:
            raise RuntimeError(f"PyTorch computes another function: logits differ by {largest}.")
        return largest


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _write(path: Path | None, content: str, stream: Any) -> None:
    if path is None:
        stream.write(content)
    else:
        path.write_text(content, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add: Callable[..., Any] = parser.add_argument
    add("--m1", help="frozen M1, .eqm; default: the one of the package")
    add("--float_m1", type=Path, help="run of `equalinfo train`; default: random, of the same size")
    add("--text", nargs="+", default=[str(DEMO)], help="files of text; default: the demo's")
    add("--torch_python", help="interpreter with PyTorch and NumPy")
    add("--kernels", nargs="*", default=[], choices=list(tiles.KERNELS), help="of the CPU engine")
    add("--threads", type=int, default=num_threads(), help="of every competitor but JAX")
    add("--windows", type=int, nargs="*", default=list(MEAN_LENGTHS), choices=list(MEAN_LENGTHS))
    add("--lanes", type=int, nargs="+", default=[192, 1024, 4096], help="texts at once")
    add("--jax_lanes", type=int, default=1024, help="of --lanes, where JAX and one stream are too")
    add("--ring", type=int, default=1024, help="symbols of full caches; 0: leave them out")
    add("--ring_lanes", type=int, default=192)
    add("--contexts", type=int, nargs="*", default=[256, 1024, 10_240], help="of whole texts")
    add("--rounds", type=int, default=5, help="turns; the best counts")
    add("--seconds", type=float, default=0.5, help="of each figure in each round, at least")
    add("--output", type=Path, help="JSON lines; default: standard output")
    add("--table", type=Path, help="Markdown; default: standard error")
    return parser


if __name__ == "__main__":
    sys.exit(main())
