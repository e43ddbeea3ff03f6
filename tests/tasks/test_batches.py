"""M2 trains straight from text: no data set on disk, no model but the codebook."""

import gzip
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import seqio

pytest.importorskip("jax", reason="the trainer needs JAX: pip install 'equalinfo[train]'")

import jax.numpy as jnp

from equalinfo.lm import metrics
from equalinfo.lm.config import ModelConfig, OptimizerConfig, TrainConfig
from equalinfo.lm.train import train
from tasks import registration
from tasks.baselines import register_bytes
from tasks.batches import task_batches
from tasks.registration import register
from tasks.sources import text_files
from tasks.text import register_text_task

DEMO = Path(__file__).resolve().parents[2] / "demo" / "text"


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 documents of the demo's text."""
    path = tmp_path_factory.mktemp("text") / "text.json"
    with gzip.open(DEMO / "validation-00000-of-00001.json.gz") as file:
        path.write_bytes(b"".join(itertools.islice(file, 40)))
    return path


@pytest.fixture
def task(codebook: Path, text: Path) -> str:
    return register_text_task("demo", text_files({"train": str(text)}, 4), codebook)


def test_rows_are_the_examples(task: str) -> None:
    """Tokens and bytes stay together through shuffling, padding and batching."""
    dataset = seqio.get_mixture_or_task(task).get_dataset({"targets": 64}, "train", shuffle=False)
    examples = {
        (tuple(example["targets"].tolist()), int(example["num_bytes"]))
        for example in dataset.as_numpy_iterator()
    }
    assert min(len(ids) for ids, _ in examples) < 64, "no padding, nothing shown"
    batches = task_batches(task, 64, 8, seed=3)
    seen = set()
    for batch in map(batches.batch, range(len(examples) // 4)):
        assert batch.targets.shape == (8, 64)
        np.testing.assert_array_equal(batch.weights > 0, batch.targets != 0)
        for targets, num_bytes in zip(batch.targets, batch.num_bytes, strict=True):
            seen.add((tuple(targets[targets != 0].tolist()), int(num_bytes)))
    assert seen <= examples and len(seen) > len(examples) // 2
    assert min(len(ids) for ids, _ in seen) < 64


def test_equal_arguments_give_equal_batches(task: str, text: Path) -> None:
    one, two, other = (task_batches(task, 32, 4, seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint == two.fingerprint != other.fingerprint
    np.testing.assert_array_equal(one.batch(5).targets, two.batch(5).targets)
    assert (one.batch(6).targets != other.batch(6).targets).any()
    seqio.MixtureRegistry.add("mix", [(task, 1)])
    try:
        assert task_batches("mix", 32, 4).batch(0).num_bytes.min() > 0
    finally:
        seqio.MixtureRegistry.remove("mix")
    # Its vocabulary has no description but an address, another one in each process.
    bytes_task = register_bytes(text_files({"train": str(text)}, 4))
    name = task_batches(bytes_task, 32, 4).fingerprint["name"]
    assert name.startswith("task:bytes:train:ByteVocabulary(vocab_size=259):32:4:0:")
    with pytest.raises(ValueError, match=r"'bytes' has no split 'x', but \['train'\]"):
        task_batches(bytes_task, 32, 4, split="x")


def test_other_data_have_another_fingerprint(write_dataset: Callable[..., Path]) -> None:
    """A run goes on with the same data only, wherever it lies."""
    found = []
    for place, text in (("a", b"It was."), ("b", b"It was."), ("c", b"It is.")):
        directory = write_dataset("equal_info", {"train": [[text] * 9]}, directory=place)
        name = register(directory, "one")
        found.append(task_batches(name, 16, 1).fingerprint)
        seqio.TaskRegistry.remove(name)
        registration._registered.clear()
    assert found[0] == found[1] != found[2]


def test_m2_trains_straight_from_text(task: str, tmp_path: Path) -> None:
    config = TrainConfig(
        ModelConfig(1536, 16, 2, 1, 8, 32, dtype=jnp.float32),
        OptimizerConfig(warmup_steps=10),
        steps=3,
        log_every=1,
    )
    train(config, task_batches(task, 32, 8), tmp_path, progress=False)
    lines = metrics.read(tmp_path)
    assert [line["step"] for line in lines] == [1, 2, 3]
    # About uniform over 1,536 ids at the start: log2(1536) bits a token.
    batch = task_batches(task, 32, 8).batch(0)
    expected = np.log2(1536) * batch.weights.sum() / batch.num_bytes.sum()
    assert lines[0]["train/bits_per_byte"] == pytest.approx(expected, rel=0.1)
