"""The whole pipeline on Beam: complete or failed, the same bytes each time, and back to text."""

import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest

from equalinfo import codecs
from equalinfo.alphabet import join
from equalinfo.data import storage
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest
from equalinfo.data.text import Limits
from equalinfo.data.tfrecord import DamagedRecordsError
from equalinfo.m1.static import StaticModel
from pipelines import compress, count, output
from pipelines.compress import run
from pipelines.executors import beam_graph
from pipelines.executors.work import JobFailedError
from pipelines.options import parse_compress, parse_count
from pipelines.output import OutputError
from pipelines.shard import Layout, ShardTask
from pipelines.sources import InputError, find
from pipelines.worker import COUNTERS, Compress
from verify_data import prepare

WriteJson = Callable[[str, Sequence[str]], Path]


def _run(inputs: str | Path, out: Path, *flags: str) -> Manifest:
    argv = ["--input", str(inputs), "--output", str(out), "--quiet", *flags]
    return run(parse_compress(argv))


def _digest(directory: Path) -> str:
    """One sha256 over all files and their names."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(directory)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@pytest.fixture
def inputs(write_json: WriteJson, texts: Sequence[str]) -> str:
    """Three files: 304 documents, none, 100 documents."""
    write_json("b.json.gz", texts)
    write_json("a.json", texts[:100])
    path = write_json("empty.json", [])
    return str(path.parent / "*.json*")


def _all_texts(texts: Sequence[str]) -> list[bytes]:
    return [text.encode() for text in [*texts[:100], *texts]]


def test_round_trip_counts_and_rejects(inputs: str, texts: Sequence[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = _run(inputs, out, "--method=gzip", "--example_bytes=1000", "--verify")
    expected = _all_texts(texts)
    assert list(Dataset.open(out).restore("train")) == expected

    totals = manifest.split("train").totals
    assert totals["documents"] == len(expected)
    assert totals["bytes"] == sum(map(len, expected))
    assert totals["verified_examples"] == totals["examples"]
    records = list(Dataset.open(out).read("train"))
    assert totals["records"] == len(records)
    assert totals["tokens"] == sum(len(record.targets) for record in records)
    shards = manifest.split("train").shards
    assert [shard.input for shard in shards] == ["a.json", "b.json.gz", "empty.json"]
    assert (shards[2].documents, shards[2].records) == (0, 0)
    for shard in shards:
        assert shard.sha256 == hashlib.sha256((out / shard.file).read_bytes()).hexdigest()
    assert {path.name for path in out.iterdir()} == {
        "COMPLETED",
        "codec",
        "info.train.json",
        "manifest.json",
        "rejects-train.jsonl",
        *(shard.file for shard in shards),
    }
    assert (out / "rejects-train.jsonl").read_bytes() == b""
    assert json.loads((out / "info.train.json").read_text())["num_shards"] == 3
    assert str(tmp_path) not in (out / "manifest.json").read_text()


def test_places_change_no_byte(inputs: str, tmp_path: Path) -> None:
    directory = Path(inputs).parent
    flags = ["--method=gzip", "--max_reject_fraction=0.01"]
    (directory / "c.json").write_bytes(b'{"text": "x"}\nbad\n')
    _run(inputs, tmp_path / "one", *flags)
    moved = tmp_path / "moved"
    directory.rename(moved)
    _run(moved / "*", tmp_path / "two", *flags)
    assert _digest(tmp_path / "one") == _digest(tmp_path / "two")
    assert '"c.json:2"' in (tmp_path / "one" / "rejects-train.jsonl").read_text()


def test_counters(inputs: str, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    tasks = [ShardTask(file, index, 3) for index, file in enumerate(find([inputs]))]
    layout = Layout("train", 512, 10_240, 128, "none", False)
    job = prepare(Path(out), codecs.create("gzip"), layout, Limits(0, False), tasks)
    with beam.Pipeline(runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner") as p:
        beam_graph.build(p, Compress(job), tasks, spread=False)
    metrics = p.result.metrics().query()["counters"]
    found = {
        counter.key.metric.name: counter.committed
        for counter in metrics
        if counter.key.metric.namespace == "equalinfo"
    }
    totals = output.result(out, "train").split("train").totals
    assert found == {name: totals[name] for name in COUNTERS}


def test_too_many_rejects_fail_and_leave_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"text": "x"}\nbad\n')
    out = tmp_path / "out"
    with pytest.raises(JobFailedError, match=r"1 of 2 documents were rejected \(50\.0000%\)"):
        _run(tmp_path / "a.json", out, "--method=gzip")
    assert not (out / "manifest.json").exists()
    (line,) = (out / "rejects-train.jsonl").read_text().splitlines()
    assert json.loads(line)["place"] == "a.json:2"

    manifest = _run(tmp_path / "a.json", out, "--method=gzip", "--max_reject_fraction=0.5")
    assert manifest.split("train").totals["rejected"] == 1
    assert not (out / "outcome-train.json").exists()


def test_damaged_file_fails_unless_allowed(
    inputs: str, texts: Sequence[str], tmp_path: Path
) -> None:
    path = Path(inputs).parent / "b.json.gz"
    path.write_bytes(path.read_bytes()[:-100])
    out = tmp_path / "out"
    with pytest.raises(JobFailedError, match=r"1 input files are damaged.*b\.json\.gz.*cut off"):
        _run(inputs, out, "--method=gzip")
    assert not (out / "manifest.json").exists()
    manifest = _run(inputs, out, "--method=gzip", "--allow_damaged_files")
    shard = manifest.split("train").shards[1]
    assert shard.damaged == 1 and shard.documents < len(texts)
    kept = [text.encode() for text in [*texts[:100], *texts[: shard.documents]]]
    assert list(Dataset.open(out).restore("train")) == kept


def test_remote_paths_give_the_same_files(inputs: str, tmp_path: Path) -> None:
    """A store in memory in place of gs://."""
    local = tmp_path / "local"
    _run(inputs, local, "--method=gzip")
    expected = {path.name: path.read_bytes() for path in local.iterdir() if path.is_file()}
    out = f"memory://{tmp_path.name}/out"
    storage.copy_directory(str(Path(inputs).parent), f"memory://{tmp_path.name}/in")
    argv = ["--input", f"memory://{tmp_path.name}/in/*", "--output", out, "--method=gzip"]
    for more in ([], ["--overwrite"]):
        assert compress.main([*argv, *more]) == 0
        found = {}
        for path in storage.list_directory(out, ""):
            with storage.open_read(path) as file:
                found[storage.base_name(path)] = file.read()
        assert found == expected
        storage.write_text(storage.join(out, ".tmp-train.tfrecord-00000-of-00003-0123"), "half")


