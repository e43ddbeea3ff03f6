"""Pairs reach T5X as the rows that the local trainer gets, and no validation word is trained on."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import seqio

from equalinfo import alphabet, codecs
from equalinfo.lm import pairs
from tasks.features import ByteCountingPrefixLMFeatureConverter
from tasks.pairs import frequent_words, register_codec_pairs, register_spelling
from tasks.registration import register

DOCUMENTS = [
    "It was the best of times, it was the worst of times, é.",
    "it was the age of foolishness",
] * 3
LENGTHS = {"inputs": 48, "targets": 40}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "train.json"
    path.write_text("".join(json.dumps({"text": document}) + "\n" for document in DOCUMENTS))
    return {"train": str(path)}


def rows(name: str, lengths: dict[str, int], split: str = "train") -> dict[str, np.ndarray]:
    """Everything of a split as one batch of T5X."""
    dataset = seqio.get_dataset(
        name,
        task_feature_lengths=lengths,
        dataset_split=split,
        shuffle=False,
        feature_converter=ByteCountingPrefixLMFeatureConverter(),
    )
    (batch,) = dataset.batch(1000).as_numpy_iterator()
    return dict(batch)


@pytest.mark.parametrize("direction", ["decompress", "compress", "bytes"])
@pytest.mark.parametrize("method", ["equal_info", "static_ac"])
def test_rows_are_those_of_the_local_trainer(
    codec_directories: dict[str, Path], files: dict[str, str], method: str, direction: str
) -> None:
    codec = codecs.load(codec_directories[method])
    texts = alphabet.cut(alphabet.join([document.encode() for document in DOCUMENTS]), 32)
    made = pairs.codec_pairs(direction, codec, texts)
    input_vocab, _ = pairs.pair_vocabularies(direction, codec.vocab_size)
    expected = pairs.pair_rows(made, input_vocab, sum(LENGTHS.values()))
    assert not expected.skipped and (expected.targets == 0).any()

    name = register_codec_pairs(str(codec_directories[method]), files, direction, text_bytes=32)
    assert name == f"{direction}_{method}"
    got = rows(name, LENGTHS)

    np.testing.assert_array_equal(got["decoder_target_tokens"], expected.targets)
    np.testing.assert_array_equal(got["decoder_loss_weights"], expected.weights)
    np.testing.assert_array_equal(got["num_bytes"], expected.num_bytes)
    vocabulary = seqio.get_mixture_or_task(name).output_features["targets"].vocabulary
    assert vocabulary.vocab_size == codec.vocab_size + pairs.BYTE_VOCAB_SIZE
    assert got["decoder_target_tokens"].max() < vocabulary.vocab_size


def test_what_is_too_long_is_left_out_and_said(
    codec_directories: dict[str, Path], files: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """SeqIO would cut it, and the model would learn to stop early."""
    name = register_codec_pairs(str(codec_directories["equal_info"]), files, text_bytes=32)
    every = rows(name, LENGTHS)["decoder_loss_weights"].sum(1)
    with caplog.at_level(logging.WARNING, "tasks.pairs"):
        some = rows(name, {**LENGTHS, "targets": 31})["decoder_loss_weights"].sum(1)
    assert some.tolist() == every[every <= 31].tolist() != every.tolist()
    (message,) = [record.getMessage() for record in caplog.records]
    assert "leaves out pairs of more tokens than [48, 31]" in message


@pytest.fixture
def spelling(
    write_dataset: Callable[..., Path], make_documents: Callable[..., list[bytes]], tmp_path: Path
) -> tuple[str, str]:
    """A task, and a file of 200 words: aa, aaa, .. and some that are none."""
    task = register(write_dataset("equal_info", {"train": [make_documents(2, 3)]}))
    words = [letter * length for letter in "abcdefghij" for length in range(1, 21)]
    path = tmp_path / "words.txt"
    path.write_text(" ".join([*words, *words[:50], "x1", "it's"]))
    return task, str(path)


def test_words_are_split_once_and_for_all(spelling: tuple[str, str]) -> None:
    _, files = spelling
    words = frequent_words(files, 200)
    assert len(words["train"]) + len(words["validation"]) == 200
    assert 5 < len(words["validation"]) < 40
    assert not set(words["train"]) & set(words["validation"])
    most = frequent_words(files, 50)
    assert {word[0] for word in most["train"]} == {"a", "b", "c"}
    assert set(most["validation"]) <= set(words["validation"])  # a word stays where it is
    with pytest.raises(ValueError, match="has 200 different words, num_words=201"):
        frequent_words(files, 201)


def test_spelling_is_that_of_the_report(spelling: tuple[str, str]) -> None:
    task, files = spelling
    vocabulary = seqio.get_mixture_or_task(task).output_features["targets"].vocabulary

    def encode(texts: list[bytes]) -> list[np.ndarray]:
        return [np.array(vocabulary.encode(text), np.int32) for text in texts]

    words = frequent_words(files, 200)
    name = register_spelling(task, files, num_words=200)
    for split in ("train", "validation"):
        made = pairs.spelling_pairs(words[split], encode)
        expected = pairs.pair_rows(made, 0, 60)
        got = rows(name, {"inputs": 30, "targets": 30}, split)
        np.testing.assert_array_equal(got["decoder_target_tokens"], expected.targets)
        np.testing.assert_array_equal(got["decoder_loss_weights"], expected.weights)
    assert seqio.get_mixture_or_task(name).output_features["targets"].vocabulary == vocabulary


def test_a_wrong_direction_is_an_error(
    codec_directories: dict[str, Path], files: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="direction='up' is none of decompress, compress, bytes"):
        register_codec_pairs(str(codec_directories["equal_info"]), files, "up")
