"""SentencePiece's own ids, spans that tile the text, and no silent loss."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo import codecs
from equalinfo.alphabet import EOS, join

spm = pytest.importorskip("sentencepiece")

DOCUMENTS = [b"the quick brown fox", b"", "été  and  日本 ☃".encode(), b" hello\nworld "]


@pytest.fixture(scope="module")
def lossless(lossless_model):
    return codecs.create("sentencepiece", model=lossless_model)


@pytest.fixture(scope="module")
def normalising(normalising_model):
    return codecs.create("sentencepiece", model=normalising_model)


def _expected_ids(model, documents):
    processor = spm.SentencePieceProcessor(model_file=str(model))
    return [i for text in documents for i in [*processor.encode(text.decode()), 1]]


def test_ids_are_those_of_the_model(lossless, lossless_model, normalising, normalising_model):
    symbols = join(DOCUMENTS)
    for codec, model in ((lossless, lossless_model), (normalising, normalising_model)):
        assert codec.encode([symbols])[0].ids.tolist() == _expected_ids(model, DOCUMENTS)


def test_what_sentencepiece_would_change_is_written_in_bytes(lossless):
    text = "the \u2581quick".encode() + b"\xff brown \xe2\x96"
    one = lossless.encode([np.frombuffer(text, np.uint8).astype(np.uint16)])[0]
    pieces = [lossless._processor.id_to_piece(i) for i in one.ids.tolist()]
    assert pieces[-2:] == ["<0xE2>", "<0x96>"]
    assert "<0xFF>" in pieces
    assert "".join(pieces).count("<0xE2><0x96><0x81>") == 1
    # The rest is tokenized as usual.
    assert "quick" in "".join(pieces)


def test_spans_of_a_normalising_model(normalising):
    text = "  the  quick été☃  "
    symbols = join([text.encode(), b"   ", b"fox"])
    one = normalising.encode([symbols])[0]
    eos = np.flatnonzero(one.ids == 1)
    assert one.ends[eos].tolist() == (np.flatnonzero(symbols == EOS) + 1).tolist()
    # "été" is two bytes a letter; leading blanks belong to the first piece, trailing to the last.
    pieces = [normalising._processor.id_to_piece(i) for i in one.ids.tolist()]
    assert pieces[-2:] == ["\u2581fox", "</s>"] or pieces[-1] == "</s>"
    assert one.ends[eos[0] - 1] == len(text.encode())


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, EOS), max_size=60), st.text(max_size=40))
def test_ends_of_a_normalising_model_cover_everything(normalising, symbols, text):
    for example in (np.array(symbols, np.uint16), join([text.encode("utf-8", "replace")])):
        one = normalising.encode([example])[0]
        if len(example):
            assert one.ends[-1] == len(example)
            assert np.all(np.diff(one.ends) >= 0)


def test_a_text_of_which_nothing_is_left_is_one_unk(normalising):
    one = normalising.encode([np.full(4, 32, np.uint16)])[0]
    assert (one.ids.tolist(), one.ends.tolist()) == ([2], [4])


def test_a_normalising_model_says_that_it_is_lossy(normalising):
    assert not normalising.lossless
    ids = [normalising.encode([join(DOCUMENTS)])[0].ids]
    with pytest.raises(codecs.LossyCodecError, match="normalises"):
        normalising.decode(ids, [1])
    restored = normalising.decode(ids, [1], allow_errors=True)[0]
    assert restored[:20].tolist() == join([b"the quick brown fox"]).tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"byte_fallback": False},
        {"add_dummy_prefix": True},
        {"remove_extra_whitespaces": True},
        {"normalization_rule_name": "nmt_nfkc"},
    ],
)
def test_any_one_option_makes_a_model_lossy(train_sentencepiece, options):
    settings = {
        "vocab_size": 320,
        "hard_vocab_limit": False,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
        "add_dummy_prefix": False,
        "remove_extra_whitespaces": False,
    }
    model = train_sentencepiece(**settings | options)
    assert not codecs.create("sentencepiece", model=model).lossless


def test_other_special_ids_are_refused(train_sentencepiece):
    model = train_sentencepiece(vocab_size=50, pad_id=-1, eos_id=2, unk_id=0, bos_id=1)
    with pytest.raises(ValueError, match=r"\(-1, 2, 0\), expected \(0, 1, 2\)"):
        codecs.create("sentencepiece", model=model)


def test_no_model(tmp_path):
    (tmp_path / "x.model").write_bytes(b"not a model")
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        codecs.create("sentencepiece", model=tmp_path / "x.model")


def test_without_the_package(monkeypatch, lossless_model):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ImportError, match=r"equalinfo\[seqio\]"):
        codecs.create("sentencepiece", model=lossless_model)
