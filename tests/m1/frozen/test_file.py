"""Files of a frozen M1: what is damaged is never loaded, and says what is wrong."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from equalinfo.m1.frozen.file import FrozenM1
from m1.frozen.models import SMALL, draw, random_model

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    out = tmp_path / "m1.eqm"
    dataclasses.replace(random_model(), made_from={"step": 3}).save(out)
    return out


def rewrite(path: Path, header: Change = lambda _: None, tensors: Change = lambda _: None) -> None:
    """Change a file's header and tensors, and leave it a proper safetensors file."""
    values: dict[str, Any] = load_file(path)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    metadata = json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]
    content = json.loads(metadata["equalinfo"])
    header(content)
    tensors(values)
    save_file(values, path, {"equalinfo": json.dumps(content)})


def test_round_trip(path: Path, tmp_path: Path) -> None:
    loaded, again = FrozenM1.load(path), tmp_path / "again.eqm"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()
    model = random_model()
    assert loaded.sha256 == model.sha256
    assert loaded.shape == model.shape
    assert loaded.shifts == model.shifts
    assert loaded.made_from == {"step": 3}
    for name, value in model.tensors.items():
        assert loaded.tensors[name].dtype == value.dtype
        np.testing.assert_array_equal(loaded.tensors[name], value)


def test_the_layout_in_memory_changes_nothing(path: Path, tmp_path: Path) -> None:
    model, other = random_model(), tmp_path / "other.eqm"
    tensors = {name: np.asfortranarray(value) for name, value in model.tensors.items()}
    tensors["0.bias"] = np.repeat(tensors["0.bias"], 2, axis=1)[:, ::2]
    turned = FrozenM1(SMALL, dict(reversed(tensors.items())), model.shifts, {"step": 3})
    turned.save(other)
    assert turned.sha256 == model.sha256
    assert other.read_bytes() == path.read_bytes()


def test_sha256_is_of_all_that_matters() -> None:
    model = random_model()
    known = {model.sha256}
    for name in model.tensors:
        tensors = {**model.tensors, name: model.tensors[name].copy()}
        tensors[name].flat[-1] -= np.sign(tensors[name].flat[-1]) or -1
        known.add(FrozenM1(SMALL, tensors, model.shifts).sha256)
    for name, shift in model.shifts.items():
        known.add(FrozenM1(SMALL, model.tensors, {**model.shifts, name: shift + 1}).sha256)
    shape = dataclasses.replace(SMALL, max_context=65)
    known.add(FrozenM1(shape, model.tensors, model.shifts).sha256)
    assert len(known) == 2 + len(model.tensors) + len(model.shifts)
    assert FrozenM1(SMALL, model.tensors, model.shifts, {"by": "me"}).sha256 == model.sha256


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.eqm does not exist"):
        FrozenM1.load(tmp_path / "none.eqm")


def test_a_truncated_file_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for size in [0, 1, 7, 8, 9, 1000, 5000, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"m1\.eqm .*not a frozen M1|m1\.eqm is damaged"):
            FrozenM1.load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(ValueError, match="damaged"):
        FrozenM1.load(path)


def test_a_flipped_bit_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    size = int.from_bytes(whole[:8], "little")
    free = whole.index(b"made_from"), whole.index(b"sha256")  # a note for people
    places = [*range(9), *draw("header", 60, 9, size + 7), *draw("data", 20, size, len(whole) - 1)]
    for place in places:
        if free[0] <= place < free[1]:
            continue
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"m1\.eqm"):
            FrozenM1.load(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (lambda h: h.update(kind="neural"), "not a frozen M1 .its header says 'neural'"),
        (lambda h: h.clear(), "not a frozen M1 .its header says None"),
        (lambda h: h.update(format_version=4), r"format version 4, this .* reads 1"),
        (lambda h: h.update(format_version=3), "is damaged: 'tables_in'"),
        (lambda h: h.pop("format_version"), "format version None"),
        (lambda h: h.update(sha256="0" * 64), r"sha256:.*header says sha256:0{12}"),
        (lambda h: h.pop("sha256"), "header says sha256:None"),
        (lambda h: h.pop("shape"), "is damaged: 'shape'"),
        (lambda h: h.update(shape=[64]), "is damaged"),
        (lambda h: h["shape"].pop("num_heads"), "is damaged: .*num_heads"),
        (lambda h: h["shape"].update(colour=1), "is damaged: .*colour"),
        (lambda h: h["shape"].update(num_heads=2.0), "num_heads=2.0 is not a positive integer"),
        (lambda h: h["shape"].update(num_layers=10**12), "num_layers=1000000000000, with"),
        (lambda h: h.pop("shifts"), "is damaged: 'shifts'"),
        (lambda h: h.update(shifts=7), "is damaged"),
        (lambda h: h["shifts"].update({"0.query": "23"}), "shift '0.query' is '23'"),
    ],
)
def test_wrong_headers_are_refused(path: Path, header: Change, message: str) -> None:
    rewrite(path, header=header)
    with pytest.raises(ValueError, match=rf"m1\.eqm.*{message}"):
        FrozenM1.load(path)


