"""Reading a data set back, beside what `tests/pipelines` tests of whole ones."""

import json
import shutil

import pytest

from equalinfo import codecs
from equalinfo.data.dataset import Dataset
from equalinfo.data.manifest import ManifestError
from pipelines.compress import main as compress


def test_a_codec_of_another_data_set_is_refused(tmp_path):
    text = tmp_path / "a.json"
    text.write_text(json.dumps({"text": "the quick brown fox"}) + "\n")
    data = tmp_path / "data"
    argv = ["--input", str(text), "--output", str(data), "--method=gzip", "--token_bits=8"]
    assert compress([*argv, "--quiet"]) == 0
    assert list(Dataset.open(data).restore("train")) == [b"the quick brown fox"]
    shutil.rmtree(data / "codec")
    codecs.create("gzip", token_bits=16).save(data / "codec")
    with pytest.raises(
        ManifestError,
        match=r"was compressed with options .*, but .*codec has .*Its tokens mean nothing",
    ):
        next(Dataset.open(data).restore("train"))
