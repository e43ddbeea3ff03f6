"""Every flipped bit is found: by checksums of files, and without them by what is in the files."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from equalinfo.data.manifest import Manifest
from equalinfo.data.tfrecord import read_records
from pipelines.verification import verify_shard
from tests.records import frame
from verify_data import (
    TINY,
    TINY_SHARD,
    differences,
    flips,
    make_codec,
    make_dataset,
    shard_checks,
)


@pytest.fixture
def make(write_json: Callable[[str, Sequence[str]], Path], tmp_path: Path) -> Callable[..., Path]:
    """A dataset of seven documents and a bad line; three sequences, of one to three examples."""
    path = write_json("a.json", TINY)
    path.write_bytes(path.read_bytes() + b"bad\n")

    def make(method: str) -> Path:
        out = make_dataset([path], tmp_path / "out", make_codec(method), sequence_length=20)
        assert not differences(out)
        return out

    return make


@pytest.mark.parametrize("method", ["equal_info", "gzip"])
def test_in_a_shard(method: str, make: Callable[..., Path]) -> None:
    out = make(method)
    (check,) = shard_checks(out)
    for place in flips(out / TINY_SHARD):
        found = verify_shard(check).findings.shown
        assert "sha256" in found[0], place
        assert any("record" in line and "at byte" in line for line in found[1:]), place


@pytest.mark.parametrize("method", ["equal_info", "gzip"])
def test_inside_a_sound_frame(method: str, make: Callable[..., Path]) -> None:
    """A record that was written wrongly: no checksum of files or frames tells."""
    out = make(method)
    (check,) = shard_checks(out)
    path = out / TINY_SHARD
    with open(path, "rb") as file:
        whole = list(read_records(file, ""))
    for index in (0, 1):
        for place in range(len(whole[index])):
            changed = bytearray(whole[index])
            changed[place] ^= 1 << (place % 8)
            records = [*whole[:index], bytes(changed), *whole[index + 1 :]]
            path.write_bytes(b"".join(map(frame, records)))
            shard = replace(check.shard, sha256=sha256(path.read_bytes()).hexdigest())
            found = verify_shard(replace(check, shard=shard)).findings.shown
            assert found and "sha256" not in found[0], (index, place)


def _differences(out: Path) -> list[str]:
    """Those found without the checksums in COMPLETED, which find everything."""
    return [line for line in differences(out) if "COMPLETED" not in line]


def test_in_manifest_and_codec(make: Callable[..., Path]) -> None:
    out = make("static_ac")
    manifest = Manifest.load(out)
    codec = json.loads((out / "codec/codec.json").read_text())
    for place in flips(out / "manifest.json"):  # a flip in white space may be no change
        assert _differences(out) or Manifest.load(out) == manifest, place
    for place in flips(out / "codec/codec.json"):
        same = _differences(out) or json.loads((out / "codec/codec.json").read_text()) == codec
        assert same, place
    for place in flips(out / "codec/static.safetensors"):
        assert "damaged or was replaced" in differences(out)[0], place
    assert not differences(out)


def test_in_the_small_files(make: Callable[..., Path]) -> None:
    """With the checksums of COMPLETED: not all that is said of rejects can be found otherwise."""
    out = make("bytes")
    for name in ("COMPLETED", "info.train.json", "rejects-train.jsonl"):
        for place in flips(out / name):
            assert differences(out), (name, place)
