"""Every method that claims to be lossless restores every string of symbols."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo.alphabet import EOS, join

SYMBOLS = st.lists(
    st.one_of(st.integers(0, EOS), st.sampled_from([97, 98, 32, EOS, 0xFE, 0xFF, 0xE2])),
    max_size=120,
).map(lambda symbols: np.array(symbols, np.uint16))
TEXTS = st.text(max_size=60).map(lambda text: join([text.encode("utf-8", "surrogatepass")]))
EXAMPLES = st.lists(st.one_of(SYMBOLS, TEXTS), max_size=3)


def _check(codec, examples):
    encoded = codec.encode(examples)
    assert len(encoded) == len(examples)
    for symbols, one in zip(examples, encoded, strict=True):
        assert one.ids.dtype == np.int32
        assert one.ends.dtype == np.int64
        assert one.ids.shape == one.ends.shape
        assert (len(one.ids) == 0) == (len(symbols) == 0)
        if len(symbols):
            assert one.ends[-1] == len(symbols)
            assert one.ends[0] >= 0
            assert np.all(np.diff(one.ends) >= 0)
            assert one.ids.min() >= 1
            assert one.ids.max() < codec.vocab_size
    decoded = codec.decode([one.ids for one in encoded], [len(symbols) for symbols in examples])
    for symbols, restored in zip(examples, decoded, strict=True):
        assert restored.dtype == np.uint16
        np.testing.assert_array_equal(restored, symbols)
    return encoded


@settings(deadline=None, max_examples=15)
@given(examples=EXAMPLES)
def test_lossless_methods_restore_everything(lossless_codecs, examples):
    for name, codec in lossless_codecs.items():
        assert codec.lossless, name
        _check(codec, examples)


@pytest.mark.parametrize(
    "symbols",
    [
        join([b"^" * 300]),
        join([b""] * 50),
        join([bytes(range(256)), "\u2581a \u2581 e\u0301 \ufeff\r\n\t".encode()]),
        join([b"\xff\xfe\xfe\xff", b"\xe2\x96", b"\xed\xa0\x80 </s><unk><0x0A>"]),
        np.arange(257, dtype=np.uint16)[::-1],
    ],
    ids=["run", "empty documents", "all bytes", "no utf-8", "descending"],
)
def test_nasty_examples(lossless_codecs, symbols):
    for codec in lossless_codecs.values():
        _check(codec, [symbols])


def test_many_at_once_equal_one_at_a_time(static_codecs, lossless_codecs):
    rng = np.random.default_rng(3)
    examples = [rng.integers(95, 105, n).astype(np.uint16) for n in (0, 1, 70, 33, 200, 0, 2)]
    names = ("ac n=16", "equal_info w=24 n=14", "equal_info_ac delay w=32 n=5")
    for codec in [*static_codecs, *(lossless_codecs[name] for name in names)]:
        together = codec.encode(examples)
        for symbols, one in zip(examples, together, strict=True):
            alone = codec.encode([symbols])[0]
            np.testing.assert_array_equal(alone.ids, one.ids)
            np.testing.assert_array_equal(alone.ends, one.ends)
            assert alone.windows == one.windows


def test_no_examples_and_empty_examples(static_codecs):
    empty = np.empty(0, np.uint16)
    for codec in static_codecs:
        assert codec.encode([]) == []
        assert codec.decode([], [], allow_errors=True) == []
        (one,) = codec.encode([empty])
        assert (len(one.ids), len(one.ends), one.windows) == (0, 0, 0)
        (restored,) = codec.decode([one.ids], [0], allow_errors=True)
        assert restored.shape == (0,)
        assert restored.dtype == np.uint16
