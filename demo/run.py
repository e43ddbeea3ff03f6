"""`make demo`: the whole road on the text in demo/text, in a few minutes, and one table at its end.

text -> M1 -> frequencies -> windows -> tokens -> TFRecords -> SeqIO task -> M2 -> bits/byte
"""

import os

# Before TensorFlow and JAX are imported: no banners between the progress bars.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import argparse
import dataclasses
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import seqio
from tqdm import tqdm

import pipelines.compress
import pipelines.count
from equalinfo.cli import main as equalinfo
from equalinfo.codecs.sentencepiece import train as train_sentencepiece
from equalinfo.dataset import restore
from equalinfo.lm.config import model_config
from equalinfo.lm.data import RowBatches, TokenRows
from equalinfo.lm.evaluate import Scores, evaluate_dataset
from equalinfo.lm.optimizer import OptimizerConfig
from equalinfo.lm.train import TrainConfig, train
from equalinfo.manifest import Manifest
from pipelines import readers, sources
from tasks.registration import register

TEXT = Path(__file__).parent / "text"
SPLITS = {"train": "train-*.json.gz", "validation": "validation-*.json.gz"}


@dataclasses.dataclass(frozen=True)
class Method:
    """A row of the table.

    Attributes:
      label: as printed.
      options: of pipelines.compress.
      whole: compress the training split too (False where M1 runs on every byte: slow).
      m2: train an M2 on it.
    """

    label: str
    options: tuple[str, ...]
    whole: bool = True
    m2: bool = False


def methods(work: Path, m1: tuple[str, ...]) -> list[Method]:
    """The rows, in the paper's order; `m1`: options that name an M1, none for the package's."""
    # Where M1 runs on every byte, short examples: as many of them step together as there are.
    short = ("--example_bytes=1024", *m1)
    return [
        Method("bytes", ("--method=bytes",), m2=True),
        Method(
            "sentencepiece 2k",
            ("--method=sentencepiece", "--sentencepiece", str(work / "sentencepiece.model")),
            m2=True,
        ),
        Method("gzip [v=65k]", ("--method=gzip",)),
        Method("static_ac [v=65k]", ("--method=static_ac", "--static", str(work / "static"))),
        Method("ac [v=65k]", ("--method=ac", *short), whole=False),
        Method("equal_info_ac [b=16, v=65k]", ("--method=equal_info_ac", *short), whole=False),
        Method("equal_info [b=16, v=65k]", ("--method=equal_info", *m1)),
        # Few enough codes for an M2 to learn in a minute.
        Method(
            "equal_info [b=12, v=4k]",
            ("--method=equal_info", "--window_bits=12", "--token_bits=12", *m1),
            m2=True,
        ),
    ]


class Stages:
    """Seconds per stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a stage and say that it begins."""
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - start


def compress(options: tuple[str, ...], directory: Path, split: str) -> None:
    """One Beam job."""
    pattern = str(TEXT / SPLITS[split])
    argv = [*options, "--input", pattern, "--split", split, "--output", str(directory)]
    if pipelines.compress.main(argv):
        raise SystemExit("the compression job failed, see above")


def compress_both(method: Method, directory: Path) -> None:
    """Both splits, the second with the codec that the first made."""
    verify = ("--verify",) if method.options[0] == "--method=equal_info_ac" else ()
    if method.whole:
        compress((*method.options, *verify), directory, "train")
        compress((*verify, "--codec", str(directory / "codec")), directory, "validation")
    else:
        compress((*method.options, *verify), directory, "validation")


def documents(split: str) -> list[bytes]:
    """The texts themselves, for comparison."""
    return [
        item
        for file in sources.find([str(TEXT / SPLITS[split])])
        for item in readers.read(file)
        if isinstance(item, bytes)
    ]


def rows_from_task(directory: Path, split: str) -> TokenRows:
    """Read a split through its SeqIO task, as T5X would."""
    length = Manifest.load(directory).sequence_length
    task = seqio.get_mixture_or_task(register(directory, name=f"demo_{directory.name}"))
    targets, num_bytes = [], []
    dataset = task.get_dataset({"targets": length}, split, shuffle=False)
    for example in tqdm(dataset.as_numpy_iterator(), "SeqIO", unit=" examples", leave=False):
        ids = example["targets"]
        targets.append(np.pad(ids, (0, length - len(ids))))
        num_bytes.append(example["num_bytes"])
    return TokenRows(np.stack(targets).astype(np.int32), np.array(num_bytes, np.int64))


def train_m1(dataset: Path, run: Path, frozen: Path, steps: int) -> None:
    """A tiny M1, as integers."""
    command = f"train --dataset={dataset} --output={run} --size=tiny --steps={steps} "
    command += "--batch_size=32 --length=128 --segment_lengths=128,16 --optimizer=muon "
    command += f"--cooldown_steps={steps // 2} --eval_every={steps}"
    equalinfo(command.split())
    text = str(TEXT / SPLITS["train"])
    equalinfo(["freeze", str(run), "-o", str(frozen), "--max_context=128", "--text", text])


