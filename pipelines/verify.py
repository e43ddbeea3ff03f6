"""Verify a dataset, shard by shard: `python -m pipelines.verify --help`.

Exit status: 0 where nothing differs, 1 where something does, 2 where the command line is wrong.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from equalinfo.console import print_any_text
from equalinfo.data import storage
from equalinfo.data.text import InputFile
from equalinfo.manifest import ManifestError
from pipelines import sources
from pipelines.runner import LOCAL, RunnerError, RunnerOptions, run_pipeline
from pipelines.verification import graph
from pipelines.verification.dataset import DatasetError, checks, read_manifest, window_errors
from pipelines.verification.report import Findings, Report, ShardResult
from pipelines.verification.shard import ShardCheck

_RESULTS = "results.json"


class UsageError(ValueError):
    """An option that does not fit the dataset."""


@dataclass(frozen=True)
class VerifyOptions:
    """A run of `pipelines.verify`.

    Attributes:
      dataset: its directory.
      splits: to verify; none for all.
      input: patterns of the files it was made of; none to compare with the stored checksums.
      text_field: field, column or feature of the text.
      tfds_split: split of a TFDS input.
      data_dir: where TFDS data sets lie.
      show: how many differences to show of each shard.
      results: where the workers leave what they found; None for a temporary file.
      runner: where it runs.
    """

    dataset: str
    splits: tuple[str, ...]
    input: tuple[str, ...]
    text_field: str
    tfds_split: str
    data_dir: str | None
    show: int
    results: str | None
    runner: RunnerOptions


def parse_verify(argv: Sequence[str] | None = None) -> VerifyOptions:
    """Read the command line; exits with a message where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.verify",
        description="Decode every record of a dataset, compare it with the source text or with "
        "the stored checksums, and count again what the manifest counts.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--dataset", required=True, metavar="DIR", help="dataset directory (local or gs://)")
    add("--split", nargs="+", default=[], metavar="NAME", help="only these (default: all)")
    add("--input", nargs="+", default=[], metavar="GLOB", help="as for compress: the source text")
    add("--text_field", default="text", help="field or column of the text (default: %(default)s)")
    add("--tfds_split", default="train", help="split of a TFDS input (default: %(default)s)")
    add("--data_dir", help="where TFDS data sets are prepared")
    add("--show", type=int, default=10, help="differences shown of a shard (default: %(default)s)")
    add("--results", metavar="FILE", help="where workers leave results (needed on a cluster)")
    add("--workers", type=int, default=1, help="local processes (default: %(default)s)")
    add(
        "--runner",
        default=LOCAL,
        help="Beam runner (default: %(default)s, local); its own options may follow",
    )
    options, beam_flags = parser.parse_known_args(argv)
    if options.workers < 1:
        parser.error(f"--workers={options.workers} is not positive.")
    if options.show < 0:
        parser.error(f"--show={options.show} is negative.")
    try:
        runner = RunnerOptions.checked(options.runner, options.workers, beam_flags)
    except RunnerError as error:
        parser.error(str(error))
    if not runner.local and options.results is None:
        parser.error(
            f"--runner={runner.name} needs --results FILE, which its workers and this machine can "
            "reach, such as gs://BUCKET/verify.json."
        )
    return VerifyOptions(
        dataset=options.dataset,
        splits=tuple(options.split),
        input=tuple(options.input),
        text_field=options.text_field,
        tfds_split=options.tfds_split,
        data_dir=options.data_dir,
        show=options.show,
        results=options.results,
        runner=runner,
    )


def run(options: VerifyOptions) -> Report:
    """Verify, and wait until it is done.

    Raises:
      sources.InputError: no such input.
      UsageError: no such split.
      ManifestError: no manifest, or it is damaged.
      DatasetError: the shards cannot be looked at, or the runner failed.
    """
    manifest = read_manifest(options.dataset)
    splits = tuple(dict.fromkeys(options.splits or sorted(manifest.splits)))
    for split in splits:
        if split not in manifest.splits:
            raise UsageError(f"--split={split}: the dataset has {sorted(manifest.splits)}.")
    findings = Findings(options.show)
    todo = checks(options.dataset, manifest, splits, _inputs(options), findings)
    with tempfile.TemporaryDirectory() as directory:
        path = options.results or str(Path(directory, _RESULTS))
        shards = _verify_shards(options.runner, todo, path) if todo else []
    return Report(
        options.dataset,
        tuple(findings.shown),
        findings.total,
        tuple(shards),
        window_errors(manifest, splits),
    )


def _inputs(options: VerifyOptions) -> list[InputFile] | None:
    if not options.input:
        return None
    return sources.find(
        options.input,
        field=options.text_field,
        split=options.tfds_split,
        data_dir=options.data_dir,
    )


def _verify_shards(
    runner: RunnerOptions, todo: Sequence[ShardCheck], path: str
) -> list[ShardResult]:
    try:
        storage.delete([path])  # of an earlier run
        run_pipeline(runner, lambda pipeline: graph.build(pipeline, todo, path))
        return graph.read_results(path, todo)
    except Exception as error:
        # What a worker raised comes as the text of its whole stack, the cause at the end.
        cause = str(error).rstrip().rpartition("\n")[2]
        raise DatasetError(f"the runner: {type(error).__name__}: {cause}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    print_any_text()
    options = parse_verify(argv)
    try:
        report = run(options)
    except (sources.InputError, UsageError) as error:
        print(f"pipelines.verify: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except (ManifestError, DatasetError) as error:
        print(f"pipelines.verify: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print("\n".join(report.lines()))
    return 1 if report.total else 0


if __name__ == "__main__":
    sys.exit(main())
