"""`make demo`: the whole road on the text in demo/text, in some minutes, and one table at its end.

text -> two vocabularies of one size, trained on it -> tokens -> TFRecords -> SeqIO task -> M2;
then the paper's methods, which run M1 on every byte, on as much text as M1 reads in half a minute.
"""

import os

# Before TensorFlow and JAX are imported: no banners between the progress bars.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import argparse
import dataclasses
import gzip
import json
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import seqio
from tqdm import tqdm

import pipelines.compress
from equalinfo.cli import main as equalinfo
from equalinfo.codecs.sentencepiece import train as train_sentencepiece
from equalinfo.data.dataset import Dataset
from equalinfo.data.find import find
from equalinfo.data.manifest import Manifest
from equalinfo.data.text import read
from equalinfo.lm.config import OptimizerConfig, TrainConfig, model_config
from equalinfo.lm.data import RowBatches, TokenRows
from equalinfo.lm.evaluate import Scores, evaluate_dataset
from equalinfo.lm.train import train
from pipelines.options import parse_compress
from tasks.registration import register

TEXT = Path(__file__).parent / "text"
TRAIN, VALIDATION = str(TEXT / "train-*.json.gz"), str(TEXT / "validation-*.json.gz")
CODES = 4096
BATCH, LENGTH = 4, 128  # rows of a batch, tokens of a row: of M2
EXAMPLE_BYTES = 1024  # where M1 runs: short, as many step together as there are


@dataclasses.dataclass(frozen=True)
class Method:
    """A row of the table.

    Attributes:
      label: as printed.
      options: of pipelines.compress.
      m2: compress the training text too, and train an M2 on it.
      runs_m1: on every byte, so on part of the text.
    """

    label: str
    options: tuple[str, ...]
    m2: bool = False
    runs_m1: bool = False

    @property
    def name(self) -> str:
        """Of its directory."""
        return "".join(x if x.isalnum() else "_" for x in self.label)


