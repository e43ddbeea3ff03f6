"""Claim: the pipeline is nearly as fast as reading, and its memory does not grow with the input.

    python -m benchmarks.pipeline --text 'C4/train/*.json.gz' --repeat 1 8

From .json.gz to finished TFRecords with the package's codebook, on `--workers` local processes,
beside, in turns:

  reading   the same processes and reader; documents are counted and dropped
  naive     ReadFromText | ParDo(json, encode, tf.train.Example) | WriteToTFRecord(num_shards)
  seqio     seqio_cache_tasks on a byte task over the first file (it is slow)

Each is a command of its own. Its time on so many MB is taken less the time of the same command on a
file of one document of 28 kB, so what starts and compiles does not count; `whole_seconds` has it
all. CPU is that of the command and all its children, and is the one to trust on a machine that does
other things too. Memory is the largest resident set of one of its processes, looked at five times a
second. Every input file is given `--repeat` times under other names.

    python -m benchmarks.pipeline --run stages --text ONE_FILE

takes the steps of compressing one file apart, on one process.
"""

import argparse
import glob
import gzip
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo" / "text" / "train-*.json.gz"
CASES = ("equalinfo", "reading", "naive", "seqio")


class Measured(NamedTuple):
    """Seconds on the clock, CPU seconds of all processes, bytes of the largest process."""

    wall: float
    cpu: float
    memory: int


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--text", default=str(DEMO), help="C4-like .json.gz files")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, nargs="+", default=[1], help="of each file")
    parser.add_argument("--rounds", type=int, default=3, help="the best counts")
    parser.add_argument("--cases", nargs="+", default=CASES, choices=CASES)
    parser.add_argument(
        "--run",
        choices=["stages", *CASES[1:]],
        help="stages: on one process, CPU seconds of each step of compress",
    )
    parser.add_argument("--output", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.run:
        with tempfile.TemporaryDirectory() as scratch:
            _RUN[options.run](options.text, options.output or scratch, options.workers)
        return
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps({"load": os.getloadavg()[0], "cores": os.cpu_count()}), flush=True)
        for repeat in options.repeat:
            _compare(options, repeat, Path(scratch, f"x{repeat}"))


def _compare(options: argparse.Namespace, repeat: int, scratch: Path) -> None:
    """All cases on the input repeated so often: a line for each, and the ratios."""
    paths = sorted(glob.glob(options.text))
    text_bytes = [_text_bytes(path) for path in paths]
    inputs = {"all": scratch / "all", "first": scratch / "first", "tiny": scratch / "tiny"}
    for folder in inputs.values():
        folder.mkdir(parents=True)
    for number in range(repeat):
        for path in paths:
            (inputs["all"] / f"{number}-{os.path.basename(path)}").symlink_to(os.path.abspath(path))
    (inputs["first"] / "a.json.gz").symlink_to(os.path.abspath(paths[0]))
    tiny = gzip.compress(json.dumps({"text": "One document. " * 2_000}).encode() + b"\n")
    for number in range(options.workers):
        (inputs["tiny"] / f"{number}.json.gz").write_bytes(tiny)
    speed: dict[str, tuple[float, float]] = {}
    rounds: dict[str, list[tuple[Measured, Measured]]] = {case: [] for case in options.cases}
    for _ in range(options.rounds):
        for case in options.cases:
            which = "first" if case == "seqio" else "all"
            rounds[case].append(
                tuple(  # type: ignore[arg-type]
                    _measure(_command(case, inputs[name], scratch / "out", options.workers))
                    for name in (which, "tiny")
                )
            )
    for case, pairs in rounds.items():
        size = text_bytes[0] if case == "seqio" else repeat * sum(text_bytes)
        wall = min(full.wall for full, _ in pairs) - min(tiny.wall for _, tiny in pairs)
        cpu = min(full.cpu for full, _ in pairs) - min(tiny.cpu for _, tiny in pairs)
        speed[case] = size / max(wall, 1e-9) / 1e6, size / max(cpu, 1e-9) / 1e6
        line = {
            "case": case,
            "text_mb": round(size / 1e6, 1),
            "mb_per_second": round(speed[case][0], 1),
            "mb_per_cpu_second": round(speed[case][1], 1),
            "whole_seconds": round(min(full.wall for full, _ in pairs), 2),
            "largest_process_mb": round(max(full.memory for full, _ in pairs) / 1e6),
        }
        print(json.dumps(line), flush=True)
    if "equalinfo" in speed:
        ours = speed["equalinfo"]
        ratios = {
            f"equalinfo / {case}": [round(ours[0] / other[0], 2), round(ours[1] / other[1], 2)]
            for case, other in speed.items()
            if case != "equalinfo"
        }
        print(json.dumps({"ratios of wall and CPU speed": ratios}), flush=True)


def _text_bytes(path: str) -> int:
    with gzip.open(path) as file:
        return sum(len(json.loads(line)["text"].encode()) for line in file)


def _command(case: str, folder: Path, output: Path, workers: int) -> list[str]:
    text = str(folder / "*.json.gz")
    if case == "equalinfo":
        command = ["-m", "pipelines.compress", "--input", text, "--output", str(output)]
        return [sys.executable, *command, "--workers", str(workers), "--quiet", "--overwrite"]
    command = ["-m", "benchmarks.pipeline", "--run", case, "--text", text]
    return [sys.executable, *command, "--output", str(output), "--workers", str(workers)]


