"""Verification itself, without Beam: it passes honest data, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equalinfo import codecs
from equalinfo.data.manifest import COUNTS, Manifest
from equalinfo.data.records import parse
from equalinfo.data.tfrecord import read_records
from pipelines import verification
from pipelines.shard import ShardReport
from pipelines.verification import Findings
from tests.records import serialize
from verify_data import (
    METHODS,
    TINY,
    TINY_SHARD,
    differences,
    edit_records,
    make_codec,
    make_dataset,
    verified,
    write_manifest,
)

WriteJson = Callable[[str, Sequence[str]], Path]


@pytest.fixture
def inputs(write_json: WriteJson, texts: Sequence[str]) -> list[Path]:
    """260 documents with a bad line among them, and 10 in a file that is cut off."""
    bad = write_json("a.json", texts[:260])
    lines = bad.read_bytes().splitlines(keepends=True)
    bad.write_bytes(b"".join([*lines[:100], b"bad\n", *lines[100:]]))
    cut = write_json("b.json.gz", [*texts[:10], "x"])
    cut.write_bytes(cut.read_bytes()[:-9])
    return [bad, cut]


@pytest.mark.parametrize("trim", ["none", "paper"])
@pytest.mark.parametrize("name", METHODS)
def test_honest_data_passes_with_a_true_account(
    name: str, trim: str, inputs: list[Path], tmp_path: Path
) -> None:
    size = {"sequence_length": 40, "example_bytes": 1000, "documents_per_sequence": 128}
    out = make_dataset(inputs, tmp_path / "out", make_codec(name), trim=trim, **size)
    totals = Manifest.load(out).split("train").totals
    assert totals["rejected"] == totals["damaged"] == 1
    assert (totals["trimmed_bytes"] > 0) == (trim == "paper")
    restorable = name != "greedy" and trim == "none"
    said = verified(out, []).lines()
    assert f"{totals['bytes']:,} bytes verified against the stored checksums" in said[0]
    assert any(line.startswith("NOT RESTORABLE") for line in said) != restorable
    again = verified(out, inputs).lines()
    assert f"{totals['bytes']:,} bytes compressed again: the input gives the bytes" in again[0]
    assert not any("NOT RESTORABLE" in line for line in again)
    for lines in (said, again):
        left_out = f"{totals['trimmed_bytes']:,} bytes are not in the dataset"
        assert any(left_out in line for line in lines) == (trim == "paper")


def test_trimmed_records_may_end_before_a_symbol(inputs: list[Path], tmp_path: Path) -> None:
    """The first byte of a gzip stream stands for no text yet."""
    size = {"sequence_length": 1, "example_bytes": 1000, "documents_per_sequence": 128}
    out = make_dataset(inputs, tmp_path / "out", make_codec("gzip"), trim="paper", **size)
    totals = Manifest.load(out).split("train").totals
    assert totals["trimmed_bytes"] > 0
    assert any(
        "bytes verified against the stored checksums" in x for x in verified(out, []).lines()
    )


def test_what_is_known_of_window_errors(inputs: list[Path], tmp_path: Path) -> None:
    codec = make_codec("greedy")
    said = verified(make_dataset(inputs, tmp_path / "out", codec)).lines()
    assert "Window errors are not known" in said[1]
    out = make_dataset(inputs, tmp_path / "verified", codec, verify=True)
    totals = Manifest.load(out).split("train").totals
    said = verified(out, inputs).lines() + verified(out).lines()
    assert f": {totals['window_errors']:,} of {totals['windows']:,} windows" in said[-1]


def test_another_version_of_a_library(
    inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other bytes of the same text pass where the method's library decides them, and only there."""
    make = verification.compress_shard

    def other(*arguments: Any) -> ShardReport:
        report = make(*arguments)
        return replace(report, shard=replace(report.shard, sha256="0" * 64))

    for name, passes in (("gzip", True), ("bytes", False)):
        out = make_dataset(inputs, tmp_path / name, make_codec(name))
        with monkeypatch.context() as patch:
            patch.setattr(verification, "compress_shard", other)
            report = verified(out, inputs)
        assert (report.total == 0) == passes, report.lines()
        if passes:
            assert "2 of these shards have other bytes, and decode to the text" in report.lines()[1]


@pytest.fixture
def tiny(write_json: WriteJson) -> list[Path]:
    """Seven documents and a bad line: three sequences, of one to three examples."""
    path = write_json("a.json", TINY)
    path.write_bytes(path.read_bytes() + b"bad\n")
    return [path]


@pytest.fixture(params=["equal_info", "codebook", "gzip"])
def dataset(
    request: pytest.FixtureRequest, tiny: list[Path], tmp_path: Path
) -> Callable[..., Path]:
    """Restores the dataset that others may have changed; gives its directory."""
    out = make_dataset(tiny, tmp_path / "out", make_codec(request.param))
    files = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    (out / "COMPLETED").write_text("")

    def restore() -> Path:
        for path, data in files.items():
            path.write_bytes(data)
        return out

    return restore


