"""The same bytes however the work is shared out, and whatever an interrupted job has left."""

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest

from equalinfo.data.dataset import Dataset
from pipelines import compress, shard, worker
from pipelines.compress import run, run_share
from pipelines.executors.work import JobFailedError
from pipelines.options import parse_compress

TEXTS = [f"Document {number}: " + "some more words, ü, " * (number % 7) for number in range(300)]
BASE = ("--method=gzip", "--example_bytes=1000", "--max_reject_fraction=0.5", "--quiet")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four inputs, three with text; two have a bad line, one nothing else."""
    folder = tmp_path_factory.mktemp("made")
    parts = {"a.json": TEXTS[:200], "b.json.gz": TEXTS[150:], "c.json": TEXTS[:5], "d.json": []}
    for name, some in parts.items():
        lines = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in some)
        lines += b"bad\n" * (name in ("c.json", "d.json"))
        data = gzip.compress(lines, mtime=0) if name.endswith(".gz") else lines
        (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def inputs(made: Path, tmp_path: Path) -> str:
    """A copy of them: some tests touch or delete one."""
    return str(shutil.copytree(made, tmp_path / "in") / "*")


def _files(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def _options(inputs: str, out: Path, *more: str):  # type: ignore[no-untyped-def]
    return parse_compress(["--input", inputs, "--output", str(out), *BASE, *more])


@pytest.fixture(scope="module")
def expected(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a job that nothing disturbs."""
    out = tmp_path_factory.mktemp("expected") / "out"
    run(_options(str(made / "*"), out))
    files = _files(out)
    assert {name for name in files if not name.startswith(("train.", "codec"))} == {
        "COMPLETED",
        "info.train.json",
        "manifest.json",
        "rejects-train.jsonl",
    }
    assert len(files["rejects-train.jsonl"].splitlines()) == 2
    return files


def test_batches_give_the_bytes_of_files(
    inputs: str, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "BATCH_EXAMPLES", 8 * shard._SMALL_BATCH)
    run(_options(inputs, tmp_path / "out", "--spread=batches"))
    assert _files(tmp_path / "out") == expected


def test_array_records_hold_the_same_records(inputs: str, tmp_path: Path) -> None:
    pytest.importorskip("array_record", reason="the extra array_record is not installed")
    run(_options(inputs, tmp_path / "tfrecord"))
    for spread in ("files", "batches"):
        out = tmp_path / spread
        manifest = run(_options(inputs, out, "--format=array_record", f"--spread={spread}"))
        assert list(Dataset.open(out).restore("train")) == list(
            Dataset.open(tmp_path / "tfrecord").restore("train")
        )
        for one in manifest.split("train").shards:
            assert one.sha256 == hashlib.sha256((out / one.file).read_bytes()).hexdigest()
    assert _files(tmp_path / "files") == _files(tmp_path / "batches")


