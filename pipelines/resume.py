"""What an interrupted job leaves, so that the next one goes on instead of starting again.

A shard that is finished has a *report* beside it: report-{split}-SSSSS-of-NNNNN.json. The next job
takes the shard over only where all that decides its bytes is the same (version, codec, layout,
input file and place) and the files still have the sha256 that was written. When the whole split is
finished the manifest says all this, and the reports go.
"""

import hashlib
import json
from dataclasses import asdict

from equalinfo.data import storage
from equalinfo.data.manifest import Manifest, Shard
from pipelines.shard import Layout, ShardReport, ShardTask

REPORT_PREFIX = "report-"


def report_name(layout: Layout, index: int, count: int) -> str:
    """Of the file that says that the shard is finished."""
    return f"{REPORT_PREFIX}{layout.split}-{index:05d}-of-{count:05d}.json"


def sample(task: ShardTask) -> str:
    """Sha256 over what a shard is made of, as far as an input's size, beginning and end tell.

    The same wherever the input lies, and whenever it was written.

    Raises:
      OSError: the input is gone.
    """
    file = task.file
    content = [file.name, file.format, file.field, file.limit, storage.sample(file.path)]
    return hashlib.sha256(json.dumps(content).encode("utf-8")).hexdigest()


def fingerprint(head: Manifest, layout: Layout, codec_sha256: str, task: ShardTask) -> str:
    """Sha256 over all that decides a shard's bytes, its input as it is now.

    Raises:
      OSError: the input is gone.
    """
    content = {
        "version": head.equalinfo_version,
        "codec": codec_sha256,
        "layout": asdict(layout),
        "input": sample(task),
        "input_version": storage.version(task.file.path),
        "place": [task.index, task.count],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()


def save_report(
    directory: str, task: ShardTask, layout: Layout, report: ShardReport, made_of: str
) -> None:
    """Say that a shard is finished; `made_of` is the `fingerprint` taken before it was begun."""
    shard = report.shard
    rejects = ""
    if shard.rejected or shard.damaged:
        rejects = storage.sha256(storage.join(directory, task.rejects_name(layout)))
    content = {
        "fingerprint": made_of,
        "rejects_sha256": rejects,
        "damage": report.damage,
        "input": report.input,
        "shard": asdict(shard),
    }
    path = storage.join(directory, report_name(layout, task.index, task.count))
    storage.write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def load_report(
    directory: str, task: ShardTask, layout: Layout, made_of: str
) -> ShardReport | None:
    """The report of a shard that can be taken over; None where it must be made (again)."""
    path = storage.join(directory, report_name(layout, task.index, task.count))
    if not storage.exists(path):
        return None
    try:
        content = json.loads(storage.read_text(path))
        # A damaged input is always read again: a copy that keeps times mends it unseen.
        if content["fingerprint"] != made_of or content["damage"]:
            return None
        shard = Shard(**content["shard"])
        report = ShardReport(task.index, shard, content["damage"], input=content["input"])
        files = {task.output_name(layout): report.shard.sha256}
        if content["rejects_sha256"]:
            files[task.rejects_name(layout)] = content["rejects_sha256"]
    except (ValueError, KeyError, TypeError):  # damaged: as if it were not there
        return None
    for name, sha256 in files.items():
        found = storage.join(directory, name)
        if not storage.exists(found) or storage.sha256(found) != sha256:
            return None
    return report


def is_ours(directory: str, layout: Layout, count: int, report: ShardReport) -> bool:
    """Whether the shard's report is still the one of this job, and not of another meanwhile."""
    path = storage.join(directory, report_name(layout, report.index, count))
    try:
        content = json.loads(storage.read_text(path))
        return bool(Shard(**content["shard"]) == report.shard)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False
