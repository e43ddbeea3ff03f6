"""A data set directory becomes a task that reads back what was written, exactly and in order."""

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import seqio
import tensorflow as tf

from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import Manifest, ManifestError
from equalinfo.data.tfrecord import read_records
from tasks.registration import register, register_all, task_name
from tests.records import write_records

Write = Callable[..., Path]
Documents = Callable[..., list[bytes]]
Example = Mapping[str, np.ndarray]

LENGTH = {"targets": 16}


@pytest.fixture
def dataset(write_dataset: Write, make_documents: Documents) -> Path:
    """Three shards of train, one of validation."""
    train = [make_documents(20, seed) for seed in range(3)]
    return write_dataset("equal_info", {"train": train, "validation": [make_documents(5, 9)]})


def read(name: str, split: str = "train", **options: object) -> list[Example]:
    options = {"shuffle": False, "sequence_length": LENGTH, **options}
    task = seqio.get_mixture_or_task(name)
    return list(task.get_dataset(split=split, **options).as_numpy_iterator())


def key(example: Example) -> tuple[bytes, int]:
    return bytes(example["source"]), int(example["part"])


@pytest.mark.parametrize("split", ["train", "validation"])
def test_every_record_is_read(dataset: Path, split: str) -> None:
    examples = read(register(dataset), split)
    records = {(r.source.encode(), r.part): r for r in Dataset.open(dataset).read(split)}
    assert {key(example) for example in examples} == records.keys()
    assert len(examples) == len(records)
    for example in examples:
        record = records[key(example)]
        assert example["targets"].dtype == np.int32
        assert example["targets"].tolist() == record.targets.tolist()
        assert example["num_bytes"] == record.num_bytes
        assert example["num_documents"] == record.num_documents


def test_byte_counts_are_exact(dataset: Path, make_documents: Documents) -> None:
    examples = read(register(dataset))
    texts = [text for seed in range(3) for text in make_documents(20, seed)]
    assert sum(int(example["num_bytes"]) for example in examples) == sum(map(len, texts))
    assert sum(int(example["num_documents"]) for example in examples) == len(texts)


def test_the_vocabulary_decodes_the_targets(dataset: Path, make_documents: Documents) -> None:
    name = register(dataset)
    vocabulary = seqio.get_mixture_or_task(name).output_features["targets"].vocabulary
    parts = sorted(read(name, "validation"), key=lambda e: int(e["part"]))
    (sequence,) = {bytes(e["source"]).rsplit(b":", 1)[0] for e in parts}
    assert sequence.startswith(b"validation")
    ordered = sorted(parts, key=lambda e: (int(bytes(e["source"]).split(b":")[2]), e["part"]))
    ids = np.concatenate([example["targets"] for example in ordered])
    assert vocabulary.documents(ids) == make_documents(5, 9)


def test_shuffling_is_deterministic(dataset: Path) -> None:
    name = register(dataset)
    one, again = (read(name, shuffle=True, seed=7) for _ in range(2))
    other = read(name, shuffle=True, seed=8)
    assert [key(e) for e in one] == [key(e) for e in again]
    assert [key(e) for e in one] != [key(e) for e in other]
    assert sorted(map(key, one)) == sorted(map(key, other))


@pytest.mark.parametrize("shards", [2, 4])
def test_hosts_share_the_records(dataset: Path, shards: int) -> None:
    """By file where there are enough of them, else by record."""
    name = register(dataset)
    seen = [
        key(example)
        for index in range(shards)
        for example in read(name, shard_info=seqio.ShardInfo(index, shards))
    ]
    assert sorted(seen) == sorted(map(key, read(name)))


def test_an_interrupted_read_goes_on(dataset: Path, tmp_path: Path) -> None:
    """T5X checkpoints the iterator: each record exactly once."""
    task = seqio.get_mixture_or_task(register(dataset))

    def iterator() -> object:
        options = tf.data.Options()
        options.deterministic = True
        return iter(task.get_dataset(LENGTH, "train", seed=3).with_options(options))

    expected = [key(e) for e in (dict(x) for x in map(to_numpy, iterator()))]
    first = iterator()
    seen = [key(to_numpy(next(first))) for _ in range(10)]
    path = tf.train.Checkpoint(first).save(str(tmp_path / "state"))
    second = iterator()
    tf.train.Checkpoint(second).restore(path)
    seen += [key(e) for e in map(to_numpy, second)]
    assert seen == expected


