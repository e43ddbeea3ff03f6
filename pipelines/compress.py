"""Compress text files into shards of tokens: `python -m pipelines.compress --help`."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np

from equalinfo import codecs
from equalinfo.alphabet import EOS
from equalinfo.codecs.base import Codec
from equalinfo.console import print_any_text
from equalinfo.data import storage
from equalinfo.data.inputs import InputError, InputFile
from equalinfo.data.manifest import Manifest, ManifestError
from equalinfo.data.text import Limits, peek
from pipelines import output, sinks, sources
from pipelines.estimate import Estimate, measure
from pipelines.executors.task_array import TaskArray
from pipelines.limits import JobFailedError
from pipelines.options import BATCHES, CompressOptions, parse_compress
from pipelines.output import Job
from pipelines.progress import shard_bar
from pipelines.shard import Layout, ShardTask
from pipelines.worker import Compress


class CodecError(ValueError):
    """The codec cannot be loaded or made, or not encode with these options."""


INTERRUPTED = 130
"""Exit status after Ctrl-C, as of a shell: 128 and SIGINT."""


def run(options: CompressOptions) -> Manifest:
    """Compress, and wait until it is done.

    Raises:
      InputError: no such input.
      sinks.SinkError: the format cannot be written here.
      CodecError: no such codec.
      output.OutputError: the output directory cannot take it.
      JobFailedError: a worker failed, or too much of the input could not be used. Nothing is half
        written; the same command goes on from the shards that are finished.
    """
    job, tasks, codec = _start(options)
    spread = options.spread == BATCHES
    if options.spread is None:
        spread = codec.runs_model and options.executor.spreads_models
    with shard_bar(job, tasks, codec, options.progress):
        try:
            options.executor.run(Compress(job), tasks, spread)
        except JobFailedError as error:
            raise JobFailedError(
                f"{error}\nThe same command goes on from the shards that are finished."
            ) from error
    return output.result(job.directory, options.split)


def run_share(options: CompressOptions) -> int:
    """Compress this process's part of a task array; gives the number of its shards.

    The same command without --task_index, when all parts are done, writes the manifest.

    Raises:
      As `run`.
    """
    assert isinstance(options.executor, TaskArray)
    job, tasks, codec = _start(options)
    with shard_bar(job, options.executor.share(tasks), codec, options.progress):
        return options.executor.run(Compress(job), tasks)


def estimate(options: CompressOptions) -> Estimate:
    """Measure the first input file, and say what all of them would take; writes nothing.

    Raises:
      As `run`.
    """
    tasks = _tasks(options)
    return measure(tasks, _layout(options), make_codec(options))


def _start(options: CompressOptions) -> tuple[Job, list[ShardTask], Codec]:
    tasks = _tasks(options)
    sinks.check_format(options.format)
    output.check(options.output, options.split, options.overwrite)
    limits = Limits(options.max_reject_fraction, options.allow_damaged_files)
    codec = make_codec(options)
    alone = not isinstance(options.executor, TaskArray)
    job = output.prepare(options.output, codec, _layout(options), limits, tasks, alone=alone)
    return job, tasks, codec


def _tasks(options: CompressOptions) -> list[ShardTask]:
    files = sources.find(
        options.source.input,
        field=options.source.text_field,
        split=options.source.tfds_split,
        data_dir=options.source.data_dir,
        limit=options.source.limit,
        most_rejects=max(InputFile.most_rejects, options.max_reject_fraction),
    )
    peek(files)
    return [ShardTask(file, index, len(files)) for index, file in enumerate(files)]


def _layout(options: CompressOptions) -> Layout:
    return Layout(
        split=options.split,
        sequence_length=options.sequence_length,
        example_bytes=options.example_bytes,
        documents_per_sequence=options.documents_per_sequence,
        trim=options.trim,
        verify=options.verify,
        format=options.format,
    )


def make_codec(options: CompressOptions) -> Codec:
    """The codec that the options name or describe; it has encoded a short text.

    Raises:
      CodecError: it cannot be loaded or made, or not encode; says why.
    """
    try:
        with ExitStack() as copies:  # of what lies on gs://
            if options.codec is not None:
                codec = codecs.load(copies.enter_context(storage.local_copy(options.codec)))
            else:
                given = dict(options.codec_options)
                for name in {"model", "codebook"} & given.keys():
                    given[name] = copies.enter_context(storage.local_copy(given[name]))
                codec = codecs.create(options.method or "equal_info", **given)
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
        if options.estimate:
            print(estimate(options).text(options.workers, options.vcpu_price))
            return 0
        if isinstance(share := options.executor, TaskArray):
            number = run_share(options)
            print(
                f"{options.output}: {number} shards of part {share.index} of {share.number} are "
                "finished. When all parts are, run the same command without --task_index and "
                "--num_tasks: it writes the manifest."
            )
            return 0
        manifest = run(options)
    except (
        InputError,
        sinks.SinkError,
        CodecError,
        output.OutputError,
        ManifestError,
        OSError,
        RuntimeError,  # JobFailedError; in this process also what `worker.compress` raises
    ) as error:
        print(f"pipelines.compress: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = "" if options.estimate else " The same command goes on from the finished shards."
        print(f"pipelines.compress: interrupted.{again}", file=sys.stderr)
        return INTERRUPTED
    totals = manifest.split(options.split).totals
    print(
        f"{options.output}: split {options.split!r}, {totals['shards']} shards, "
        f"{totals['documents']:,} documents, {totals['bytes']:,} bytes -> "
        f"{totals['tokens']:,} tokens in {totals['records']:,} records; "
        f"{totals['rejected']:,} documents rejected"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
