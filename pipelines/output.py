"""The dataset directory, before the first shard and after the last.

The order of writes makes a job complete or failed, never in between: the codec first, then shards
(each under its name only when whole, and a report beside it), then rejects and info, then the
manifest, and COMPLETED last. A job that makes a split again takes it out of the manifest before it
touches anything else; finished shards that it can use it keeps (`resume`). What is of the whole
directory changes under a lock, so that two splits may be made at once.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from equalinfo.codecs.base import CODEC_FILE, EOS_ID, PAD_ID, Codec
from equalinfo.data import storage
from equalinfo.data.manifest import (
    CODEC_DIRECTORY,
    MANIFEST_FILE,
    Manifest,
    Shard,
    Split,
)
from equalinfo.data.text import Limits
from equalinfo.version import __version__
from pipelines import sinks
from pipelines.executors.work import JobFailedError
from pipelines.resume import REPORT_PREFIX, is_ours, report_name, sample
from pipelines.shard import Layout, ShardReport, ShardTask

COMPLETED_FILE = "COMPLETED"
"""Written last. SeqIO looks for a file of this name in a directory of TFRecords; here it has the
sha256 of every file but the shards (the manifest has theirs): `sha256sum --check` reads it."""


_SHOWN = 3
"""Rejects that an error shows."""
_AT_ONCE = 32
"""Files looked at."""


class OutputError(ValueError):
    """The output directory cannot take this job."""


class FinishedError(RuntimeError):
    """There is nothing to do: an earlier job has done it all."""


@dataclass(frozen=True)
class Job:
    """All that workers need to know. It is pickled.

    Attributes:
      directory: of the dataset.
      layout: how text becomes records.
      limits: what may be rejected.
      head: the manifest without splits.
      codec_sha256: of codec.json.
      tasks: how many shards there will be.
      limit: documents at most; 0: all.
    """

    directory: str
    layout: Layout
    limits: Limits
    head: Manifest
    codec_sha256: str
    tasks: int
    limit: int = 0

    @property
    def codec_directory(self) -> str:
        """Where the codec lies."""
        return storage.join(self.directory, CODEC_DIRECTORY)


def read_manifest(directory: str) -> Manifest | None:
    """The manifest of a dataset directory, None where there is none yet.

    Raises:
      ManifestError: it is damaged, or of another version.
    """
    there_is_one = storage.exists(storage.join(directory, MANIFEST_FILE))
    return Manifest.load(directory) if there_is_one else None


def check(directory: str, split: str, tasks: Sequence[ShardTask]) -> None:
    """Refuse an output directory that this job would spoil, before any work is done.

    Raises:
      OutputError: it holds inputs, or files of the split that are not ours.
    """
    place = _place(directory)
    for task in tasks:
        if _place(task.file.path).startswith(f"{place.rstrip('/')}/"):
            raise OutputError(
                f"the input {task.file.path} lies in --output={directory!r}: what is written there "
                "could not be told from text. Choose another --output, or narrow --input."
            )
    leftovers = _files_of(directory, split)
    if (
        leftovers
        and read_manifest(directory) is None
        and not storage.exists(_codec_file(directory))
    ):
        raise OutputError(
            f"{directory} holds {storage.base_name(leftovers[0])} but neither a manifest nor a "
            "codec: another program wrote it. Choose another --output."
        )


def _place(path: str) -> str:
    return os.path.realpath(path).replace(os.sep, "/") if storage.is_local(path) else path


def check_finished(
    directory: str, head: Manifest, layout: Layout, limits: Limits, tasks: Sequence[ShardTask]
) -> None:
    """See that there is something to do; `head` is the manifest without splits.

    Raises:
      FinishedError: there is not: the same input, options and codec gave the split that is there.
      OutputError: others gave it; says what differs.
      JobFailedError: the split is there, and has more damage or rejects than `limits` allow.
    """
    split = layout.split
    manifest = read_manifest(directory)
    # With working files, its job was cut off between the manifest and the end: it may go on.
    if manifest is None or split not in manifest.splits or _working_files(directory, split):
        return
    shards = manifest.split(split).shards
    if differs := _made_otherwise(directory, manifest, head, layout, tasks):
        raise OutputError(
            f"{directory} already holds a finished split {split!r}, made otherwise: {differs}. "
            "Choose another --output or --split, or pass --overwrite."
        )
    _check_limits(
        limits, shards, [shard.input for shard in shards if shard.damaged], directory, split
    )
    with _locked(directory):
        completed = storage.exists(storage.join(directory, COMPLETED_FILE))
        if not completed and read_manifest(directory) == manifest:  # a job was cut off there
            _complete(directory, manifest)
    raise FinishedError(
        f"{directory}: nothing to do: split {split!r} of the same input, options and codec is "
        "finished. To make it again, pass --overwrite."
    )


def _made_otherwise(
    directory: str, manifest: Manifest, head: Manifest, layout: Layout, tasks: Sequence[ShardTask]
) -> str:
    """What differs between a finished split and what would be made; empty where nothing does."""
    shards = manifest.split(layout.split).shards
    if name := head.made_alike(manifest):
        return f"with {name}={getattr(manifest, name)!r}, not {getattr(head, name)!r}"
    if [shard.input for shard in shards] != [task.file.name for task in tasks]:
        return f"of {len(shards)} inputs, {', '.join(shard.input for shard in shards[:3])}, ..."
    if shards[0].file != tasks[0].output_name(layout):
        return f"as {shards[0].file}, not {tasks[0].output_name(layout)}"
    if any(shard.examples and bool(shard.verified_examples) != layout.verify for shard in shards):
        return "without --verify" if layout.verify else "with --verify"
    try:
        info = json.loads(storage.read_text(storage.join(directory, info_name(layout.split))))
    except (FileNotFoundError, ValueError) as error:
        return f"its {info_name(layout.split)} is missing or damaged: {error}"
    limit = sum(task.file.limit or 0 for task in tasks)
    if info.get("limit", 0) != limit:
        return f"with --limit={info.get('limit')}, not {limit or None}"
    for task in tasks:
        made = storage.join(directory, task.output_name(layout))
        local = storage.is_local(task.file.path) and storage.is_local(made)
        if local and os.path.getmtime(task.file.path) > os.path.getmtime(made):
            return f"before {task.file.path} was written"
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        samples = list(threads.map(sample, tasks))
    if info.get("inputs") != _inputs(samples):
        return "of other files of these names, or of another field of them (--text_field)"
    return ""


def _inputs(samples: Sequence[str]) -> str:
    """Sha256 over the `resume.sample` of all inputs, for the split's info."""
    return hashlib.sha256("".join(samples).encode()).hexdigest()


