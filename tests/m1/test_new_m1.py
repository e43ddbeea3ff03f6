"""An M1 is one file and one line: codecs use it, keep it and load it again."""

from pathlib import Path

import numpy as np
import pytest

from equalinfo import codecs, container
from equalinfo.alphabet import from_bytes
from equalinfo.m1 import load
from tests.m1.last_symbol import KIND, WORDS, LastSymbolModel

TEXTS = [from_bytes(text) for text in (b"", b"aaaaabbbbb", "été".encode() * 20)]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "KINDS", dict(container.KINDS))
    monkeypatch.setattr(load, "LOADERS", dict(load.LOADERS))
    load.register(KIND, WORDS, LastSymbolModel.load)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("method", "options"), [("ac", {}), ("equal_info", {"window_bits": 12, "token_bits": 12})]
)
def test_codecs_use_it(method: str, options: dict[str, int], tmp_path: Path) -> None:
    LastSymbolModel(300).save(tmp_path / "m1.safetensors")
    codec = codecs.create(method, model=str(tmp_path / "m1.safetensors"), **options)
    codec.save(tmp_path / "codec")
    again = codecs.load(tmp_path / "codec")
    ids = [one.ids for one in codec.encode(TEXTS)]
    for found, one in zip(again.encode(TEXTS), ids, strict=True):
        np.testing.assert_array_equal(found.ids, one)
    decoded = again.decode(ids, [len(text) for text in TEXTS])
    for text, found in zip(TEXTS, decoded, strict=True):
        np.testing.assert_array_equal(found, text)


def test_a_file_of_a_kind_that_is_not_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(container.KINDS, KIND, WORDS)
        LastSymbolModel(300).save(tmp_path / "m1")
    with pytest.raises(ValueError, match="m1 is not an M1"):
        load.load_model(tmp_path / "m1", None)


@pytest.mark.usefixtures("registered")
def test_a_kind_is_taken_once() -> None:
    with pytest.raises(ValueError, match=r"'other', .*: there is such a kind of file already"):
        load.register("other", WORDS, LastSymbolModel.load)
