"""The command lines of compress and count: declared by dataclasses, checked before any work."""

import argparse
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from equalinfo import codecs
from equalinfo.codecs.base import Option
from equalinfo.data.inputs import InputFile
from equalinfo.data.options import SUFFIXES, TextOptions, add_text_options
from equalinfo.flags import Parser, add_flags, flag, flags_of, given
from equalinfo.m1.base import check_precision
from pipelines import sources
from pipelines.executors.beam import Beam
from pipelines.executors.dask import Dask
from pipelines.executors.local import Local
from pipelines.executors.task_array import TaskArray
from pipelines.executors.work import Executor
from pipelines.shard import Layout

EXECUTORS: tuple[type[Executor], ...] = (Local, TaskArray, Dask, Beam)
"""Each with options of its own; the first where none of them is given."""

FILES, BATCHES = "files", "batches"
"""What the workers share out: whole input files, or batches of them."""

VCPU_PRICE = 0.07
"""Dollars an hour on Dataflow (batch, us-central1): 0.056 the vCPU, the rest for 3.75 GB of memory.
Prices change: look them up."""

RENAMED = {
    "--progress": "--quiet for no bar",
    "--no-progress": "--quiet",
    "--m1_context": "--context",
}


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Which text to read; `text` says how."""

    input: tuple[str, ...] = flag(
        nargs="+",
        metavar="GLOB",
        help=f"{SUFFIXES}; local, gs:// or s3://; or tfds:NAME[/CONFIG][:VERSION] such as "
        "tfds:c4/en:3.1.0",
    )
    tfds_split: str | None = flag(
        None, help="split of a TFDS input (default: as --split, or train)"
    )
    data_dir: str | None = flag(None, help="where TFDS data sets are prepared")
    text: TextOptions = field(default_factory=TextOptions)

    def files(self, split: str = "train") -> list[InputFile]:
        """The input files, in shard order; that of TFDS inputs is `split` where none was given.

        Raises:
          InputError: there are none, or they are not what they are taken for.
        """
        split = self.tfds_split or split
        field = self.text.text_field
        return self.text.checked(
            sources.find(self.input, field=field, split=split, data_dir=self.data_dir)
        )


@dataclass(frozen=True, kw_only=True)
class CompressOptions:
    """A run of `pipelines.compress`.

    Attributes:
      source: which text to read.
      layout: how it becomes records.
      method: compression method; None with `codec`.
      codec_options: for `codecs.create`: those that were given.
      executor: who does it.
    """

    source: InputOptions
    layout: Layout
    method: str | None
    codec_options: dict[str, Any]
    executor: Executor
    output: str = flag(metavar="DIR", help="dataset directory: local, gs:// or s3://")
    codec: str | None = flag(
        None, metavar="DIR", help="use this codec directory instead of making a codec"
    )
    overwrite: bool = flag(False, help="replace the split if it is finished already")
    quiet: bool = flag(False, help="show no bar")
    spread: str | None = flag(
        None,
        choices=(FILES, BATCHES),
        help="what workers share out; the output is the same (default: batches where M1 runs and "
        "there are several workers, else files)",
    )
    estimate: bool = flag(
        False, help="measure the first input file, say what all would take, and write nothing"
    )
    vcpu_price: float = flag(VCPU_PRICE, type=float, help="dollars an hour, with its memory")


@dataclass(frozen=True, kw_only=True)
class CountOptions:
    """A run of `pipelines.count`: what to read, and who does it."""

    source: InputOptions
    executor: Executor
    output: str = flag(metavar="FILE", help="frequencies, for compress --static")
    precision: int = flag(14, type=int, help="frequencies sum to 2^P")


def parse_compress(argv: Sequence[str] | None = None) -> CompressOptions:
    """Read the command line of `pipelines.compress`; exits with a message where it is wrong."""
    parser = compress_parser()
    arguments, more = parser.parse_known_args(argv)
    try:
        layout = Layout(**flags_of(Layout, arguments))
    except ValueError as error:
        parser.error(f"--{error}")
    executor = executor_of(parser, arguments, more, [*arguments.input, arguments.output])
    if arguments.spread and not executor.spreads:
        name = given(type(executor), arguments)[0]
        parser.error(f"{name} excludes --spread: leave one of them out.")
    return CompressOptions(
        source=input_of(arguments),
        layout=layout,
        method=None if arguments.codec else arguments.method or codecs.DEFAULT_METHOD,
        codec_options=_codec_options(parser, arguments),
        executor=executor,
        **flags_of(CompressOptions, arguments),
    )


def compress_parser() -> Parser:
    """The options of `pipelines.compress`; those of the methods are declared by their codecs."""
    description = "Compress text into shards of tokens, one an input file."
    parser = Parser("pipelines.compress", description, RENAMED)
    add_input(parser)
    add_flags(parser, CompressOptions)
    parser.add_argument(
        "--method",
        choices=list(codecs.METHODS),
        help=f"how text becomes tokens (default: {codecs.DEFAULT_METHOD}, or that of --codec)",
    )
    for name, uses in _codec_flags().items():
        _add_codec_flag(parser, name, uses)
    add_flags(parser, Layout)
    add_executors(parser, EXECUTORS)
    return parser


def parse_count(argv: Sequence[str] | None = None) -> CountOptions:
    """Read the command line of `pipelines.count`; exits with a message where it is wrong."""
    description = "Count bytes and documents, for --method=static_ac."
    parser = Parser("pipelines.count", description, RENAMED)
    add_input(parser)
    add_flags(parser, CountOptions)
    add_executors(parser)
    arguments, more = parser.parse_known_args(argv)
    try:
        check_precision(arguments.precision)
    except ValueError as error:
        parser.error(f"--{error}")
    return CountOptions(
        source=input_of(arguments),
        executor=executor_of(parser, arguments, more, [*arguments.input, arguments.output]),
        **flags_of(CountOptions, arguments),
    )


def add_input(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Add the options of what to read."""
    add_flags(parser, InputOptions, required=required)
    add_text_options(parser)