def _measure(command: list[str]) -> Measured:
    output = Path(command[command.index("--output") + 1])
    subprocess.run(["rm", "-rf", str(output)], check=True)
    start = time.monotonic()
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    cpu: dict[int, float] = {}
    largest = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal largest
        while not done.wait(0.2):
            try:
                main = psutil.Process(process.pid)
                for one in (main, *main.children(recursive=True)):
                    largest = max(largest, one.memory_info().rss)
                    times = one.cpu_times()
                    cpu[one.pid] = times.user + times.system
            except psutil.NoSuchProcess:
                continue

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    _, errors = process.communicate()
    wall = time.monotonic() - start
    done.set()
    thread.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{errors[-3000:]}")
    return Measured(wall, sum(cpu.values()), largest)


def _count(file: Any) -> int:
    from equalinfo.data.text import text_bytes

    return text_bytes(file)


def run_reading(text: str, output: str, workers: int) -> None:
    """Read all documents with our reader and our processes, and drop them."""
    from benchmarks.pipeline import _count  # by its name: workers import it
    from equalinfo.data.find import find
    from pipelines.executors.local import map_in_order

    sum(map_in_order(_count, find([text]), workers))


def run_stages(text: str, output: str, workers: int) -> None:
    """CPU seconds of each step on one process, the best of some rounds, taken in turns."""
    from equalinfo import codecs
    from equalinfo.alphabet import from_bytes
    from equalinfo.data.find import find
    from equalinfo.data.text import text_bytes
    from pipelines import shard

    task = shard.ShardTask(find([text])[0], 0, 1)
    layout = shard.Layout()
    for method, options in STAGE_CODECS:
        codec = codecs.create(method, **options)
        read = list(shard.read_batches(task, layout, runs_model=False))
        symbols = [[from_bytes(example.text) for example in batch.examples] for batch in read]
        steps: dict[str, Callable[[], object]] = {
            "read": lambda: text_bytes(task.file),
            "read and cut": lambda: list(
                map(
                    len, ([*x.examples] for x in shard.read_batches(task, layout, runs_model=False))
                )
            ),
            "code": lambda: [codec.encode(some) for some in symbols if some],  # noqa: B023
            "code and pack": lambda: [shard.encode_batch(x, layout, codec) for x in read],  # noqa: B023
            "all": lambda: shard.compress_shard(task, layout, codec, output),  # noqa: B023
        }
        best = dict.fromkeys(steps, float("inf"))
        for _ in range(STAGE_ROUNDS):
            for name, step in steps.items():
                start = time.process_time()
                step()
                best[name] = min(best[name], time.process_time() - start)
        needed = best["read"] + best["code"]
        line = {
            "method": method,
            **options,
            "seconds": {name: round(seconds, 3) for name, seconds in best.items()},
            "beyond reading and coding": round((best["all"] - needed) / needed, 2),
        }
        print(json.dumps(line), flush=True)


STAGE_CODECS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("codebook", {}),
    ("codebook", {"parse": "longest"}),
    ("equal_info", {}),
)
STAGE_ROUNDS = 9


def _examples(line: str) -> list[bytes]:
    from tensorflow.train import Example, Feature, Features, Int64List

    from equalinfo import Tokenizer

    global _tokenizer
    if _tokenizer is None:
        _tokenizer = Tokenizer.default()
    ids = _tokenizer.encode(json.loads(line)["text"])
    rows = [Int64List(value=ids[start : start + 512]) for start in range(0, len(ids), 512)]
    features = [Features(feature={"targets": Feature(int64_list=row)}) for row in rows]
    return [Example(features=each).SerializeToString() for each in features]


_tokenizer: Any = None


def run_naive(text: str, output: str, workers: int) -> None:
    """The pipeline as it is usually written, with our tokenizer."""
    import apache_beam as beam

    from benchmarks.pipeline import _examples

    shards = len(glob.glob(text))
    options = beam.options.pipeline_options.PipelineOptions(
        ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
    )
    runner = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
    with beam.Pipeline(runner=runner, options=options) as pipeline:
        _ = (
            pipeline
            | beam.io.ReadFromText(text)
            | beam.FlatMap(_examples)
            | beam.io.WriteToTFRecord(output + "/train", num_shards=shards)
        )


def run_seqio(text: str, output: str, workers: int) -> None:
    """SeqIO's own way, by its own command."""
    local = "--runner=apache_beam.runners.portability.fn_api_runner.fn_runner.FnApiRunner"
    options = f"{local},--direct_running_mode=multi_processing,--direct_num_workers={workers}"
    subprocess.run(
        [
            sys.executable,
            *("-m", "seqio.scripts.cache_tasks_main", "--tasks=byte_task"),
            "--module_import=benchmarks.pipeline_seqio",
            f"--output_cache_dir={output}",
            f"--min_shards={len(glob.glob(text))}",
            f"--pipeline_options={options}",
        ],
        check=True,
        env={**os.environ, "EQUALINFO_TEXT": text, "PYTHONPATH": str(ROOT)},
    )


_RUN = {"stages": run_stages, "reading": run_reading, "naive": run_naive, "seqio": run_seqio}


if __name__ == "__main__":
    main()
