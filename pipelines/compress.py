"""Compress text files into TFRecords of tokens: `python -m pipelines.compress --help`."""

import sys
from collections.abc import Sequence

from equalinfo import codecs
from equalinfo.codecs.base import Codec
from equalinfo.manifest import Manifest, ManifestError
from pipelines import graph, output, sources
from pipelines.limits import JobFailedError, Limits
from pipelines.options import CompressOptions, parse_compress
from pipelines.progress import shard_bar
from pipelines.runner import run_pipeline
from pipelines.shard import Layout, ShardTask


class CodecError(ValueError):
    """The codec cannot be loaded, or not be made with these options."""


def run(options: CompressOptions) -> Manifest:
    """Compress, and wait until it is done.

    Raises:
      sources.InputError: no such input.
      CodecError: no such codec.
      output.OutputError: the output directory cannot take it.
      JobFailedError: too much of the input could not be used; nothing is half written.
    """
    files = sources.find(
        options.source.input,
        field=options.source.text_field,
        split=options.source.tfds_split,
        data_dir=options.source.data_dir,
    )
    output.check(options.output, options.split, options.overwrite)
    layout = Layout(
        split=options.split,
        sequence_length=options.sequence_length,
        example_bytes=options.example_bytes,
        documents_per_sequence=options.documents_per_sequence,
        trim=options.trim,
        verify=options.verify,
    )
    limits = Limits(options.max_reject_fraction, options.allow_damaged_files)
    tasks = [ShardTask(file, index, len(files)) for index, file in enumerate(files)]
    job = output.prepare(options.output, make_codec(options), layout, limits, tasks)
    local = options.runner.local
    with shard_bar(options.output, options.split, len(tasks), options.progress):
        run_pipeline(options.runner, lambda pipeline: graph.build(pipeline, job, tasks, local))
    return output.result(options.output, options.split)


def make_codec(options: CompressOptions) -> Codec:
    """The codec that the options name or describe.

    Raises:
      CodecError: it cannot be loaded or made; says why.
    """
    try:
        if options.codec is not None:
            return codecs.load(options.codec)
        return codecs.create(options.method or "equal_info", **options.codec_options)
    except (ValueError, OSError) as error:
        raise CodecError(str(error)) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    options = parse_compress(argv)
    try:
        manifest = run(options)
    except (
        sources.InputError,
        CodecError,
        output.OutputError,
        JobFailedError,
        ManifestError,
    ) as error:
        print(f"pipelines.compress: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
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
