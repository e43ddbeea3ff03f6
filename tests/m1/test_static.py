"""A file of frequencies that is not what it was must not load."""

from pathlib import Path

import numpy as np
import pytest

from equalinfo.m1.base import FrequencyModel
from equalinfo.m1.static import StaticModel


@pytest.fixture
def model() -> StaticModel:
    return StaticModel.from_counts(np.arange(257), 14)


def test_round_trip(model: StaticModel, tmp_path: Path) -> None:
    path = tmp_path / "static.safetensors"
    model.save(path)
    back = StaticModel.load(path)
    assert np.array_equal(back.frequencies, model.frequencies)
    assert back.precision == 14
    assert back.sha256 == model.sha256
    first = path.read_bytes()
    model.save(path)
    assert path.read_bytes() == first


def test_sha256_tells_models_apart(model: StaticModel) -> None:
    # Pinned: a change here means that recorded hashes no longer match.
    assert model.sha256.startswith("3237f04fed449845")
    assert StaticModel.from_counts(np.arange(257), 16).sha256 != model.sha256
    assert StaticModel.from_counts(np.arange(257)[::-1], 14).sha256 != model.sha256


def test_steps(model: StaticModel) -> None:
    used: FrequencyModel = model
    state = used.start(3, 0)
    out = used.step(state, np.zeros(3, np.int32), np.ones(3, np.bool_))
    assert out.shape == (3, 257)
    assert np.array_equal(out[2], used.root())
    with pytest.raises(ValueError, match="read-only"):
        model.frequencies[0] = 1


def test_a_changed_file_is_refused(model: StaticModel, tmp_path: Path) -> None:
    path = tmp_path / "static.safetensors"
    model.save(path)
    data = bytearray(path.read_bytes())
    # Move one point from the last symbol to the first: the sum still holds.
    data[-4 * 257] += 1
    data[-4] -= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        StaticModel.load(path)
    path.write_bytes(data[:-9])
    with pytest.raises(ValueError, match="is not a static M1, or it is damaged"):
        StaticModel.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "m1.safetensors"
    save_file({"frequencies": np.ones(257, np.uint32)}, str(path))
    with pytest.raises(ValueError, match="is not a static M1"):
        StaticModel.load(path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": "equalinfo-static", "format_version": 1}',
        '{"format": "equalinfo-static", "format_version": 1, "precision": "14"}',
        '{"format": "equalinfo-static", "format_version": 1, "precision": 14}',
    ],
)
def test_damaged_headers_are_refused(model: StaticModel, tmp_path: Path, text: str) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "m1.safetensors"
    save_file({"frequencies": model.frequencies}, str(path), {"equalinfo": text})
    with pytest.raises(ValueError, match=r"m1\.safetensors"):
        StaticModel.load(path)


def test_bad_frequencies_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 257"):
        StaticModel(np.ones(257, np.uint32), 14)
    with pytest.raises(ValueError, match="shape"):
        StaticModel(np.ones((2, 257), np.uint32), 14)
