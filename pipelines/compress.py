"""Compress text files into shards of tokens: `python -m pipelines.compress --help`."""

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from tempfile import TemporaryDirectory

import numpy as np

from equalinfo import codecs
from equalinfo.alphabet import EOS
from equalinfo.codecs.base import Codec
from equalinfo.console import INTERRUPTED, print_any_text
from equalinfo.data.inputs import InputError
from equalinfo.data.manifest import Manifest, ManifestError
from pipelines import output, sinks
from pipelines.estimate import measure
from pipelines.executors.local import Local
from pipelines.executors.task_array import TaskArray
from pipelines.executors.work import JobFailedError
from pipelines.options import BATCHES, CompressOptions, parse_compress
from pipelines.output import Job
from pipelines.progress import shard_bar
from pipelines.shard import ShardTask
from pipelines.worker import Compress

_log = logging.getLogger(__name__)


class CodecError(ValueError):
    """The codec cannot be loaded or made, or not encode with these options."""


def run(options: CompressOptions) -> Manifest:
    """Compress, and wait until it is done; nothing is done where it was done before.

    Raises:
      InputError: no such input.
      sinks.SinkError: the format cannot be written here.
      CodecError: no such codec.
      output.OutputError: the output directory cannot take it.
      JobFailedError: a worker failed, or too much of the input could not be used. Nothing is half
        written; the same command goes on from the shards that are finished.
    """
    spread = options.spread == BATCHES
    with (
        _started(options) as (job, tasks, codec),
        shard_bar(job, tasks, codec, not options.quiet),
    ):
        if options.spread is None:
            spread = codec.runs_model and options.executor.spreads_models
        try:
            options.executor.run(Compress(job), tasks, spread)
        except JobFailedError as error:
            raise JobFailedError(
                f"{error}\nThe same command goes on from the shards that are finished."
            ) from error
    return output.result(job.directory, options.layout.split)


def run_share(options: CompressOptions) -> int:
    """Compress this process's part of a task array; gives the number of its shards.

    The same command without --task_index, when all parts are done, writes the manifest.

    Raises:
      As `run`.
    """
    assert isinstance(options.executor, TaskArray)
    with (
        _started(options) as (job, tasks, codec),
        shard_bar(job, options.executor.share(tasks), codec, not options.quiet),
    ):
        return options.executor.run(Compress(job), tasks)


@contextmanager
def _started(options: CompressOptions) -> Iterator[tuple[Job, list[ShardTask], Codec]]:
    """Check all that can be checked, and prepare the directory; no other job gets in meanwhile.

    Raises:
      output.FinishedError: all was done before.
    """
    layout, limits = options.layout, options.source.text.limits
    sinks.check_format(layout.format)
    tasks = _tasks(options)
    output.check(options.output, layout.split, tasks)
    codec = make_codec(options)
    length, unit = layout.sequence_length, codec.tokens_per_unit or 1
    if length % unit and layout.trim == "none":
        _log.warning(
            "Records of --sequence_length=%d begin inside windows: of this codec %d tokens belong "
            "together. They restore the text, but the text of one record cannot be told by itself, "
            "and a model meets windows at other places in each. --sequence_length=%d avoids it.",
            length,
            unit,
            max(unit, length - length % unit),
        )
    alone = not isinstance(options.executor, TaskArray)
    with output.making(options.output, layout.split) if alone else nullcontext():
        with TemporaryDirectory() as saved:
            codec.save(saved)
            head = output.manifest_head(codec, layout, codecs.describe(saved))
            if not options.overwrite:
                output.check_finished(options.output, head, layout, limits, tasks)
            job = output.prepare(options.output, saved, head, layout, limits, tasks, alone=alone)
        yield job, tasks, codec


def _tasks(options: CompressOptions) -> list[ShardTask]:
    files = options.source.files(options.layout.split)
    return [ShardTask(file, index, len(files)) for index, file in enumerate(files)]


def make_codec(options: CompressOptions) -> Codec:
    """The codec that the options name or describe; it has encoded a short text.

    Raises:
      CodecError: it cannot be loaded or made, or not encode; says why.
    """
    try:
        if options.codec is not None:
            codec = codecs.load(options.codec)
        else:
            method = options.method or codecs.DEFAULT_METHOD
            codec = codecs.create(method, progress=not options.quiet, **options.codec_options)
        # Some limits, as that of M1's context, show only here; workers would meet them when
        # --overwrite has taken the old split away.
        codec.encode([np.array([ord("a"), EOS], np.uint16)])
        return codec
    except (ValueError, OSError, RuntimeError) as error:
        raise CodecError(str(error)) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    print_any_text()
    options = parse_compress(argv)
    try:
        print(_run_and_say(options))
        return 0
    except output.FinishedError as error:
        print(error)
        return 0
    except (
        InputError,
        sinks.SinkError,
        CodecError,
        output.OutputError,
        ManifestError,
        OSError,
        RuntimeError,  # JobFailedError; in this process also what a worker raises
    ) as error:
        print(f"pipelines.compress: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = "" if options.estimate else " The same command goes on from the finished shards."
        print(f"pipelines.compress: interrupted.{again}", file=sys.stderr)
        return INTERRUPTED


def _run_and_say(options: CompressOptions) -> str:
    """What was done, in a line."""
    executor = options.executor
    if options.estimate:
        workers = executor.workers if isinstance(executor, Local) else 1
        of_all = measure(_tasks(options), options.layout, make_codec(options))
        return of_all.text(workers, options.vcpu_price)
    if isinstance(executor, TaskArray):
        number = run_share(options)
        return (
            f"{options.output}: {number} shards of part {executor.task_index} of "
            f"{executor.num_tasks} are finished. When all parts are, run the same command without "
            "--task_index and --num_tasks: it writes the manifest."
        )
    split = run(options).split(options.layout.split)
    totals = split.totals
    damaged = [
        f"{shard.input} (after {shard.documents:,} documents)"
        for shard in split.shards
        if shard.damaged
    ]
    return (
        f"{options.output}: split {options.layout.split!r}, {totals['shards']} shards, "
        f"{totals['documents']:,} documents, {totals['bytes']:,} bytes -> "
        f"{totals['tokens']:,} tokens in {totals['records']:,} records; "
        f"{totals['rejected']:,} documents rejected"
        + (f"; damaged files were cut off: {', '.join(damaged)}" if damaged else "")
    )


if __name__ == "__main__":
    sys.exit(main())