def to_numpy(example: Mapping[str, tf.Tensor]) -> Example:
    return {name: value.numpy() for name, value in example.items()}


def test_repeating_changes_nothing(dataset: Path) -> None:
    name = register(dataset)
    task = seqio.get_mixture_or_task(name)
    assert register(str(dataset) + "/") == name
    assert seqio.get_mixture_or_task(name) is task
    assert register(dataset, "other") == "other"


def test_a_taken_name_is_an_error(dataset: Path, write_dataset: Write) -> None:
    name = register(dataset)
    other = write_dataset("equal_info", {"train": [[b"x"]]}, directory="other")
    with pytest.raises(ValueError, match=f"'{name}' is registered for .*data, not for .*other"):
        register(other)
    assert register(other, prefix="c4") == f"c4_{name}"
    seqio.TaskRegistry.remove("mine")
    seqio.TaskRegistry.add("mine", seqio.TextLineDataSource({"train": "x"}), {})
    with pytest.raises(ValueError, match="registered already, by other code"):
        register(other, "mine")


def test_a_changed_data_set_is_an_error(dataset: Path) -> None:
    name = register(dataset)
    text = (dataset / "manifest.json").read_text()
    (dataset / "manifest.json").write_text(text.replace('"0.1.0"', '"0.1.1"'))
    with pytest.raises(ValueError, match="manifest has changed since"):
        register(dataset, name)


def test_another_codec_is_an_error(dataset: Path, codec_directories: Mapping[str, Path]) -> None:
    """Same ids, other texts: everything would run, and mean nothing."""
    asset = json.loads((dataset / "codec" / "codec.json").read_text())
    wrong = {**asset, "assets": {"codebook.eqi": "8a10b7" + "0" * 58}}
    (dataset / "codec" / "codec.json").write_text(json.dumps(wrong))
    with pytest.raises(
        ValueError, match=r"compressed with codebook\.eqi sha256:.*but .*codec has sha256:8a10b7"
    ):
        register(dataset)
    shutil.rmtree(dataset / "codec")
    shutil.copytree(codec_directories["bytes"], dataset / "codec")
    with pytest.raises(ValueError, match="Its tokens mean nothing there"):
        register(dataset)


def test_other_options_are_an_error(dataset: Path) -> None:
    content = json.loads((dataset / "codec" / "codec.json").read_text())
    content["options"]["token_bits"] = 11
    (dataset / "codec" / "codec.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="compressed with options"):
        register(dataset)


def test_a_missing_shard_is_an_error(dataset: Path) -> None:
    (dataset / "train.tfrecord-00001-of-00003").unlink()
    with pytest.raises(ManifestError, match="1 of 3 shards of split 'train' are missing"):
        register(dataset)


@pytest.mark.parametrize("lost", [1, -1])
def test_lost_records_are_noticed(dataset: Path, lost: int) -> None:
    """A file cut between two records is a valid TFRecord file."""
    path = dataset / "train.tfrecord-00001-of-00003"
    with open(path, "rb") as file:
        records = list(read_records(file, str(path)))
    records = records[:-1] if lost > 0 else [*records, records[-1]]
    with open(path, "wb") as file:
        write_records(file, records)
    name = register(dataset)
    with pytest.raises(tf.errors.FailedPreconditionError, match="expected to contain"):
        read(name)
    with pytest.raises(ValueError, match="records"):
        register(dataset, verify=True)


def test_verify_reads_a_sound_data_set(dataset: Path) -> None:
    assert register(dataset, verify=True)


def test_no_data_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="does not exist"):
        register(tmp_path)