def test_wrong_codecs_are_errors_of_one_line(
    inputs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--input", inputs, "--output", str(tmp_path / "out")]
    assert compress.main([*base, "--method=gzip", "--token_bits=17"]) == 1
    assert "CodecError: token_bits=17 is outside 1..16" in capsys.readouterr().err
    assert compress.main([*base, "--codec", str(tmp_path / "none")]) == 1
    assert compress.main([*base, "--m1", str(tmp_path / "none")]) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [[], ["--task_index=0", "--num_tasks=2"]])
def test_a_codec_that_cannot_encode_takes_no_split_away(
    inputs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    """A context of 1 is refused when M1 runs, not when the codec is made."""
    out = tmp_path / "out"
    _run(inputs, out, "--method=gzip")
    before = _digest(out)
    argv = ["--input", inputs, "--output", str(out), "--overwrite", "--quiet", *more]
    assert compress.main([*argv, "--method=ac", "--context=1"]) == 1
    assert "CodecError: context=1 is not in 2..133,144" in capsys.readouterr().err
    assert _digest(out) == before


def test_an_empty_glob_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fits no file"):
        _run(tmp_path / "*.json", tmp_path / "out", "--method=gzip")
    assert not (tmp_path / "out").exists()
    argv = ["--input", str(tmp_path / "*.json"), "--output", "x", "--method=gzip"]
    assert compress.main(argv) == 1


def test_rerun_after_a_crash(inputs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run(inputs, tmp_path / "undisturbed", "--method=gzip")
    out = tmp_path / "out"

    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(output, "finish", die)
        _run(inputs, out, "--method=gzip")
    assert not (out / "manifest.json").exists()
    # What a killed process cannot clean up, and a shard of another number of inputs.
    (out / ".tmp-train.tfrecord-00000-of-00003-0123").write_bytes(b"half")
    (out / "train.tfrecord-00000-of-00001").write_bytes(b"old")
    _run(inputs, out, "--method=gzip")
    assert _digest(out) == _digest(tmp_path / "undisturbed")


def test_splits_share_a_codec(inputs: str, texts: Sequence[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    single = str(Path(inputs).parent / "a.json")
    _run(inputs, out, "--method=gzip")
    _run(single, out, "--method=gzip", "--split=validation")
    assert set(Manifest.load(out).splits) == {"train", "validation"}
    assert list(Dataset.open(out).restore("validation")) == [text.encode() for text in texts[:100]]
    before = _digest(out)

    with pytest.raises(
        OutputError, match="already holds a finished split 'train', made otherwise: of 3 inputs"
    ):
        _run(single, out, "--method=gzip")
    with pytest.raises(OutputError, match=r"\['train', 'validation'\] made with method='gzip'"):
        _run(single, out, "--method=bytes", "--split=test")
    with pytest.raises(OutputError, match="made with sequence_length=512"):
        _run(single, out, "--method=gzip", "--split=train", "--overwrite", "--sequence_length=9")
    assert _digest(out) == before

    _run(single, out, "--method=gzip", "--overwrite")
    assert len(Manifest.load(out).split("train").shards) == 1
    assert sorted(path.name for path in out.glob("train*")) == ["train.tfrecord-00000-of-00001"]


def test_files_of_others_are_not_deleted(inputs: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.tfrecord-00000-of-00001").write_bytes(b"precious")
    with pytest.raises(OutputError, match="another program wrote it"):
        _run(inputs, out, "--method=gzip")
    assert (out / "train.tfrecord-00000-of-00001").read_bytes() == b"precious"


def test_restore_notices_what_does_not_fit(inputs: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = _run(inputs, out, "--method=bytes", "--trim=paper", "--sequence_length=10")
    with pytest.raises(ValueError, match="compressed with --trim=paper"):
        next(Dataset.open(out).restore("train"))
    shard = manifest.split("train").shards[0]
    data = (out / shard.file).read_bytes()
    (out / shard.file).write_bytes(data[:0])
    with pytest.raises(DamagedRecordsError, match="has 0 records with 0 tokens, the manifest says"):
        list(Dataset.open(out).read("train"))


def test_text_and_parquet(tmp_path: Path, texts: Sequence[str]) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    lines = [text for text in texts if text and "\n" not in text]
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    parquet.write_table(pa.table({"text": texts}), tmp_path / "b.parquet")
    _run(tmp_path / "*.*", tmp_path / "out", "--method=gzip")
    expected = [text.encode() for text in [*lines, *texts]]
    assert list(Dataset.open(tmp_path / "out").restore("train")) == expected


def test_count_then_static_ac(inputs: str, texts: Sequence[str], tmp_path: Path) -> None:
    static, out = tmp_path / "static.safetensors", tmp_path / "out"
    count.run(parse_count(["--input", inputs, "--output", str(static)]))
    counted = sum(count.count_file(file).symbols for file in find([inputs]))
    expected = _all_texts(texts)
    assert counted[256] == len(expected)
    histogram = np.bincount(np.frombuffer(b"".join(expected), np.uint8), minlength=256)
    assert np.array_equal(counted[:256], histogram)

    _run(inputs, out, "--method=static_ac", f"--static={static}")
    assert list(Dataset.open(out).restore("train")) == expected


@pytest.fixture
def static_model(texts: Sequence[str], tmp_path: Path) -> Callable[[int], str]:
    """Writes the frequencies of the texts at a precision; an M1 without context. Gives the path."""
    symbols = np.bincount(join(_all_texts(texts)), minlength=257)

    def write(precision: int) -> str:
        path = tmp_path / f"static{precision}.safetensors"
        StaticModel.from_counts(symbols, precision).save(path)
        return str(path)

    return write


def test_equal_info(
    inputs: str, texts: Sequence[str], static_model: Callable[[int], str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = ["--verify", "--example_bytes=1000", "--m1", static_model(16)]
    manifest = _run(inputs, out, "--method=equal_info", *flags)
    totals = manifest.split("train").totals
    assert totals["windows"] == totals["tokens"] > 0
    assert (totals["verified_examples"], totals["window_errors"]) == (totals["examples"], 0)
    assert list(Dataset.open(out).restore("train")) == _all_texts(texts)


def test_records_that_begin_inside_windows_are_said_to(
    inputs: str,
    static_model: Callable[[int], str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """And --quiet draws no bar of the codec's either."""
    flags = ["--method=equal_info", "--window_bits=12", "--token_bits=8", "--m1", static_model(16)]
    _run(inputs, tmp_path / "a", *flags, "--sequence_length=30")
    ours = [each for each in caplog.records if each.name == compress.__name__]
    assert not ours and "%" not in capfd.readouterr().err
    _run(inputs, tmp_path / "b", *flags, "--sequence_length=31")
    (record,) = [each for each in caplog.records if each.name == compress.__name__]
    assert "3 tokens belong together" in record.getMessage()
    assert "--sequence_length=30 avoids it" in record.getMessage()


def test_the_papers_windows_count_their_errors(
    inputs: str, static_model: Callable[[int], str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flags = ["--verify", "--m1", static_model(14)]
    manifest = _run(inputs, out, "--method=equal_info_ac", *flags)
    totals = manifest.split("train").totals
    assert not manifest.lossless
    assert 0 < totals["window_errors"] < totals["windows"]
    with pytest.raises(codecs.LossyCodecError):
        next(Dataset.open(out).restore("train"))
    # What it decodes to is wrong in places: documents may be joined or split.
    assert (
        sum(map(len, Dataset.open(out).restore("train", allow_errors=True))) > totals["bytes"] // 2
    )


def test_count_refuses_what_compress_refuses(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"bad\n")
    argv = ["--input", str(tmp_path / "a.json"), "--output", str(tmp_path / "s")]
    with pytest.raises(JobFailedError, match=r"1 of 1 documents.*a\.json:1: invalid JSON"):
        count.run(parse_count(argv))
    assert count.main(argv) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json"]


def test_real_text(shared_data: Path, tmp_path: Path) -> None:
    path = next((shared_data / "validation").glob("*.json.gz"))
    manifest = _run(path, tmp_path / "out", "--method=gzip")
    with gzip.open(path, "rb") as file:
        expected = [json.loads(line)["text"].encode() for line in file]
    totals = manifest.split("train").totals
    assert (totals["documents"], totals["bytes"]) == (len(expected), sum(map(len, expected)))
    assert list(Dataset.open(tmp_path / "out").restore("train")) == expected
