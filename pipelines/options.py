"""Command lines of the pipelines: what each option means, checked before any work is done."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from equalinfo import codecs
from equalinfo.codebook import M1_PLANS, PARSES
from equalinfo.data.options import SUFFIXES, add_text_options, positive
from equalinfo.m1.base import check_precision
from pipelines import sinks
from pipelines.executors.dask import Dask
from pipelines.executors.local import Local
from pipelines.executors.task_array import TaskArray
from pipelines.executors.work import Executor

FILES, BATCHES = "files", "batches"
"""What the workers share out: whole input files, or batches of them."""

VCPU_PRICE = 0.07
"""Dollars an hour on Dataflow (batch, us-central1): 0.056 the vCPU, the rest for 3.75 GB of memory.
Prices change: look them up."""

CODEC_FLAGS = {
    "m1": "model",
    "static": "model",
    "sentencepiece": "model",
    "codebook": "codebook",
    "parse": "parse",
    "window_bits": "window_bits",
    "token_bits": "token_bits",
    "plan": "plan",
    "delay": "delay",
    "m1_reset": "m1_reset",
    "m1_context": "m1_context",
    "gzip_header": "header",
}
"""Option of the command line -> option of `codecs.create`."""

MODEL_FLAG = {"static_ac": "static", "sentencepiece": "sentencepiece"}
"""Option that names a method's model; `m1` for the methods that are not here."""


@dataclass(frozen=True)
class InputOptions:
    """Which text to read; see `pipelines.sources.find`."""

    input: tuple[str, ...]
    text_field: str
    tfds_split: str
    data_dir: str | None
    limit: int | None


@dataclass(frozen=True)
class CompressOptions:
    """A run of `pipelines.compress`.

    Attributes:
      source: which text to read.
      output: dataset directory.
      split: its name in the dataset.
      method: compression method; None with `codec`.
      codec: directory of a codec made before; None to make one.
      codec_options: for `codecs.create`: those that were given.
      sequence_length: L, most tokens in a record.
      example_bytes: most symbols (bytes and EOS) in an example.
      documents_per_sequence: documents joined before examples are cut.
      trim: "none" or "paper".
      verify: decode everything again.
      format: of the shards.
      spread: what workers share out, files or batches; None: decided by codec and runner.
      estimate: only measure, and say what all of it would take.
      vcpu_price: dollars an hour of a vCPU, for the estimate.
      max_reject_fraction: of the documents, 0..1.
      allow_damaged_files: keep what damaged files gave.
      overwrite: replace a finished split.
      progress: show a bar.
      workers: local processes, for the estimate too.
      executor: what runs it.
    """

    source: InputOptions
    output: str
    split: str
    method: str | None
    codec: str | None
    codec_options: dict[str, Any]
    sequence_length: int
    example_bytes: int
    documents_per_sequence: int
    trim: str
    verify: bool
    format: str
    spread: str | None
    estimate: bool
    vcpu_price: float
    max_reject_fraction: float
    allow_damaged_files: bool
    overwrite: bool
    progress: bool
    workers: int
    executor: Executor


@dataclass(frozen=True)
class CountOptions:
    """A run of `pipelines.count`; attributes as in `CompressOptions`."""

    source: InputOptions
    output: str
    max_reject_fraction: float
    allow_damaged_files: bool
    precision: int
    executor: Executor


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\nAll options: {self.prog} --help\n")


