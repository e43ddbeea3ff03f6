"""The comparison of tokenizers: it runs, and computes its verdicts. No speed is tested."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.tokenizer_speed import kinds_of_text, report, text, training
from benchmarks.tokenizer_speed.measure import Measurement, fresh_start, speed_figures
from benchmarks.tokenizer_speed.training import Candidate
from equalinfo.codebook.shipped import DEFAULT_CODEBOOK

ROOT = Path(__file__).resolve().parents[2]
TEXT = ROOT / "demo" / "text"

OURS = Candidate("equalinfo", 512, Path("ours"))
FAST = Candidate("tiktoken BPE", 512, Path("fast"))
SLOW = Candidate("Hugging Face BPE", 512, Path("slow"))


def measurements(candidate: Candidate, speed: float, density: float) -> list[Measurement]:
    """Everything at one speed, MB/s; two threads twice as fast."""
    values = {"/".join(map(str, figure)): speed * figure[2] for figure in speed_figures(False)}
    values |= {"density/validation": density, "load": 5.0, "fresh_start": 0.4}
    return [
        Measurement(
            candidate.name, candidate.vocab, figure, value, "", {"cores": 1.0, "others": 0.0}
        )
        for figure, value in values.items()
    ]


def verdicts(speed: float, density: float) -> dict[str, bool]:
    found = [
        *measurements(OURS, speed, density),
        *measurements(FAST, 10.0, 4.0),
        *measurements(SLOW, 1.0, 5.0),
    ]
    candidates = [OURS, FAST, SLOW]
    limits = report.limits(candidates, report.by_tokenizer(found))
    return {limit.claim: limit.holds for limit in limits}


def test_limits_compare_with_the_fastest_peer() -> None:
    encode = "encode documents, times the fastest peer (tiktoken BPE 512)"
    decode = "decode one long text, times the fastest peer (tiktoken BPE 512)"
    assert verdicts(100.0, 4.5)[encode] and verdicts(100.0, 4.5)[decode]
    assert not verdicts(99.0, 4.5)[encode] and not verdicts(99.0, 4.5)[decode]


def test_limits_compare_bytes_per_token_with_the_best_peer_of_the_size() -> None:
    claim = "bytes/token, validation, over the best peer of 512 (Hugging Face BPE 512)"
    assert not verdicts(100.0, 4.9)[claim] and verdicts(100.0, 5.1)[claim]


def test_two_threads_are_compared_with_one() -> None:
    assert verdicts(1.0, 1.0)["encode batch, two threads over one"]


def test_ratios_take_the_better_mode_of_a_peer() -> None:
    found = [*measurements(OURS, 100.0, 4.5), *measurements(FAST, 10.0, 4.0)]
    found.append(Measurement(FAST.name, 512, "encode/batch/1", 20.0, "MB/s", {}))
    ratios = report.ratios([OURS, FAST], report.by_tokenizer(found))
    values = {ratio.figure: ratio.value for ratio in ratios}
    assert values["ratio/encode/document/1"] == values["ratio/encode/batch/1"] == 5.0
    assert values["ratio/encode/joined/1"] == 10.0


def test_starved_and_parallel_figures_are_named() -> None:
    def doubts(figure: str, cores: float, others: float) -> list[str]:
        detail = {"cores": cores, "others": others}
        return report.doubts([Measurement("x", 1, figure, 1.0, "MB/s", detail)])

    assert not doubts("encode/batch/1", 1.0, 0.0)
    assert "busy" in doubts("encode/batch/1", 0.5, float(os.cpu_count() or 1))[0]
    assert "used 1.9 cores" in doubts("encode/batch/1", 1.9, 0.0)[0]


def test_sample_is_seeded_and_of_whole_documents(tmp_path: Path) -> None:
    files = text.expand([str(TEXT / "train-*.json.gz")], "--train")
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, seed in zip(paths, (0, 0, 1), strict=True):
        text.write_sample(files, 100_000, seed, path)
    assert paths[0].read_bytes() == paths[1].read_bytes() != paths[2].read_bytes()
    documents = list(text.read_documents(paths[:1]))
    assert set(documents) < set(text.read_documents(files))
    assert text.num_bytes(documents) >= 100_000 > text.num_bytes(documents[:-1])
    with pytest.raises(ValueError, match="--train holds"):
        text.write_sample(files, 1 << 30, 0, tmp_path / "d")


def test_tiktoken_gets_the_same_tokens_as_hugging_face(tmp_path: Path) -> None:
    """Else bytes/token and speeds of the two would not be of one vocabulary."""
    pytest.importorskip("tiktoken")
    pytest.importorskip("tokenizers")
    from benchmarks.tokenizer_speed.adapters import ADAPTERS

    train = TEXT / "train-00000-of-00004.json.gz"
    both = training.candidates(["Hugging Face BPE", "tiktoken BPE"], [1000], tmp_path)
    for candidate in both:
        training.make(candidate, train)
    slow, fast = (ADAPTERS[candidate.kind][1](candidate.path) for candidate in both)
    for document in text.read_documents([TEXT / "validation-00000-of-00001.json.gz"]):
        ids = slow.encode(document)
        assert ids == fast.encode(document)
        assert document == slow.decode(ids) == fast.decode(ids)


@pytest.mark.parametrize("kind", ["Gigatoken BPE", "IREE BPE"])
def test_libraries_that_read_its_file_give_the_ids_of_hugging_face(
    tmp_path: Path, kind: str
) -> None:
    if missing := training.missing_packages(kind):
        pytest.skip(f"needs {' and '.join(missing)}, of benchmarks/requirements.txt")
    from benchmarks.tokenizer_speed.adapters import ADAPTERS

    train = TEXT / "train-00000-of-00004.json.gz"
    (candidate,) = training.candidates([kind], [1000], tmp_path)
    training.make(candidate, train)
    other = ADAPTERS[kind][1](candidate.path)
    slow = ADAPTERS["Hugging Face BPE"][1](candidate.path)
    documents = [*text.read_documents([TEXT / "validation-00000-of-00001.json.gz"])][:40]
    expected = [slow.encode(document) for document in documents]
    assert [list(other.encode(document)) for document in documents] == expected
    for threads in (1, 2):
        assert [list(ids) for ids in other.encode_batch(documents, threads)] == expected


def test_kinds_of_text_are_the_same_every_time() -> None:
    kinds = kinds_of_text.all_kinds()
    assert kinds == kinds_of_text.all_kinds()
    sizes = {kind: text.num_bytes(documents) for kind, documents in kinds.items()}
    assert all(700 < size < 100_000 for size in sizes.values()), sizes


def run_script(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """As a file: Python then looks for modules beside it, where `tokenizers` is this script."""
    command = [sys.executable, str(ROOT / "benchmarks" / "tokenizers.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_script_runs_on_a_few_kilobytes(tmp_path: Path) -> None:
    pytest.importorskip("psutil")
    kinds = ["equalinfo", "tiktoken BPE", "SentencePiece Unigram"]
    superwords = tmp_path / "superwords.json"
    given = []
    if not training.missing_packages("BPE across spaces"):
        training.train_hf_bpe_across_spaces(TEXT / "train-00000-of-00004.json.gz", 1000, superwords)
        given = ["--superbpe", str(superwords)]
    output, table = tmp_path / "speed.jsonl", tmp_path / "speed.md"
    run = run_script(
        [
            *("--train", str(TEXT / "*.json.gz"), "--train_bytes", "200000"),
            *("--validation", str(TEXT / "validation-*.json.gz"), "--documents", "5"),
            *("--heldout", str(TEXT / "train-00003*")),
            *("--vocab", "700", "--kinds", *kinds, "--no-shipped"),
            *("--rounds", "1", "--seconds", "0.01", "--starts", "0"),
            *("--cache", str(tmp_path / "cache")),
            *given,
            *("--output", str(output), "--table", str(table)),
        ]
    )
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert not [name for name in lines[0]["run"]["train_files"] if "00003" in name]
    values = {
        (line["tokenizer"], line["figure"]): line["value"] for line in lines if "unit" in line
    }
    measured = [kind for kind in kinds if not training.missing_packages(kind)]
    for kind in measured:
        for figure in ("encode/document/1", "decode/batch/2", "load", "density/heldout"):
            assert values[f"{kind} 700", figure] > 0
        assert values[f"{kind} 700", "differing"] == 0
    assert values["equalinfo 700", "restored"] == 5
    for kind in kinds_of_text.all_kinds():
        assert values["equalinfo 700", f"density/{kind}"] > 0
    assert values["equalinfo 700", "restored/Chinese"] == 6
    assert 0 < values["equalinfo 700", "KN-3"] < values["equalinfo 700", "entropy"] + 2
    if given:
        assert values["SuperBPE superwords", "crossing"] > 0
        assert values["SuperBPE superwords", "density/code"] > 0
    assert {line["holds"] for line in lines if "limit" in line} <= {True, False}
    assert all(f"| {kind} 700 |" in table.read_text() for kind in measured)


def test_fresh_process_finds_the_packages() -> None:
    path = ROOT / "equalinfo" / "codebooks" / DEFAULT_CODEBOOK
    seconds = fresh_start(Candidate("equalinfo", 65_536, path, given=True), "a sentence")
    assert 0 < seconds["encoded"] < seconds["decoded"] < seconds["process"]


def test_script_names_what_it_cannot_find() -> None:
    run = run_script(["--train", "nowhere/*.gz", "--validation", "nowhere"])
    assert run.returncode == 1
    assert "'nowhere'" in run.stderr and "Traceback" not in run.stderr
