"""The benchmark runs, and counts the same tokens on every path of a tokenizer."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import tf_data


@pytest.mark.slow
def test_it_prints_cases_and_ratios(
    codebook: Path,
    sentencepiece_model: str,
    make_documents: Callable[..., list[bytes]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = "".join(json.dumps({"text": text.decode()}) + "\n" for text in make_documents(20))
    path = tmp_path / "c4.json.gz"
    path.write_bytes(gzip.compress(rows.encode()))
    flags = ["--text", str(path), "--codebook", str(codebook), "--rounds", "1"]
    flags += ["--sentencepiece", sentencepiece_model, "--megabytes", "0.01"]
    assert tf_data.main(flags) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    cases = {line["case"]: line for line in lines if "case" in line}
    for tokenizer in ("equalinfo", "sentencepiece", "fast sentencepiece", "no tokenizer"):
        scalar, batch = (cases[f"{tokenizer}, a {what} a call"] for what in ("document", "batch"))
        assert scalar["elements"] == batch["elements"] > 0
        assert scalar["mb_per_second"] > 0 and scalar["mb_per_cpu_second"] > 0
    ratios = [line for line in lines if "ratio" in line]
    assert len(ratios) == 6 and all(line["wall"] > 0 and line["cpu"] > 0 for line in ratios)
