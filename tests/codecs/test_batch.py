"""A batch in one call of a kernel: what one example at a time gives, bit for bit."""

import numpy as np
import pytest

from equalinfo import codecs
from equalinfo.alphabet import EOS, EOS_BYTE, from_bytes, join
from equalinfo.codecs.batch import Joined
from equalinfo.codecs.windows import WindowCodec
from tests.models import HashModel

TEXT = "The quick brown fox jumps over the lazy dog, naïvely; 東京 and 1,234.56 times. "


@pytest.fixture(scope="module")
def books():
    """Codecs whose tokens are codes: the package's, and one of windows that are hard to guess."""
    model = HashModel(order=1, precision=16, favourite=97)
    return [
        codecs.create("equal_info"),
        codecs.create("equal_info", model=model, window_bits=10, quiet=True),
    ]


def _examples(codec):
    """Of many lengths, some of them none; together they are more than a block of the walk."""
    rng = np.random.default_rng(5)
    texts = [
        codec.codebook.decode(rng.integers(codec.codebook.num_codes, size=size))
        for size in (0, 1, 700, 3, 0, 9000, 40)
    ]
    noise = rng.integers(0, EOS + 1, 5000).astype(np.uint16)
    return [*texts, join([TEXT.encode() * 40, b"", b"\xff\xfe"]), noise, np.empty(0, np.uint16)]


def test_encode_is_the_path_of_all_windows(books):
    for codec in books:
        examples = _examples(codec)
        batch = codec.encode(examples)
        expected = WindowCodec.encode(codec, examples)
        assert len(batch) == len(expected)
        for one, other in zip(batch, expected, strict=True):
            assert (one.ids.dtype, one.ends.dtype) == (np.int32, np.int64)
            np.testing.assert_array_equal(one.ids, other.ids)
            np.testing.assert_array_equal(one.ends, other.ends)
            assert one.windows == other.windows


def test_decode_is_the_path_of_all_windows(books):
    for codec in books:
        examples = _examples(codec)
        ids = [one.ids for one in codec.encode(examples)]
        batch = codec.decode(ids, [len(example) for example in examples])
        expected = WindowCodec.decode(codec, ids)
        for one, other, example in zip(batch, expected, examples, strict=True):
            assert one.dtype == np.uint16
            np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(one, example)


def test_every_code_decodes_to_its_text(books):
    for codec in books:
        book = codec.codebook
        (symbols,) = codec.decode([np.arange(book.num_codes) + 3])
        np.testing.assert_array_equal(symbols, book.texts)


@pytest.mark.parametrize("method", ["equal_info", "bytes"])
def test_any_integers_are_taken(method):
    codec = codecs.create(method)
    text = TEXT.encode()
    kinds = [
        np.frombuffer(text, np.uint8),
        np.frombuffer(text, np.uint8).astype(">u2"),
        list(text),
        np.frombuffer(text * 2, np.uint8).astype(np.uint16)[::2],
    ]
    encoded = codec.encode(kinds)
    expected = codec.encode([np.array(kind, np.uint16) for kind in kinds])
    for one, other in zip(encoded, expected, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
    ids = [one.ids for one in encoded]
    decoded = codec.decode([ids[0].astype(np.int64), ids[1].tolist(), ids[2], ids[3]])
    for symbols, kind in zip(decoded, kinds, strict=True):
        np.testing.assert_array_equal(symbols, kind)


@pytest.mark.parametrize("method", ["equal_info", "bytes"])
def test_errors_name_the_example_of_the_batch(method):
    codec = codecs.create(method)
    good = join([TEXT.encode()])
    bad = good.copy()
    bad[7] = 257
    with pytest.raises(ValueError, match="example 2, place 7: symbol 257"):
        codec.encode([good, good, bad, good])
    ids = codec.encode([good])[0].ids
    wrong = ids.copy()
    wrong[5] = codec.vocab_size
    with pytest.raises(ValueError, match=f"example 1, token 5: id {codec.vocab_size} is not in"):
        codec.decode([ids, wrong, ids])
    wrong[5] = 2
    with pytest.raises(ValueError, match="example 1, token 5: id 2"):
        codec.decode([ids, wrong, ids])
    with pytest.raises(ValueError, match=f"example 1: its ids decode to {len(good)} symbols"):
        codec.decode([ids, ids], [len(good), len(good) + 1])


@pytest.mark.parametrize("method", ["equal_info", "bytes"])
def test_results_do_not_share_memory_with_the_input(method):
    codec = codecs.create(method)
    example = join([TEXT.encode()])
    (one,) = codec.encode([example])
    ids, before = one.ids, one.ids.copy()
    example[:] = 0
    np.testing.assert_array_equal(ids, before)
    (symbols,) = codec.decode([ids])
    ids[:] = 3
    assert symbols.tolist() == [*TEXT.encode(), EOS]


def test_joined_examples_are_coded_as_the_same_ones_apart(books):
    texts = [TEXT.encode() + EOS_BYTE, b"", EOS_BYTE + "東京".encode()]
    joined, apart = Joined(texts), [from_bytes(text) for text in texts]
    assert [one.tolist() for one in joined] == [one.tolist() for one in apart]
    assert joined.eos.tolist() == [len(texts[0]) - 1, len(texts[0])]
    for codec in books:
        for one, other in zip(codec.encode(joined), codec.encode(apart), strict=True):
            assert one.ids.tolist() == other.ids.tolist()
            assert one.ends.tolist() == other.ends.tolist()
    with pytest.raises(ValueError, match="the byte FE, which UTF-8 never has"):
        Joined([b"a\xfe"])
