"""Reading a data set back, beside what `tests/pipelines` tests of whole ones."""

import json
import shutil

import pytest

from equalinfo import codecs
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import ManifestError
from equalinfo.data.tfrecord import DamagedRecordsError
from pipelines.compress import main as compress


@pytest.fixture
def data(tmp_path):
    text = tmp_path / "a.json"
    text.write_text(json.dumps({"text": "the quick brown fox"}) + "\n")
    data = tmp_path / "data"
    argv = ["--input", str(text), "--output", str(data), "--method=gzip", "--token_bits=8"]
    assert compress([*argv, "--quiet"]) == 0
    return data


def test_a_codec_of_another_data_set_is_refused(data):
    assert list(Dataset.open(data).restore("train")) == [b"the quick brown fox"]
    shutil.rmtree(data / "codec")
    codecs.create("gzip", token_bits=16).save(data / "codec")
    with pytest.raises(
        ManifestError,
        match=r"was compressed with options .*, but .*codec has .*Its tokens mean nothing",
    ):
        next(Dataset.open(data).restore("train"))


def test_no_more_is_read_than_the_manifest_counts(data):
    """What makes room by the manifest would be overrun."""
    (shard,) = data.glob("train.tfrecord-*")
    shard.write_bytes(2 * shard.read_bytes())
    records = Dataset.open(data).read("train")
    next(records)
    with pytest.raises(DamagedRecordsError, match=r"at least 2 records .*the manifest says 1 with"):
        next(records)


def test_records_longer_than_the_manifest_says_are_named(data):
    """Rows of that length are made room for."""
    path = data / "manifest.json"
    content = json.loads(path.read_text())
    content["sequence_length"] = 3
    path.write_text(json.dumps(content))
    with pytest.raises(DamagedRecordsError, match=r"record 0 has \d+ tokens, .*sequence_length=3"):
        next(Dataset.open(data).read("train"))
