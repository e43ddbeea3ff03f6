"""Python and TensorFlow paths agree; ids cut anywhere decode; the codec is loaded late."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import seqio
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equalinfo import alphabet, codecs
from tasks import vocabulary
from tasks.vocabulary import CodecVocabulary

METHODS = ["bytes", "sentencepiece", "gzip", "equal_info", "equal_info_n8", "equal_info_ac"]
WINDOWS = ["equal_info", "equal_info_n8", "equal_info_ac"]
LOSSLESS = ["bytes", "gzip", "equal_info", "equal_info_n8"]

fixtures_last = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.fixture(scope="module")
def vocabularies(codec_directories: Mapping[str, Path]) -> dict[str, CodecVocabulary]:
    return {name: CodecVocabulary(str(path)) for name, path in codec_directories.items()}


@pytest.mark.parametrize("method", [*METHODS, "static_ac"])
@fixtures_last
@given(text=texts)
def test_both_paths_encode_alike(
    vocabularies: dict[str, CodecVocabulary], method: str, text: str
) -> None:
    vocabulary = vocabularies[method]
    python = vocabulary.encode(text)
    graph = vocabulary.encode_tf(tf.constant(text))
    assert graph.dtype == tf.int32
    assert graph.numpy().tolist() == python
    assert all(2 < i < vocabulary.vocab_size for i in python) or method == "sentencepiece"
    assert 1 not in python


@pytest.mark.parametrize("method", METHODS)
@fixtures_last
@given(text=texts)
def test_both_paths_decode_alike(
    vocabularies: dict[str, CodecVocabulary], method: str, text: str
) -> None:
    vocabulary = vocabularies[method]
    ids = vocabulary.encode(text)
    python = vocabulary.decode(ids)
    assert vocabulary.decode_tf(tf.constant(ids, tf.int32)).numpy() == python.encode()
    if method in LOSSLESS:
        assert python == text


@pytest.mark.parametrize("method", LOSSLESS)
def test_nul_at_the_end_survives(vocabularies: dict[str, CodecVocabulary], method: str) -> None:
    """NumPy's own byte strings would drop it."""
    vocabulary = vocabularies[method]
    ids = vocabulary.encode_tf(tf.constant("a\0\0"))
    assert ids.numpy().tolist() == vocabulary.encode("a\0\0")
    assert vocabulary.decode_tf(ids).numpy() == b"a\0\0"


@pytest.mark.parametrize("method", ["bytes", *WINDOWS])
@fixtures_last
@given(data=st.data())
def test_ids_may_be_cut_anywhere(
    vocabularies: dict[str, CodecVocabulary], text: str, method: str, data: st.DataObject
) -> None:
    vocabulary = vocabularies[method]
    ids = vocabulary.encode(text)
    ids = ids[: data.draw(st.integers(0, len(ids)))]
    whole = b"".join(vocabulary.documents(vocabulary.encode(text)))
    part = b"".join(vocabulary.documents(ids))
    assert whole.startswith(part)
    assert vocabulary.decode_tf(tf.constant(ids, tf.int32)).numpy().decode() == vocabulary.decode(
        ids
    )
    if method == "equal_info":  # a token is a window: every token counts
        lengths = vocabulary.codec.encode([np.frombuffer(text.encode(), np.uint8)])[0].ends
        assert len(part) == (lengths[len(ids) - 1] if ids else 0)


@pytest.mark.parametrize("method", ["bytes", "sentencepiece", "equal_info", "equal_info_n8"])
@fixtures_last
@given(ids=st.lists(st.integers(-5, 5000), max_size=40))
def test_any_ids_decode_alike(
    vocabularies: dict[str, CodecVocabulary], method: str, ids: list[int]
) -> None:
    """What a model samples: pad, eos, unk, ids out of range."""
    vocabulary = vocabularies[method]
    text = vocabulary.decode(ids)
    assert vocabulary.decode_tf(tf.constant(ids, tf.int32)).numpy().decode() == text


