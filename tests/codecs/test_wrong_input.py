"""What does not belong to a codec is refused with its place, never decoded to something else."""

import numpy as np
import pytest

from equalinfo import Tokenizer, codecs
from equalinfo.alphabet import join
from equalinfo.codebook import Codebook

TEXT = join([b"the quick brown fox", b"jumps over the lazy dog"])


def test_ids_out_of_range(static_codecs):
    for codec in static_codecs:
        ids = codec.encode([TEXT])[0].ids
        for wrong in (-1, 0, codec.vocab_size):
            bad = ids.copy()
            bad[2] = wrong
            with pytest.raises(ValueError, match=rf"example 1, token 2: id {wrong} is not in"):
                codec.decode([ids, bad], [len(TEXT)] * 2, allow_errors=True)
        with pytest.raises(ValueError, match="expected int32"):
            codec.decode([ids.astype(np.float64)], [len(TEXT)], allow_errors=True)


def test_unk_stands_for_nothing(static_codecs):
    for codec in static_codecs:
        with pytest.raises(ValueError, match="id 2"):
            codec.decode([np.array([2])], [1], allow_errors=True)


def test_wrong_lengths(static_codecs):
    for codec in static_codecs:
        if not codec.lossless:
            continue
        ids = codec.encode([TEXT])[0].ids
        with pytest.raises(ValueError, match="1 examples of ids but 2 lengths"):
            codec.decode([ids], [len(TEXT), 4])
        with pytest.raises(ValueError, match="length -1 is negative"):
            codec.decode([ids], [-1])
        if codec.method in ("ac", "static_ac"):
            with pytest.raises(ValueError, match="has no end mark: give lengths"):
                codec.decode([ids])
            with pytest.raises(ValueError, match="0 ids for 3 symbols"):
                codec.decode([ids[:0]], [3])
            for cut in (ids[:1], ids[:-1]):
                with pytest.raises(ValueError, match=r"1: its \d+ bits are no code of a text of"):
                    codec.decode([ids, cut], [len(TEXT)] * 2)
            with pytest.raises(ValueError, match="bits are left over after its symbols"):
                codec.decode([np.concatenate([ids, ids])], [len(TEXT)])
        else:
            np.testing.assert_array_equal(codec.decode([ids])[0], TEXT)
            with pytest.raises(ValueError, match=r"example 0"):
                codec.decode([ids], [len(TEXT) - 1])
            with pytest.raises(ValueError, match=r"example 0"):
                codec.decode([ids[:-1]], [len(TEXT)])


def test_wrong_symbols(static_codecs):
    for codec in static_codecs:
        with pytest.raises(ValueError, match="example 1, place 2: symbol 257"):
            codec.encode([TEXT, np.array([1, 2, 257], np.uint16)])
        with pytest.raises(ValueError, match=r"example 0, place 0: symbol -1"):
            codec.encode([np.array([-1])])
        with pytest.raises(ValueError, match=r"example 0 is float64\[1\]"):
            codec.encode([np.array([1.0])])
        with pytest.raises(ValueError, match=r"example 0 is uint16\[1, 2\]"):
            codec.encode([np.zeros((1, 2), np.uint16)])


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("zip", {}, "'zip' is not one of bytes, sentencepiece"),
        ("bytes", {"token_bits": 8}, "'bytes' has no option 'token_bits'. Its options: none"),
        ("gzip", {"window_bits": 16}, "Its options: token_bits, header"),
        ("gzip", {"token_bits": 17}, r"token_bits=17 is outside 1\.\.16"),
        ("gzip", {"token_bits": 0}, r"token_bits=0 is outside 1\.\.16"),
        ("gzip", {"token_bits": 1.5}, "token_bits=1.5 is not an integer"),
        ("gzip", {"token_bits": None}, "token_bits=None is not an integer"),
        ("gzip", {"header": "false"}, "header='false' must be True or False"),
        ("equal_info", {"plan": "unigram"}, "'unigram' is none of best_first, interval"),
        ("static_ac", {}, "'static_ac' needs option 'model'"),
        (
            "equal_info",
            {"codebook": Tokenizer.default("english-65536-v1.eqi").codebook, "plan": "interval"},
            "plan=interval, but the codebook was compiled with",
        ),
        (
            "equal_info",
            {"codebook": Tokenizer.default("english-65536-v1.eqi").codebook, "window_bits": 9},
            "window_bits=9, but the codebook was compiled with",
        ),
    ],
)
def test_create_says_what_is_wrong(method, options, message):
    with pytest.raises(ValueError, match=message):
        codecs.create(method, **options)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("equal_info", {"window_bits": 32.0}, "window_bits=32.0 is not an integer"),
        ("equal_info", {"window_bits": -1}, "window_bits=-1 is outside 9"),
        ("equal_info", {"window_bits": 24, "m1_context": -1}, "m1_context=-1 is less than 0"),
        ("equal_info_ac", {"m1_context": 4.5}, "m1_context=4.5 is not an integer"),
        ("equal_info_ac", {"m1_reset": True}, "m1_reset=True is not an integer"),
        ("ac", {"m1_context": -4}, "m1_context=-4 is less than 0"),
    ],
)
def test_options_that_are_no_numbers(static_codecs, method, options, message):
    with pytest.raises(ValueError, match=message):
        codecs.create(method, model=static_codecs[4].model, **options)


