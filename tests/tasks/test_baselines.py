"""Baselines from text: the same ids as SeqIO's own vocabularies, every byte counted once."""

import gzip
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio
import tensorflow as tf
import tensorflow_datasets as tfds

from equalinfo import alphabet
from task_examples import Example, sequences
from tasks.baselines import register_bytes, register_sentencepiece
from tasks.sources import text_files, tfds_text

Documents = Callable[..., list[bytes]]

IN_FILE = 8


def lines(texts: Sequence[bytes]) -> bytes:
    rows = [{"text": text.decode(), "timestamp": "", "url": "x"} for text in texts]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def files(tmp_path: Path, make_documents: Documents) -> Path:
    """Documents in three files, one of them not compressed; one with NUL at the end."""
    for number in range(2):
        data = gzip.compress(lines(make_documents(IN_FILE, number)))
        (tmp_path / f"c4-train.0000{number}-of-00003.json.gz").write_bytes(data)
    last = [*make_documents(IN_FILE - 1, 2), b"nul\0\0"]
    (tmp_path / "c4-train.00002-of-00003.json").write_bytes(lines(last))
    return tmp_path


def all_texts(make_documents: Documents) -> list[list[bytes]]:
    return [
        make_documents(IN_FILE, 0),
        make_documents(IN_FILE, 1),
        [*make_documents(IN_FILE - 1, 2), b"nul\0\0"],
    ]


def read(name: str, length: int = 64, **options: Any) -> list[Example]:
    options = {"split": "train", "shuffle": False, **options}
    task = seqio.get_mixture_or_task(name)
    return list(task.get_dataset({"targets": length}, **options).as_numpy_iterator())


def source(directory: Path, documents: int = 128) -> seqio.DataSource:
    return text_files({"train": f"{directory}/c4-train.*"}, documents)


def test_bytes_are_the_text(files: Path, make_documents: Documents) -> None:
    examples = read(register_bytes(source(files)))
    texts = all_texts(make_documents)
    expected = []
    for of_file in texts:  # fewer than 128 documents each: one sequence a file
        symbols = alphabet.join(of_file).astype(int)
        expected.append(np.where(symbols == alphabet.EOS, 1, symbols + 3).tolist())
    assert sorted(sequences(examples)) == sorted(expected)
    assert sum(int(e["num_bytes"]) for e in examples) == sum(len(t) for f in texts for t in f)
    assert sum(int(e["num_documents"]) for e in examples) == 3 * IN_FILE
    for example in examples:
        targets = example["targets"]
        assert 0 < len(targets) <= 64 and 0 not in targets
        assert example["num_bytes"] == np.count_nonzero(targets != 1)
        assert targets.dtype == np.int32


@pytest.mark.parametrize("documents", [1, 7])
def test_documents_are_joined_within_a_file(
    files: Path, make_documents: Documents, documents: int
) -> None:
    examples = read(register_bytes(source(files, documents)))
    ends = sorted(ids.count(1) for ids in sequences(examples))
    full, rest = divmod(IN_FILE, documents)
    assert ends == sorted(3 * ([documents] * full + [rest] * (rest > 0)))


def test_sentencepiece_is_seqios_and_counts_every_byte(
    files: Path, make_documents: Documents, sentencepiece_model: str
) -> None:
    name = register_sentencepiece(source(files), sentencepiece_model)
    examples = read(name)
    vocabulary = seqio.SentencePieceVocabulary(sentencepiece_model)
    texts = all_texts(make_documents)
    expected = [
        [i for text in of_file for i in [*vocabulary.encode(text.decode()), 1]] for of_file in texts
    ]
    assert sorted(sequences(examples)) == sorted(expected)
    assert sum(int(e["num_bytes"]) for e in examples) == sum(len(t) for f in texts for t in f)
    assert seqio.get_mixture_or_task(name).output_features["targets"].vocabulary == vocabulary


def test_reading_is_deterministic(files: Path) -> None:
    name = register_bytes(source(files))

    def order(seed: int) -> list[list[int]]:
        return [e["targets"].tolist() for e in read(name, shuffle=True, seed=seed)]

    one, again, other = order(1), order(1), order(2)
    assert one == again
    assert one != other
    assert sorted(one) == sorted(other)


