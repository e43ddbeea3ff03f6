"""What pipelines.compress writes is what the tasks read: the two meet on disk only."""

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio

from equalinfo.data.manifest import Manifest
from tasks import sources
from tasks.registration import register
from tasks.text import register_text_task

pytest.importorskip("apache_beam", reason="needs Beam: pip install 'equalinfo[beam]'")

from pipelines import compress

KEYS = ("targets", "num_bytes", "num_documents", "part")


@pytest.fixture
def text_files(tmp_path: Path, make_documents: Callable[..., list[bytes]]) -> str:
    """Two files of 30 documents."""
    for number in range(2):
        rows = [json.dumps({"text": text.decode()}) for text in make_documents(30, number)]
        (tmp_path / f"c4-train.{number}.json.gz").write_bytes(
            gzip.compress("\n".join(rows).encode())
        )
    return f"{tmp_path}/c4-train.*.json.gz"


def compress_text(text_files: str, output: Path, **options: Any) -> Path:
    arguments = {"input": text_files, "output": output, "sequence_length": 32, **options}
    flags = [f"--{name}={value}" for name, value in arguments.items()]
    assert compress.main([*flags, "--quiet"]) == 0
    return output


@pytest.mark.parametrize(("codec", "trim"), [("equal_info", "none"), ("bytes", "paper")])
def test_the_pipelines_records_are_read(
    tmp_path: Path,
    text_files: str,
    codec_directories: Mapping[str, Path],
    make_documents: Callable[..., list[bytes]],
    codec: str,
    trim: str,
) -> None:
    compress_text(
        text_files,
        tmp_path / "data",
        codec=codec_directories[codec],
        example_bytes=256,
        trim=trim,
    )
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


def test_a_text_task_gives_the_pipelines_records(
    tmp_path: Path, text_files: str, codec_directories: Mapping[str, Path]
) -> None:
    """With EOS as a symbol, where the pipeline's examples are whole sequences."""
    codec = codec_directories["equal_info"]
    data = compress_text(text_files, tmp_path / "data", codec=codec, example_bytes=1 << 20)
    written, on_the_fly = (
        [
            {key: np.asarray(example[key]).tolist() for key in KEYS}
            for example in seqio.get_mixture_or_task(name)
            .get_dataset({"targets": 32}, "train", shuffle=False)
            .as_numpy_iterator()
        ]
        for name in (
            register(data, "written"),
            register_text_task(
                "on_the_fly",
                sources.text_files({"train": text_files}),
                codec / "codebook.eqi",
                eos="symbol",
            ),
        )
    )
    assert len(written) > 100
    assert sorted(written, key=str) == sorted(on_the_fly, key=str)