def test_numpy_integers_are_integers(static_codecs, tmp_path):
    number = np.int64
    for window_bits in (10, 24):
        codec = codecs.create(
            "equal_info",
            model=static_codecs[4].model,
            window_bits=number(window_bits),
            token_bits=number(5),
            m1_context=number(7),
            quiet=True,
        )
        codec.save(tmp_path)  # JSON would refuse them
        ids = codec.encode([TEXT, TEXT[:3]])
        lengths = np.array([len(TEXT), 3])
        decoded = codecs.load(tmp_path).decode([one.ids for one in ids], lengths)
        np.testing.assert_array_equal(decoded[0], TEXT)
        with pytest.raises(ValueError, match="example 1"):
            codec.decode([one.ids for one in ids], lengths + np.arange(2))


def test_window_options_that_do_not_go_together(static_codecs):
    model = static_codecs[4].model  # precision 14
    with pytest.raises(ValueError, match="token_bits=16 is more than window_bits=10"):
        codecs.create("equal_info", model=model, window_bits=10, token_bits=16)
    with pytest.raises(ValueError, match="token_bits=17 is outside"):
        codecs.create("equal_info", model=model, window_bits=24, token_bits=17)
    with pytest.raises(ValueError, match="plan='best_first' enumerates windows"):
        codecs.create("equal_info", model=model, window_bits=24, plan="best_first")
    with pytest.raises(ValueError, match="parse 'shortest' is unknown"):
        codecs.create("equal_info", model=model, window_bits=24, parse="shortest")
    with pytest.raises(ValueError, match="window_bits=8"):
        codecs.create("equal_info", model=model, window_bits=8, token_bits=8)
    with pytest.raises(ValueError, match="window_bits=12"):
        codecs.create("equal_info_ac", model=model, window_bits=12, token_bits=8)
    with pytest.raises(ValueError, match="delay=True with m1_reset=2"):
        codecs.create("equal_info_ac", model=model, delay=True, m1_reset=2)
    with pytest.raises(ValueError, match="m1_reset=-1"):
        codecs.create("equal_info_ac", model=model, m1_reset=-1)
    codebook = static_codecs[7].codebook
    with pytest.raises(ValueError, match="window_bits=16, but the codebook was compiled with"):
        codecs.create("equal_info", codebook=codebook, window_bits=16)
    with pytest.raises(ValueError, match="takes one of model and codebook"):
        codecs.create("equal_info", codebook=codebook, model=model)
    odd = Codebook.compile(model, 600, progress=False)
    with pytest.raises(ValueError, match="token_bits=8, but a codebook of 600 codes needs 10"):
        codecs.create("equal_info", codebook=odd, token_bits=8)


def test_a_codebook_of_any_number_of_codes(static_codecs, tmp_path):
    codebook = Codebook.compile(static_codecs[4].model, 600, progress=False)
    codec = codecs.create("equal_info", codebook=codebook)
    assert (codec.vocab_size, codec.token_bits) == (603, 10)
    (encoded,) = codec.encode([TEXT])
    codec.save(tmp_path)
    again = codecs.load(tmp_path)
    np.testing.assert_array_equal(again.decode([encoded.ids])[0], TEXT)
    with pytest.raises(ValueError, match=r"id 603 is not in 3\.\.602"):
        codec.decode([np.array([603], np.int32)])


def test_gzip_refuses_what_follows_the_stream():
    codec = codecs.create("gzip", token_bits=8)
    ids = codec.encode([TEXT])[0].ids
    for extra in ([3], [4], ids.tolist()):
        with pytest.raises(ValueError, match="bits follow the compressed data"):
            codec.decode([np.concatenate([ids, np.array(extra, np.int32)])])
    with pytest.raises(ValueError, match=r"not the output of this codec|end before"):
        codec.decode([ids[1:]])