@contextmanager
def making(directory: str, split: str) -> Iterator[None]:
    """While this job alone makes a split; as in `_locked`, stores have no such lock.

    Raises:
      OutputError: another job does.
    """
    if not storage.is_local(directory) or _is_read_only(directory):
        yield
        return
    storage.make_directory(directory)
    path = storage.join(directory, f"{storage.TEMPORARY_PREFIX}lock-{split}")
    with storage.alone(path) as ours:
        if not ours:
            raise OutputError(
                f"another job makes split {split!r} in {directory}. Wait for it, or stop it."
            )
        yield


def _is_read_only(directory: str) -> bool:
    """Then there may be nothing to do; else what is written first tells."""
    return os.path.isdir(directory) and not os.access(directory, os.W_OK)


@contextmanager
def _locked(directory: str) -> Iterator[None]:
    """While no other job of this machine changes what is of the whole directory.

    Stores have no such lock, and some file systems neither: there the last one wins.
    """
    if not storage.is_local(directory):
        yield
        return
    storage.make_directory(directory)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def prepare(
    directory: str,
    codec: str,
    head: Manifest,
    layout: Layout,
    limits: Limits,
    tasks: Sequence[ShardTask],
    alone: bool = True,
) -> Job:
    """Put the codec in place, and sweep what earlier jobs left of the split that is of no use now.

    Args:
      directory: of the dataset.
      codec: a local directory with it.
      head: the manifest without splits, see `manifest_head`.
      layout: how text becomes records.
      limits: what may be rejected.
      tasks: all shards of the split.
      alone: False where other jobs work on other shards of it meanwhile: nothing is swept.

    Raises:
      OutputError: the directory's other splits were made with another codec or layout.
    """
    limit = sum(task.file.limit or 0 for task in tasks)
    sha256 = storage.sha256(storage.join(codec, CODEC_FILE))
    job = Job(directory, layout, limits, head, sha256, len(tasks), limit)
    # In one: a job that finished in between would find its codec replaced.
    with _locked(directory):
        if not _take_out_split(job):
            _replace_codec(codec, job.codec_directory)
    if alone:
        _sweep(job, tasks)
    return job


