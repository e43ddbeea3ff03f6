"""Claim: a frozen M1 gives the same frequencies however it is run. 0 differ.

    python -m benchmarks.m1_exactness --text 'C4/validation/*.json.gz' --float_m1 RUN \
        --other_python OTHER_JAX_VENV/bin/python --torch_python TORCH_VENV/bin/python

First the NumPy reference against the CPU engine. Then every setting (kernels, threads, batch, steps
or whole texts, padding, jit, kinds of products, devices, another JAX, PyTorch) reads the same
texts, half random and half real, as many as its speed allows; a number for each row of logits is
compared with that of one setting. Last, for contrast, the float model. One JSON line each, then a
verdict; exits with 1 if anything differs, or could not be run.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.instructions import environment
from benchmarks.m1_matrix.settings import ALL, GROUPS, TORCH_NETWORK
from benchmarks.m1_matrix.texts import Numbers, Texts, draw
from equalinfo import frequencies
from equalinfo.alphabet import Symbols
from equalinfo.m1.frozen.cpu import tiles
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.file import FrozenM1
from equalinfo.m1.frozen.reference import reference_frequencies
from equalinfo.m1.shipped import shipped_m1
from equalinfo.text_files import read_symbols

ROOT = Path(__file__).resolve().parents[1]
_DEMO = ROOT / "demo" / "text" / "train-*.json.gz"
_PRECISIONS = (14, 16, 20)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the matrix."""
    options = _parser().parse_args(argv)
    text = read_symbols(options.text, progress=False)
    model = FrozenM1.load(options.m1) if options.m1 else shipped_m1().frozen
    say = {"m1": model.sha256, "text_symbols": len(text), "load": round(os.getloadavg()[0], 2)}
    print(json.dumps(say), flush=True)
    bad = _reference(model, text, options.reference_contexts)
    interpreters = _interpreters(options)
    with tempfile.TemporaryDirectory() as folder:
        matrix = _Matrix(model, text, options.contexts, list(interpreters), Path(folder))
        for group, (python, variables) in interpreters.items():
            matrix.run(group, python, variables)
    if options.float_contexts:
        _contrast(options.float_m1, model, text, options.float_contexts)
    enough = matrix.contexts >= options.contexts
    verdict = {
        "verdict": "0 differ" if not (bad or matrix.bad) and enough else "NOT EXACT",
        "contexts": matrix.contexts,
        "differing": matrix.differing,
        "settings": matrix.settings,
        "failed": matrix.failed,
        "against_reference": bad,
        "skipped": [group for group in GROUPS if group not in interpreters],
    }
    print(json.dumps(verdict), flush=True)
    return int(verdict["verdict"] != "0 differ")


