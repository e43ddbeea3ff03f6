"""The M1 of the package: `ac` and wide windows work without naming one, and restore every byte."""

import contextlib
from importlib import resources

import numpy as np
import pytest
from safetensors.numpy import load_file

from equalinfo import codecs
from equalinfo.alphabet import join
from equalinfo.m1.frozen import file
from equalinfo.m1.frozen.counts.tables import TABLES
from equalinfo.m1.frozen.model import FrozenModel
from equalinfo.m1.shipped import DEFAULT_M1, shipped_m1

# Tokens of english-3m-v1, as the version that shipped it wrote them.
AC = [15484, 54486, 32677, 37640, 46366, 6449, 4099]
WINDOWS = [15398, 35113, 34380, 23986, 12200, 25781, 41213, 53098]
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
        ("ac", {"model": "counts"}),
        ("ac", {"model": "english-3m-v1"}),
        ("equal_info", {"window_bits": 32, "model": "counts"}),
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
    if method == "ac" and not options:  # n-grams as they were packed, whatever the version of zlib
        saved = load_file(tmp_path / "m1.safetensors")
        with resources.as_file(resources.files("equalinfo") / "models") as folder:
            shipped = load_file(folder / "english-3m-v2.eqm")
        assert all(saved[name].tobytes() == shipped[name].tobytes() for name in TABLES)
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


def test_m1s_of_the_package_have_names(tmp_path):
    for name, sha256 in (
        ("english-3m-v1", "3cef1d6af9a345c25eee9f0f27cb99fccfb2805adc7c53d7732be8890aaf5753"),
        ("english-3m-v2", "7aa55713c2f4dbd9497af71aec771114f53d36fedd9e1529ff4c3c1eae593b72"),
        ("english-3m-v3", "fcf45058bba0bd359fc08e998b4a5de7625df67e53e8b5de118a2075a88befbb"),
    ):
        model = shipped_m1(16, name)
        assert file.content_sha256(model.frozen, model.counts) == sha256
    assert codecs.create("ac", model="counts").model.frozen is None
    assert codecs.create("ac").model is codecs.create("ac", model=DEFAULT_M1).model
    with pytest.raises(FileNotFoundError, match="no M1 of that name: it has counts, english-3m-v1"):
        codecs.create("ac", model="english")
    # A file of that name comes first.
    FrozenModel(shipped_m1(16, "english-3m-v1").frozen).save(tmp_path / "counts")
    with contextlib.chdir(tmp_path):
        assert codecs.create("ac", model="counts").model.counts is None


def test_precision_is_that_of_the_m1():
    assert codecs.create("ac").options()["precision"] == 20
    assert codecs.create("ac", model="english-3m-v1").options()["precision"] == 14
    assert codecs.create("ac", precision=16).options()["precision"] == 16
    assert codecs.create("equal_info", window_bits=24).options()["precision"] == 16


def test_tokens_of_the_first_m1_stay():
    text = join([b"The window of the house was open, and the rain came in."])
    for method, options, expected in (
        ("ac", {}, AC),
        ("equal_info", {"window_bits": 32}, WINDOWS),
    ):
        (encoded,) = codecs.create(method, model="english-3m-v1", **options).encode([text])
        assert encoded.ids.tolist() == expected