def manifest_head(codec: Codec, layout: Layout, description: Mapping[str, Any]) -> Manifest:
    """The manifest of a codec, described in its codec.json, and a layout; without splits."""
    return Manifest(
        equalinfo_version=__version__,
        method=codec.method,
        lossless=codec.lossless,
        vocab_size=codec.vocab_size,
        token_bits=codec.token_bits,
        pad_id=PAD_ID,
        eos_id=EOS_ID,
        codec=description,
        sequence_length=layout.sequence_length,
        example_bytes=layout.example_bytes,
        documents_per_sequence=layout.documents_per_sequence,
        trim=layout.trim,
        splits={},
    )


def _sweep(job: Job, tasks: Sequence[ShardTask]) -> None:
    """Delete what a job on this split left, but for shards that this job may be able to keep."""
    layout = job.layout
    parts = {
        name
        for task in tasks
        for name in (
            task.output_name(layout),
            task.rejects_name(layout),
            report_name(layout, task.index, task.count),
        )
    }
    left = _files_of(job.directory, layout.split)
    storage.delete([path for path in left if storage.base_name(path) not in parts])


def _has_assets(directory: str, assets: Mapping[str, str]) -> bool:
    """Whether a codec's files are those whose sha256 it names."""
    paths = {storage.join(directory, name): sha256 for name, sha256 in assets.items()}
    return all(storage.exists(x) and storage.sha256(x) == sha256 for x, sha256 in paths.items())


def _replace_codec(saved: str, directory: str) -> None:
    """Put the codec in place, each file in one move: a job that reads the same one never waits."""

    def content(folder: str) -> dict[str, str]:
        paths = storage.list_directory(folder, "")
        names = {path: storage.base_name(path) for path in paths}
        finished = [path for path in paths if not names[path].startswith(storage.TEMPORARY_PREFIX)]
        return {names[path]: storage.sha256(path) for path in finished}

    wanted, found = content(saved), content(directory)
    if found != wanted:
        storage.copy_directory(saved, directory, last=CODEC_FILE)
    storage.delete([storage.join(directory, name) for name in found.keys() - wanted.keys()])


def _take_out_split(job: Job) -> bool:
    """Take the job's split out of the manifest; True where other splits stay in it."""
    manifest = read_manifest(job.directory)
    splits = {} if manifest is None else manifest.splits
    others = {name: split for name, split in splits.items() if name != job.layout.split}
    if manifest is not None and (reason := _difference(job, manifest, others)):
        raise OutputError(reason)
    if manifest is not None and others:
        if len(others) < len(splits):
            _complete(job.directory, replace(manifest, splits=others))
    else:
        storage.delete(
            storage.join(job.directory, name) for name in (COMPLETED_FILE, MANIFEST_FILE)
        )
    return bool(others)


def _complete(directory: str, manifest: Manifest) -> None:
    """Write the manifest, and COMPLETED; nothing of an attempt at it that was cut off stays."""
    completed = storage.join(directory, COMPLETED_FILE)
    storage.delete([completed])
    storage.write_text(storage.join(directory, MANIFEST_FILE), manifest.to_json())
    codec = storage.join(directory, CODEC_DIRECTORY)
    unfinished = [f"{storage.TEMPORARY_PREFIX}{x}-" for x in (MANIFEST_FILE, COMPLETED_FILE)]
    storage.delete(
        path
        for folder, prefixes in ((directory, unfinished), (codec, [storage.TEMPORARY_PREFIX]))
        for prefix in prefixes
        for path in storage.list_directory(folder, prefix)
    )
    storage.write_text(completed, checksums(directory, manifest))


def _difference(job: Job, manifest: Manifest, others: Mapping[str, Split]) -> str:
    """Why the job's split cannot join the splits `others` of a manifest; empty where it can."""
    differs = job.head.made_alike(manifest)
    if not others or not differs:
        return ""
    options = ("trim", "sequence_length", "example_bytes", "documents_per_sequence")
    same = f"give --codec={job.directory}/codec, too"
    if differs in options:
        same = f"give --{differs}={getattr(manifest, differs)}, too"
    elif differs == "equalinfo_version":
        same = "use that version, make those anew with --overwrite"
    return (
        f"{job.directory} holds the splits {sorted(others)} made with {differs}="
        f"{getattr(manifest, differs)!r}, this job has {getattr(job.head, differs)!r}. "
        f"Splits of one dataset share everything but their input: {same}, or choose another "
        "--output."
    )


