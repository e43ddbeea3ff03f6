"""A SentencePiece model's own ids, over all of the text, with its scores in bits."""

import math
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from equalinfo.alphabet import EOS
from equalinfo.show.sentencepiece import of_sentencepiece
from equalinfo.show.terminal import render

spm = pytest.importorskip("sentencepiece")

TEXT = "the quick\n été 日本 ☃ ﬁ  \u2581 fox  "


@pytest.fixture(params=["lossless_model", "normalising_model"])
def model(request):
    return request.getfixturevalue(request.param)


def test_ids_are_those_of_the_model(model):
    panel = of_sentencepiece(model, TEXT.encode())
    processor = spm.SentencePieceProcessor(model_file=str(model))
    assert [token.id for token in panel.tokens] == processor.encode(TEXT)
    assert panel.vocabulary == processor.get_piece_size()
    assert f"{panel.vocabulary} pieces" in panel.title


@given(st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode)))
@example(TEXT.encode())
@example(b"\xff the \xe2\x82")
def test_bytes_joined_are_the_text(lossless_model, normalising_model, text):
    for path in (lossless_model, normalising_model):
        panel = of_sentencepiece(path, text)
        # A normalising model may leave no piece of a text of spaces.
        if panel.tokens:
            assert b"".join(token.data for token in panel.tokens) == text
        render(panel)


def test_byte_pieces_stand_for_their_bytes(lossless_model):
    tokens = of_sentencepiece(lossless_model, "fox☃".encode()).tokens[-3:]
    assert [token.data for token in tokens] == [b"\xe2", b"\x98", b"\x83"]
    # What is not UTF-8 reaches the model as U+FFFD: three pieces, of which one has the byte.
    tokens = of_sentencepiece(lossless_model, b"fox\xff").tokens[-3:]
    assert [token.data for token in tokens] == [b"", b"", b"\xff"]
    assert "<0xEF>" in render(of_sentencepiece(lossless_model, b"fox\xff"))


def test_scores_are_shown_in_bits(lossless_model):
    panel = of_sentencepiece(lossless_model, "the fox☃".encode())
    processor = spm.SentencePieceProcessor(model_file=str(lossless_model))
    for token in panel.tokens:
        if processor.is_byte(token.id):
            assert token.bits is None
        else:
            probability = math.exp(processor.get_score(token.id))
            assert token.bits == pytest.approx(-math.log2(probability))
    assert panel.summary()[2].endswith("3 tokens without")


def test_other_types_have_no_bits(train_sentencepiece):
    panel = of_sentencepiece(train_sentencepiece(vocab_size=60, model_type="bpe"), b"the fox")
    assert "BPE" in panel.title
    assert not panel.has_bits
    assert "information" not in render(panel)


def test_a_model_that_does_not_restore_the_text_says_so(lossless_model, normalising_model):
    assert of_sentencepiece(lossless_model, b"the  fox").note == ""
    assert of_sentencepiece(normalising_model, b"the fox").note == ""
    assert "not restore" in of_sentencepiece(normalising_model, b"the  fox").note
    assert "not restore" in of_sentencepiece(lossless_model, b"\xff").note


def test_eos(lossless_model, train_sentencepiece):
    token = of_sentencepiece(lossless_model, b"the", eos=True).tokens[-1]
    assert (token.symbols, token.bits) == ((EOS,), None)
    assert token.id == spm.SentencePieceProcessor(model_file=str(lossless_model)).eos_id()
    without = train_sentencepiece(vocab_size=50, eos_id=-1)
    with pytest.raises(ValueError, match="no end-of-sentence piece"):
        of_sentencepiece(without, b"the", eos=True)


def test_errors_name_the_fix(lossless_model, tmp_path, monkeypatch):
    (tmp_path / "no.model").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"no\.model is not a SentencePiece model"):
        of_sentencepiece(tmp_path / "no.model", b"the")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ImportError, match=r"pip install 'equalinfo\[seqio\]'"):
        of_sentencepiece(lossless_model, b"the")
