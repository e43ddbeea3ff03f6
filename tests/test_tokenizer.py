"""What users touch: text to ids and back, in every way the class offers."""

import copy
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo import Tokenizer
from equalinfo.alphabet import EOS
from equalinfo.codebook import Codebook
from equalinfo.codebook.limits import FEWEST, LONGEST, PARSES
from equalinfo.codebook.plain import FIRST_TEXTS, Budget
from equalinfo.codebook.shipped import DEFAULT_CODEBOOK
from equalinfo.tokenizer import _same_shipped

NASTY = [
    b"",
    b"\x00",
    b"\x00" * 1000,
    b"\xff\xfe" * 50,
    b"^" * 10_000,
    bytes(range(256)) * 3,
    "naïve 中文 🙂 ‏עברית e\u0301 \u200d".encode(),
    b"<pad></s><unk> <0x00>",
    b"  \n\n\t  a \r\n" * 40,
    b"The quick brown fox jumps over the lazy dog. " * 200,
]

anything = st.one_of(
    st.binary(max_size=2000),
    st.text(max_size=1000).map(str.encode),
    st.lists(st.sampled_from([b" the", b"of ", b"a", b"\xe2\x82", b"www.", b"\n"])).map(b"".join),
)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.default()


@pytest.fixture(scope="module", params=PARSES)
def of_each_parse(request, tokenizer):
    return Tokenizer(tokenizer.codebook, request.param)


@pytest.fixture(params=[0, 1 << 40], ids=["compiled", "plain"])
def budget(request, monkeypatch):
    """As if all texts were the first ones of a process, or none."""
    monkeypatch.setattr(FIRST_TEXTS, "left", request.param)


@pytest.mark.parametrize("text", NASTY)
def test_nasty_texts_come_back(of_each_parse, budget, text):
    ids = of_each_parse.encode(text)
    assert ids.dtype == np.int32
    assert of_each_parse.decode_bytes(ids) == text
    symbols = np.frombuffer(text, np.uint8).astype(np.uint16)
    plain = of_each_parse.codebook.plain.encode(symbols, of_each_parse.parse)
    assert (ids - 3).tolist() == plain


def test_the_budget_of_the_first_texts():
    budget = Budget(100)
    assert [budget.take(size) for size in (60, 60, 40, 1, 0)] == [True, False, True, False, True]


@settings(deadline=None, max_examples=200)
@given(anything)
def test_anything_comes_back(text):
    tokenizer = Tokenizer.default()
    ids, ends = tokenizer.encode_with_offsets(text)
    assert tokenizer.decode_bytes(ids) == text
    np.testing.assert_array_equal(ids, tokenizer.encode(text))
    pieces = [text[start:end] for start, end in pairwise([0, *ends.tolist()])]
    assert pieces == [tokenizer.token_bytes(id) for id in ids]
    assert b"".join(pieces) == text


@settings(deadline=None, max_examples=100)
@given(st.lists(anything, max_size=8), st.integers(1, 3), st.sampled_from(PARSES))
def test_batches_are_their_texts_one_by_one(texts, num_threads, parse):
    tokenizer = Tokenizer.default(parse=parse)
    batch = tokenizer.encode_batch(texts, num_threads=num_threads)
    assert [ids.tolist() for ids in batch] == [tokenizer.encode(text).tolist() for text in texts]
    decoded = tokenizer.decode_batch(batch, num_threads=num_threads)
    assert decoded == [text.decode("utf-8", "replace") for text in texts]


def test_threads_work_on_many_groups(of_each_parse, monkeypatch):
    tokenizer = of_each_parse
    monkeypatch.setattr("equalinfo.tokenizer._GROUP_BYTES", 3000)
    monkeypatch.setattr("equalinfo.tokenizer._GROUP_TOKENS", 500)
    texts = [text * 3 for text in NASTY] * 20
    expected = [tokenizer.encode(text).tolist() for text in texts]
    for num_threads in (1, 2, 5):
        batch = tokenizer.encode_batch(texts, num_threads=num_threads)
        assert [ids.tolist() for ids in batch] == expected
        decoded = tokenizer.decode_batch(batch, num_threads=num_threads, errors="surrogateescape")
        assert [text.encode("utf-8", "surrogateescape") for text in decoded] == texts