def train_m2(directory: Path, run: Path, steps: int) -> None:
    """A small M2 on the tokens of a data set."""
    config = TrainConfig(
        model=model_config("tiny", Manifest.load(directory).vocab_size, np.float32),
        optimizer=OptimizerConfig(warmup_steps=100, total_steps=steps, cooldown_steps=steps // 3),
        steps=steps,
        checkpoint_every=steps,
    )
    batches = RowBatches(rows_from_task(directory, "train"), batch_size=4)
    train(config, batches, run)


def round_trip(directory: Path) -> str:
    """Decode the validation split and compare it with the text."""
    totals = Manifest.load(directory).split("validation").totals
    if totals["window_errors"]:
        return f"FAILED: {totals['window_errors'] / totals['windows']:.1%} of windows"
    found = list(tqdm(restore(directory, "validation"), "decode", unit=" documents", leave=False))
    return "ok" if found == documents("validation") else "FAILED"


def print_table(rows: list[tuple[Method, Scores, str, float]]) -> None:
    """What a person reads."""
    print(
        f"\n{'method':<28}{'bytes/':>8}{'uniform':>10}{'unigram':>10}{'M2':>10}{'MFLOPs':>9}"
        f"{'seconds':>9}  round trip"
    )
    print(f"{'':<28}{'token':>8}{'bits/byte':>10}{'bits/byte':>10}{'bits/byte':>10}{'/byte':>9}")
    for method, scores, trip, seconds in rows:

        def cell(value: float | None, digits: int = 3) -> str:
            return "-" if value is None else f"{value:.{digits}f}"

        flops = None if scores.flops_per_byte is None else scores.flops_per_byte / 1e6
        unigram = scores.unigram
        print(
            f"{method.label:<28}{cell(scores.bytes_per_token, 2):>8}{cell(scores.uniform):>10}"
            f"{cell(unigram):>10}{cell(scores.model):>10}{cell(flops, 2):>9}{seconds:>9.1f}  {trip}"
        )


def main() -> None:
    """Run every stage."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--work", type=Path, default=Path("runs/demo"), help="emptied at the start")
    parser.add_argument(
        "--m1_steps",
        type=int,
        default=0,
        help="train a tiny M1 for so many steps and use it; 0: use the M1 of the package",
    )
    parser.add_argument("--m2_steps", type=int, default=200)
    arguments = parser.parse_args()
    work: Path = arguments.work
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    stage = Stages()
    m1 = work / "m1.eqm"
    rows_of = methods(work, ("--m1", str(m1)) if arguments.m1_steps else ())
    directories = {
        method: work / method.label.split(" [")[0].replace(" ", "_") for method in rows_of
    }
    directories[rows_of[-1]] = work / "equal_info_b12"
    seconds = dict.fromkeys(rows_of, 0.0)

    with stage("text -> bytes, unigram counts, a SentencePiece model"):
        start = time.monotonic()
        compress_both(rows_of[0], directories[rows_of[0]])
        seconds[rows_of[0]] = time.monotonic() - start
        pattern = str(TEXT / SPLITS["train"])
        if pipelines.count.main(["--input", pattern, "--output", str(work / "static")]):
            raise SystemExit("counting failed, see above")
        train_sentencepiece(documents("train"), work / "sentencepiece.model", 2000)
    if arguments.m1_steps:
        with stage("train M1 on bytes, freeze it"):
            train_m1(directories[rows_of[0]], work / "m1", m1, arguments.m1_steps)
    with stage("compress with Beam (M1 -> frequencies -> windows -> tokens -> TFRecords)"):
        for method in rows_of[1:]:
            start = time.monotonic()
            compress_both(method, directories[method])
            seconds[method] = time.monotonic() - start
    with stage("SeqIO task -> train M2"):
        for method in rows_of:
            if method.m2:
                print(method.label)
                train_m2(
                    directories[method], work / f"m2_{directories[method].name}", arguments.m2_steps
                )
    rows = []
    with stage("round trip and scores"):
        for method in rows_of:
            directory = directories[method]
            run = work / f"m2_{directory.name}" if method.m2 else None
            scores = evaluate_dataset(directory, "validation", run)
            rows.append((method, scores, round_trip(directory), seconds[method]))
    print_table(rows)
    print("\nseconds per stage")
    for name, took in stage.seconds.items():
        print(f"{took:7.1f}  {name}")
    print(
        "\nM2 is tiny here (0.1M parameters, a minute of training): its numbers show that the road "
        "works,\nnot what the method reaches; docs/results.md has larger runs."
    )


if __name__ == "__main__":
    main()
