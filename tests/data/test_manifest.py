"""The manifest: what is written is read back, and nothing else is taken for a manifest."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from equalinfo.data.manifest import COUNTS, Manifest, ManifestError, Shard, Split


def _shard(index: int) -> Shard:
    counts: dict[str, Any] = {name: 10 * index + place for place, name in enumerate(COUNTS)}
    return Shard(file=f"train.tfrecord-{index}", sha256="ab", input=f"in-{index}", **counts)


MANIFEST = Manifest(
    equalinfo_version="0.1.0",
    method="gzip",
    lossless=True,
    vocab_size=259,
    token_bits=8,
    pad_id=0,
    eos_id=1,
    codec={"method": "gzip", "options": {"header": True}},
    sequence_length=512,
    example_bytes=10_240,
    documents_per_sequence=128,
    trim="none",
    splits={"train": Split((_shard(0), _shard(1))), "validation": Split(())},
)


def _load(directory: Path, text: str) -> Manifest:
    (directory / "manifest.json").write_text(text, "utf-8")
    return Manifest.load(directory)


def test_round_trip(tmp_path: Path) -> None:
    assert _load(tmp_path, MANIFEST.to_json()) == MANIFEST
    assert Manifest.from_json(MANIFEST.to_json(), "x").to_json() == MANIFEST.to_json()


def test_totals_are_sums_of_the_shards() -> None:
    totals = MANIFEST.split("train").totals
    assert totals["shards"] == 2
    assert totals["documents"] == 0 + 10
    assert totals["tokens"] == _shard(0).tokens + _shard(1).tokens
    assert set(totals) == {"shards", *COUNTS}
    assert "documents" in COUNTS and "file" not in COUNTS


def test_absent_manifest_says_the_job_did_not_finish(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="did not finish"):
        Manifest.load(tmp_path)


def test_unknown_split_lists_the_others() -> None:
    with pytest.raises(ManifestError, match=r"no split 'test'.*\['train', 'validation'\]"):
        MANIFEST.split("test")


def _changed(change: Any) -> str:
    content = json.loads(MANIFEST.to_json())
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "JSON list"),
        (_changed(lambda m: m.update(format_version=2)), "format_version 2"),
        (_changed(lambda m: m.pop("trim")), r"lacks \['trim'\]"),
        (_changed(lambda m: m.update(x=1)), r"unknown \['x'\]"),
        (_changed(lambda m: m.update(vocab_size="259")), "vocab_size='259'"),
        (_changed(lambda m: m.pop("splits")), "no splits"),
        (_changed(lambda m: m["splits"]["train"].pop("totals")), "lacks 'totals'"),
        (
            _changed(lambda m: m["splits"]["train"]["shards"][1].update(bytes=5)),
            "totals say bytes=",
        ),
        (
            _changed(lambda m: m["splits"]["train"]["shards"][1].pop("bytes")),
            r"shard 1 lacks \['bytes'\]",
        ),
    ],
)
def test_damage_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        _load(tmp_path, text)


def test_made_alike_ignores_splits_only() -> None:
    assert MANIFEST.made_alike(replace(MANIFEST, splits={})) is None
    assert MANIFEST.made_alike(replace(MANIFEST, trim="paper")) == "trim"