@settings(deadline=None, max_examples=100)
@given(anything, st.lists(st.integers(0, 2000), max_size=5), st.sampled_from(PARSES))
def test_streams_cut_anywhere(text, cuts, parse):
    tokenizer = Tokenizer.default(parse=parse)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    encoder, decoder = tokenizer.stream_encoder(), tokenizer.stream_decoder()
    for _ in range(2):  # after finish(), both are as new
        parts = [encoder.feed(text[start:end]) for start, end in pairwise(places)]
        ids = np.concatenate([*parts, encoder.finish()])
        np.testing.assert_array_equal(ids, tokenizer.encode(text))
        pieces = [decoder.feed(int(id)) for id in ids] + [decoder.finish()]
        assert "".join(pieces) == text.decode("utf-8", "replace")
    assert encoder.finish().tolist() == []


def test_a_stream_decoder_gives_whole_characters(tokenizer):
    decoder = tokenizer.stream_decoder()
    first, second, third = (tokenizer.encode(bytes([byte])) for byte in "中".encode())
    assert [decoder.feed(ids) for ids in (first, second, third)] == ["", "", "中"]
    decoder.feed(first)
    assert decoder.finish() == "\ufffd"


def test_every_code_is_a_text_of_its_own_and_encodes_to_itself(tokenizer):
    book = tokenizer.codebook
    texts = {book.text(code).tobytes() for code in range(book.num_codes)}
    assert len(texts) == book.num_codes
    plain = [code for code in range(book.num_codes) if EOS not in book.text(code)]
    alone = tokenizer.encode_batch([tokenizer.token_bytes(code + 3) for code in plain])
    assert [ids.tolist() for ids in alone] == [[code + 3] for code in plain]
    with_eos = sorted(set(range(book.num_codes)) - set(plain))
    assert all(book.encode(book.text(code)).tolist() == [code] for code in with_eos)
    assert 0 < len(with_eos) < book.num_codes / 10


def test_documents_are_joined_with_eos(tokenizer):
    documents = [b"One.", b"", "Zwei – drei.".encode(), b"\xff"]
    ids = tokenizer.encode_documents(documents)
    assert tokenizer.decode_documents(ids) == documents
    assert tokenizer.decode_bytes(ids) == b"".join(documents)
    assert tokenizer.decode_documents(ids[:1])  # an unfinished one


def test_special_ids_stand_for_no_text(tokenizer):
    ids = tokenizer.encode("abc")
    assert (tokenizer.pad_id, tokenizer.eos_id, tokenizer.unk_id) == (0, 1, 2)
    assert tokenizer.decode([0, *ids, 1, 2]) == "abc"
    assert tokenizer.decode_batch([[0, 0], [], [1, *ids]]) == ["", "", "abc"]
    assert [tokenizer.token_bytes(id) for id in (0, 1, 2)] == [b""] * 3
    assert tokenizer.token_bits([0, 1, 2]).tolist() == [0.0] * 3
    assert tokenizer.vocab_size == len(tokenizer) == tokenizer.codebook.num_codes + 3