class _Matrix:
    """Runs groups of settings in processes of their own, and compares what they find."""

    def __init__(
        self, model: FrozenM1, text: Symbols, contexts: int, groups: list[str], folder: Path
    ) -> None:
        self.contexts = self.differing = self.settings = 0
        self.failed: list[str] = []
        self._expected: dict[str, Numbers] = {}
        self._folder = folder
        settings = [setting for group in groups for setting in GROUPS[group]()]
        # The first setting compares with nothing.
        scale = contexts / min(1.0, sum(setting.share for setting in settings[1:]))
        plan = {setting.name: int(np.ceil(scale * setting.share)) for setting in settings}
        plan[settings[0].name] = max(
            len(ALL) * -(-plan[setting.name] // len(setting.contexts)) for setting in settings
        )
        size = -(-plan[settings[0].name] // len(ALL))
        self._texts = {context: draw(text, context, size) for context in ALL}
        model.save(folder / "m1.eqm")
        (folder / "plan.json").write_text(json.dumps(plan))
        arrays: dict[str, Any] = {}
        for context, texts in self._texts.items():
            arrays |= {str(context): texts.symbols, f"{context} ends": texts.ends}
        np.savez(folder / "texts.npz", **arrays)

    @property
    def bad(self) -> bool:
        """Whether anything differs, or failed."""
        return bool(self.differing or self.failed)

    def run(self, group: str, python: str, variables: dict[str, str]) -> None:
        """Run a group and print a line for each setting."""
        command = [python, "-m", "benchmarks.m1_matrix.worker", str(self._folder), group]
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for printed in process.stdout:
            line = json.loads(printed)
            if "error" in line:
                self.failed.append(line["setting"])
            elif "setting" in line:
                line |= self._compare(line.pop("file"))
            print(json.dumps(line), flush=True)
        if process.wait():
            self.failed.append(group)
            line = {"setting": group, "error": f"{' '.join(command)} ended with {process.wait()}"}
            print(json.dumps(line), flush=True)

    def _compare(self, file: str) -> dict[str, Any]:
        with np.load(file) as arrays:
            found: dict[str, Numbers] = {name: arrays[name] for name in arrays}
        Path(file).unlink()
        contexts = sum(map(len, found.values()))
        digest = hashlib.sha256(b"".join(rows.tobytes() for rows in found.values())).hexdigest()
        line: dict[str, Any] = {"contexts": contexts, "sha256": digest}
        if not self._expected:
            self._expected = found
            return line | {"compared": "all others with this one"}
        self.contexts += contexts
        self.settings += 1
        line["differing"] = 0
        for name, rows in found.items():
            wrong = np.flatnonzero(rows != self._expected[name][: len(rows)])
            if len(wrong):
                line["differing"] += len(wrong)
                line.setdefault("first", self._place(self._texts[int(name)], int(wrong[0])))
        self.differing += line["differing"]
        return line

    def _place(self, texts: Texts, row: int) -> dict[str, int]:
        index = int(np.searchsorted(texts.first_rows, row, "right")) - 1
        symbols = row - int(texts.first_rows[index])
        return {"context": texts.context, "text": index, "after_symbols": symbols}


def _reference(model: FrozenM1, text: Symbols, contexts: int) -> int:
    """The reference's frequencies against those of the CPU engine; the number that differ."""
    engine = CpuEngine(model)
    total = wrong = 0
    for context in ALL:
        texts = draw(text, context, contexts // len(ALL), seed=1).all()
        rows: list[list[Any]] = [[] for _ in texts]
        engine.sequences(texts, context, lambda text, place, x: rows[text].append(x))  # noqa: B023
        for number, symbols in enumerate(texts):
            precision = _PRECISIONS[number % len(_PRECISIONS)]
            expected = reference_frequencies(model, symbols, context, precision)
            found = frequencies.from_log2(np.concatenate(rows[number]), precision)
            total += len(expected)
            wrong += int((found != expected).sum())
    line = {"setting": f"cpu {engine.kernel} against the NumPy reference", "contexts": total}
    print(json.dumps(line | {"differing_frequencies": wrong}), flush=True)
    return wrong


def _contrast(file: Path | None, model: FrozenM1, text: Symbols, contexts: int) -> None:
    from benchmarks.engine_speed.floats import random_model, trained_model
    from benchmarks.m1_matrix.contrast import contrast

    floats = trained_model(file, model.shape.max_context) if file else random_model(model.shape)
    for line in contrast(floats, text, contexts):
        print(json.dumps(line), flush=True)


def _interpreters(options: argparse.Namespace) -> dict[str, tuple[str, dict[str, str]]]:
    """{group: interpreter and environment}."""

    def all_of_them() -> Iterator[tuple[str, str | None, dict[str, str]]]:
        eight = "--xla_force_host_platform_device_count=8"
        yield "cpu", sys.executable, {}
        yield "avx2", sys.executable, environment("avx2")
        yield "portable", sys.executable, environment("portable")
        yield "jax", sys.executable, {}
        yield "devices", sys.executable, {"XLA_FLAGS": eight, "JAX_PLATFORMS": "cpu"}
        yield "another jax", options.other_python, {}
        yield "torch", options.torch_python, {}

    found = {}
    for group, python, variables in all_of_them():
        if python is None:
            print(f"WARNING: no interpreter for {group!r}: LEFT OUT.", file=sys.stderr)
        elif group == "torch" and not TORCH_NETWORK.exists():
            print(f"WARNING: {TORCH_NETWORK} is missing: PyTorch is LEFT OUT.", file=sys.stderr)
        elif group == "avx2" and group not in tiles.able():
            print("WARNING: this CPU has no AVX2: the kernel is LEFT OUT.", file=sys.stderr)
        elif group in options.groups:
            found[group] = python, variables
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--m1", help="frozen M1, .eqm; default: the one of the package")
    add("--float_m1", type=Path, help="run of `equalinfo train`; default: random, of the same size")
    add("--text", nargs="+", default=[str(_DEMO)], help="files of text; default: the demo's")
    add("--contexts", type=int, default=10_000_000, help="compared in all settings together")
    add("--reference_contexts", type=int, default=10_000, help="of the NumPy reference")
    add("--float_contexts", type=int, default=50_000, help="of the float model; 0: leave it out")
    add("--other_python", help="interpreter with another version of JAX")
    add("--torch_python", help="interpreter with PyTorch")
    add("--groups", nargs="+", default=list(GROUPS), choices=list(GROUPS), help="of settings")
    return parser


if __name__ == "__main__":
    sys.exit(main())