@pytest.mark.parametrize("metadata", [None, {}, {"equalinfo": "{"}, {"equalinfo": "[]"}])
def test_other_safetensors_files_are_refused(path: Path, metadata: dict[str, str] | None) -> None:
    save_file(load_file(path), path, metadata)
    with pytest.raises(ValueError, match=r"m1\.eqm is not a frozen M1"):
        FrozenM1.load(path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (lambda t: t.pop("0.query"), "tensor '0.query' is missing"),
        (lambda t: t.update(extra=np.zeros(1, np.int8)), "tensor 'extra' is unknown"),
        (
            lambda t: t.update({"0.up": t["0.up"].astype(np.int32)}),
            r"'0.up' is int32.*expected int8",
        ),
        (lambda t: t.update({"0.out": t["0.out"].astype(np.float32)}), r"'0.out' is float32"),
        (lambda t: t.update({"0.out": t["0.out"].view(np.uint8)}), r"'0.out' is uint8"),
        (
            lambda t: t.update({"0.gate": np.ascontiguousarray(t["0.gate"].T)}),
            r"'0.gate' is int8\[128, 64\], expected int8\[64, 128\]",
        ),
        (lambda t: t.update(final_norm=t["final_norm"][None]), r"'final_norm' is int32\[1, 64\]"),
    ],
)
def test_wrong_tensors_are_refused(path: Path, tensors: Change, message: str) -> None:
    rewrite(path, tensors=tensors)
    with pytest.raises(ValueError, match=rf"m1\.eqm is damaged: .*{message}"):
        FrozenM1.load(path)


@pytest.mark.parametrize(
    ("name", "value", "limits"),
    [
        ("0.query", -128, "-127..127"),
        ("embedding", (1 << 20) + 1, "-1048576..1048576"),
        ("embedding", -(1 << 31), "-1048576..1048576"),
        ("1.bias", -(1 << 20) - 1, "-1048576..1048576"),
        ("0.up_scale", (1 << 15) + 1, "0..32768"),
        ("0.up_scale", -1, "0..32768"),
        ("1.mlp_norm", (1 << 15) + 1, "0..32768"),
        ("final_norm", -1, "0..32768"),
        ("0.attention_scale", (1 << 15) + 1, "0..32768"),
        ("1.score_scale", 4096, "0..4095"),
    ],
)
def test_numbers_out_of_range_are_refused(path: Path, name: str, value: int, limits: str) -> None:
    def change(tensors: dict[str, Any]) -> None:
        tensors[name].flat[3 % tensors[name].size] = value

    rewrite(path, tensors=change)
    with pytest.raises(ValueError, match=rf"m1\.eqm is damaged: tensor '{name}' leaves {limits}"):
        FrozenM1.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("0.query", 12),
        ("1.out", 44),
        ("0.down", 29),
        ("1.down", 44),
        ("logits", 12),
        ("final_norm", 0),
        ("0.attention_norm", 31),
        ("1.attention", 31),
        ("0.score", 0),
        ("0.score", 26),
        ("0.value", 23.0),
        ("0.value", True),
        ("0.value", None),
        ("2.value", 23),
    ],
)
def test_shifts_out_of_range_are_refused(path: Path, name: str, value: Any) -> None:
    shifts = {**random_model().shifts, name: value}
    with pytest.raises(ValueError, match=rf"shift '{name}' is {value}"):
        FrozenM1(SMALL, random_model().tensors, shifts)
    rewrite(path, header=lambda h: h["shifts"].update({name: value}))
    with pytest.raises(ValueError, match=rf"m1\.eqm is damaged: shift '{name}' is {value}"):
        FrozenM1.load(path)


def test_a_missing_shift_is_refused(path: Path) -> None:
    rewrite(path, header=lambda h: h["shifts"].pop("1.gate"))
    with pytest.raises(ValueError, match=r"shift .1\.gate. is None"):
        FrozenM1.load(path)