def test_a_length_that_loses_tokens_is_refused(dataset: Path) -> None:
    """SeqIO would trim targets and leave num_bytes: bits/byte too low, without a word."""
    name = register(dataset, sequence_length=16)
    with pytest.raises(ValueError, match="records hold up to 16 tokens"):
        read(name, sequence_length={"targets": 8})
    assert len(read(name, sequence_length={"targets": 99})) == len(read(name, sequence_length=None))
    with pytest.raises(ValueError, match=r"sequence_length=8, but the records .* up to 16 tokens"):
        register(dataset, "short", sequence_length=8)


@pytest.mark.parametrize(
    ("method", "options", "more", "expected"),
    [
        ("equal_info", {"window_bits": 16}, {}, "equal_info_b16_v65k"),
        ("equal_info", {"window_bits": 24}, {"token_bits": 8}, "equal_info_b24_v256"),
        (
            "equal_info_ac",
            {"window_bits": 16, "delay": True, "m1_reset": 1},
            {},
            "equal_info_ac_b16_v65k_delay",
        ),
        (
            "equal_info_ac",
            {"window_bits": 16, "delay": False, "m1_reset": 0},
            {"trim": "paper"},
            "equal_info_ac_b16_v65k_noreset_trimmed",
        ),
        ("equal_info_ac", {"window_bits": 16, "m1_reset": 2}, {}, "equal_info_ac_b16_v65k_reset2"),
        ("gzip", {"header": False}, {"token_bits": 8}, "gzip_v256_noheader"),
        ("ac", {}, {"token_bits": 1}, "ac_v2"),
        ("bytes", {}, {"token_bits": 8}, "bytes"),
        ("codebook", {"num_codes": 65536}, {}, "codebook_v65k"),
        ("codebook", {"num_codes": 40000}, {}, "codebook_v40k"),
        ("sentencepiece", {}, {"token_bits": 15, "vocab_size": 32000}, "sentencepiece_v32k"),
    ],
)
def test_names(
    dataset: Path, method: str, options: dict[str, object], more: dict[str, object], expected: str
) -> None:
    content = json.loads((dataset / "manifest.json").read_text())
    content |= {"method": method, "token_bits": 16, **more}
    content["codec"] = {"method": method, "options": options}
    manifest = Manifest.from_json(json.dumps(content), "test")
    assert task_name(manifest) == expected
    assert task_name(manifest, "c4") == f"c4_{expected}"


def test_importing_registers_the_environments(
    dataset: Path, write_dataset: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_dataset("bytes", {"train": [[b"x"]]}, directory="other")
    monkeypatch.setenv("EQUALINFO_DATASETS", f"{dataset}:mine={other}")
    monkeypatch.delitem(sys.modules, "tasks.registered", raising=False)
    module = importlib.import_module("tasks.registered")
    assert module.TASKS == ["equal_info_b12_v4k", "mine"]
    assert len(read("mine")) == 1
    monkeypatch.delenv("EQUALINFO_DATASETS")
    monkeypatch.delitem(sys.modules, "tasks.registered")
    with pytest.raises(ValueError, match="EQUALINFO_DATASETS names no data set"):
        importlib.import_module("tasks.registered")


def test_a_folder_may_have_any_name(write_dataset: Write) -> None:
    """SeqIO takes files for globs; `=` also ends a task's name."""
    place = write_dataset("bytes", {"train": [[b"x"]]}, directory="day=1 [ab]*?")
    assert register_all(f"{place}:mine={place}") == ["bytes", "mine"]
    assert len(read("bytes")) == len(read("mine")) == 1


def test_array_records_are_refused(dataset: Path) -> None:
    for path in [*dataset.glob("*.tfrecord-*")]:
        path.rename(str(path).replace(".tfrecord-", ".array_record-"))
    manifest = dataset / "manifest.json"
    manifest.write_text(manifest.read_text().replace(".tfrecord-", ".array_record-"))
    with pytest.raises(ValueError, match=r"train\.array_record-00000.*Compress with --format="):
        register(dataset)


def test_remote_directories(dataset: Path) -> None:
    (name,) = register_all(f"far=file://{dataset};")
    assert sorted(map(key, read(name))) == sorted(map(key, read(register(dataset, "near"))))
