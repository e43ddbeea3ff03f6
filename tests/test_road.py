"""The whole road, small: text -> M1 -> tokens -> M2 -> bits/byte, by the commands a user runs."""

import gzip
import json

import pytest

from equalinfo.cli import main as equalinfo
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest
from equalinfo.lm import metrics
from equalinfo.lm.data import TokenRows
from equalinfo.m1.frozen import file
from equalinfo.m1.frozen.file import FrozenM1
from pipelines.compress import main as compress


@pytest.fixture(scope="module")
def text(repository, tmp_path_factory):
    """90 documents of the demo's text as two files."""
    directory = tmp_path_factory.mktemp("text")
    with gzip.open(repository / "demo" / "text" / "train-00000-of-00004.json.gz", "rt") as opened:
        lines = opened.readlines()[:90]
    (directory / "train-0.json").write_text("".join(lines[:70]))
    (directory / "validation-0.json").write_text("".join(lines[70:]))
    return directory


def compress_both(text, output, *options):
    for split in ("train", "validation"):
        codec = options if split == "train" else ("--codec", f"{output}/codec")
        argv = ["--input", f"{text}/{split}-*.json", "--output", str(output), "--split", split]
        assert compress([*argv, *codec, "--quiet"]) == 0


def train(dataset, run, *options):
    argv = ["train", f"--dataset={dataset}", f"--output={run}", "--size=tiny", "--batch_size=4"]
    argv += ["--steps=6", "--warmup_steps=20", "--eval_every=3", "--eval_batches=2"]
    assert equalinfo([*argv, "--log_every=2", *options]) == 0


@pytest.fixture(scope="module")
def road(text, tmp_path_factory):
    """Every stage, once."""
    work = tmp_path_factory.mktemp("road")
    compress_both(text, work / "bytes", "--method=bytes")
    train(work / "bytes", work / "m1", "--length=64", "--segment_lengths=64,16")
    m1 = work / "m1.eqm"
    freeze = ["freeze", str(work / "m1"), "-o", str(m1), "--max_context=64"]
    assert equalinfo([*freeze, "--text", str(text / "train-0.json")]) == 0
    options = ["--method=equal_info", "--window_bits=12", "--token_bits=12", f"--m1={m1}"]
    compress_both(text, work / "equal_info", *options)
    train(work / "equal_info", work / "m2", "--eval_batches=0")
    return work


def test_tokens_restore_the_text(road, text):
    for split in ("train", "validation"):
        lines = (text / f"{split}-0.json").read_text().splitlines()
        documents = [json.loads(line)["text"].encode() for line in lines]
        assert list(Dataset.open(road / "equal_info").restore(split)) == documents


def test_eval_scores_the_model_and_the_tokens(road, capsys):
    dataset = road / "equal_info"
    capsys.readouterr()
    argv = ["eval", f"--dataset={dataset}", f"--run={road / 'm2'}", "--batches=0", "--json"]
    assert equalinfo(argv) == 0
    scores = json.loads(capsys.readouterr().out)
    totals = Manifest.load(dataset).split("validation").totals
    assert scores["num_bytes"] == totals["bytes"]
    assert scores["num_tokens"] == totals["tokens"]
    assert scores["bytes_per_token"] == pytest.approx(totals["bytes"] / totals["tokens"])
    # 12 bits a token, however few bytes it stands for.
    assert scores["uniform"] == pytest.approx(12 / scores["bytes_per_token"])
    assert scores["unigram_entropy"] < scores["uniform"]
    assert scores["model"] > 0 and 0 <= scores["accuracy"] <= 1
    # Training evaluates on the same rows, each once: those of the split, in their order.
    along = [x for x in metrics.read(road / "m2") if "eval/bits_per_byte" in x]
    assert along[-1]["eval/bits_per_byte"] == pytest.approx(scores["model"], rel=1e-5)
    # A codebook runs no M1: only M2's two FLOPs per parameter and token.
    assert scores["flops_per_byte"] == pytest.approx(
        2 * scores["parameters"] / scores["bytes_per_token"]
    )


def test_rows_hold_every_token_and_byte(road):
    totals = Manifest.load(road / "equal_info").split("train").totals
    rows = TokenRows.load(road / "equal_info", "train", progress=False)
    assert rows.num_tokens == totals["tokens"]
    assert int(rows.num_bytes.sum()) == totals["bytes"]


