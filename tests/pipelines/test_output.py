"""The dataset directory between jobs: two at once, and jobs that are cut off anywhere."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from equalinfo import codecs
from equalinfo.data import storage
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest
from equalinfo.data.text import Limits
from pipelines import output, worker
from pipelines.executors.work import JobFailedError
from pipelines.output import Job
from pipelines.shard import Layout, ShardReport, ShardTask
from pipelines.sources import find
from verify_data import differences, prepare


@pytest.fixture
def tasks(write_json: Callable[..., Path], texts: Sequence[str]) -> list[ShardTask]:
    """Two inputs with a bad line each."""
    paths = [write_json(name, texts[:20]) for name in ("a.json", "b.json")]
    for path in paths:
        path.write_bytes(path.read_bytes() + b"bad\n")
    return [ShardTask(file, index, 2) for index, file in enumerate(find(list(map(str, paths))))]


def _prepare(
    out: Path, tasks: list[ShardTask], split: str, method: str = "bytes", length: int = 512
) -> Job:
    layout = Layout(split, length, 10_240, 128, "none", False)
    return prepare(out, codecs.create(method), layout, Limits(0.1, False), tasks)


def _work(job: Job, tasks: list[ShardTask]) -> list[ShardReport]:
    return [worker.Compress(job).do(task) for task in tasks]


def _files(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_two_splits_at_once(tasks: list[ShardTask], texts: Sequence[str], tmp_path: Path) -> None:
    train = _prepare(tmp_path, tasks, "train")
    reports = _work(train, tasks)
    validation = _prepare(tmp_path, tasks, "validation")
    output.finish(validation, _work(validation, tasks))
    output.finish(train, reports)
    assert set(Manifest.load(tmp_path).splits) == {"train", "validation"}
    for split in ("train", "validation"):
        assert len(list(Dataset.open(tmp_path).restore(split))) == 40


def test_two_codecs_at_once_are_noticed(tasks: list[ShardTask], tmp_path: Path) -> None:
    """Else the tokens of one split would be read with the codec of the other."""
    train = _prepare(tmp_path, tasks, "train", "bytes")
    reports = _work(train, tasks)
    validation = _prepare(tmp_path, tasks, "validation", "gzip")
    with pytest.raises(JobFailedError, match="holds another codec now"):
        output.finish(train, reports)
    output.finish(validation, _work(validation, tasks))
    assert set(Manifest.load(tmp_path).splits) == {"validation"}
    with pytest.raises(JobFailedError, match=r"\['validation'\] made with method='gzip'"):
        output.finish(train, reports)


def test_two_layouts_at_once_are_noticed(tasks: list[ShardTask], tmp_path: Path) -> None:
    train = _prepare(tmp_path, tasks, "train")
    reports = _work(train, tasks)
    validation = _prepare(tmp_path, tasks, "validation", length=9)
    output.finish(train, reports)
    reports = _work(validation, tasks)
    with pytest.raises(JobFailedError, match=r"made with sequence_length=512.*Another job"):
        output.finish(validation, reports)
    assert Manifest.load(tmp_path).sequence_length == 512


def test_one_split_twice_at_once(tasks: list[ShardTask], tmp_path: Path) -> None:
    """Both give the same: the second keeps what the first has finished."""
    first = _prepare(tmp_path, tasks, "train")
    reports = _work(first, tasks)
    second = _prepare(tmp_path, tasks, "train")
    output.finish(first, reports)
    expected = _files(tmp_path)
    output.finish(second, reports)
    assert _files(tmp_path) == expected


def test_shards_that_vanish_are_noticed(tasks: list[ShardTask], tmp_path: Path) -> None:
    job = _prepare(tmp_path, tasks, "train")
    reports = _work(job, tasks)
    for report in reports:
        (tmp_path / report.shard.file).unlink()
    with pytest.raises(JobFailedError, match=r"2 finished shards are gone or .* is train"):
        output.finish(job, reports)
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize("step", ["delete", "write_text"])
def test_finish_may_be_cut_off_anywhere(
    tasks: list[ShardTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    whole = _prepare(tmp_path / "whole", tasks, "train")
    output.finish(whole, _work(whole, tasks))
    job = _prepare(tmp_path / "out", tasks, "train")
    reports = _work(job, tasks)
    real = getattr(storage, step)

    def die(first: list[str] | str, *more: str) -> None:
        real(first[:1] if isinstance(first, list) else first, *more)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, step, die)
        output.finish(job, reports)
    assert not (tmp_path / "out" / "COMPLETED").exists() or step == "delete"
    for _ in range(2):
        output.finish(job, reports)
        assert _files(tmp_path / "out") == _files(tmp_path / "whole")


@pytest.mark.parametrize("step", ["write_text", "copy_directory", "delete"])
def test_a_replaced_split_may_be_cut_off_anywhere(
    tasks: list[ShardTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Nothing of the directory reads as complete then, and the same command goes through."""
    for split in ("train", "validation") if step == "write_text" else ("train",):
        job = _prepare(tmp_path, tasks, split)
        output.finish(job, _work(job, tasks))
    if step == "copy_directory":  # else the codec is left as it is
        (tmp_path / "codec" / "of-another-codec").touch()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(storage, step, die)
        _prepare(tmp_path, tasks, "train")
    if step == "write_text":  # the first thing it does: nothing has changed
        assert set(Manifest.load(tmp_path).splits) == {"train", "validation"}
    else:
        assert not (tmp_path / "manifest.json").exists() or step == "delete"
    output.check(str(tmp_path), "train", [])
    job = _prepare(tmp_path, tasks, "train")
    output.finish(job, _work(job, tasks))
    assert len(list(Dataset.open(tmp_path).restore("train"))) == 40


