"""The bar of a job: by shards, and within a shard by the symbols that M1 has coded."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tqdm import tqdm

from equalinfo import codecs
from equalinfo.codecs.base import Codec, Encoded
from models import HashModel
from pipelines import coded, progress, shard
from pipelines.shard import Layout, ShardTask, compress_shard
from pipelines.sources import find

LAYOUT = Layout(
    split="train", sequence_length=64, example_bytes=100, documents_per_sequence=128, trim="none",
    verify=False,
)  # fmt: skip


@pytest.fixture
def codec() -> Codec:
    """One that runs a (small) M1."""
    made: Codec = codecs.create(
        "equal_info", model=HashModel(order=1, precision=16), window_bits=24, token_bits=8
    )
    return made


@pytest.fixture
def task(tmp_path: Path) -> ShardTask:
    """A file of 20 documents of 50 bytes, to be the first of two shards."""
    path = tmp_path / "in.txt"
    path.write_text(("x" * 50 + "\n") * 20)
    return ShardTask(find([str(path)])[0], 0, 2)


def _bar(directory: Path, task: ShardTask) -> tuple[int, str]:
    size = task.file.size
    assert size is not None
    shards = {task.output_name(LAYOUT): progress._Shard(task, size)}
    with tqdm(total=size, file=io.StringIO()) as bar:
        progress._update(bar, str(directory), shards)
        return bar.n, str(bar.postfix)


def test_the_bar_moves_within_a_shard_where_m1_runs(
    codec: Codec, task: ShardTask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(coded, "_SECONDS", 0.0)  # of a batch that takes microseconds
    monkeypatch.setattr(shard, "BATCH_EXAMPLES", 2)
    seen = []
    encode_batch = shard.encode_batch

    def watched(*arguments: Any) -> shard.EncodedBatch:
        encoded = encode_batch(*arguments)
        seen.append(_bar(out, task))
        return encoded

    monkeypatch.setattr(shard, "encode_batch", watched)
    compress_shard(task, LAYOUT, codec, str(out))
    done = [bytes_done for bytes_done, _ in seen]
    assert len(done) > 5
    assert 0 < done[0] < done[1] < done[2] < task.file.size  # type: ignore[operator]
    assert "0 of 1 shards" in seen[0][1] and "kB/s of text" in seen[0][1]
    assert _bar(out, task)[0] == task.file.size
    assert codec.progress is None


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("equal_info", {"window_bits": 24, "token_bits": 8}),
        ("ac", {}),
        ("equal_info_ac", {"window_bits": 24, "token_bits": 8}),
    ],
)
def test_the_bar_moves_while_a_batch_is_decoded_again(
    method: str, options: dict[str, int], task: ShardTask, tmp_path: Path
) -> None:
    precision = 16 if method == "equal_info" else 14
    codec = codecs.create(method, model=HashModel(order=1, precision=precision), **options)
    told: list[int] = []
    (batch, _) = shard.read_batches(task, LAYOUT, runs_model=True)
    codec.progress = told.append
    shard.encode_batch(batch, LAYOUT, codec)
    assert sum(told) == batch.num_bytes + batch.num_documents
    half = len(told)
    shard.encode_batch(batch, replace(LAYOUT, verify=True), codec)
    assert sum(told) == 3 * (batch.num_bytes + batch.num_documents)
    assert len(told) > 2 * half + 2  # not at once, in the end
    assert min(told) >= 0


def test_what_an_interrupted_job_counted_is_forgotten(
    codec: Codec, task: ShardTask, tmp_path: Path
) -> None:
    name = task.output_name(LAYOUT)
    with coded.counting(codec, str(tmp_path), name, 7) as own:
        assert own.progress is not None
        own.progress(500)
    other = tmp_path / ".tmp-train.tfrecord-00001-of-00002-symbols-0"
    other.write_text("3")
    assert _bar(tmp_path, task)[0] == 1020 * 500 // 1000
    coded.forget(str(tmp_path), {name})
    assert _bar(tmp_path, task)[0] == 0
    assert other.exists()


def test_a_number_that_is_being_written_or_a_full_disk_is_no_error(
    codec: Codec, task: ShardTask, tmp_path: Path
) -> None:
    (tmp_path / f".tmp-{task.output_name(LAYOUT)}-symbols-0").write_text("")
    assert _bar(tmp_path, task)[0] == 0
    with coded.counting(codec, str(tmp_path / "missing"), "name", 0) as own:
        own.encode([np.zeros(30, np.uint16)])


def test_two_threads_of_one_process_count_their_own(
    codec: Codec, task: ShardTask, tmp_path: Path
) -> None:
    """Workers of Dask share a codec."""
    name = task.output_name(LAYOUT)
    with (
        coded.counting(codec, str(tmp_path), name, 0) as one,
        coded.counting(codec, str(tmp_path), name, 1) as two,
    ):
        one.encode([np.zeros(30, np.uint16)])
        two.encode([np.zeros(50, np.uint16)])
    assert codec.progress is None
    counts = [int((tmp_path / f".tmp-{name}-symbols-{batch}").read_text()) for batch in (0, 1)]
    assert counts == [30, 50]


def test_where_no_m1_runs_nothing_is_counted(task: ShardTask, tmp_path: Path) -> None:
    codec = codecs.create("bytes")
    with coded.counting(codec, str(tmp_path), "name", 0) as own:
        found: list[Encoded] = own.encode([np.zeros(3, np.uint16)])
    assert len(found) == 1
    assert codec.progress is None
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]