def test_records_dropped_doubled_and_swapped(
    dataset: Callable[..., Path], tiny: list[Path]
) -> None:
    with open(dataset() / TINY_SHARD, "rb") as file:
        whole = list(read_records(file, ""))
    assert len(whole) > 5
    for index in range(len(whole)):
        before, one, after = whole[:index], whole[index], whole[index + 1 :]
        for records in (
            [*before, *after],
            [*before, one, one, *after],
            [*before, *after[:1], one, *after[1:]],
        ):
            for count, files in ((False, []), (True, tiny)):
                out = dataset()
                edit_records(out, records, count=count)
                assert bool(differences(out, files)) == (records != whole), index


def test_wrong_numbers_in_records(dataset: Callable[..., Path]) -> None:
    with open(dataset() / TINY_SHARD, "rb") as file:
        whole = list(read_records(file, ""))
    for name, value in (
        ("num_bytes", -1),
        ("num_bytes", 2**62),
        ("num_documents", 2**62),
        ("part", 2**62),
        ("checksum", -1),
        ("source", "a.json:0:00"),
        ("source", "a.json:-3:0"),
        ("source", "a.json:1:0"),
        ("source", "a.json:999999999999:0"),
        ("source", "b.json:0:0"),
        ("source", "x"),
        ("targets", np.empty(0, np.int32)),
        ("targets", np.array([0], np.int32)),
        ("targets", np.array([70_000], np.int32)),
    ):
        out = dataset()
        changed = serialize(replace(parse(whole[0]), **{name: value}))  # type: ignore[arg-type]
        edit_records(out, [changed, *whole[1:]], count=False)
        assert differences(out), (name, value)


@pytest.mark.parametrize("name", [*COUNTS, "input", "file"])
def test_counts_edited_in_the_manifest(
    name: str, dataset: Callable[..., Path], tiny: list[Path]
) -> None:
    out = dataset()
    manifest = Manifest.load(out)
    (shard,) = manifest.split("train").shards
    value = getattr(shard, name)
    wrong = [f"{value}x"] if isinstance(value, str) else [value + 1, value + 100, value - 1]
    for one in wrong:
        write_manifest(out, manifest, replace(shard, **{name: one}))
        assert differences(out), one
        assert differences(out, tiny), one


@pytest.mark.parametrize(
    "name", ["sequence_length", "example_bytes", "documents_per_sequence", "token_bits", "trim"]
)
def test_layout_edited_in_the_manifest(name: str, dataset: Callable[..., Path]) -> None:
    out = dataset()
    manifest = Manifest.load(out)
    value = getattr(manifest, name)
    for one in ["paper"] if isinstance(value, str) else [value + 1, value * 2, value - 1]:
        (out / "manifest.json").write_text(replace(manifest, **{name: one}).to_json())
        assert differences(out), one


@pytest.mark.parametrize("name", METHODS)
def test_another_source_text(name: str, tiny: list[Path], tmp_path: Path) -> None:
    out = make_dataset(tiny, tmp_path / "out", make_codec(name))
    (path,) = tiny
    good = path.read_bytes()
    lines = good.splitlines(keepends=True)
    assert not differences(out, tiny)
    for wrong in (
        good.replace(b"Five", b"Fiwe"),
        good.replace(b'"6"', b'"7"'),
        b"".join(lines[1:]),
        b"".join(lines[:-2] + lines[-1:]),
        b"".join([lines[0], *lines]),
        b"".join([*lines, lines[0]]),
        b"".join([lines[1], lines[0], *lines[2:]]),
        b"".join(lines[:-1]),
        b"".join([*lines, b"bad\n"]),
        b"".join([*lines[:-2], lines[-1], lines[-2]]),
        b"",
    ):
        path.write_bytes(wrong)
        assert differences(out, tiny), wrong


def test_inputs_that_are_missing_or_too_many(
    inputs: list[Path], write_json: WriteJson, tmp_path: Path
) -> None:
    out = make_dataset(inputs, tmp_path / "out", codecs.create("bytes"))
    (said, _) = differences(out, inputs[:1])
    assert "was made of b.json.gz, which is not in --input" in said
    (said, _) = differences(out, [*inputs, write_json("c.json", [])])
    assert "the input c.json is in no shard" in said


def test_files_that_are_missing_or_too_many(inputs: list[Path], tmp_path: Path) -> None:
    out = make_dataset(inputs, tmp_path / "out", codecs.create("bytes"))
    names = [path.relative_to(out) for path in out.rglob("*") if path.is_file()]
    for name in names:
        data = (out / name).read_bytes()
        (out / name).unlink()
        assert differences(out), name
        (out / name).write_bytes(data)
    for extra in (
        "train.tfrecord-00002-of-00003",
        "test.array_record-00000-of-00001",
        ".tmp-train.tfrecord-00000-of-00002-0123",
        "rejects-train-00000-of-00002.jsonl",
        "outcome-train.json",
        "codec/m1.safetensors",
    ):
        (out / extra).write_bytes(b"")
        (said, *_) = differences(out)
        assert extra in said
        (out / extra).unlink()
    (out / "README.md").write_text("Not ours.")
    assert not differences(out)


def test_only_so_many_differences_are_shown(tiny: list[Path], tmp_path: Path) -> None:
    findings = Findings(2)
    for number in range(5):
        findings.add(str(number))
    assert (findings.shown, findings.total) == (["0", "1"], 5)
    assert findings.lines("d")[2] == "d: 5 differences in all, 2 shown"