def parse_compress(argv: Sequence[str] | None = None) -> CompressOptions:
    """Read the command line of `pipelines.compress`; exits with a message where it is wrong."""
    parser = _parser("compress", "Compress text into TFRecords of tokens, one shard an input.")
    _add_input(parser)
    add = parser.add_argument
    add("--output", required=True, metavar="DIR", help="dataset directory (local or gs://)")
    add("--split", default="train", help="name of the split (default: %(default)s)")
    add("--method", choices=list(codecs.METHODS), help="default: equal_info, or that of --codec")
    add("--codec", metavar="DIR", help="use this codec directory instead of making a codec")
    add(
        "--m1",
        metavar="FILE",
        help="frozen M1 for ac, equal_info_ac and equal_info: an .eqm file, or one of the package: "
        "english-3m-v2 (default), english-3m-v1, or counts, less dense and many times as fast",
    )
    add("--static", metavar="FILE", help="byte frequencies for static_ac, from pipelines.count")
    add("--sentencepiece", metavar="FILE", help=".model file")
    add(
        "--codebook",
        metavar="FILE",
        help="codebook: default, that of the package. equal_info: in place of --m1; with neither "
        "and 16-bit windows, that of the package",
    )
    add("--parse", choices=PARSES, help="codebook: how text is cut (default: the codebook's own)")
    add("--plan", choices=M1_PLANS, help="equal_info: how to compile --m1 (default: best_first)")
    add("--window_bits", type=positive, help="W: 9..128, equal_info_ac from 14 (default: 16)")
    add("--token_bits", type=positive, help="N: 1..16, or W up to 20 (default: W, at most 16)")
    add("--delay", action="store_true", default=None, help="equal_info_ac: the paper's Delay [A.5]")
    add("--m1_reset", type=_not_negative, help="reset M1 every k-th window, 0: never (default: 1)")
    add("--m1_context", type=positive, help="symbols of left context that M1 sees")
    add("--gzip_header", action=argparse.BooleanOptionalAction, help="gzip: header and footer")
    add("--sequence_length", type=positive, default=512, help="L (default: %(default)s tokens)")
    add("--example_bytes", type=positive, default=10_240, help="default: %(default)s")
    add("--documents_per_sequence", type=positive, default=128, help="default: %(default)s")
    add("--trim", choices=("none", "paper"), default="none", help="paper: L tokens per example")
    add("--verify", action="store_true", help="decode every example again and compare")
    add(
        "--format",
        choices=sinks.FORMATS,
        default=sinks.TFRECORD,
        help="array_record: for Grain and MaxText (default: %(default)s)",
    )
    add("--overwrite", action="store_true", help="replace the split if it is finished already")
    add("--progress", action=argparse.BooleanOptionalAction, default=True, help="show a bar")
    add(
        "--estimate",
        action="store_true",
        help="measure the first input file, say what all would take, and write nothing",
    )
    add(
        "--vcpu_price",
        type=float,
        default=VCPU_PRICE,
        help="dollars an hour, with its memory (default: %(default)s)",
    )
    add_executor(parser)
    add(
        "--spread",
        choices=(FILES, BATCHES),
        help="what workers share out; the output is the same (default: batches where M1 runs on a "
        "cluster, else files)",
    )
    add("--task_index", type=_not_negative, help="do this part of --num_tasks, without Beam")
    add("--num_tasks", type=positive, help="parts of a task array, on SLURM for example")
    add("--dask", metavar="ADDRESS", help="work on the cluster of this Dask scheduler, no Beam")
    options, beam_flags = parser.parse_known_args(argv)
    if not re.fullmatch(r"\w+", options.split, re.ASCII):
        parser.error(f"--split={options.split!r} names files: use letters, digits and _ only.")
    if options.example_bytes < 4:
        parser.error(f"--example_bytes={options.example_bytes}: one UTF-8 character may need 4.")
    return CompressOptions(
        source=_input(options, options.split),
        output=options.output,
        split=options.split,
        method=None if options.codec else options.method or "equal_info",
        codec=options.codec,
        codec_options=_codec_options(parser, options),
        sequence_length=options.sequence_length,
        example_bytes=options.example_bytes,
        documents_per_sequence=options.documents_per_sequence,
        trim=options.trim,
        verify=options.verify,
        format=options.format,
        spread=options.spread,
        estimate=options.estimate,
        vcpu_price=options.vcpu_price,
        max_reject_fraction=options.max_reject_fraction,
        allow_damaged_files=options.allow_damaged_files,
        overwrite=options.overwrite,
        progress=options.progress,
        workers=options.workers,
        executor=executor_of(parser, options, beam_flags, [*options.input, options.output]),
    )


def parse_count(argv: Sequence[str] | None = None) -> CountOptions:
    """Read the command line of `pipelines.count`; exits with a message where it is wrong."""
    parser = _parser("count", "Count bytes and documents, for --method=static_ac.")
    _add_input(parser)
    add = parser.add_argument
    add("--output", required=True, metavar="FILE", help="frequencies, for compress --static")
    add("--precision", type=int, default=14, help="frequencies sum to 2^P (default: 14)")
    add_executor(parser)
    options, beam_flags = parser.parse_known_args(argv)
    try:
        check_precision(options.precision)
    except ValueError as error:
        parser.error(f"--{error}")
    return CountOptions(
        source=_input(options, "train"),
        output=options.output,
        max_reject_fraction=options.max_reject_fraction,
        allow_damaged_files=options.allow_damaged_files,
        precision=options.precision,
        executor=executor_of(parser, options, beam_flags, [*options.input, options.output]),
    )


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    # Without allow_abbrev=False, --work would be taken for --workers, and typing errors pass.
    return _Parser(prog=f"python -m pipelines.{name}", description=description, allow_abbrev=False)


