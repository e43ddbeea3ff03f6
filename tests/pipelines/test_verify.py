"""`pipelines.verify` from the command line: honest data passes, with a true account of it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pipelines import compress
from pipelines.options import parse_compress
from pipelines.verify import main, parse_verify
from verify_data import make_codec, make_dataset

WriteJson = Callable[[str, Sequence[str]], Path]


@pytest.fixture
def inputs(write_json: WriteJson, texts: Sequence[str]) -> list[Path]:
    """Two files: 304 documents, and 100 with a bad line among them."""
    write_json("b.json.gz", texts)
    path = write_json("a.json", texts[:100])
    path.write_bytes(path.read_bytes() + b"bad\n")
    return [path, path.with_name("b.json.gz")]


@pytest.fixture
def make(inputs: list[Path], tmp_path: Path) -> Callable[..., Path]:
    """Compress the inputs; gives the dataset directory."""

    def make(method: str = "bytes", **layout: object) -> Path:
        shape = {"sequence_length": 40, "example_bytes": 1000, **layout}
        return make_dataset(inputs, tmp_path / "out", make_codec(method), **shape)

    return make


def test_what_compress_makes_passes(
    inputs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, pattern = str(tmp_path / "out"), str(inputs[0].parent / "*")
    argv = ["--input", pattern, "--output", out, "--quiet", "--max_reject_fraction=0.1"]
    totals = compress.run(parse_compress([*argv, "--method=gzip"])).split("train").totals
    said = f"{out}: 2 shards, {totals['documents']:,} documents, {totals['bytes']:,} bytes verified"
    assert main(["--dataset", out]) == 0
    assert capsys.readouterr().out == f"{said} against the stored checksums\n"
    assert main(["--dataset", out, "--input", pattern]) == 0
    said = said.removesuffix("verified")
    assert capsys.readouterr().out == (
        f"{said}compressed again: the input gives the bytes that are there\n"
    )


def test_splits_of_one_input_and_a_limit(
    inputs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, given = str(tmp_path / "out"), ["--input", *map(str, inputs)]
    for more in (["--limit=5"], ["--split=validation"], ["--split=test", "--limit=1"]):
        argv = [*given, "--output", out, "--quiet", "--max_reject_fraction=0.1", *more]
        assert compress.main(argv) == 0
    assert main(["--dataset", out, *given]) == 0, capsys.readouterr().out


def test_array_records(make: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("array_record", reason="the extra array_record is not installed")
    out = make("gzip", format="array_record")
    assert main(["--dataset", str(out)]) == 0
    shard = sorted(out.glob("train.array_record-*"))[1]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    assert main(["--dataset", str(out)]) == 1
    assert f"{shard.name}: it has sha256:" in capsys.readouterr().out


def test_workers_find_what_one_process_finds(
    make: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out = make("gzip")
    shard = sorted(out.glob("train.tfrecord-*"))[0]
    data = bytearray(shard.read_bytes())
    data[-10] ^= 1
    shard.write_bytes(data)
    said = []
    for workers in (1, 2):
        assert main(["--dataset", str(out), f"--workers={workers}"]) == 1
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    assert "the checksum of its" in said[0]
    assert "1 of 2 shards are not what they should be" in said[0]


def test_splits(make: Callable[..., Path], inputs: list[Path]) -> None:
    out = make()
    make(split="validation")
    shard = sorted(out.glob("validation.tfrecord-*"))[0]
    shard.write_bytes(shard.read_bytes()[:-1])
    dataset = ["--dataset", str(out)]
    assert main(dataset) == 1
    assert main([*dataset, "--split", "validation"]) == 1
    assert main([*dataset, "--split", "train", "--input", *map(str, inputs)]) == 0
    assert main([*dataset, "--split", "test"]) == 2


def test_a_beam_runner_brings_back_what_it_found(
    make: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = make()
    results = tmp_path / "results.json"
    command = ["--dataset", str(out), "--runner=DirectRunner", "--results", str(results)]
    assert main(command) == 0
    shard = sorted(out.glob("train.tfrecord-*"))[0]
    shard.write_bytes(shard.read_bytes()[:-1])
    assert main(command) == 1
    assert f"{shard.name}: " in capsys.readouterr().out
    assert not results.exists()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "--dataset"),
        (["--dataset", "x", "--worker=2"], "--worker"),
        (["--dataset", "x", "--workers=0"], "not positive"),
        (["--dataset", "x", "--show=-1"], "negative"),
        (["--dataset", "x", "--runner=DaskRunner"], "is refused"),
        (["--dataset", "x", "--runner=PortableRunner"], "needs --results"),
    ],
)
def test_wrong_usage(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse_verify(argv)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_inputs_that_are_not_there(make: Callable[..., Path], tmp_path: Path) -> None:
    out = make()
    assert main(["--dataset", str(out), "--input", str(tmp_path / "none" / "*.json")]) == 2


@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("manifest.json", None, "does not exist"),
        ("manifest.json", b"", "is not JSON"),
        ("manifest.json", b"\xff", "is damaged"),
        ("manifest.json", b"[]", "expected an object"),
        ("manifest.json", b'{"format_version": 9}', "format_version 9"),
        ("codec/codec.json", None, "cannot be used"),
        ("codec/codec.json", b"{}", "cannot be used"),
        ("codec/static.safetensors", None, "cannot be used"),
        ("codec/static.safetensors", b"", "damaged or was replaced"),
    ],
)
def test_damage_that_ends_it_is_said_clearly(
    name: str,
    damage: bytes | None,
    said: str,
    make: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = make("static_ac")
    if damage is None:
        (out / name).unlink()
    else:
        (out / name).write_bytes(damage)
    assert main(["--dataset", str(out)]) == 1
    error = capsys.readouterr().err
    assert said in error and error.startswith("pipelines.verify: ") and "Traceback" not in error
    assert Path(name).name in error or "codec" in error


def test_manifests_that_are_no_manifests(make: Callable[..., Path]) -> None:
    out = make()
    whole = json.loads((out / "manifest.json").read_text())
    split = whole["splits"]["train"]
    for wrong in (
        {**split, "totals": []},
        {**split, "shards": 5},
        {**split, "shards": [5]},
        None,
    ):
        content = {**whole, "splits": {"train": wrong}}
        (out / "manifest.json").write_text(json.dumps(content))
        assert main(["--dataset", str(out)]) == 1
    for name, value in (("trim", "half"), ("example_bytes", 3), ("documents_per_sequence", 0)):
        (out / "manifest.json").write_text(json.dumps({**whole, name: value}))
        assert main(["--dataset", str(out)]) == 1


def test_a_file_is_no_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("text")
    assert main(["--dataset", str(tmp_path / "a.txt")]) == 1
    assert "pipelines.verify: NotADirectoryError" in capsys.readouterr().err
