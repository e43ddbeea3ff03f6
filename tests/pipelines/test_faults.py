"""What is killed or damaged fails with a message, and the next run gives the undisturbed bytes.

`benchmarks.pipeline_faults` does the same at random moments, and fills disks.
"""

import gzip
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.pipeline_identity import directory_sha256
from equalinfo.data import storage
from pipelines import compress

psutil = pytest.importorskip("psutil")
from benchmarks.pipeline_fault_cases.command import LONGEST_SECONDS, Command, Job  # noqa: E402

MORE = ["--method=gzip", "--verify", "--workers=2"]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file, and three that take a while."""
    directory = tmp_path_factory.mktemp("in")
    for number in range(4):
        texts = (f"Document {number}-{line}: " + "words, " * line for line in range(999))
        lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
        (directory / f"{number}.json").write_bytes(lines if number else lines[: 1 << 17] + b'"}\n')
    return directory


@pytest.fixture(scope="module")
def expected(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("expected") / "out"
    assert _run(inputs, out, *MORE[:-1]) == 0
    return directory_sha256(out)


def _run(inputs: Path, out: Path, *more: str) -> int:
    argv = ["--input", f"{inputs}/*", "--output", str(out), "--quiet", *more]
    return compress.main(argv)


def _wait(what: Callable[[], object], command: Command) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while not what():
        assert command.process.poll() is None, command.wait().text
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_killed_worker_ends_the_job(inputs: Path, expected: str, tmp_path: Path) -> None:
    """Killed while it starts."""
    out = tmp_path / "out"
    command = Job([inputs / "*"], out, MORE).start()
    _wait(lambda: len(command.workers()) == 2, command)
    workers = command.workers()
    workers[0].kill()
    assert not command.wait().says("JobFailedError: .*a worker process died .*killed.*\nThe same")
    assert not (out / "COMPLETED").exists()
    assert not any(worker.is_running() for worker in workers)
    assert _run(inputs, out, *MORE[:-1]) == 0
    assert directory_sha256(out) == expected


def test_a_killed_launcher_takes_its_workers_along(
    inputs: Path, expected: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = Job([inputs / "*"], out, MORE).start()
    _wait(lambda: list(out.glob("report-*")), command)
    workers = command.workers()
    assert len(workers) == 2
    command.process.kill()
    command.wait()
    assert not psutil.wait_procs(workers, LONGEST_SECONDS)[1]
    assert list(out.glob(".tmp-*"))  # it was in the middle of something
    assert _run(inputs, out, *MORE[:-1]) == 0
    assert directory_sha256(out) == expected


def test_an_input_that_is_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its old size and time: bits rot, and a copy that keeps times mends them."""
    inputs = tmp_path / "in"
    inputs.mkdir()
    texts = [f"Document {number}." for number in range(99)]
    lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    sound = gzip.compress(lines, mtime=0)
    path = inputs / "a.json.gz"
    path.write_bytes(sound)
    assert _run(inputs, tmp_path / "expected", "--method=gzip") == 0
    time_before = path.stat().st_mtime_ns
    damaged = bytearray(sound)
    damaged[len(sound) // 2] ^= 1
    for content in (bytes(damaged), sound[:-1], b""):
        path.write_bytes(content)
        os.utime(path, ns=(time_before, time_before))
        assert _run(inputs, tmp_path / "out", "--method=gzip") == 1
        assert "a.json.gz: file damaged after document" in capsys.readouterr().err
        path.write_bytes(sound)
        os.utime(path, ns=(time_before, time_before))
        assert _run(inputs, tmp_path / "out", "--method=gzip", "--overwrite") == 0
        assert directory_sha256(tmp_path / "out") == directory_sha256(tmp_path / "expected")
        (tmp_path / "out" / "COMPLETED").unlink()
        (tmp_path / "out" / "manifest.json").unlink()


def test_a_job_cut_off_after_its_manifest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("One.\nTwo.\n")
    out = tmp_path / "out"
    assert _run(tmp_path / "in", tmp_path / "expected", "--method=gzip") == 0
    real = storage.write_text

    def full(path: str, text: str) -> None:
        if path.endswith("COMPLETED"):
            raise OSError(28, "No space left on device")
        real(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_text", full)
        assert _run(tmp_path / "in", out, "--method=gzip") == 1
    assert (out / "manifest.json").exists() and not (out / "COMPLETED").exists()
    assert _run(tmp_path / "in", out, "--method=gzip") == 0
    assert directory_sha256(out) == directory_sha256(tmp_path / "expected")
    assert _run(tmp_path / "in", out, "--method=gzip") == 0
    assert "nothing to do" in capsys.readouterr().out
