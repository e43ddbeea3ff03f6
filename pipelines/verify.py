"""Verify a dataset, shard by shard: `python -m pipelines.verify --help`.

Exit status: 0 where nothing differs, 1 where something does, 2 where the command line is wrong.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from tempfile import TemporaryDirectory
from typing import Any

from equalinfo.console import INTERRUPTED, print_any_text
from equalinfo.data import storage
from equalinfo.data.inputs import InputError
from equalinfo.data.manifest import Manifest, ManifestError, Shard
from equalinfo.flags import Parser, add_flags, flag, flags_of
from pipelines.executors.work import Executor, JobFailedError, Work, naming
from pipelines.options import (
    RENAMED,
    InputOptions,
    add_executors,
    add_input,
    executor_of,
    input_of,
)
from pipelines.verification import (
    MADE_AGAIN,
    NOT_RESTORABLE,
    OTHER_BYTES,
    DatasetError,
    Findings,
    ShardCheck,
    ShardResult,
    check_dataset,
    verify_shard,
)


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """A run of `pipelines.verify`; `source` has no input where stored checksums are compared."""

    source: InputOptions
    executor: Executor
    dataset: str = flag(metavar="DIR", help="dataset directory: local, gs:// or s3://")
    split: tuple[str, ...] = flag((), nargs="+", metavar="NAME", help="only these splits")
    show: int = flag(10, type=int, help="differences shown of a shard")
    results: str | None = flag(
        None,
        metavar="FILE",
        help="where the workers of a cluster leave what they found; deleted when it was read",
    )


def parse_verify(argv: Sequence[str] | None = None) -> VerifyOptions:
    """Read the command line; exits with a message where it is wrong."""
    parser = Parser(
        "pipelines.verify",
        "Compress the input again and compare with what is there; or, without --input, compare "
        "every file with its checksum, and restore every record.",
        RENAMED,
    )
    add_flags(parser, VerifyOptions)
    add_input(parser, required=False)
    add_executors(parser)
    arguments, more = parser.parse_known_args(argv)
    if arguments.show < 0:
        parser.error(f"--show={arguments.show} is negative.")
    paths = [arguments.dataset, *(arguments.input or ())]
    executor = executor_of(parser, arguments, more, paths)
    if not executor.here and arguments.results is None:
        parser.error(
            f"--runner={arguments.runner} needs --results FILE, which its workers and this machine "
            "can reach, such as gs://BUCKET/verify.json."
        )
    return VerifyOptions(
        source=input_of(arguments), executor=executor, **flags_of(VerifyOptions, arguments)
    )


@dataclass(frozen=True)
class Report:
    """The result of a run.

    Attributes:
      directory: of the dataset.
      manifest: its.
      splits: names of those that were verified.
      findings: differences that belong to no single shard.
      shards: in order.
    """

    directory: str
    manifest: Manifest
    splits: tuple[str, ...]
    findings: Findings
    shards: tuple[ShardResult, ...]

    @property
    def total(self) -> int:
        """All differences."""
        return self.findings.total + sum(shard.findings.total for shard in self.shards)

    def lines(self) -> list[str]:
        """For people: the differences, then what was verified."""
        lines = self.findings.lines(self.directory)
        for shard in self.shards:
            lines += shard.findings.lines(shard.file)
        if self.total:
            wrong = sum(1 for shard in self.shards if shard.findings.total)
            return [
                *lines,
                f"{self.directory}: {self.total:,} differences; {wrong:,} of "
                f"{len(self.shards):,} shards are not what they should be",
            ]
        shards = [shard for name in self.splits for shard in self.manifest.split(name).shards]
        how = Counter(shard.how for shard in self.shards)
        lines = [
            f"{self.directory}: {len(shards):,} shards, {_sum(shards, 'documents'):,} documents, "
            f"{_sum(shards, 'bytes'):,} bytes "
            + (
                "compressed again: the input gives the bytes that are there"
                if how[MADE_AGAIN] + how[OTHER_BYTES]
                else "verified against the stored checksums"
            )
        ]
        if how[OTHER_BYTES]:
            lines.append(
                f"{how[OTHER_BYTES]} of these shards have other bytes, and decode to the text of "
                "the input: the library that the method uses has another version here."
            )
        if how[NOT_RESTORABLE]:
            lines.append(f"NOT RESTORABLE: {self._why_not()} {_window_errors(shards)}")
        if missing := _sum(shards, "trimmed_bytes"):
            lines.append(f"{missing:,} bytes are not in the dataset: trim=paper left them out")
        return lines

    def _why_not(self) -> str:
        if self.manifest.lossless:
            return "trim=paper keeps the beginning of each example only."
        return (
            f"method {self.manifest.method!r} cannot decode its tokens to their text. Give --input "
            "to compress it again."
        )


def _sum(shards: Sequence[Shard], name: str) -> int:
    return sum(getattr(shard, name) for shard in shards)


def _window_errors(shards: Sequence[Shard]) -> str:
    """What the manifest knows of windows that decode wrongly."""
    counted = [shard for shard in shards if shard.verified_examples]
    if not counted:
        return "Window errors are not known: compress with --verify to count them."
    errors, windows = _sum(counted, "window_errors"), _sum(counted, "windows")
    if windows:
        return f"Window errors, counted when it was made: {errors:,} of {windows:,} windows."
    return f"Examples that decode wrongly: {errors:,} of {_sum(counted, 'examples'):,}."


@dataclass(frozen=True)
class _Verify(Work[ShardCheck, ShardResult]):
    """Shards to what is found in them."""

    path: str

    @property
    def outcome(self) -> str:
        return self.path

    def do(self, task: ShardCheck) -> ShardResult:
        with naming(task.shard.file):
            return verify_shard(task)

    def finish(self, results: Sequence[ShardResult]) -> list[dict[str, Any]]:
        return [asdict(result) for result in results]

    def counts(self, result: ShardResult) -> dict[str, int]:
        return {"verified_shards": 1, "num_differences": result.findings.total}


def run(options: VerifyOptions) -> Report:
    """Verify, and wait until it is done.

    Raises:
      InputError: no such input, or split.
      ManifestError: no manifest, or it is damaged.
      DatasetError: the shards cannot be looked at, or a worker failed.
    """
    manifest = Manifest.load(options.dataset)
    splits = tuple(dict.fromkeys(options.split or sorted(manifest.splits)))
    for split in splits:
        if split not in manifest.splits:
            raise InputError(f"--split={split}: the dataset has {sorted(manifest.splits)}.")
    inputs = options.source.files() if options.source.input else None
    findings = Findings(options.show)
    checks = check_dataset(options.dataset, manifest, splits, inputs, findings)
    with TemporaryDirectory() as directory:
        outcome = options.results or storage.join(directory, "results.json")
        try:
            found = options.executor.run(_Verify(outcome), checks) or []
        except JobFailedError as error:
            raise DatasetError(str(error)) from error
    by_name = {(each["split"], each["file"]): each for each in found}
    results = []
    for check in checks:
        each = by_name[check.layout.split, check.shard.file]
        results.append(ShardResult(**{**each, "findings": Findings(**each["findings"])}))
    return Report(options.dataset, manifest, splits, findings, tuple(results))


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    print_any_text()
    options = parse_verify(argv)
    try:
        report = run(options)
    except InputError as error:
        print(f"pipelines.verify: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except (ManifestError, DatasetError, OSError) as error:
        print(f"pipelines.verify: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pipelines.verify: interrupted.", file=sys.stderr)
        return INTERRUPTED
    print("\n".join(report.lines()))
    return 1 if report.total else 0


if __name__ == "__main__":
    sys.exit(main())
