"""Text tasks: the tokenizer's ids, every byte counted once, the same from every reader."""

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import seqio
import tensorflow as tf

from equalinfo.tokenizer import Tokenizer
from t5x_models import from_task
from task_examples import Example, sequences
from tasks.baselines import register_bytes
from tasks.features import ByteCountingLMFeatureConverter
from tasks.sources import text_files
from tasks.text import register_text_task
from tasks.vocabulary import TokenizerVocabulary

Documents = Callable[..., list[bytes]]

DEMO = Path(__file__).resolve().parents[2] / "demo" / "text"
IN_FILE, FILES = 10, 3


def file_texts(make_documents: Documents, number: int) -> list[bytes]:
    return [*make_documents(IN_FILE - 2, number), b"", b"nul\0\0"]


@pytest.fixture
def source(tmp_path: Path, make_documents: Documents) -> seqio.DataSource:
    """Three files in the layout of C4; sequences of four documents."""
    for number in range(FILES):
        texts = file_texts(make_documents, number)
        rows = "".join(json.dumps({"text": text.decode(), "url": "x"}) + "\n" for text in texts)
        (tmp_path / f"c4-train.{number}.json.gz").write_bytes(gzip.compress(rows.encode()))
    return text_files({"train": f"{tmp_path}/c4-train.*.json.gz"}, documents_per_sequence=4)


def read(name: str, length: int = 32, shuffle: bool = False, **options: object) -> list[Example]:
    task = seqio.get_mixture_or_task(name)
    dataset = task.get_dataset(
        {"targets": length}, **{"split": "train", "shuffle": shuffle, **options}
    )
    return list(dataset.as_numpy_iterator())


def in_sequences(make_documents: Documents) -> list[list[bytes]]:
    return [
        file_texts(make_documents, number)[first : first + 4]
        for number in range(FILES)
        for first in range(0, IN_FILE, 4)
    ]


def test_documents_are_tokenised_by_themselves(
    source: seqio.DataSource, codebook: Path, make_documents: Documents
) -> None:
    tokenizer = Tokenizer.load(codebook)
    expected = [
        [i for text in texts for i in [*tokenizer.encode(text).tolist(), 1]]
        for texts in in_sequences(make_documents)
    ]
    assert sorted(sequences(read(register_text_task("text", source, codebook)))) == sorted(expected)


def test_eos_may_be_a_symbol(
    source: seqio.DataSource, codebook: Path, make_documents: Documents
) -> None:
    """As in the data sets of pipelines.compress."""
    tokenizer = Tokenizer.load(codebook)
    expected = [
        tokenizer.encode_documents(texts).tolist() for texts in in_sequences(make_documents)
    ]
    examples = read(register_text_task("text", source, codebook, eos="symbol"))
    assert sorted(sequences(examples)) == sorted(expected)
    assert not any(1 in example["targets"] for example in examples)
    with pytest.raises(ValueError, match="eos='none' is neither"):
        register_text_task("other", source, codebook, eos="none")  # type: ignore[arg-type]


@pytest.mark.parametrize("eos", ["id", "symbol"])
@pytest.mark.parametrize("length", [1, 32, 5000])
def test_bytes_and_documents_are_exact(
    source: seqio.DataSource, codebook: Path, make_documents: Documents, eos: str, length: int
) -> None:
    name = register_text_task("text", source, codebook, eos=eos)  # type: ignore[arg-type]
    examples = read(name, length)
    texts = [text for number in range(FILES) for text in file_texts(make_documents, number)]
    assert sum(int(e["num_bytes"]) for e in examples) == sum(map(len, texts))
    assert sum(int(e["num_documents"]) for e in examples) == len(texts)
    codes = Tokenizer.load(codebook).codebook
    for example in examples:
        targets = example["targets"]
        assert 0 < len(targets) <= length and 0 not in targets and targets.dtype == np.int32
        symbols = codes.decode(targets[targets != 1] - 3)
        ends = np.count_nonzero(symbols == 256) + np.count_nonzero(targets == 1)
        assert example["num_documents"] == ends
        assert example["num_bytes"] == np.count_nonzero(symbols != 256)