def finish(job: Job, reports: Sequence[ShardReport]) -> Manifest:
    """Check that every shard is there, gather the rejects and write the manifest.

    May run again after it was cut off: every step gives the same files.

    Raises:
      JobFailedError: a shard is missing, a file was damaged, too many documents were rejected, or
        another job wrote to the directory meanwhile.
    """
    with _locked(job.directory):
        return _finish(job, sorted(reports, key=lambda report: report.index))


def _finish(job: Job, reports: Sequence[ShardReport]) -> Manifest:
    if [report.index for report in reports] != list(range(job.tasks)):
        raise JobFailedError(
            f"{job.tasks} shards were asked for, but the runner reported {len(reports)}: "
            f"{[report.index for report in reports][:20]}. The runner lost or doubled results: "
            "leave out --runner to use processes of this machine."
        )
    shards = tuple(report.shard for report in reports)
    existing = read_manifest(job.directory)
    split = job.layout.split
    if existing is not None and existing.splits.get(split) == Split(shards):
        manifest = existing  # an earlier attempt came so far
    else:
        _gather_rejects(job, reports)
        damages = [f"{report.shard.input}: {report.damage}" for report in reports if report.damage]
        _check_limits(job.limits, shards, damages, job.directory, split)
        info = _info(job, _inputs([report.input for report in reports]))
        storage.write_text(storage.join(job.directory, info_name(split)), info)
        splits = {**_other_splits(job, reports), split: Split(shards)}
        manifest = replace(job.head, splits=splits)
    _complete(job.directory, manifest)
    storage.delete(_working_files(job.directory, split))
    return manifest


def _check_limits(
    limits: Limits, shards: Sequence[Shard], damages: Sequence[str], directory: str, split: str
) -> None:
    """See that enough of the input could be used; else the first rejects say why."""
    rejects = storage.join(directory, rejects_name(split))
    reasons = []
    with storage.open_read(rejects) as file:
        for line in islice(file, _SHOWN):
            reject = json.loads(line)
            reasons.append(f"{reject['place']}: {reject['reason']}")
    fault = limits.fault(
        documents=sum(shard.documents for shard in shards),
        rejected=sum(shard.rejected for shard in shards),
        damages=damages,
        rejects="; ".join(reasons),
    )
    if fault:
        raise JobFailedError(f"{fault}. All: {rejects}")


def _other_splits(job: Job, reports: Sequence[ShardReport]) -> dict[str, Split]:
    """The splits beside the job's own; a JobFailedError where another job spoiled the directory.

    `prepare` looked too, but a job that began after it may have finished first.
    """
    existing = read_manifest(job.directory)
    others = {} if existing is None else dict(existing.splits)
    others.pop(job.layout.split, None)
    again = "Another job wrote to it meanwhile: run one at a time, and this one again."
    if existing is not None and (reason := _difference(job, existing, others)):
        raise JobFailedError(f"{reason} {again}")
    codec = storage.read_text(_codec_file(job.directory))
    other = hashlib.sha256(codec.encode("utf-8")).hexdigest() != job.codec_sha256
    if other or not _has_assets(job.codec_directory, json.loads(codec)["assets"]):
        raise JobFailedError(f"{job.codec_directory} holds another codec now. {again}")
    present = {storage.base_name(path) for path in _files_of(job.directory, job.layout.split)}
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        ours = threads.map(
            lambda report: (
                report.shard.file in present
                and is_ours(job.directory, job.layout, job.tasks, report)
            ),
            reports,
        )
    gone = [report.shard.file for report, kept in zip(reports, ours, strict=True) if not kept]
    if gone:
        raise JobFailedError(
            f"{len(gone)} finished shards are gone or replaced, the first is {gone[0]}. {again}"
        )
    return others