def test_wrong_input_is_named(tokenizer):
    end = tokenizer.vocab_size
    for ids in ([5, end], np.array([5, end], np.int64), [5, 2**31 + 5]):
        for method in (tokenizer.decode, tokenizer.decode_bytes, tokenizer.token_bits):
            with pytest.raises(ValueError, match=f"at place 1 is not in 0..{end - 1}"):
                method(ids)
    with pytest.raises(ValueError, match="id -1 at place 0"):
        tokenizer.decode([-1])
    with pytest.raises(ValueError, match=f"id {-(2**40)} at place 0"):
        tokenizer.decode([-(2**40)])
    with pytest.raises(ValueError, match=r"ids are float64\[1\]"):
        tokenizer.decode([1.5])
    with pytest.raises(ValueError, match=r"expected integers\[tokens\]"):
        tokenizer.decode([[1, 2]])
    with pytest.raises(TypeError, match="text is int, expected str or bytes"):
        tokenizer.encode(5)
    for one in ("abc", b"abc"):
        for method in (tokenizer.encode_batch, tokenizer.encode_documents):
            with pytest.raises(TypeError, match="expected a list of texts, got one"):
                method(one)
    for bad in ([7, 8, end], np.array([7, 8, end], np.int32)):
        with pytest.raises(ValueError, match=f"text 1: id {end} at place 2"):
            tokenizer.decode_batch([[5, 6], bad, [-1]])
    with pytest.raises(UnicodeEncodeError):
        tokenizer.encode("\ud800")
    with pytest.raises(ValueError, match="num_threads=0"):
        tokenizer.encode_batch(["a"], num_threads=0)
    with pytest.raises(UnicodeDecodeError):
        tokenizer.decode(tokenizer.encode(b"\xff"), errors="strict")


def test_saved_loaded_copied_and_pickled(tokenizer, tmp_path):
    path = tmp_path / "copy.eqi"
    tokenizer.save(path)
    loaded = Tokenizer.load(path)
    text = NASTY[-1]
    for other in (
        loaded,
        copy.deepcopy(loaded),
        pickle.loads(pickle.dumps(loaded)),
        pickle.loads(pickle.dumps(tokenizer)),
        pickle.loads(pickle.dumps(Tokenizer(tokenizer.codebook))),
    ):
        assert other == tokenizer
        assert hash(other) == hash(tokenizer)
        np.testing.assert_array_equal(other.encode(text), tokenizer.encode(text))
    # The name of a file in the package, or the content: a file elsewhere may be gone or another.
    assert len(pickle.dumps(tokenizer)) < 400
    pickled = pickle.dumps(loaded)
    path.unlink()
    assert pickle.loads(pickled) == tokenizer
    name = DEFAULT_CODEBOOK
    with pytest.raises(ValueError, match=rf"{name} is codebook sha256:.*sha256:0123.*same version"):
        _same_shipped(name, "0123", LONGEST)
    with pytest.raises(FileNotFoundError, match=rf"no codebook 'other\.eqi' .*: .*{name}"):
        Tokenizer.default("other.eqi")


def test_a_parse_is_kept_and_told_apart(tokenizer, tmp_path):
    longest = Tokenizer.default(parse=LONGEST)
    assert Tokenizer.default(parse=LONGEST) is longest != tokenizer == Tokenizer.default()
    assert tokenizer.parse == FEWEST == tokenizer.codebook.info.parse
    assert "fewest" in repr(tokenizer) and "longest" in repr(longest)
    tokenizer.save(tmp_path / "copy.eqi")
    loaded = Tokenizer.load(tmp_path / "copy.eqi", LONGEST)
    for other in (longest, loaded):
        for copied in (copy.deepcopy(other), pickle.loads(pickle.dumps(other))):
            assert copied == longest and copied.parse == LONGEST
    longest.save(tmp_path / "longest.eqi")
    saved = Tokenizer.load(tmp_path / "longest.eqi")
    assert saved.parse == LONGEST
    text = "Which tokens a text has is a matter of the parse, too. " * 20
    assert saved.encode(text).tolist() == longest.encode(text).tolist()
    ids = [one.encode(text) for one in (longest, tokenizer)]
    assert not np.array_equal(*ids)
    token_cost = tokenizer.codebook.info.token_cost / 256
    bits = [tokenizer.token_bits(one).sum() + token_cost * len(one) for one in ids]
    assert bits[1] < bits[0]


