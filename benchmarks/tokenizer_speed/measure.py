"""Measure all tokenizers in turns. Every figure is one `Measurement`, hence one JSON line."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.tokenizer_speed.kinds_of_text import all_kinds
from benchmarks.tokenizer_speed.training import ROOT, Candidate
from benchmarks.tokenizer_speed.worker import MODES, Worker
from equalinfo.evaluation.token_scores import Texts, evaluate
from equalinfo.evaluation.vocabularies import load

SENTENCE = "Equal information, not equal length."
PAGES = (
    10_000  # characters of real text: beyond what a library may do in a slow, quick-to-start way
)
THREADS = 2
FIRST_DOCUMENTS = 2_000

# Import, load, first encode and first decode in a new process; argv: kind, file, text.
FRESH_START = """
import time
start = time.perf_counter()
import sys
from pathlib import Path
from benchmarks.tokenizer_speed.adapters import ADAPTERS
tokenizer = ADAPTERS[sys.argv[1]][1](Path(sys.argv[2]))
ids = tokenizer.encode(sys.argv[3])
encoded = time.perf_counter() - start
tokenizer.decode(ids)
print(encoded, time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Measurement:
    """One number.

    Attributes:
      tokenizer: a candidate's name.
      vocab: its size.
      figure: what was measured; for speeds `action/mode/threads`, as `encode/batch/2`.
      value: the number.
      unit: its unit.
      detail: what helps to judge it, as each round's value.
    """

    tokenizer: str
    vocab: int
    figure: str
    value: float
    unit: str
    detail: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The JSON line."""
        fields = {name: value for name, value in vars(self).items() if name != "detail"}
        return {**fields, **self.detail}


def speed_figures(has_bytes: bool) -> list[tuple[str, str, int]]:
    """Every (action, mode, threads) that is timed."""
    figures = [
        (action, mode, threads)
        for action in ("encode", "decode")
        for mode in MODES
        for threads in ((1, THREADS) if mode == "batch" else (1,))
    ]
    return figures + [("decode_bytes", "document", 1)] * has_bytes


def measure(
    candidates: Sequence[Candidate],
    validation: list[str],
    heldout: list[str],
    num_timed: int,
    rounds: int,
    seconds: float,
    num_starts: int,
) -> list[Measurement]:
    """All figures of all candidates.

    Args:
      candidates: their files exist.
      validation: documents to count tokens of; the first `num_timed` are also timed.
      heldout: other documents to count tokens of; may be empty.
      num_timed: documents that are timed and must come back exactly.
      rounds: turns; the best of them counts.
      seconds: the least that one figure of one tokenizer takes in a round.
      num_starts: fresh processes of each; their median counts. 0: leave these figures out.
    """
    found: list[Measurement] = []
    # An argument of a command holds no null character.
    pages = "\n\n".join(validation)[:PAGES].replace("\0", "")

    def add(candidate: Candidate, figure: str, value: float, unit: str, **detail: Any) -> None:
        found.append(Measurement(candidate.name, candidate.vocab, figure, value, unit, detail))

    with ExitStack() as stack:
        workers = {}
        for candidate in candidates:
            _say(f"loading {candidate.name}")
            worker = Worker(candidate.kind, candidate.path, THREADS)
            workers[candidate] = stack.enter_context(closing(worker))
            loaded = worker.call("load", pages)
            for figure in ("load", "first_load"):
                add(candidate, figure, loaded[figure] * 1e3, "ms")
            for figure in ("memory_import", "memory_load"):
                add(candidate, figure, loaded[figure] / 1e6, "MB")
            speed = worker.call("first_pass", (heldout or validation)[-FIRST_DOCUMENTS:])
            add(candidate, "encode/first/1", speed, "MB/s")
            add(candidate, "file", candidate.path.stat().st_size / 1e6, "MB")
        for candidate, worker in workers.items():
            _say(f"counting tokens of {candidate.name}")
            for split, texts in (("validation", validation), ("heldout", heldout)):
                if texts:
                    size, tokens = worker.call("count", texts, THREADS)
                    counts = {"bytes": size, "tokens": tokens}
                    add(candidate, f"density/{split}", size / tokens, "bytes/token", **counts)
            for kind, texts in all_kinds().items():
                size, tokens = worker.call("count", texts, THREADS)
                counts = {"bytes": size, "tokens": tokens}
                add(candidate, f"density/{kind}", size / tokens, "bytes/token", **counts)
                restored = worker.call("restored", texts)
                add(candidate, f"restored/{kind}", restored, "documents", of=len(texts))
            checked = worker.call("prepare", validation[:num_timed])
            total = len(validation[:num_timed])
            add(candidate, "restored", checked["restored"], "documents", of=total)
            add(candidate, "differing", checked["differing"], "documents", of=total)
        for candidate, speeds in _time_in_turns(workers, rounds, seconds).items():
            for figure, results in speeds.items():
                values = [result["speed"] for result in results]
                best = max(results, key=lambda result: result["speed"])
                detail: dict[str, Any] = {"rounds": _rounded(values)}
                detail |= {name: round(best[name], 2) for name in ("cores", "others")}
                add(candidate, figure, best["speed"], "MB/s", **detail)
                if figure.endswith("/1"):
                    fastest = max(result["speed"] / result["cores"] for result in results)
                    add(candidate, f"{figure}/cpu", fastest, "MB/CPU s")
    for candidate in candidates if num_starts else ():
        _say(f"fresh processes of {candidate.name}")
        starts = [fresh_start(candidate, SENTENCE) for _ in range(num_starts)]
        uses = [fresh_start(candidate, pages) for _ in range(num_starts)]
        for figure, times in (
            ("fresh_start", [start["encoded"] for start in starts]),
            ("fresh_process", [start["process"] for start in starts]),
            ("fresh_use", [use["decoded"] for use in uses]),
        ):
            add(candidate, figure, statistics.median(times), "s", rounds=_rounded(times))
        if candidate.ours:
            with tempfile.TemporaryDirectory() as empty:
                first = fresh_start(candidate, pages, {"NUMBA_CACHE_DIR": empty})
            add(candidate, "first_use", first["decoded"], "s")
    return found


def predictability(
    candidates: Sequence[Candidate], train: list[str], validation: list[str], cache: Path
) -> list[Measurement]:
    """Entropy and n-gram bits/byte, of each file that `equalinfo evaluate` reads.

    Args:
      candidates: of tiktoken's files there are no figures: those of Hugging Face's BPE are theirs.
      train: documents that n-grams are trained on.
      validation: documents that are scored.
      cache: directory that keeps the ids of slow tokenizers.
    """
    texts = Texts([text.encode() for text in train], [text.encode() for text in validation], "")
    found = []
    for candidate in candidates:
        if candidate.path.suffix == ".tiktoken":
            continue
        _say(f"n-grams of {candidate.name}")
        scores = evaluate(load(str(candidate.path)), texts, cache)
        figures = [("entropy", scores.entropy, "bits/byte")]
        figures += [(f"KN-{order}", bits, "bits/byte") for order, bits in scores.ngram.items()]
        figures.append(("crossing", scores.crossing, "of tokens"))
        figures.append(("unused", scores.unused / scores.codes, "of codes"))
        found += [Measurement(candidate.name, candidate.vocab, *figure, {}) for figure in figures]
    return found


def _time_in_turns(
    workers: dict[Candidate, Worker], rounds: int, seconds: float
) -> dict[Candidate, dict[str, list[dict[str, float]]]]:
    speeds: dict[Candidate, dict[str, list[dict[str, float]]]] = {name: {} for name in workers}
    figures = {c: speed_figures(worker.call("has_bytes")) for c, worker in workers.items()}
    for turn in range(rounds):
        for figure in speed_figures(has_bytes=True):
            _say(f"round {turn + 1} of {rounds}: {figure[0]} {figure[1]}, {figure[2]} thread(s)")
            for candidate, worker in workers.items():
                if figure in figures[candidate]:
                    result = worker.call("time", *figure, seconds)
                    name = "/".join(map(str, figure))
                    speeds[candidate].setdefault(name, []).append(result)
    return speeds


def fresh_start(
    candidate: Candidate, text: str, variables: Mapping[str, str] = MappingProxyType({})
) -> dict[str, float]:
    """Seconds from before the import to the first ids, to the text again, and of the process."""
    command = [sys.executable, "-c", FRESH_START, candidate.kind, str(candidate.path), text]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    start = time.perf_counter()
    run = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,  # "-c" looks for modules in the working directory first
        env={**os.environ, "PYTHONPATH": path, **variables},
    )
    whole = time.perf_counter() - start
    encoded, decoded = map(float, run.stdout.split())
    return {"encoded": encoded, "decoded": decoded, "process": whole}


def _rounded(values: list[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