def input_of(arguments: argparse.Namespace) -> InputOptions:
    """What to read."""
    return InputOptions(**flags_of(InputOptions, arguments), text=TextOptions.of(arguments))


def add_executors(
    parser: argparse.ArgumentParser, executors: Sequence[type[Executor]] = (Local, Dask, Beam)
) -> None:
    """Add the options of who does the work."""
    for executor in executors:
        add_flags(parser, executor)
    parser.set_defaults(executors=executors)


def executor_of(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
    more: Sequence[str],
    paths: Sequence[str],
) -> Executor:
    """The executor whose options were given; exits with a message where they are wrong.

    Args:
      parser: of the command line, with `add_executors`.
      arguments: that it read.
      more: that it did not know.
      paths: of inputs and outputs.
    """
    chosen = [each for each in arguments.executors if given(each, arguments)]
    if len(chosen) > 1:
        one, other = (given(each, arguments)[0] for each in chosen[:2])
        parser.error(f"{one} excludes {other}: leave one of them out.")
    executor = chosen[0] if chosen else arguments.executors[0]
    try:
        return executor(**flags_of(executor, arguments)).checked(more, paths)
    except (ValueError, OSError, ImportError) as error:
        parser.error(str(error))


_Use = tuple[str, "dataclasses.Field[Any]", Option]
"""A method, its codec's field for an option, and what the codec says of it."""


def _codec_flags() -> dict[str, list[_Use]]:
    """The options of all methods: name on the command line -> who has it."""
    found: dict[str, list[_Use]] = {}
    for method, codec in codecs.METHODS.items():
        for each in dataclasses.fields(codec):  # type: ignore[arg-type]  # subclasses are
            about = codec.declared()[each.name]
            if about.help:
                found.setdefault(about.flag or each.name, []).append((method, each, about))
    return found


def _add_codec_flag(parser: argparse.ArgumentParser, name: str, uses: Sequence[_Use]) -> None:
    _, first, about = uses[0]
    methods: dict[str, list[str]] = {}
    for method, _, other in uses:
        methods.setdefault(other.help, []).append(method)
    help_text = "; ".join(f"{', '.join(who)}: {text}" for text, who in methods.items())
    help_text = help_text.replace("%", "%%")  # argparse formats it
    more: dict[str, Any] = {}
    if first.type is bool:
        more["action"] = argparse.BooleanOptionalAction
    elif about.asset:
        more["metavar"] = "FILE"
    elif about.choices:
        more["choices"] = about.choices
    else:
        more["type"] = int
    parser.add_argument(f"--{name}", default=None, help=help_text, **more)


def _codec_options(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Options for `codecs.create`; exits with a message where the method has not such."""
    flags = _codec_flags()
    values = {name: getattr(arguments, name) for name in flags}
    values = {name: value for name, value in values.items() if value is not None}
    if arguments.codec:
        if arguments.method or values:
            what = ["method"] * bool(arguments.method) + list(values)
            parser.error(f"--{what[0]} and --codec exclude each other: a codec has its options.")
        return {}
    method = arguments.method or codecs.DEFAULT_METHOD
    mine = {
        name: (each, about)
        for name, uses in flags.items()
        for of_method, each, about in uses
        if of_method == method
    }
    for name in values.keys() - mine.keys():
        takes = ", ".join(f"--{other}" for other in mine) or "no options"
        parser.error(f"--{name} is not for --method={method}, which takes {takes}.")
    for name, (each, about) in mine.items():
        if each.default is dataclasses.MISSING and name not in values:
            parser.error(f"--method={method} needs --{name} FILE. {about.missing}")
    return {mine[name][0].name: value for name, value in values.items()}