@pytest.mark.parametrize("wrong", [0, 2, 5000])
def test_an_id_without_text_takes_its_windows_along_and_no_others(
    vocabularies: dict[str, CodecVocabulary], text: str, wrong: int
) -> None:
    """Of 12 bits in tokens of 8, three tokens are two windows: what follows keeps its place."""
    vocabulary = vocabularies["equal_info_n8"]
    ids = vocabulary.encode(text)
    ids = ids[: len(ids) // 3 * 3]
    for place in (0, 7, 11):
        of_unit = slice(place // 3 * 3, place // 3 * 3 + 3)
        without = [*ids[: of_unit.start], *ids[of_unit.stop :]]
        spoilt = [*ids[:place], wrong, *ids[place + 1 :], 0, 0, 0, 0]
        assert vocabulary.documents(spoilt) == vocabulary.documents(without)


@pytest.mark.parametrize("method", METHODS)
def test_a_padded_batch_decodes_row_by_row(
    vocabularies: dict[str, CodecVocabulary], method: str
) -> None:
    vocabulary = vocabularies[method]
    rows = [vocabulary.encode(text) for text in ("the best of times", "", "wisdom")]
    width = max(map(len, rows)) + 2
    batch = np.array([row + [0] * (width - len(row)) for row in rows], np.int32)
    decoded = vocabulary.decode_tf(tf.constant(batch))
    assert decoded.shape == [3]
    assert [t.decode() for t in decoded.numpy()] == [vocabulary.decode(row) for row in rows]


def test_decode_stops_at_eos_and_documents_goes_on(
    vocabularies: dict[str, CodecVocabulary],
) -> None:
    vocabulary = vocabularies["bytes"]
    ids = [*vocabulary.encode("one"), 1, *vocabulary.encode("two"), 1]
    assert vocabulary.decode(ids) == "one"
    assert vocabulary.decode_tf(tf.constant(ids)).numpy() == b"one"
    assert vocabulary.documents(ids) == [b"one", b"two"]


def test_eos_inside_windows_separates_documents(vocabularies: dict[str, CodecVocabulary]) -> None:
    vocabulary = vocabularies["equal_info"]
    ids = vocabulary.codec.encode([alphabet.join([b"one", b"two"])])[0].ids
    assert vocabulary.documents(ids) == [b"one", b"two"]
    assert vocabulary.decode(ids) == "one\ntwo"


def test_invalid_utf8_is_replaced(vocabularies: dict[str, CodecVocabulary]) -> None:
    vocabulary = vocabularies["equal_info"]
    ids = vocabulary.encode_tf(tf.constant(b"a\xffb"))
    assert vocabulary.decode(ids) == "a\ufffdb"
    assert vocabulary.documents(ids.numpy()) == [b"a\xffb"]


def test_bytes_agree_with_byt5(vocabularies: dict[str, CodecVocabulary], text: str) -> None:
    theirs, ours = seqio.ByteVocabulary(), vocabularies["bytes"]
    assert ours.encode(text) == theirs.encode(text)
    assert ours.vocab_size == theirs.vocab_size


def test_sentencepiece_agrees_with_seqio(
    vocabularies: dict[str, CodecVocabulary], sentencepiece_model: str, text: str
) -> None:
    theirs, ours = seqio.SentencePieceVocabulary(sentencepiece_model), vocabularies["sentencepiece"]
    assert ours.encode(text) == theirs.encode(text)
    assert ours.decode(ours.encode(text)) == theirs.decode(theirs.encode(text))
    assert ours.vocab_size == theirs.vocab_size


def test_shapes_are_known_in_a_graph(vocabularies: dict[str, CodecVocabulary]) -> None:
    vocabulary = vocabularies["equal_info"]
    dataset = tf.data.Dataset.from_tensors("times").map(vocabulary.encode_tf)
    assert dataset.element_spec == tf.TensorSpec([None], tf.int32)
    texts = dataset.batch(1).map(vocabulary.decode_tf)
    assert texts.element_spec.shape.rank == 1
    assert [t.tolist() for t in texts.as_numpy_iterator()] == [[b"times"]]


def test_a_feature_appends_eos(vocabularies: dict[str, CodecVocabulary]) -> None:
    vocabulary = vocabularies["equal_info"]
    dataset = seqio.preprocessors.append_eos(
        seqio.preprocessors.tokenize(
            tf.data.Dataset.from_tensors({"targets": "times"}),
            {"targets": seqio.Feature(vocabulary, add_eos=True)},
        ),
        {"targets": seqio.Feature(vocabulary, add_eos=True)},
    )
    (example,) = dataset.as_numpy_iterator()
    assert example["targets"].tolist() == [*vocabulary.encode("times"), 1]
    assert vocabulary.decode(example["targets"].tolist()) == "times"


def test_ac_says_that_it_cannot_decode(vocabularies: dict[str, CodecVocabulary]) -> None:
    with pytest.raises(ValueError, match="'static_ac' cannot decode ids alone"):
        vocabularies["static_ac"].decode([5, 6])


def test_the_codec_is_loaded_late(
    codec_directories: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(directory: str) -> codecs.Codec:
        raise AssertionError(f"loaded {directory}")

    monkeypatch.setattr(vocabulary.codecs, "load", refuse)
    late = CodecVocabulary(str(codec_directories["equal_info"]), vocab_size=4099, extra_ids=5)
    assert (late.vocab_size, late.pad_id, late.eos_id, late.unk_id) == (4104, 0, 1, 2)
    assert late.method in str(late)
    with pytest.raises(AssertionError, match="loaded"):
        late.encode("x")


def test_a_wrong_size_is_an_error(codec_directories: Mapping[str, Path]) -> None:
    with pytest.raises(ValueError, match="has 4099 ids, but vocab_size=4098"):
        CodecVocabulary(str(codec_directories["equal_info"]), vocab_size=4098).encode("x")


def test_equality_is_that_of_the_codec(codec_directories: Mapping[str, Path]) -> None:
    one = CodecVocabulary(str(codec_directories["equal_info"]), vocab_size=4099)
    copy = pickle.loads(pickle.dumps(one))
    assert copy == one and hash(copy) == hash(one)
    assert copy.encode("times") == one.encode("times")
    assert one == CodecVocabulary(str(codec_directories["equal_info"]))
    assert one != CodecVocabulary(str(codec_directories["equal_info_n8"]))
    assert one != CodecVocabulary(str(codec_directories["equal_info"]), extra_ids=1)
    assert one != seqio.ByteVocabulary()


def test_a_remote_directory_is_copied(codec_directories: Mapping[str, Path]) -> None:
    remote = CodecVocabulary(f"file://{codec_directories['equal_info']}")
    assert remote.decode(remote.encode("times")) == "times"


def test_no_codec_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no codec directory"):
        CodecVocabulary(str(tmp_path))
