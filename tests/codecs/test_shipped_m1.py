"""The M1 of the package: `ac` and wide windows work without naming one, and restore every byte."""

import numpy as np
import pytest

from equalinfo import codecs
from equalinfo.alphabet import join
from equalinfo.m1.frozen.model import FrozenModel
from equalinfo.m1.shipped import DEFAULT_M1, shipped_m1

TEXTS = [
    join([b"The window of the house was open, and the rain came in.", b"", b"\x00\xff\xfe" * 20]),
    join([bytes(range(256))]),
    join(["It was the best of times, it was the worst of times. \u00e9\u4e2d".encode()] * 3),
    np.empty(0, np.uint16),
]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("ac", {}),
        ("ac", {"m1_context": 16}),
        ("equal_info", {"window_bits": 24}),
        ("equal_info", {"window_bits": 32}),
        ("equal_info", {"window_bits": 64}),
        ("equal_info", {"window_bits": 128, "token_bits": 8}),
        ("equal_info_ac", {"window_bits": 24, "delay": True}),
    ],
)
def test_round_trip(method, options, tmp_path):
    codec = codecs.create(method, **options)
    coded = []
    codec.progress = coded.append
    encoded = codec.encode(TEXTS)
    codec.save(tmp_path)
    other = codecs.load(tmp_path)
    lengths = [len(text) for text in TEXTS]
    assert sum(coded) == sum(lengths)
    assert codec.engine == codec.m1.runs_on
    for text, found in zip(TEXTS, other.decode([x.ids for x in encoded], lengths), strict=True):
        np.testing.assert_array_equal(found, text)
    assert codec.options()["float_border"] is False


def test_english_becomes_short():
    text = join([b"The government said on Monday that it would not change the law."])
    for method, bits in (("ac", {}), ("equal_info", {"window_bits": 32})):
        (encoded,) = codecs.create(method, **bits).encode([text])
        assert 16 * len(encoded.ids) < 2.6 * len(text), method


def test_it_is_loaded_once_and_named():
    assert shipped_m1() is shipped_m1()
    assert isinstance(shipped_m1(14), FrozenModel)
    assert shipped_m1().sha256 != shipped_m1(14).sha256
    with pytest.raises(ValueError, match=DEFAULT_M1):
        shipped_m1(16, "german.eqm")