def _add_input(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--input",
        required=True,
        nargs="+",
        metavar="GLOB",
        help=f"{SUFFIXES}; local, gs:// or s3://; or tfds:NAME[/CONFIG][:VERSION] such as "
        "tfds:c4/en:3.1.0",
    )
    add_text_options(parser)
    add("--tfds_split", help="split of a TFDS input (default: as --split, or train)")
    add("--data_dir", help="where TFDS data sets are prepared")


def _input(options: argparse.Namespace, split: str) -> InputOptions:
    return InputOptions(
        input=tuple(options.input),
        text_field=options.text_field,
        tfds_split=options.tfds_split or split,
        data_dir=options.data_dir,
        limit=options.limit,
    )


def add_executor(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has."""
    add = parser.add_argument
    add("--workers", type=positive, default=1, help="local processes (default: %(default)s)")
    add(
        "--runner",
        metavar="NAME",
        help="a Beam runner in place of local processes; its own options may follow",
    )


def executor_of(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    more: list[str],
    paths: Sequence[str],
) -> Executor:
    """What the options name; of two, and of options that it does not take, an error."""
    index, number = getattr(options, "task_index", None), getattr(options, "num_tasks", None)
    dask = getattr(options, "dask", None)
    if (index is None) != (number is None):
        parser.error("--task_index and --num_tasks go together: part 0 of 8, for example.")
    if index is not None and number is not None and index >= number:
        parser.error(f"--task_index={index} is not in 0..{number - 1} (--num_tasks={number}).")
    named = {"--task_index": index is not None, "--dask": dask, "--runner": options.runner}
    chosen = [flag for flag, value in named.items() if value]
    excluded = chosen[1:] + ["--workers"] * (bool(chosen) and options.workers > 1)
    if chosen and chosen[0] != "--runner" and getattr(options, "spread", None):
        excluded.append("--spread")
    if excluded == ["--workers"] and chosen == ["--runner"]:
        parser.error(
            f"--workers={options.workers} starts local processes, which --runner={options.runner} "
            "does not use. Give that runner's own option instead (Dataflow: --num_workers)."
        )
    if excluded:
        parser.error(f"{chosen[0]} excludes {excluded[0]}: leave one of them out.")
    if options.runner:
        from pipelines.executors.beam import Beam, RunnerError  # seconds

        try:
            runner = Beam.checked(options.runner, more)
            runner.check_paths(paths)
            return runner
        except RunnerError as error:
            parser.error(str(error))
    if more:
        parser.error(f"unknown option {more[0]}; options of Beam go with --runner.")
    if index is not None and number is not None:
        return TaskArray(index, number)
    return Dask(dask) if dask else Local(options.workers)


def _codec_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, Any]:
    given = {flag: getattr(options, flag) for flag in CODEC_FLAGS}
    given = {flag: value for flag, value in given.items() if value is not None}
    if options.codec:
        if options.method or given:
            what = ["method"] * bool(options.method) + list(given)
            parser.error(f"--{what[0]} and --codec exclude each other: a codec has its options.")
        return {}
    method = options.method or "equal_info"
    model_flag = MODEL_FLAG.get(method, "m1")
    allowed = {
        flag
        for flag, name in CODEC_FLAGS.items()
        if name in codecs.options_of(method) and (name != "model" or flag == model_flag)
    }
    for flag in given.keys() - allowed:
        takes = ", ".join(f"--{name}" for name in CODEC_FLAGS if name in allowed) or "no options"
        parser.error(f"--{flag} is not for --method={method}, which takes {takes}.")
    # M1 can be left out: the package has one, and a codebook.
    if method in MODEL_FLAG and model_flag not in given:
        parser.error(_missing_model(method, model_flag, options))
    return {CODEC_FLAGS[flag]: value for flag, value in given.items()}


def _missing_model(method: str, flag: str, options: argparse.Namespace) -> str:
    message = f"--method={method} needs --{flag} FILE."
    if method == "static_ac":
        inputs = " ".join(repr(pattern) for pattern in options.input)
        message += (
            " Count it from the text first: "
            f"python -m pipelines.count --input {inputs} --output static.safetensors"
        )
    return message


def _not_negative(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value
