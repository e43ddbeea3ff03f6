"""kill -9 of a local worker, and of the launcher, at random moments; files and batches in turns."""

import random
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from benchmarks.pipeline_fault_cases.command import LONGEST_SECONDS, Command, Ended, Job, Tally
from benchmarks.pipeline_identity import directory_sha256
from pipelines.options import BATCHES, FILES

WORKERS = 2

_ORPHAN_SECONDS = 10


def cases(inputs: Path, work: Path, kills: int, seed: int) -> Iterator[Tally]:
    """Kill workers, then launchers, each so many times."""
    job = Job([inputs / "*"], work / "kills", ["--method=gzip", f"--workers={WORKERS}"])
    command = job.start()
    command.wait_for_workers(1)
    start = time.monotonic()
    ended = command.wait()
    span = time.monotonic() - start
    if ended.status != 0:
        raise RuntimeError(f"the undisturbed run failed: {ended.text[-1000:]}")
    expected = directory_sha256(job.output)
    moments = random.Random(seed)
    for case in ("worker", "launcher"):
        tally = Tally(
            f"kill -9 of a {case}",
            more={"job_seconds": round(span, 1), "finished_shards_when_killed": []},
        )
        while tally.tries < kills:
            shutil.rmtree(job.output)
            spread = f"--spread={(FILES, BATCHES)[tally.tries % 2]}"
            some = replace(job, more=[*job.more, spread])
            _kill(case, some, tally, expected, moments.random() * span, moments.randrange(WORKERS))
        yield tally
    shutil.rmtree(job.output)


def _kill(case: str, job: Job, tally: Tally, expected: str, moment: float, which: int) -> None:
    """One try: kill it `moment` seconds after its first worker started, and run it again."""
    command = job.start()
    command.wait_for_workers(1)
    time.sleep(moment)
    workers = command.workers()
    if command.process.poll() is not None or (case == "worker" and not workers):
        command.wait()
        return  # too late
    tally.tries += 1
    finished = sum("tfrecord-" in path.name for path in job.output.glob("train*"))
    _append(tally, "finished_shards_when_killed", finished)
    if case == "worker":
        _kill_worker(command, workers[which % len(workers)], tally)
    else:
        command.process.kill()
        threading.Thread(target=_outlived, args=(workers, tally)).start()
        command.wait()
    # Without a pause: what the dead left behind may still be at work.
    ended = job.run()
    if "nothing to do" in ended.text:  # it was killed when all was done
        ended = Ended(0, "")
        tally.more["done_before"] = tally.more.get("done_before", 0) + 1
    tally.must_succeed(ended, job.output, expected)
    # One that was still starting looks for its launcher only then: later than a short job ends.
    if alive := psutil.wait_procs(workers, timeout=_ORPHAN_SECONDS)[1]:
        tally.wrong.append(f"try {tally.tries}: workers {alive} of the killed job are alive")


def _kill_worker(command: Command, worker: psutil.Process, tally: Tally) -> None:
    worker.kill()
    start = time.monotonic()
    ended = command.wait()
    seconds = round(time.monotonic() - start, 1)
    tally.more["slowest_end_seconds"] = max(seconds, tally.more.get("slowest_end_seconds", 0.0))
    if ended.status != 0:  # else its work was done
        tally.must_fail(ended, "a worker process died.*-9: it was killed")


def _outlived(workers: list[psutil.Process], tally: Tally) -> None:
    start = time.monotonic()
    psutil.wait_procs(workers, LONGEST_SECONDS)
    _append(tally, "orphans_lived_seconds", round(time.monotonic() - start, 2))


def _append(tally: Tally, name: str, value: float) -> None:
    tally.more.setdefault(name, []).append(value)