def test_a_task_array_in_any_order(
    inputs: str, expected: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for index in (2, 0, 1):
        share = ("--task_index", str(index), "--num_tasks", "3")
        assert run_share(_options(inputs, out, *share)) == (2 if index == 0 else 1)
        assert not (out / "manifest.json").exists()
    shards = {path: path.stat().st_mtime_ns for path in out.glob("train.tfrecord-*")}
    assert len(shards) == 4
    run(_options(inputs, out))
    assert _files(out) == expected
    assert {path: path.stat().st_mtime_ns for path in shards} == shards  # nothing was done twice


def test_a_part_that_fails_says_why(
    inputs: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("another codec")

    monkeypatch.setattr(worker, "load_codec", refuse)
    argv = ["--input", inputs, "--output", str(tmp_path / "out"), *BASE]
    assert compress.main([*argv, "--task_index=0", "--num_tasks=3"]) == 1
    error = capsys.readouterr().err
    assert error == "pipelines.compress: JobFailedError: a.json: ValueError: another codec\n"


def test_a_dask_cluster(inputs: str, expected: dict[str, bytes], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        run(_options(inputs, tmp_path / "out", "--dask", cluster.scheduler_address))
    assert _files(tmp_path / "out") == expected


def test_a_scheduler_that_is_not_there(inputs: str, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    with pytest.raises(JobFailedError, match="Dask at nowhere"):
        run(_options(inputs, tmp_path / "out", "--dask", "nowhere"))


def _interrupted(
    inputs: str, out: Path, monkeypatch: pytest.MonkeyPatch, after: int, *more: str
) -> None:
    """Run a job that dies in its shard number `after`."""
    real, done = worker.compress_shard, []

    def dying(*arguments: object) -> object:
        if len(done) == after:
            raise OSError(28, "No space left on device")
        done.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(worker, "compress_shard", dying)
        with pytest.raises(JobFailedError, match=r"json(\.gz)?: OSError: \[Errno 28\] No space"):
            run(_options(inputs, out, *more))
    assert not (out / "manifest.json").exists() and not (out / "COMPLETED").exists()


@pytest.mark.parametrize("after", [0, 1, 3])
def test_the_next_job_goes_on(
    inputs: str,
    expected: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
) -> None:
    out = tmp_path / "out"
    _interrupted(inputs, out, monkeypatch, after)
    (out / ".tmp-train.tfrecord-00003-of-00004-0123456789ab").write_bytes(b"of a killed worker")
    (out / "train.tfrecord-00007-of-00009").write_bytes(b"of a job with more inputs")
    again: list[str] = []
    real = worker.compress_shard

    def counting(task, *more):  # type: ignore[no-untyped-def]
        again.append(task.file.name)
        return real(task, *more)

    monkeypatch.setattr(worker, "compress_shard", counting)
    run(_options(inputs, out))
    assert len(again) == 4 - after
    assert _files(out) == expected


def _touch_input(inputs: Path, out: Path) -> None:
    os.utime(inputs / "a.json", ns=(1, 1))


def _flip_a_bit(inputs: Path, out: Path) -> None:
    path = out / "train.tfrecord-00000-of-00004"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _damage_report(inputs: Path, out: Path) -> None:
    (out / "report-train-00000-of-00004.json").write_text("{")


def _other_fields(inputs: Path, out: Path) -> None:
    path = out / "report-train-00000-of-00004.json"
    content = json.loads(path.read_text())
    del content["shard"]["tokens"]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("spoil", [_touch_input, _flip_a_bit, _damage_report, _other_fields])
def test_what_cannot_be_trusted_is_made_again(
    inputs: str,
    expected: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, Path], None],
) -> None:
    out = tmp_path / "out"
    _interrupted(inputs, out, monkeypatch, 2)
    spoil(Path(inputs).parent, out)
    run(_options(inputs, out))
    assert _files(out) == expected


@pytest.mark.parametrize("more", [["--example_bytes=500"], ["--verify"], ["--no-gzip_header"]])
def test_another_configuration_keeps_nothing(
    inputs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    run(_options(inputs, tmp_path / "expected", *more))
    _interrupted(inputs, tmp_path / "out", monkeypatch, 3)
    run(_options(inputs, tmp_path / "out", *more))
    assert _files(tmp_path / "out") == _files(tmp_path / "expected")


def test_lost_rejects_are_made_again(
    inputs: str, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    _interrupted(inputs, out, monkeypatch, 3)
    (out / "rejects-train-00002-of-00004.jsonl").unlink()
    run(_options(inputs, out))
    assert _files(out) == expected


def test_an_input_that_vanishes(
    inputs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = compress._started

    @contextmanager
    def vanishing(options):  # type: ignore[no-untyped-def]
        with real(options) as started:
            (Path(inputs).parent / "b.json.gz").unlink()
            yield started

    monkeypatch.setattr(compress, "_started", vanishing)
    with pytest.raises(JobFailedError, match=r"b\.json\.gz: FileNotFoundError: .*b\.json\.gz"):
        run(_options(inputs, tmp_path / "out"))
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_estimate_writes_nothing(
    inputs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--input", inputs, "--output", str(tmp_path / "out"), "--method=gzip", "--estimate"]
    assert compress.main(command) == 0
    printed = capsys.readouterr().out
    assert "input:    4 files" in printed and "vCPU-hours" in printed and "$" in printed
    assert not (tmp_path / "out").exists()