@pytest.mark.parametrize("eos", ["id", "symbol"])
def test_the_demos_text_comes_back(codebook: Path, eos: str) -> None:
    """From files to ids and back, and every byte counted."""
    texts = []
    for path in sorted(DEMO.glob("validation-*.json.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts += [json.loads(line)["text"].encode() for line in lines]
    demo = text_files({"train": f"{DEMO}/validation-*.json.gz"})
    name = register_text_task("demo", demo, codebook, eos=eos)  # type: ignore[arg-type]
    examples = read(name, 512)
    vocabulary = seqio.get_mixture_or_task(name).output_features["targets"].vocabulary
    found = [text for ids in sequences(examples) for text in vocabulary.documents(ids)]
    assert found == texts and sum(map(len, texts)) > 100_000
    assert sum(int(e["num_bytes"]) for e in examples) == sum(map(len, texts))


def test_the_default_codebook(source: seqio.DataSource) -> None:
    name = register_text_task("text", source, extra_ids=7)
    vocabulary = seqio.get_mixture_or_task(name).output_features["targets"].vocabulary
    assert vocabulary == TokenizerVocabulary(extra_ids=7)
    assert len(read(name)) > 0


def test_a_codebook_of_the_package_by_its_name(source: seqio.DataSource) -> None:
    name = register_text_task("text", source, "english-8192-v2")
    vocabulary = seqio.get_mixture_or_task(name).output_features["targets"].vocabulary
    assert vocabulary.vocab_size == 8195 and len(read(name)) > 0
    assert vocabulary == TokenizerVocabulary("english-8192-v2.eqi")
    assert pickle.loads(pickle.dumps(vocabulary)).encode("a") == vocabulary.encode("a")
    with pytest.raises(FileNotFoundError):
        register_text_task("other", source, "english-8193-v2")


def test_a_model_takes_what_it_needs_from_the_task(
    source: seqio.DataSource, codebook: Path
) -> None:
    """Gin's references: a text task has a codebook, and neither a codec directory nor an M1."""
    for name in (register_text_task("a", source), register_text_task("b", source, codebook)):
        assert from_task.m1_parameters(name) == 0
        assert from_task.tokens_per_window(name) is None and from_task.ends_with_eos(name)
        vocab_size = from_task.vocabulary(name).vocab_size
        assert 0 <= from_task.padded_vocab_size(name) - vocab_size < 128


def test_any_source_of_text(codebook: Path) -> None:
    """One document an example: the task joins them. Bytes need not be UTF-8."""
    texts = [b"one", b"\xff\xfe", b"", b"three" * 30]

    def dataset(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices({"text": texts, "url": ["x"] * 4})

    name = register_text_task(
        "text",
        seqio.FunctionDataSource(dataset, splits=["train"]),
        codebook,
        documents_per_sequence=3,
    )
    examples = read(name)
    vocabulary = TokenizerVocabulary(codebook)
    assert [vocabulary.documents(ids) for ids in sequences(examples)] == [texts[:3], texts[3:]]


def test_order_depends_on_the_seed_alone(source: seqio.DataSource, codebook: Path) -> None:
    name = register_text_task("text", source, codebook)

    def order(seed: int) -> list[list[int]]:
        return [e["targets"].tolist() for e in read(name, shuffle=True, seed=seed)]

    one, again, other = order(1), order(1), order(2)
    assert one == again and one != other and sorted(one) == sorted(other)


@pytest.mark.parametrize("hosts", [3, 5])
def test_hosts_share_the_text(source: seqio.DataSource, codebook: Path, hosts: int) -> None:
    """By file where there are enough of them, else by sequence."""
    name = register_text_task("text", source, codebook)
    found = [
        ids
        for index in range(hosts)
        for ids in sequences(read(name, shard_info=seqio.ShardInfo(index, hosts)))
    ]
    assert sorted(found) == sorted(sequences(read(name)))


def test_mixtures(source: seqio.DataSource, codebook: Path) -> None:
    register_text_task("one", source, codebook)
    register_text_task("two", text_files({"train": f"{DEMO}/validation-*"}), codebook)
    seqio.MixtureRegistry.add("both", [("one", 1), ("two", 1)])
    try:
        mixture = seqio.get_mixture_or_task("both")
        dataset = mixture.get_dataset(
            {"targets": 32}, "train", seed=1, passthrough_features=["num_bytes"]
        )
        converter = ByteCountingLMFeatureConverter()
        batch = next(converter(dataset, {"targets": 32}).batch(16).as_numpy_iterator())
        assert batch["decoder_target_tokens"].shape == (16, 32)
        assert batch["num_bytes"].min() > 0
        with pytest.raises(ValueError, match="passthrough_features"):
            converter(mixture.get_dataset({"targets": 32}, "train"), {"targets": 32})
    finally:
        seqio.MixtureRegistry.remove("both")


def test_a_data_set_of_the_same_codebook_goes_into_the_mixture(
    source: seqio.DataSource, codebook: Path, tmp_path: Path
) -> None:
    pytest.importorskip("apache_beam", reason="the pipeline needs Beam")
    from pipelines import compress
    from tasks.registration import register

    flags = [f"--input={tmp_path}/c4-train.*.json.gz", f"--output={tmp_path / 'data'}"]
    method = ["--method=codebook", f"--codebook={codebook}", "--sequence_length=32"]
    assert compress.main([*flags, *method, "--quiet"]) == 0
    tasks = [register(tmp_path / "data"), register_text_task("mixed_text", source, codebook)]
    seqio.MixtureRegistry.add("mixed_both", tasks, default_rate=1.0)
    mixture = seqio.get_mixture_or_task("mixed_both")
    dataset = mixture.get_dataset({"targets": 32}, "train", shuffle=False, num_epochs=1)
    assert len(list(dataset.as_numpy_iterator())) > 10


def test_t5xs_way_to_a_batch(source: seqio.DataSource, codebook: Path) -> None:
    """`seqio.get_dataset` with the converter that keeps bytes."""
    name = register_text_task("text", source, codebook)
    rows = seqio.get_dataset(
        name, {"targets": 32}, ByteCountingLMFeatureConverter(), "train", seed=0, shuffle=True
    )
    rows = list(rows.as_numpy_iterator())
    assert sum(int(row["num_bytes"]) for row in rows) == sum(
        int(e["num_bytes"]) for e in read(name)
    )
    tokens = sum(int(row["decoder_loss_weights"].sum()) for row in rows)
    assert tokens == sum(len(e["targets"]) for e in read(name))


@pytest.mark.parametrize("kind", ["text", "bytes"])
def test_the_evaluator_scores_it(source: seqio.DataSource, codebook: Path, kind: str) -> None:
    if kind == "bytes":
        name = register_bytes(source)
    else:
        name = register_text_task("text", source, codebook)
    evaluator = seqio.Evaluator(
        name,
        feature_converter=seqio.LMFeatureConverter(pack=False),
        eval_split="train",
        sequence_length={"targets": 32},
    )

    def score_fn(dataset: tf.data.Dataset, model_feature_shapes: object = None) -> list[object]:
        return [
            (int(i), -8 * np.log(2) * float(example["decoder_loss_weights"].sum()))
            for i, example in dataset.as_numpy_iterator()
        ]

    future, _ = evaluator.evaluate(compute_metrics=True, score_fn=score_fn)
    values = future.result()[name]
    evaluator.close()
    examples = read(name)
    num_tokens = sum(len(e["targets"]) for e in examples)
    num_bytes = sum(int(e["num_bytes"]) for e in examples)
    # 8 bits for each token, EOS among them.
    assert values["bits_per_byte"] == pytest.approx(8 * num_tokens / num_bytes)
    if kind == "bytes":
        assert num_tokens == num_bytes + FILES * IN_FILE
