"""A study as a user runs it: killed at any point, the same command goes on to the same result."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.store import Store
from experiments.study import results, steps
from experiments.study.config import Study

ROOT = Path(__file__).resolve().parents[3]
_LONGEST = 900  # seconds, on a machine with other things to do


@pytest.mark.parametrize("name", sorted(path.stem for path in Study.folder.glob("*.toml")))
def test_configs_load(name: str) -> None:
    study = Study.load(name)
    jobs = study.jobs()
    assert len({job.label for job in jobs}) == len(jobs)
    for size in study.sizes.values():
        assert size.model(259, "float32").num_parameters > 0


def test_a_mistyped_config_names_the_entry(tmp_path: Path) -> None:
    text = (Study.folder / "tiny.toml").read_text()
    for old, new, message in (
        ('kind = "bytes"', 'kind = "byte"', "'byte' is none of bytes, sentencepiece"),
        ('tokenizer = "BPE 1k"', 'tokenizer = "BPE 2k"', "'BPE 2k' is none of Bytes"),
        ("context_bytes", "context", "'context' is none of context_bytes"),
    ):
        path = tmp_path / "wrong.toml"
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(ValueError, match=message):
            Study.load(str(path))


def test_examples_have_equal_bytes_and_whole_units() -> None:
    study = Study.load("tiny")
    for per_token, unit, expected in ((1.0, 1, 256), (4.0, 1, 64), (1.3, 2, 196), (4.0, 16, 64)):
        totals = {"train": {"tokens": 1000, "bytes": int(1000 * per_token)}, "unit": unit}
        assert steps.length(study, totals) == expected


_PART = """
[[runs]]
tokenizers = ["Bytes", "Codebook 1k, split"]
sizes = ["20k"]
train_bytes = 60_000
"""


@pytest.mark.slow
def test_a_killed_study_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    text = (Study.folder / "tiny.toml").read_text().split("[[runs]]")[0] + _PART
    config = tmp_path / "part.toml"
    config.write_text(text)

    def start(out: str, *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "experiments.study", "--config", str(config)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command += ["--out", str(tmp_path / out), *more]
        return subprocess.Popen(command, cwd=ROOT, env=environment)

    whole = start("whole")
    killed = start("killed")
    waiting = ["training", "tokenizing"]
    try:
        end = time.monotonic() + _LONGEST
        # Killed twice: when a model has its first checkpoint, and while a tokenizer is being made.
        while waiting:
            seen = tmp_path / "killed" / "steps"
            pattern = {
                "training": "model-bytes*/checkpoints/[0-9]*",
                "tokenizing": "tokenizer-codebook*",
            }[waiting[0]]
            if list(seen.glob(pattern)):
                killed.send_signal(signal.SIGKILL)
                assert killed.wait(_LONGEST) == -signal.SIGKILL
                waiting.pop(0)
                killed = start("killed")
            assert time.monotonic() < end, f"nothing to kill: {waiting[0]}"
            time.sleep(0.05)
        assert killed.wait(_LONGEST) == whole.wait(_LONGEST) == 0
    finally:
        whole.kill()
        killed.kill()
    found = {}
    for out in ("whole", "killed"):
        paths = sorted((tmp_path / out / "steps").glob("*/step.json"))
        found[out] = {path.parent.name: json.loads(path.read_text())["result"] for path in paths}
    assert found["whole"] == found["killed"]
    pages = [(tmp_path / out / "study.md").read_text() for out in ("whole", "killed")]
    assert pages[0] == pages[1]
    gathered = results.gather(Study.load(str(config)), Store(tmp_path / "whole" / "steps"))
    assert not gathered.missing and len(gathered.runs) == 2
    again = start("whole", "--save", str(config.with_suffix(".results.jsonl")))
    assert again.wait(_LONGEST) == 0
    elsewhere = start("elsewhere")
    assert elsewhere.wait(_LONGEST) == 0
    assert (tmp_path / "elsewhere" / "study.md").read_text() == pages[0]
    assert not list((tmp_path / "elsewhere").rglob("*.npz"))