def test_an_interrupted_read_goes_on(files: Path, tmp_path: Path) -> None:
    """T5X checkpoints the iterator; a Python generator could not."""
    task = seqio.get_mixture_or_task(register_bytes(source(files, 4)))

    def iterator() -> Iterator[Mapping[str, tf.Tensor]]:
        return iter(task.get_dataset({"targets": 64}, "train", seed=3))

    expected = [e["targets"].numpy().tolist() for e in iterator()]
    first = iterator()
    seen = [next(first)["targets"].numpy().tolist() for _ in range(20)]
    path = tf.train.Checkpoint(first).save(str(tmp_path / "state"))
    second = iterator()
    tf.train.Checkpoint(second).restore(path)
    seen += [e["targets"].numpy().tolist() for e in second]
    assert seen == expected


def test_a_length_is_needed(files: Path) -> None:
    name = register_bytes(source(files))
    with pytest.raises(ValueError, match="needs their length"):
        seqio.get_mixture_or_task(name).get_dataset(None, "train")


@pytest.mark.parametrize("members", [1, 2])
def test_gzip_members_are_all_read(tmp_path: Path, members: int) -> None:
    texts = [f"text {number}".encode() for number in range(50)]
    data = lines(texts)
    half = len(data) // members
    (tmp_path / "c4-train.json.gz").write_bytes(
        b"".join(gzip.compress(data[half * i : half * (i + 1)]) for i in range(members))
        + gzip.compress(data[half * members :])
    )
    examples = read(register_bytes(source(tmp_path)))
    assert sum(int(e["num_bytes"]) for e in examples) == sum(map(len, texts))


@pytest.mark.parametrize("missing", [4, 1000])
def test_a_truncated_gzip_is_noticed(tmp_path: Path, missing: int) -> None:
    """TensorFlow takes its end for the end of the text."""
    rng = np.random.default_rng(1)
    texts = [bytes(rng.integers(97, 123, 90, np.uint8)) for _ in range(100)]
    data = gzip.compress(lines(texts))
    (tmp_path / "c4-train.json.gz").write_bytes(data[:-missing])
    name = register_bytes(source(tmp_path))
    with pytest.raises(tf.errors.OpError, match=r"json\.gz: the compressed file was cut off"):
        read(name)


@pytest.mark.parametrize(
    "line",
    [b"{", b"[1]", b'{"url": "x"}', b'{"text": 3}', b'{"text": "\xff"}', b'{"text": "\\ud800"}'],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "c4-train.json").write_bytes(lines([b"good", b"better"]) + line + b"\n")
    name = register_bytes(source(tmp_path))
    with pytest.raises(tf.errors.OpError, match=r"c4-train\.json:3: "):
        read(name)


def test_zero_documents_are_refused(files: Path) -> None:
    with pytest.raises(ValueError, match="documents_per_sequence=0"):
        register_bytes(source(files), documents_per_sequence=0)


class BaselineText(tfds.core.GeneratorBasedBuilder):
    """A TFDS data set with C4's feature "text"."""

    VERSION = tfds.core.Version("1.0.0")
    TEXTS = tuple(f"document {number} " * (number % 7) for number in range(40))

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {"text": tfds.features.Text(), "url": tfds.features.Text()}
        )
        return self.dataset_info_from_configs(features=features)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, str]]]:
        for number, text in enumerate(self.TEXTS):
            yield number, {"text": text, "url": "x"}


# TFDS 4.9.10 asks protobuf for `label`, which newer versions deprecate.
@pytest.mark.filterwarnings("ignore:label:DeprecationWarning")
def test_tfds_is_read(tmp_path: Path) -> None:
    """As c4/en:3.1.0, prepared beforehand."""
    BaselineText(data_dir=tmp_path).download_and_prepare()
    data = tfds_text("baseline_text:1.0.0", {"train": "train"}, str(tmp_path))
    examples = read(register_bytes(data, documents_per_sequence=16))
    found = sequences(examples)
    assert [ids.count(1) for ids in found] == [16, 16, 8]
    vocabulary = seqio.ByteVocabulary()
    documents = []
    for ids in found:
        ends = [-1, *np.flatnonzero(np.array(ids) == 1).tolist()]
        documents += [vocabulary.decode(ids[a + 1 : b]) for a, b in itertools.pairwise(ends)]
    assert sorted(documents) == sorted(BaselineText.TEXTS)
    assert sum(int(e["num_bytes"]) for e in examples) == sum(map(len, BaselineText.TEXTS))