def result(directory: str, split: str) -> Manifest:
    """The manifest, once the pipeline has ended.

    Raises:
      JobFailedError: there is none; says why.
    """
    manifest = read_manifest(directory)
    if manifest is not None and split in manifest.splits:
        return manifest
    raise JobFailedError(
        f"the pipeline ended without an error, and without split {split!r} in {directory}. "
        "The runner did not run all of it: leave out --runner to use processes of this machine."
    )


def _gather_rejects(job: Job, reports: Sequence[ShardReport]) -> None:
    """Put the rejects of all shards, in their order, in one file."""
    prefix = f"rejects-{job.layout.split}-"
    by_index = {
        int(storage.base_name(part).removeprefix(prefix).split("-")[0]): part
        for part in storage.list_directory(job.directory, prefix)
    }
    found = sorted(by_index)
    wanted = [report.index for report in reports if report.shard.rejected or report.damage]
    if found != wanted:
        raise JobFailedError(
            f"the shards {wanted[:20]} had rejects, but {job.directory} holds rejects of "
            f"{found[:20]}. Something deleted or added them: run the job again."
        )
    with storage.create(storage.join(job.directory, rejects_name(job.layout.split))) as gathered:
        for index in found:
            with storage.open_read(by_index[index]) as file:
                while data := file.read(1 << 20):
                    gathered.write(data)


def _working_files(directory: str, split: str) -> list[str]:
    """Files that a finished split has no use for."""
    return _starting_with(
        directory,
        (f"rejects-{split}-", f"{REPORT_PREFIX}{split}-", outcome_name(split)),
        temporary=_names_of(split),
    )


def _files_of(directory: str, split: str) -> list[str]:
    """All files that a job on `split` may have left, finished or not."""
    names = _names_of(split)
    return _starting_with(directory, names, temporary=names)


def _names_of(split: str) -> tuple[str, ...]:
    """How the names of a split's files begin."""
    return (
        *(f"{split}.{name}-" for name in sinks.FORMATS),
        f"rejects-{split}-",
        f"rejects-{split}.jsonl",
        f"{REPORT_PREFIX}{split}-",
        info_name(split),
        outcome_name(split),
    )


def _starting_with(directory: str, names: Sequence[str], temporary: Sequence[str]) -> list[str]:
    """Files whose names begin so; of `temporary`, those that an attempt left unfinished."""
    prefixes = (*names, *(storage.TEMPORARY_PREFIX + name for name in temporary))
    files = storage.list_directory(directory, "")
    return [path for path in files if storage.base_name(path).startswith(prefixes)]


def checksums(directory: str, manifest: Manifest) -> str:
    """What COMPLETED holds: a line "sha256  name" for every file but the shards."""
    names = [MANIFEST_FILE]
    for split in sorted(manifest.splits):
        names += [info_name(split), rejects_name(split)]
    codec = storage.list_directory(storage.join(directory, CODEC_DIRECTORY), "")
    files = [storage.base_name(path) for path in codec]
    names += [f"{CODEC_DIRECTORY}/{x}" for x in files if not x.startswith(storage.TEMPORARY_PREFIX)]
    paths = {name: storage.join(directory, name) for name in names}
    return "".join(
        f"{storage.sha256(path)}  {name}\n" for name, path in paths.items() if storage.exists(path)
    )


def rejects_name(split: str) -> str:
    """Of the file with the rejects of all shards of a split."""
    return f"rejects-{split}.jsonl"


def info_name(split: str) -> str:
    """Of the file that describes a split to SeqIO."""
    return f"info.{split}.json"


def outcome_name(split: str) -> str:
    """Of the file in which Beam's workers leave why they failed, for the launcher."""
    return f"outcome-{split}.json"


def _codec_file(directory: str) -> str:
    return storage.join(storage.join(directory, CODEC_DIRECTORY), CODEC_FILE)


def _info(job: Job, inputs: str) -> str:
    """As SeqIO's cache describes its splits."""
    one = {"shape": [], "dtype": "int64"}
    content = {
        "num_shards": job.tasks,
        "features": {
            "targets": {"shape": [None], "dtype": "int32"},
            **dict.fromkeys(("num_bytes", "num_documents", "part", "checksum"), one),
            "source": {"shape": [], "dtype": "string"},
        },
        "equalinfo_version": job.head.equalinfo_version,
        "inputs": inputs,
        **({"limit": job.limit} if job.limit else {}),
    }
    return json.dumps(content, indent=2) + "\n"
