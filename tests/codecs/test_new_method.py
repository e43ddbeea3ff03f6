"""A method is one file and one line: command line, data set, verification and task follow."""

import json
from pathlib import Path

import pytest

from equalinfo import Dataset, codecs
from equalinfo.data.manifest import Manifest
from tests.codecs.rotation import RotationCodec

TEXTS = ["Any text.", "été", "", "the quick brown fox\njumps"]


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "METHODS", dict(codecs.METHODS))
    codecs.register(RotationCodec)


@pytest.mark.usefixtures("registered")
def test_compress_verify_task_decode(tmp_path: Path) -> None:
    pytest.importorskip("apache_beam", reason="the pipeline needs Beam")
    seqio = pytest.importorskip("seqio", reason="tasks need SeqIO")
    from pipelines import compress, verify
    from tasks.registration import register
    from tasks.vocabulary import CodecVocabulary

    text, out = tmp_path / "text.jsonl", tmp_path / "data"
    text.write_text("".join(json.dumps({"text": one}) + "\n" for one in TEXTS))
    flags = [f"--input={text}", f"--output={out}", "--quiet", "--sequence_length=8"]
    assert compress.main([*flags, "--method=rotation", "--turn=5", "--verify"]) == 0
    assert Manifest.load(out).codec["options"] == {"turn": 5}
    assert verify.main([f"--dataset={out}", f"--input={text}"]) == 0
    assert [one.decode() for one in Dataset.open(out).restore("train")] == TEXTS

    task = seqio.get_mixture_or_task(register(out))
    assert task.name == "rotation_v512"
    examples = task.get_dataset({"targets": 8}, "train", shuffle=False).as_numpy_iterator()
    ids = [id for example in examples for id in example["targets"].tolist()]
    vocabulary = task.output_features["targets"].vocabulary
    assert isinstance(vocabulary, CodecVocabulary)
    assert [one.decode() for one in vocabulary.documents(ids)] == TEXTS


def test_a_name_is_taken_once(registered: None) -> None:
    assert codecs.register(RotationCodec) is RotationCodec  # again

    class Other(RotationCodec):
        pass

    with pytest.raises(ValueError, match="method 'rotation' is RotationCodec already"):
        codecs.register(Other)