def methods(work: Path) -> list[Method]:
    """The rows: what to train a model on, then the paper's."""
    codebook = ("--method=codebook", "--codebook", str(work / "codebook.eqi"))
    piece = ("--method=sentencepiece", "--sentencepiece", str(work / "sentencepiece.model"))
    window = ("--method=equal_info", "--window_bits=12", "--token_bits=12")
    return [
        Method("bytes", ("--method=bytes",)),
        Method("sentencepiece 4k", piece, m2=True),
        Method("codebook 4k", codebook, m2=True),
        Method("codebook 4k, longest", (*codebook, "--parse=longest")),
        Method("equal_info b=12, 4k", window),
        Method("codebook 65k, the package's", ("--method=codebook",)),
        Method("equal_info b=16, 65k", ("--method=equal_info",)),
        Method("gzip 65k", ("--method=gzip",)),
        Method("ac 65k", ("--method=ac",), runs_m1=True),
        Method("equal_info_ac b=16, 65k", ("--method=equal_info_ac", "--verify"), runs_m1=True),
        Method("equal_info b=32, 65k", ("--method=equal_info", "--window_bits=32"), runs_m1=True),
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
        self.seconds[name] = time.monotonic() - start


def compress(directory: Path, text: str, split: str, *options: str) -> None:
    """One Beam job."""
    argv = [*options, "--input", text, "--split", split, "--output", str(directory)]
    if pipelines.compress.main(argv):
        raise SystemExit("the compression job failed, see above")


def documents(text: str) -> list[bytes]:
    """The texts themselves."""
    return [item for file in find([text]) for item in read(file) if isinstance(item, bytes)]


def rate_of_m1(methods: list[Method]) -> float:
    """Bytes a second that all of these encode and decode again, with the engine in use."""
    data = np.frombuffer(b"".join(documents(VALIDATION)), np.uint8).astype(np.uint16)
    seconds = 0.0  # a byte
    for method in methods:
        argv = [*method.options, "--input", VALIDATION, "--output", "none"]
        codec = pipelines.compress.make_codec(parse_compress(argv))
        # The first time, kernels are loaded, or compiled.
        for number in (1, 16):
            examples = [data[at * EXAMPLE_BYTES :][:EXAMPLE_BYTES] for at in range(number)]
            start = time.monotonic()
            ids = [one.ids for one in codec.encode(examples)]
            codec.decode(ids, list(map(len, examples)), allow_errors=True)
            took = time.monotonic() - start
        seconds += took / sum(map(len, examples))
        print(f"{method.label}: M1 on {codec.engine}, {took:.1f} s for {len(examples)} KB")
    return 1 / seconds


def write_text(path: Path, size: float) -> int:
    """The first documents of the validation text, at most `size` bytes but one; their bytes."""
    written = 0
    path.parent.mkdir()
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for document in documents(VALIDATION):
            if written and written + len(document) > size:
                break
            written += len(document)
            file.write(json.dumps({"text": document.decode()}) + "\n")
    return written


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


def train_m2(directory: Path, run: Path, num_bytes: int) -> None:
    """A tiny M2 that reads so many bytes of text, in as many steps as their tokens need."""
    rows = rows_from_task(directory, "train")
    steps = max(2, round(num_bytes / (BATCH * float(rows.num_bytes.mean()))))
    optimizer = OptimizerConfig(
        name="muon",
        warmup_steps=min(20, steps),
        total_steps=steps,
        cooldown_steps=steps // 2,
    )
    config = TrainConfig(
        model=model_config("tiny", Manifest.load(directory).vocab_size, np.float32),
        optimizer=optimizer,
        steps=steps,
        checkpoint_every=steps,
    )
    train(config, RowBatches(rows, BATCH), run)


def round_trip(directory: Path, text: str) -> str:
    """Decode the validation split and compare it with the text."""
    totals = Manifest.load(directory).split("validation").totals
    if totals["window_errors"]:
        return f"FAILS: {totals['window_errors'] / totals['windows']:.1%} of windows"
    found = list(
        tqdm(
            Dataset.open(directory).restore("validation"), "decode", unit=" documents", leave=False
        )
    )
    return "ok" if found == documents(text) else "FAILS"


def print_table(rows: list[tuple[Method, Scores, str]]) -> None:
    """What a person reads."""
    print(f"\n{'method':<29}{'text':>8}{'bytes/':>8}{'entropy':>11}{'M2':>11}{'MFLOPs':>8}  round")
    units = f"{'KB':>8}{'token':>8}{'bits/byte':>11}{'bits/byte':>11}{'/byte':>8}"
    print(f"{'':<29}{units}  trip")
    for method, scores, trip in rows:
        # In sample: of a text with few tokens a code it would be far too low.
        enough = scores.num_tokens >= 10 * 2 ** (scores.uniform * scores.bytes_per_token)
        entropy = f"{scores.unigram_entropy:.3f}" if enough else "-"
        model = "-" if scores.model is None else f"{scores.model:.3f}"
        flops = "-" if scores.flops_per_byte is None else f"{scores.flops_per_byte / 1e6:.3f}"
        print(
            f"{method.label:<29}{scores.num_bytes / 1000:>8.0f}{scores.bytes_per_token:>8.2f}"
            f"{entropy:>11}{model:>11}{flops:>8}  {trip}"
        )


def main() -> None:
    """Run every stage."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--work", type=Path, default=Path("runs/demo"), help="emptied at the start")
    add("--m2_bytes", type=int, default=1_500_000, help="of text that each M2 reads")
    add("--m1_seconds", type=float, default=30, help="for all methods that run M1 on every byte")
    arguments = parser.parse_args()
    work: Path = arguments.work
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    stage = Stages()
    begin = time.monotonic()
    every = methods(work)
    slow = [method for method in every if method.runs_m1]
    models = [method for method in every if method.m2]
    part = work / "text" / "validation-00000-of-00001.json.gz"
    print(
        "The first run on a machine also compiles kernels (numba), a minute in all, and keeps them."
    )

    with stage(f"train two vocabularies of {CODES:,} on the text: SentencePiece, codebook"):
        train_sentencepiece(documents(TRAIN), work / "sentencepiece.model", CODES)
        compiled = ["compile", "--from-text", TRAIN, "--codes", str(CODES)]
        if equalinfo([*compiled, "-o", str(work / "codebook.eqi")]):
            raise SystemExit("the codebook was not compiled, see above")
    with stage("text -> tokens -> TFRecords"):
        for method in every:
            directory, length = work / method.name, f"--sequence_length={LENGTH}"
            if method.m2:
                print(method.label)
                compress(directory, TRAIN, "train", *method.options, length)
                codec = ("--codec", str(directory / "codec"))
                compress(directory, VALIDATION, "validation", *codec, length)
            elif not method.runs_m1:
                print(method.label)
                compress(directory, VALIDATION, "validation", *method.options)
    with stage(f"SeqIO task -> train M2s, each on {arguments.m2_bytes / 1e6:.1f} MB of text"):
        for method in models:
            print(method.label)
            train_m2(work / method.name, work / f"m2_{method.name}", arguments.m2_bytes)
    with stage("where M1 reads every byte: frequencies -> windows or arithmetic code -> tokens"):
        rate = rate_of_m1(slow)
        size = write_text(part, rate * arguments.m1_seconds)
        print(f"so {size / 1000:.0f} KB of text for each, in {arguments.m1_seconds:.0f} s in all")
        for method in slow:
            print(method.label)
            example = f"--example_bytes={EXAMPLE_BYTES}"
            compress(work / method.name, str(part), "validation", *method.options, example)
    rows = []
    with stage("decode all of it, and score it"):
        for method in tqdm(every, "methods"):
            run = work / f"m2_{method.name}" if method.m2 else None
            directory = work / method.name
            scores = evaluate_dataset(directory, "validation", run, batch_size=BATCH)
            rows.append(
                (method, scores, round_trip(directory, str(part) if method.runs_m1 else VALIDATION))
            )
    print_table(rows)
    print(
        "\nentropy: of the tokens' own frequencies, in sample; - where the text is too short.\n"
        f"M2: 0.1 M parameters, {arguments.m2_bytes / 1e6:.1f} MB of text: it shows that the road "
        "works, and not which method\nis best for a larger model. docs/results.md has larger runs. "
        "The 4k of sentencepiece and of codebook\nwere trained on its training part, the M1 of "
        "equal_info and the 65k on more English, this text among it.\n"
        "\nseconds per stage"
    )
    for name, took in stage.seconds.items():
        print(f"{took:7.1f}  {name}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{time.monotonic() - begin:7.1f}  in all; most memory {peak:.1f} GB")
    print(
        "\nNext:\n"
        f"  . .venv/bin/activate; equalinfo show 'Any text.' --codebook {work}/codebook.eqi\n"
        "  equalinfo compile --from-text 'corpus/*.json.gz' -o mine.eqi         # your text\n"
        "  equalinfo evaluate mine.eqi 'valid/*.json.gz' --compare english-65536-v2\n"
        'then README.md, "Your own corpus": tokens, an M2 on them, its bits/byte.'
    )


if __name__ == "__main__":
    main()
