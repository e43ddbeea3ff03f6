"""Both paths, one document and many, give the tokenizer's ids; pickles are small."""

import copy
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seqio
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equalinfo import alphabet
from equalinfo.codebook import Codebook
from equalinfo.tokenizer import Tokenizer
from tasks.vocabulary import CodecVocabulary, TokenizerVocabulary

NASTY = [
    b"",
    b"\0",
    b"a\0\0",
    b"\0" * 300,
    b"\xff\xfe\x80 not UTF-8 \xc3",
    "naïve 東京 🙂 \N{REPLACEMENT CHARACTER} \u2581".encode(),
    "🙂".encode()[:2],
    b"</s> <pad> <extra_id_0>\r\n\t",
    bytes(range(256)),
    b"^" * 10_000,
    b"it was the worst of times, " * 4_000,  # 108 kB
    bytes(np.random.default_rng(0).integers(0, 256, 100_000, np.uint8)),
]

fixtures_last = settings(
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def vocabulary(codebook: Path) -> TokenizerVocabulary:
    return TokenizerVocabulary(codebook)


@pytest.fixture(scope="module")
def tokenizer(codebook: Path) -> Tokenizer:
    return Tokenizer.load(codebook)


@pytest.mark.parametrize("document", NASTY, ids=lambda document: repr(document[:12]))
def test_all_paths_give_the_tokenizers_ids(
    vocabulary: TokenizerVocabulary, tokenizer: Tokenizer, document: bytes
) -> None:
    expected = tokenizer.encode(document).tolist()
    assert vocabulary.encode(document) == expected
    scalar = vocabulary.encode_tf(tf.constant(document))
    assert scalar.dtype == tf.int32
    assert scalar.numpy().tolist() == expected
    assert vocabulary.encode_tf(tf.constant([document])).to_list() == [expected]
    assert vocabulary.documents(expected) == ([document] if document else [])
    assert vocabulary.decode(expected) == document.decode("utf-8", "replace")
    assert vocabulary.decode_tf(scalar).numpy().decode() == vocabulary.decode(expected)


def test_a_batch_is_its_documents(vocabulary: TokenizerVocabulary) -> None:
    batch = vocabulary.encode_tf(tf.constant(NASTY))
    assert isinstance(batch, tf.RaggedTensor) and batch.dtype == tf.int32
    assert batch.to_list() == [vocabulary.encode(document) for document in NASTY]
    decoded = vocabulary.decode_tf(batch)
    assert decoded.shape == [len(NASTY)]
    assert [text.decode() for text in decoded.numpy()] == [
        document.decode("utf-8", "replace") for document in NASTY
    ]
    assert vocabulary.encode_tf(tf.constant([], tf.string)).to_list() == []


@fixtures_last
@given(documents=st.lists(st.binary(max_size=40), max_size=6))
def test_batches_of_any_bytes(vocabulary: TokenizerVocabulary, documents: list[bytes]) -> None:
    batch = vocabulary.encode_tf(tf.constant(documents, tf.string, shape=[len(documents)]))
    rows = batch.to_list()
    assert rows == [vocabulary.encode(document) for document in documents]
    assert [b"".join(vocabulary.documents(row)) for row in rows] == documents


def test_in_a_pipeline(vocabulary: TokenizerVocabulary) -> None:
    """In graphs TensorFlow passes other types than eagerly; calls run side by side."""
    dataset = tf.data.Dataset.from_tensor_slices(NASTY)
    expected = [vocabulary.encode(document) for document in NASTY]
    one = dataset.map(vocabulary.encode_tf, num_parallel_calls=4)
    assert one.element_spec == tf.TensorSpec([None], tf.int32)
    assert [ids.tolist() for ids in one.as_numpy_iterator()] == expected
    many = dataset.batch(5).map(vocabulary.encode_tf, num_parallel_calls=4)
    assert many.element_spec == tf.RaggedTensorSpec([None, None], tf.int32)
    assert [ids for batch in many for ids in batch.to_list()] == expected
    texts = many.map(vocabulary.decode_tf).unbatch()
    assert [text.decode() for text in texts.as_numpy_iterator()] == [
        vocabulary.decode(ids) for ids in expected
    ]


def test_shapes(vocabulary: TokenizerVocabulary) -> None:
    @tf.function(input_signature=[tf.TensorSpec(None, tf.string)])
    def unknown(text: tf.Tensor) -> tf.Tensor:
        return vocabulary.encode_tf(text)

    assert unknown(tf.constant("times")).numpy().tolist() == vocabulary.encode("times")
    with pytest.raises(tf.errors.InvalidArgumentError):
        unknown(tf.constant(["a", "b"]))
    with pytest.raises(ValueError, match=r"string\[1, 2\], expected string\[\] or string\[B\]"):
        vocabulary.encode_tf(tf.constant([["a", "b"]]))


@fixtures_last
@given(ids=st.lists(st.integers(-5, 1600), max_size=40))
def test_any_ids_decode_alike(vocabulary: TokenizerVocabulary, ids: list[int]) -> None:
    """What a model samples: pad, eos, unk, ids out of range, codes with EOS in them."""
    text = vocabulary.decode(ids)
    assert vocabulary.decode_tf(tf.constant(ids, tf.int32)).numpy().decode() == text
    real = [i for i in ids if 3 <= i < 1503]
    symbols = vocabulary.tokenizer.codebook.decode(np.array(real, np.int64) - 3)
    documents = vocabulary.documents([i for i in ids if i != 1])
    assert documents == alphabet.split(symbols)


def test_decode_stops_at_eos_and_documents_goes_on(vocabulary: TokenizerVocabulary) -> None:
    ids = [*vocabulary.encode("one"), 1, 1, *vocabulary.encode("two"), 1, *vocabulary.encode("x")]
    assert vocabulary.decode(ids) == "one"
    assert vocabulary.decode_tf(tf.constant(ids)).numpy() == b"one"
    assert vocabulary.documents(ids) == [b"one", b"", b"two", b"x"]
    assert vocabulary.documents([1]) == [b""]


def test_eos_inside_codes_separates_documents(
    vocabulary: TokenizerVocabulary, tokenizer: Tokenizer
) -> None:
    ids = tokenizer.encode_documents([b"one", b"two"]).tolist()
    assert vocabulary.documents(ids) == [b"one", b"two"]
    assert vocabulary.decode(ids) == "one\ntwo"


def test_it_is_the_codec_of_a_data_set(codec_directories: Mapping[str, Path]) -> None:
    """What `pipelines.compress` writes with a codebook has the ids of the codebook."""
    directory = codec_directories["equal_info"]
    ours = TokenizerVocabulary(directory / "codebook.eqi")
    theirs = CodecVocabulary(str(directory))
    assert ours.vocab_size == theirs.vocab_size
    for document in NASTY:
        assert ours.encode(document) == theirs.encode(document)
    ids = theirs.codec.encode([alphabet.join([b"one", b"two"])])[0].ids
    assert ours.documents(ids) == theirs.documents(ids) == [b"one", b"two"]
    assert ours == theirs and hash(ours) == hash(theirs)


def test_special_and_extra_ids(codebook: Path) -> None:
    vocabulary = TokenizerVocabulary(codebook, extra_ids=100)
    assert (vocabulary.pad_id, vocabulary.eos_id, vocabulary.unk_id) == (0, 1, 2)
    assert vocabulary.bos_id is None
    assert vocabulary.vocab_size == 1500 + 3 + 100
    ids = vocabulary.encode("times")
    assert max(ids) < 1503
    assert vocabulary.decode([1602, *ids, 1503]) == "times"


def test_pickles_are_small_and_copies_are_equal(codebook: Path) -> None:
    vocabulary = TokenizerVocabulary(codebook, extra_ids=3)
    ids = vocabulary.encode("times")
    data = pickle.dumps(vocabulary)
    assert len(data) < 1000
    for other in (pickle.loads(data), copy.deepcopy(vocabulary), copy.copy(vocabulary)):
        assert other == vocabulary and hash(other) == hash(vocabulary)
        assert other.vocab_size == vocabulary.vocab_size
        assert other.encode("times") == ids
        assert other.encode_tf(tf.constant("times")).numpy().tolist() == ids


def test_equality_is_that_of_the_codebook(codebook: Path, tmp_path: Path) -> None:
    vocabulary = TokenizerVocabulary(codebook)
    Tokenizer.load(codebook).save(tmp_path / "same.eqi")
    assert vocabulary == TokenizerVocabulary(tmp_path / "same.eqi")
    assert vocabulary != TokenizerVocabulary(codebook, extra_ids=1)
    assert vocabulary != TokenizerVocabulary(other_codebook(tmp_path / "other.eqi"))
    assert vocabulary != seqio.ByteVocabulary()
    assert str(vocabulary.sha256)[:12] in str(vocabulary)


def other_codebook(path: Path) -> Path:
    from equalinfo.m1.static import StaticModel

    model = StaticModel.from_counts(np.arange(257) + 1, 16)
    Codebook.compile(model, 1500, progress=False).save(path)
    return path


def test_another_codebook_at_the_same_place_is_an_error(codebook: Path, tmp_path: Path) -> None:
    """A worker would train on other tokens, without a word."""
    path = tmp_path / "now.eqi"
    Tokenizer.load(codebook).save(path)
    data = pickle.dumps(TokenizerVocabulary(path))
    path.unlink()
    other_codebook(path)
    late = pickle.loads(data)
    assert late.vocab_size == 1503
    with pytest.raises(ValueError, match=r"now\.eqi was sha256:.* and is sha256:"):
        late.encode("times")


def test_a_remote_codebook_is_copied(codebook: Path) -> None:
    remote = TokenizerVocabulary(f"file://{codebook}")
    assert remote == TokenizerVocabulary(codebook)
    assert pickle.loads(pickle.dumps(remote)).decode(remote.encode("times")) == "times"


def test_no_codebook_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        TokenizerVocabulary(tmp_path / "none.eqi")


def test_the_default_is_the_packages() -> None:
    vocabulary = TokenizerVocabulary()
    expected = Tokenizer.default()
    assert vocabulary.vocab_size == expected.vocab_size
    text = "It was the best of times, it was the worst of times."
    assert vocabulary.encode(text) == expected.encode(text).tolist()
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary


def test_seqios_own_preprocessors_take_it(vocabulary: TokenizerVocabulary) -> None:
    """`tokenize`, then `append_eos`, then packing: nothing of ours but the vocabulary."""
    features: Any = {"targets": seqio.Feature(vocabulary, add_eos=True)}
    dataset = tf.data.Dataset.from_tensor_slices({"targets": ["times", "", "wisdom"]})
    dataset = seqio.preprocessors.tokenize(dataset, features)
    dataset = seqio.preprocessors.append_eos(dataset, features)
    converter = seqio.LMFeatureConverter(pack=True)
    (row,) = converter(dataset, {"targets": 64}).as_numpy_iterator()
    expected = [*vocabulary.encode("times"), 1, 1, *vocabulary.encode("wisdom"), 1]
    assert row["decoder_target_tokens"][: len(expected)].tolist() == expected
    assert row["decoder_segment_ids"].max() == 3