def test_tables_cannot_be_changed(tokenizer):
    for table in ("texts", "offsets", "information"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(tokenizer.codebook, table)[0] = 0


def test_the_first_short_texts_need_neither_numba_nor_a_model():
    code = (
        "import sys; from equalinfo import Tokenizer; t = Tokenizer.default();"
        "assert t.decode(t.encode('Some text.')) == 'Some text.';"
        "heavy = ('numba', 'jax', 'flax', 'tensorflow', 'apache_beam', 'seqio', 'matplotlib');"
        "print([m for m in heavy"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ids_of_any_integer_type_in_one_batch(tokenizer):
    ids = tokenizer.encode("one two three")
    batch = [[], ids.astype(np.uint64), ids.tolist(), ids, ids[::2][:0], ids.astype(np.int64)]
    text = tokenizer.decode(ids)
    assert tokenizer.decode_batch(batch) == ["", text, text, text, "", text]
    with pytest.raises(ValueError, match="id 70000 at place 1 is not in"):
        tokenizer.decode_batch([ids, ids, np.array([5, 70000], np.int32)])


def test_results_of_a_batch_do_not_keep_each_other(tokenizer):
    batch = tokenizer.encode_batch(["a", "x " * 100_000])
    assert batch[0].base is None


def test_a_stream_takes_text_only(tokenizer):
    with pytest.raises(TypeError, match="text is ndarray, expected str or bytes"):
        tokenizer.stream_encoder().feed(np.array([104, 105]))


def test_the_codebook_keeps_its_own_tables(tokenizer):
    book = tokenizer.codebook
    texts = book.texts.copy()
    other = Codebook(book.info, texts, book.offsets, book.information)
    texts[:] = 0
    np.testing.assert_array_equal(other.texts, book.texts)
    with pytest.raises(ValueError, match=r"texts are int64\[\d+\], expected uint16"):
        Codebook(book.info, book.texts.astype(np.int64), book.offsets, book.information)


def test_texts_may_come_in_anything_that_has_an_order() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    tokenizer = Tokenizer.default("english-8192-v2.eqi")
    texts = ["one text", "", "another"]
    expected = [ids.tolist() for ids in tokenizer.encode_batch(texts)]
    for some in (
        (text for text in texts),
        np.array(texts),
        pyarrow.array(texts),
        pyarrow.chunked_array([texts[:1], texts[1:]]),
    ):
        assert [ids.tolist() for ids in tokenizer.encode_batch(some, num_threads=2)] == expected
    assert tokenizer.decode_batch(ids for ids in expected) == texts
    for some in (set(texts), dict.fromkeys(texts)):
        with pytest.raises(TypeError, match=r"a (set|dict) has no order"):
            tokenizer.encode_batch(some)


def test_what_is_no_text_is_named() -> None:
    tokenizer = Tokenizer.default("english-8192-v2.eqi")
    for encode in (tokenizer.encode_batch, tokenizer.encode_documents):
        with pytest.raises(TypeError, match="text 1 is NoneType, expected str or bytes"):
            encode(["a", None])  # type: ignore[list-item]
        with pytest.raises(UnicodeEncodeError, match=r"text 2; give bytes"):
            encode(["a", "b", "\ud800"])
    with pytest.raises(ValueError, match=r"int64\[2, 2\].* Use decode_batch"):
        tokenizer.decode([[3, 4], [5, 6]])
    with pytest.raises(ValueError, match=r"text 0 is int, expected .* Use `decode`"):
        tokenizer.decode_batch([5, 6])  # type: ignore[list-item]
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match="a DataFrame is a table: give one of its columns"):
        tokenizer.encode_batch(pandas.DataFrame({"text": ["a"]}))


class Mine(Tokenizer):
    """A tokenizer of somebody's own."""


def test_a_subclass_stays_one_in_a_pickle() -> None:
    mine = Mine(Tokenizer.default("english-8192-v2.eqi").codebook)
    assert type(pickle.loads(pickle.dumps(mine))) is Mine


def test_a_pickle_holds_the_codebook(tmp_path: Path) -> None:
    path = tmp_path / "mine.eqi"
    Tokenizer.default("english-8192-v2.eqi").save(path)
    tokenizer = Tokenizer.load(path)
    data = pickle.dumps(tokenizer)
    path.unlink()
    assert pickle.loads(data) == tokenizer
    assert pickle.loads(data).encode("Any text.").tolist() == tokenizer.encode("Any text.").tolist()
