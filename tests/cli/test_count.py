"""`equalinfo count`: text, and other text to tune on, become an M1 that codes."""

import json
from pathlib import Path

import numpy as np
import pytest

from equalinfo import codecs, container
from equalinfo.alphabet import join
from equalinfo.cli import main
from equalinfo.m1.frozen import file
from m1.frozen.models import random_model

SENTENCE = "The cat sat on the mat, and the rat ran off with the hat of the cat. "


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    for name, number in (("a", 3), ("b", 7)):
        lines = (json.dumps({"text": SENTENCE * (1 + i % number)}) for i in range(100))
        (tmp_path / f"{name}.json").write_text("\n".join(lines))
    return [str(tmp_path / "a.json"), "--tune", str(tmp_path / "b.json")]


@pytest.mark.parametrize("with_network", [False, True])
def test_an_m1_is_counted(texts: list[str], tmp_path: Path, with_network: bool) -> None:
    out = tmp_path / "counts.eqm"
    options = ["-o", str(out), "--length", "6", "--ngrams", "5000", "--tune_symbols", "8000"]
    if with_network:
        random_model().save(tmp_path / "network.eqm")
        options += ["--network", str(tmp_path / "network.eqm")]
    assert main(["count", *texts, *options]) == 0
    network, counts = file.read(out)
    assert (network is not None) is with_network
    assert counts is not None and counts.length == 6
    text = join([(SENTENCE * 3).encode()])
    codec = codecs.create("ac", model=out)
    (encoded,) = codec.encode([text])
    assert 16 * len(encoded.ids) < len(text), "below 1 bit/byte"
    (decoded,) = codec.decode([encoded.ids], [len(text)])
    np.testing.assert_array_equal(decoded, text)


@pytest.mark.parametrize("length", ["2", "17"])
def test_a_wrong_length_is_told_before_anything_is_read(
    length: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--tune", "none", "--length", length, "-o", str(tmp_path / "m1.eqm")]
    assert main(["count", "none", *options]) == 1
    assert f"--length={length} is not in 3..16" in capsys.readouterr().err


def test_weights_are_learned_anew_for_another_network(texts: list[str], tmp_path: Path) -> None:
    random_model().save(tmp_path / "network.eqm")
    counts = tmp_path / "counts.eqm"
    options = ["--length", "6", "--ngrams", "5000", "--tune_symbols", "8000"]
    assert main(["count", *texts, *options, "-o", str(counts)]) == 0
    options = [*texts[1:], "--tune_symbols", "8000", "--counts", str(counts)]
    options += ["--network", str(tmp_path / "network.eqm")]
    assert main(["count", *options, "-o", str(tmp_path / "whole.eqm")]) == 0
    assert main(["count", *options, "-o", str(tmp_path / "small.eqm"), "--share_tables"]) == 0
    (_, alone), whole, small = (
        file.read(tmp_path / f"{name}.eqm") for name in ("counts", "whole", "small")
    )
    assert alone is not None and whole[1] is not None
    assert file.content_sha256(*whole) == file.content_sha256(*small)
    np.testing.assert_array_equal(alone.symbols, whole[1].symbols)
    for use, mixer in whole[1].mixers.items():
        same = all(map(np.array_equal, mixer, alone.mixers[use]))
        assert same is use.startswith("alone"), use
    told = container.read_header(tmp_path / "small.eqm", "frozen M1")["made_from"]
    assert told["counted_symbols"] > 1000
    sizes = [(tmp_path / f"{name}.eqm").stat().st_size for name in ("counts", "whole", "small")]
    assert sizes[2] < sizes[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no text to count"),
        (["b.json"], "b.json is to be counted and to tune on"),
        (["some.json", "--share_tables"], "--share_tables needs --counts"),
        (["--counts", "a.eqm"], "--counts needs --network"),
        (
            ["some.json", "--counts", "a.eqm", "--network", "b.eqm", "--ngrams", "5"],
            "leave out text, ngrams",
        ),
        (["--counts", "network.eqm", "--network", "network.eqm"], "a network and no counts"),
        (
            ["--counts", "network.eqm", "--network", "network.eqm", "--share_tables"],
            "holds no n-grams itself",
        ),
    ],
)
def test_contradictions_are_told(
    options: list[str],
    message: str,
    texts: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    random_model().save(tmp_path / "network.eqm")
    assert main(["count", *options, *texts[1:], "-o", "m1.eqm"]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m1.eqm").exists()
