"""Prompts keep their order, their number and all of their tokens."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import seqio
import tensorflow as tf

from tasks.prompts import SPLIT, register_prompts
from tasks.registration import register

Write = Callable[..., Path]
PROMPTS = ["It was", "", "the best of times, é", "It was"]


@pytest.fixture
def task(write_dataset: Write) -> str:
    return register(write_dataset("equal_info", {"validation": [[b"It was the best."]]}))


def examples(name: str, length: int = 16) -> list[dict[str, Any]]:
    dataset = seqio.get_mixture_or_task(name).get_dataset(
        {"inputs": length, "targets": 8}, SPLIT, shuffle=False
    )
    return list(dataset.as_numpy_iterator())


@pytest.mark.parametrize("kind", ["prompts.txt", "prompts.jsonl", "prompts.json.gz"])
def test_every_prompt_in_order(tmp_path: Path, task: str, kind: str) -> None:
    path = tmp_path / kind
    prompts = PROMPTS
    if kind.endswith(".txt"):
        path.write_text("\n".join(PROMPTS) + "\n")
        prompts = [prompt for prompt in PROMPTS if prompt]  # a blank line is none
    else:
        opened = gzip.open if kind.endswith(".gz") else open
        with opened(path, "wt") as file:
            file.writelines(json.dumps({"text": prompt}) + "\n" for prompt in PROMPTS)
    got = examples(register_prompts(task, str(path), samples=2))
    assert [e["inputs_pretokenized"].decode() for e in got] == [p for p in prompts for _ in "12"]
    vocabulary = seqio.get_mixture_or_task(task).output_features["targets"].vocabulary
    for example in got:
        assert example["inputs"].tolist() == vocabulary.encode(
            example["inputs_pretokenized"].decode()
        )
        assert not len(example["targets"])
        assert (len(example["inputs"]) > 0) == (len(example["inputs_pretokenized"]) > 0)


def test_no_file_is_one_empty_prompt(task: str) -> None:
    assert [e["inputs"].tolist() for e in examples(register_prompts(task, samples=3))] == [[]] * 3


def test_a_long_prompt_is_an_error(tmp_path: Path, task: str) -> None:
    """SeqIO would cut it, and the model would continue something else."""
    (tmp_path / "prompts.txt").write_text("It was the best of times, it was the worst of times\n")
    name = register_prompts(task, str(tmp_path / "prompts.txt"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="more tokens than the 3 that"):
        examples(name, length=3)


def test_wrong_numbers_are_errors(task: str) -> None:
    with pytest.raises(ValueError, match="samples=0 of each prompt"):
        register_prompts(task, samples=0)


def test_a_prompt_whose_bits_are_padded_is_refused(tmp_path: Path, write_dataset: Write) -> None:
    """Windows of 12 bits in tokens of 8: behind an odd number of windows nothing can follow."""
    task = register(write_dataset("equal_info_n8", {"validation": [[b"It was the best."]]}))
    taken = []
    for size in range(1, 30):
        (tmp_path / "prompts.txt").write_text("It was the best of times, it was"[:size])
        try:
            examples(register_prompts(task, str(tmp_path / "prompts.txt")), length=64)
            taken.append(size)
        except tf.errors.InvalidArgumentError as error:
            assert "tokens are padding" in str(error)
    assert 0 < len(taken) < 29
