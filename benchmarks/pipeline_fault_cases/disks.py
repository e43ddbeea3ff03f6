"""Full and read-only output directories, on small file systems in memory.

Mounting needs root; `unshare` gives it to anybody, in a namespace that nobody else sees.
"""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pipeline_fault_cases.command import Job, Tally
from benchmarks.pipeline_identity import directory_sha256

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
"""Put before a command, it may mount."""

_FULL = "No space left on device"
_FILES = 40
"""More than a finished dataset of four shards has."""


def cases(inputs: Path, work: Path, seed: int) -> Iterator[Tally]:
    """Run with too little room, then with enough; with a read-only directory, then without."""
    more = ["--method=gzip"]
    undisturbed = Job([inputs / "*"], work / "undisturbed", more)
    ended = undisturbed.run()
    if ended.status != 0:
        raise RuntimeError(f"the undisturbed run failed: {ended.text[-1000:]}")
    expected = directory_sha256(undisturbed.output)
    size = sum(path.stat().st_size for path in undisturbed.output.rglob("*") if path.is_file())
    shutil.rmtree(undisturbed.output)
    disk = work / "disk"
    disk.mkdir()

    fractions = random.Random(seed)
    tally = Tally("disk full", more={"dataset_bytes": size, "disk_bytes": []})
    for number in range(12):
        room = max(1, round(size * (0.0, 0.99, fractions.uniform(0, 1))[min(number // 2, 2)]))
        tally.more["disk_bytes"].append(room)
        job = Job([inputs / "*"], disk / "out", [*more, f"--workers={1 + number % 2}"])
        _try(job, tally, f"size={room}", "size=1g", _FULL, expected)
    yield tally

    # So every write is once the first that fails, down to the empty COMPLETED.
    tally = Tally("no room for another file", more={"fewest_files_that_do": 0})
    job = Job([inputs / "*"], disk / "out", more)
    for files in range(1, _FILES):
        if _try(job, tally, f"nr_inodes={files}", f"nr_inodes={10 * _FILES}", _FULL, expected):
            tally.tries -= 1
            tally.more["fewest_files_that_do"] = files
            break
    yield tally

    tally = Tally("read-only directory")
    _try(job, tally, "ro", "rw", "Read-only file system", expected)
    _try(job, tally, f"size={size // 2}", "ro", _FULL, expected, then="rw,size=1g")
    yield tally

    tally = Tally("output is a file", tries=1)
    job.output.write_text("a file")
    tally.must_fail(job.run(), "Not a directory.*out")
    job.output.unlink()
    tally.must_succeed(job.run(), job.output, expected)
    yield tally


def _try(
    job: Job, tally: Tally, first: str, after: str, pattern: str, expected: str, then: str = ""
) -> bool:
    """Mount with the options `first`, fail, mount with `after`, succeed; True where none failed.

    With `then`, it fails with `after`, too (the directory is read-only), and succeeds with that.
    """
    tally.tries += 1
    disk = str(job.output.parent)
    _command("mount", "-t", "tmpfs", "-o", first, "tmpfs", disk)
    try:
        ended = job.run()
        if ended.status == 0 and "nr_inodes" in first:
            return True
        tally.must_fail(ended, pattern)
        _command("mount", "-o", f"remount,{after}", disk)
        if then:
            tally.must_fail(job.run(), "Read-only file system")
            _command("mount", "-o", f"remount,{then}", disk)
        tally.must_succeed(job.run(), job.output, expected)
    finally:
        _command("umount", disk)
    return False


def _command(*command: str) -> None:
    subprocess.run(command, check=True)
