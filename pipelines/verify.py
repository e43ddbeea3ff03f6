"""Verify a dataset, shard by shard: `python -m pipelines.verify --help`.

Exit status: 0 where nothing differs, 1 where something does, 2 where the command line is wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from equalinfo.console import print_any_text
from equalinfo.data import storage
from equalinfo.data.text import InputFile
from equalinfo.manifest import CODEC_DIRECTORY, ManifestError
from pipelines import sources
from pipelines.executors.work import Executor, Work
from pipelines.limits import JobFailedError
from pipelines.options import add_executor, executor_of
from pipelines.verification.dataset import DatasetError, checks, read_manifest, window_errors
from pipelines.verification.report import Findings, Report, ShardResult
from pipelines.verification.shard import ShardCheck, verify_shard
from pipelines.worker import load_codec

COUNTERS = ("documents", "bytes", "records", "restored_bytes", "num_differences")


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
      executor: what runs it.
    """

    dataset: str
    splits: tuple[str, ...]
    input: tuple[str, ...]
    text_field: str
    tfds_split: str
    data_dir: str | None
    show: int
    results: str | None
    executor: Executor


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
    add_executor(parser)
    options, more = parser.parse_known_args(argv)
    if options.show < 0:
        parser.error(f"--show={options.show} is negative.")
    executor = executor_of(parser, options, more, [])
    if options.runner and options.results is None:
        parser.error(
            f"--runner={options.runner} needs --results FILE, which its workers and this machine "
            "can reach, such as gs://BUCKET/verify.json."
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
        executor=executor,
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
    results: list[ShardResult] = []
    if todo:
        try:
            found = options.executor.run(_Verify(options.results or ""), todo)
        except JobFailedError as error:
            raise DatasetError(str(error)) from error
        by_name = {(each["split"], each["file"]): each for each in found}
        for check in todo:
            each = by_name[check.split, check.shard.file]
            results.append(ShardResult(**{**each, "differences": tuple(each["differences"])}))
    return Report(
        options.dataset,
        tuple(findings.shown),
        findings.total,
        tuple(results),
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


@dataclass(frozen=True)
class _Verify(Work[ShardCheck, ShardResult]):
    """Shards to what is found in them."""

    outcome: str

    def do(self, task: ShardCheck) -> ShardResult:
        codec = load_codec(storage.join(task.directory, CODEC_DIRECTORY), task.codec_sha256)
        try:
            return verify_shard(task, codec)
        except Exception as error:
            reason = f"{task.shard.file}: {type(error).__name__}: {error}"
            raise JobFailedError(reason) from error

    def finish(self, results: Sequence[ShardResult]) -> list[dict[str, Any]]:
        return [asdict(result) for result in results]

    def counts(self, result: ShardResult) -> dict[str, int]:
        return {name: getattr(result, name) for name in COUNTERS}


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
