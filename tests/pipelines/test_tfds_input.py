"""A prepared TFDS data set: its files are read directly, and give what TFDS gives."""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equalinfo.data.dataset import Dataset
from equalinfo.data.inputs import DamagedInputError
from equalinfo.data.text import read
from pipelines.compress import run
from pipelines.options import parse_compress
from pipelines.sources import InputError, find

tfds = pytest.importorskip("tensorflow_datasets", reason="needs tensorflow-datasets")

# TFDS 4.9.10 calls what protobuf 6 calls deprecated.
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")

TEXTS = [f"text é {number} " + "x" * (number % 50) for number in range(100)]


class TinyText(tfds.core.GeneratorBasedBuilder):
    """A hundred texts, with a feature more, as c4 has."""

    VERSION = tfds.core.Version("3.1.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="en", version="3.1.0")]  # noqa: RUF012

    def _info(self) -> Any:
        features = {"text": tfds.features.Text(), "n": tfds.features.Scalar(np.int64)}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, text in enumerate(TEXTS):
            yield number, {"text": text, "n": number}


def _prepare(directory: str, file_format: str) -> str:
    """Prepare without a network, in three files."""
    logging.getLogger("absl").setLevel(logging.ERROR)
    builder = TinyText(config="en", data_dir=directory, file_format=file_format)
    config = tfds.download.DownloadConfig(num_shards=3, try_download_gcs=False)
    builder.download_and_prepare(download_config=config)
    return directory


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _prepare(str(tmp_path_factory.mktemp("tfds")), "tfrecord")


def _texts(files: Any) -> list[str]:
    items = [item for file in files for item in read(file)]
    assert all(isinstance(item, bytes) for item in items), items
    return [item.decode() for item in items]


@pytest.mark.parametrize("name", ["tiny_text/en:3.1.0", "tiny_text/en", "tiny_text"])
def test_same_texts_as_tfds_in_its_order(data_dir: str, name: str) -> None:
    files = find([f"tfds:{name}"], data_dir=data_dir)
    assert [file.name for file in files] == [
        f"tiny_text-train.tfrecord-0000{index}-of-00003" for index in range(3)
    ]
    builder = tfds.builder("tiny_text/en", data_dir=data_dir)
    read_config = tfds.ReadConfig(interleave_cycle_length=1)
    by_tfds = tfds.as_numpy(
        builder.as_dataset(split="train", shuffle_files=False, read_config=read_config)
    )
    texts = _texts(files)
    assert texts == [example["text"].decode() for example in by_tfds]
    assert sorted(texts) == sorted(TEXTS)


@pytest.mark.parametrize("file_format", ["array_record", "parquet"])
def test_other_file_formats_give_the_same(data_dir: str, tmp_path: Path, file_format: str) -> None:
    files = find(["tfds:tiny_text/en"], data_dir=_prepare(str(tmp_path), file_format))
    assert [file.format for file in files] == [f"tfds_{file_format}"] * 3
    assert _texts(files) == _texts(find(["tfds:tiny_text/en"], data_dir=data_dir))


def test_by_directory(data_dir: str) -> None:
    files = find([f"tfds:{data_dir}/tiny_text/en/3.1.0"])
    assert sorted(_texts(files)) == sorted(TEXTS)


def test_wrong_requests_say_what_there_is(data_dir: str) -> None:
    with pytest.raises(InputError, match=r"has the splits \['train'\]"):
        find(["tfds:tiny_text/en"], data_dir=data_dir, split="validation")
    with pytest.raises(InputError, match=r"feature 'n' is .*expected tfds.features.Text"):
        find(["tfds:tiny_text/en"], data_dir=data_dir, field="n")
    with pytest.raises(InputError, match=r"TFDS does not find it"):
        find(["tfds:no_such_data_set"], data_dir=data_dir)
    with pytest.raises(InputError, match=r"TFDS does not find it"):
        find(["tfds:tiny_text/en:9.9.9"], data_dir=data_dir)


def test_damage_is_noticed(data_dir: str, tmp_path: Path) -> None:
    file = find(["tfds:tiny_text/en"], data_dir=data_dir)[0]
    whole = Path(file.path).read_bytes()
    copy = tmp_path / file.name
    copy.write_bytes(whole[:-5])
    damaged = replace(file, path=str(copy), size=None)
    documents = []
    with pytest.raises(DamagedInputError, match="cut off"):
        for item in read(damaged):
            documents.append(item)
    assert documents == list(read(file))[:-1]


def test_a_file_that_was_replaced_by_a_shorter_one_is_damage(data_dir: str) -> None:
    """TFDS remembers how many records each file has; TFRecord files do not."""
    files = find(["tfds:tiny_text/en"], data_dir=data_dir)
    assert sum(file.records or 0 for file in files) == len(TEXTS)
    shorter = replace(files[1], records=(files[1].records or 0) + 1)
    with pytest.raises(DamagedInputError, match=r"has 34 records, and TFDS wrote 35"):
        list(read(shorter))


def test_what_cannot_be_read_is_refused(data_dir: str, tmp_path: Path) -> None:
    directory = tmp_path / "3.1.0"
    shutil.copytree(Path(data_dir, "tiny_text/en/3.1.0"), directory)
    info = directory / "dataset_info.json"
    text = info.read_text()
    info.write_text(text.replace("tfrecord", "riegeli"))
    with pytest.raises(InputError, match="is stored as riegeli, expected tfrecord, array_record"):
        find([f"tfds:{directory}"])
    info.write_text(text)
    next(directory.glob("*00001-of-00003")).unlink()
    with pytest.raises(InputError, match="00001-of-00003 is an input, and cannot be read: No such"):
        find([f"tfds:{directory}"])


def test_compressed_and_restored(data_dir: str, tmp_path: Path) -> None:
    argv = ["--input", "tfds:tiny_text/en:3.1.0", "--data_dir", data_dir, "--method=gzip"]
    manifest = run(parse_compress([*argv, "--output", str(tmp_path), "--quiet"]))
    totals = manifest.split("train").totals
    assert (totals["shards"], totals["documents"], totals["rejected"]) == (3, len(TEXTS), 0)
    restored = [text.decode() for text in Dataset.open(tmp_path).restore("train")]
    assert restored == _texts(find(["tfds:tiny_text/en"], data_dir=data_dir))