def test_a_codec_in_use_is_never_absent(
    tasks: list[ShardTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second job with the same codec must not take it from under the first."""
    _prepare(tmp_path, tasks, "train")
    (tmp_path / "codec" / "of-another-codec").write_bytes(b"x")
    real = storage.copy_directory

    def watch(source: str, target: str, last: str = "") -> None:
        assert codecs.load(target)
        real(source, target, last=last)

    monkeypatch.setattr(storage, "copy_directory", watch)
    job = _prepare(tmp_path, tasks, "validation")
    assert [path.name for path in Path(job.codec_directory).iterdir()] == ["codec.json"]


def test_a_worker_notices_another_codec(tasks: list[ShardTask], tmp_path: Path) -> None:
    job = _prepare(tmp_path, tasks, "train", "bytes")
    _prepare(tmp_path, tasks, "validation", "gzip")
    with pytest.raises(ValueError, match="another job writes to this directory"):
        worker.load_codec(job.codec_directory, job.codec_sha256)


def test_the_shard_of_another_job_is_noticed(
    tasks: list[ShardTask], write_json: Callable[..., Path], tmp_path: Path
) -> None:
    """One that makes the split of other inputs of the same names, at the same time."""
    job = _prepare(tmp_path / "out", tasks, "train")
    reports = _work(job, tasks)
    path = write_json("a.json", ["other"])
    path.write_bytes(path.read_bytes() + b"bad\n")
    others = [ShardTask(file, 0, 2) for file in find([tasks[0].file.path])]
    _work(_prepare(tmp_path / "out", tasks, "train"), others)
    with pytest.raises(JobFailedError, match=r"1 finished shards are gone or replaced"):
        output.finish(job, reports)


def test_splits_made_at_once_are_all_there(tasks: list[ShardTask], tmp_path: Path) -> None:
    """And none of them takes away what another is writing of the codec."""
    splits = [f"s{number}" for number in range(6)]
    for turn in range(3):
        out = tmp_path / str(turn)
        start = threading.Barrier(len(splits))

        def make(split: str, out: Path = out, start: threading.Barrier = start) -> None:
            start.wait()
            job = _prepare(out, tasks, split, "codebook")
            output.finish(job, _work(job, tasks))

        with ThreadPoolExecutor(len(splits)) as threads:
            list(threads.map(make, splits))
        assert sorted(Manifest.load(out).splits) == splits
        assert differences(out) == []


def test_no_codec_is_replaced_under_a_finished_split(
    tasks: list[ShardTask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that looked before the other finished is not yet done with looking."""
    replace_codec, looked = output._replace_codec, threading.Event()

    def slow(saved: str, directory: str) -> None:
        if not looked.is_set():
            looked.set()
            time.sleep(0.5)
        replace_codec(saved, directory)

    def make(split: str, method: str) -> str:
        try:
            job = _prepare(tmp_path, tasks, split, method)
            output.finish(job, _work(job, tasks))
        except (output.OutputError, JobFailedError, FileNotFoundError, ValueError) as error:
            return str(error)
        return ""

    monkeypatch.setattr(output, "_replace_codec", slow)
    with ThreadPoolExecutor(2) as threads:
        second = threads.submit(make, "validation", "gzip")
        assert looked.wait(60)
        errors = [make("train", "bytes"), second.result()]
    (split,) = Manifest.load(tmp_path).splits
    assert [bool(error) for error in errors] == [split != "train", split == "train"]
    assert len(list(Dataset.open(tmp_path).restore(split))) == 40


def test_a_damaged_asset_of_the_codec_is_noticed(tasks: list[ShardTask], tmp_path: Path) -> None:
    job = _prepare(tmp_path, tasks, "train", "codebook")
    reports = _work(job, tasks)
    (tmp_path / "codec" / "codebook.eqi").write_bytes(b"half")
    with pytest.raises(JobFailedError, match="holds another codec now"):
        output.finish(job, reports)


def test_rejects_of_many_shards_are_in_their_order(tasks: list[ShardTask], tmp_path: Path) -> None:
    """Their names have five digits, or more."""
    places = [99_999, 100_000]
    job = _prepare(tmp_path, tasks, "train")
    far = [replace(task, index=x, count=100_001) for task, x in zip(tasks, places, strict=True)]
    reports = _work(job, far)
    output._gather_rejects(job, reports)
    lines = (tmp_path / "rejects-train.jsonl").read_text().splitlines()
    assert [json.loads(line)["place"] for line in lines] == ["a.json:21", "b.json:21"]


def test_a_failed_second_split_leaves_the_first_complete(
    tasks: list[ShardTask], tmp_path: Path
) -> None:
    job = _prepare(tmp_path, tasks, "train")
    output.finish(job, _work(job, tasks))
    expected = _files(tmp_path)
    _prepare(tmp_path, tasks, "test")
    assert _files(tmp_path) == expected


@pytest.mark.parametrize("name", ["manifest.json", "COMPLETED"])
def test_what_an_attempt_at_the_end_left_goes(
    name: str, tasks: list[ShardTask], tmp_path: Path
) -> None:
    (tmp_path / f".tmp-{name}-c435dba898cf").write_text("{")
    job = _prepare(tmp_path, tasks, "train")
    (tmp_path / "codec" / ".tmp-codec.json-9f24ecb286d7").write_text("{")
    output.finish(job, _work(job, tasks))
    assert differences(tmp_path) == []