def test_errors_are_one_line_and_say_what_to_do(road, capsys):
    capsys.readouterr()
    argv = ["train", f"--dataset={road / 'equal_info'}", f"--output={road / 'x'}", "--length=64"]
    assert equalinfo([*argv, "--batch_size=4"]) == 1
    assert "a byte LM trains on method 'bytes'" in capsys.readouterr().err
    assert equalinfo(["eval", f"--dataset={road / 'nowhere'}"]) == 1
    assert "nowhere" in capsys.readouterr().err
    # The byte LM knows 384 ids, these tokens are more.
    argv = ["eval", f"--dataset={road / 'equal_info'}", f"--run={road / 'm1'}"]
    assert equalinfo(argv) == 1
    assert "It was trained on other tokens" in capsys.readouterr().err


def test_a_model_of_other_tokens_is_no_m1(road, text, capsys):
    argv = ["freeze", str(road / "m2"), "-o", str(road / "none.eqm")]
    assert equalinfo([*argv, "--text", str(text / "train-0.json")]) == 1
    assert "tokens of method 'equal_info'; an M1 is one of bytes" in capsys.readouterr().err
    assert not (road / "none.eqm").exists()


def test_a_model_trained_beside_counts_is_not_scored_alone(road, text, capsys):
    counts = road / "counts.eqm"
    argv = ["count", str(text / "train-0.json"), "--tune", str(text / "validation-0.json")]
    argv += ["--length=4", "--ngrams=2000", "--tune_symbols=3000", "-o", str(counts)]
    assert equalinfo(argv) == 0
    options = ["--length=64", "--segment_lengths=64,16", f"--counts={counts}"]
    train(road / "bytes", road / "beside", *options)
    freeze = ["freeze", str(road / "beside"), "-o", str(road / "beside.eqm")]
    assert equalinfo([*freeze, "--text", str(text / "train-0.json")]) == 0
    assert "make an M1 of both with `equalinfo count --counts" in capsys.readouterr().out
    _, found = file.read(counts)
    assert FrozenM1.load(road / "beside.eqm").made_from["trained_beside"] == found.sha256
    for argv in (
        ["eval", f"--dataset={road / 'bytes'}"],
        ["generate", f"--dataset={road / 'bytes'}"],
    ):
        assert equalinfo([*argv, f"--run={road / 'beside'}"]) == 1
        assert "trained beside counts" in capsys.readouterr().err


def test_a_prompt_of_broken_units_is_refused(road, text, capsys):
    options = [
        "--method=equal_info",
        "--window_bits=12",
        "--token_bits=8",
        f"--m1={road / 'm1.eqm'}",
    ]
    compress_both(text, road / "units", *options)
    train(road / "units", road / "m3", "--eval_batches=0")
    argv = ["generate", f"--dataset={road / 'units'}", f"--run={road / 'm3'}", "--tokens=3"]
    found = {}
    for size in range(1, 12):
        capsys.readouterr()
        found[size] = (
            equalinfo([*argv, "--prompt", "The cat sat on"[:size]]),
            capsys.readouterr().err,
        )
    assert {code for code, _ in found.values()} == {0, 1}
    assert all(("from the wrong bit" in error) is (code == 1) for code, error in found.values())


def test_training_with_other_options_is_refused_before_the_data_is_read(road, capsys, monkeypatch):
    def read(*_):
        pytest.fail("the data was read")

    monkeypatch.setattr(TokenRows, "load", read)
    capsys.readouterr()
    argv = ["train", f"--dataset={road / 'equal_info'}", f"--output={road / 'm2'}", "--size=tiny"]
    assert equalinfo([*argv, "--steps=6", "--warmup_steps=20", "--batch_size=8"]) == 1
    assert "holds a run with batch_size=4, but this one has batch_size=8" in capsys.readouterr().err
    argv[2] = f"--output={road / 'bytes'}"
    assert equalinfo([*argv, "--batch_size=4"]) == 1
    assert "bytes holds a data set" in capsys.readouterr().err


def test_mistyped_options_are_errors(road, capsys):
    with pytest.raises(SystemExit):
        equalinfo(["eval", f"--dataset={road}", "--bathces=3"])
    assert "--bathces" in capsys.readouterr().err
