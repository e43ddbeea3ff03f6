"""What pipelines.compress writes is what the tasks read: the two meet on disk only."""

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import seqio

from equalinfo.manifest import Manifest
from tasks.registration import register

pytest.importorskip("apache_beam", reason="needs Beam: pip install 'equalinfo[beam]'")

from pipelines import compress


@pytest.mark.parametrize(("codec", "trim"), [("equal_info", "none"), ("bytes", "paper")])
def test_the_pipelines_records_are_read(
    tmp_path: Path,
    codec_directories: Mapping[str, Path],
    make_documents: Callable[..., list[bytes]],
    codec: str,
    trim: str,
) -> None:
    for number in range(2):
        rows = [json.dumps({"text": text.decode()}) for text in make_documents(30, number)]
        (tmp_path / f"c4-train.{number}.json.gz").write_bytes(
            gzip.compress("\n".join(rows).encode())
        )
    arguments = {
        "input": f"{tmp_path}/c4-train.*.json.gz",
        "output": tmp_path / "data",
        "codec": codec_directories[codec],
        "sequence_length": 32,
        "example_bytes": 256,
        "trim": trim,
    }
    flags = [f"--{name}={value}" for name, value in arguments.items()]
    assert compress.main([*flags, "--no-progress"]) == 0

    task = seqio.get_mixture_or_task(register(tmp_path / "data", "pipeline", verify=True))
    examples = list(task.get_dataset({"targets": 32}, "train").as_numpy_iterator())

    totals = Manifest.load(tmp_path / "data").split("train").totals
    assert totals["bytes"] == sum(len(t) for seed in (0, 1) for t in make_documents(30, seed))
    assert len(examples) == totals["records"] == task.num_input_examples("train")
    assert sum(len(e["targets"]) for e in examples) == totals["tokens"]
    assert sum(int(e["num_bytes"]) for e in examples) == totals["bytes"] - totals["trimmed_bytes"]
    assert (totals["trimmed_bytes"] > 0) == (trim == "paper")
    documents = totals["documents"] - totals["trimmed_documents"]
    assert sum(int(e["num_documents"]) for e in examples) == documents
    assert {bytes(e["source"]).split(b":")[0] for e in examples} == {
        b"c4-train.0.json.gz",
        b"c4-train.1.json.gz",
    }
