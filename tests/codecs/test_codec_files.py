"""A codec directory is enough to go on with, and a damaged one is refused."""

import json
import subprocess
import sys

import numpy as np
import pytest

from equalinfo import codecs
from equalinfo.alphabet import join
from equalinfo.codebook import Codebook

TEXT = join([b"the quick brown fox", "jumps over été".encode(), b"", b"\xff lazy"])


def test_saved_codecs_give_identical_ids(static_codecs, tmp_path):
    for number, codec in enumerate(static_codecs):
        for copy in "ab":
            codec.save(tmp_path / f"{number}{copy}")
        files = sorted(path.name for path in (tmp_path / f"{number}a").iterdir())
        assert "codec.json" in files
        for name in files:
            first, second = (tmp_path / f"{number}{copy}" / name for copy in "ab")
            assert first.read_bytes() == second.read_bytes()
        loaded = codecs.load(tmp_path / f"{number}a")
        assert type(loaded) is type(codec)
        assert (loaded.options(), loaded.vocab_size) == (codec.options(), codec.vocab_size)
        one, other = codec.encode([TEXT])[0], loaded.encode([TEXT])[0]
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.ends, other.ends)
        restored = loaded.decode([one.ids], [len(TEXT)], allow_errors=True)[0]
        if codec.lossless:
            np.testing.assert_array_equal(restored, TEXT)
        loaded.save(tmp_path / f"{number}c")
        for name in files:
            first, third = (tmp_path / f"{number}{copy}" / name for copy in "ac")
            assert first.read_bytes() == third.read_bytes()


def test_description_holds_json_values_only(static_codecs, tmp_path):
    for codec in static_codecs:
        codec.save(tmp_path)
        description = json.loads((tmp_path / "codec.json").read_text())
        assert description["method"] == codec.method
        assert description["options"] == codec.options()
        assert str(tmp_path) not in (tmp_path / "codec.json").read_text()


@pytest.fixture
def saved(static_codecs, tmp_path):
    """Directory of an `equal_info` codec with a codebook."""
    static_codecs[7].save(tmp_path)
    return tmp_path


def test_replaced_asset(saved):
    path = saved / "codebook.eqi"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"codebook\.eqi has sha256:.* codec\.json says"):
        codecs.load(saved)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"codebook\.eqi does not exist"):
        codecs.load(saved)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format_version", 2, "format version 2"),
        ("method", "zip", "'zip' is not one of"),
        ("method", ["equal_info"], "is not one of"),
        ("options", {}, "damaged: it says"),
        ("options", 3, "damaged"),
        # Without its sha256 an asset must not be read.
        ("assets", {}, r"damaged: it names the assets \[\].*codebook\.eqi"),
        ("assets", {"../codebook.eqi": "0"}, "lies outside"),
    ],
)
def test_changed_description(saved, key, value, message):
    path = saved / "codec.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ValueError, match=message):
        codecs.load(saved)


@pytest.mark.parametrize(("key", "value"), [("window_bits", 12), ("m1_sha256", "0" * 64)])
def test_options_that_contradict_the_assets(saved, key, value):
    path = saved / "codec.json"
    description = json.loads(path.read_text())
    description["options"][key] = value
    path.write_text(json.dumps(description))
    with pytest.raises(ValueError, match=r"damaged|codebook was compiled"):
        codecs.load(saved)


def test_no_codec(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no codec directory"):
        codecs.load(tmp_path)
    (tmp_path / "codec.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        codecs.load(tmp_path)


def test_codec_of_a_codebook_file_is_that_of_its_model(static_codecs, tmp_path):
    codec = static_codecs[7]
    codec.codebook.save(tmp_path / "some.eqi")
    for codebook in (tmp_path / "some.eqi", Codebook.load(tmp_path / "some.eqi")):
        other = codecs.create("equal_info", codebook=codebook, token_bits=5)
        assert other.options() == codec.options()
        np.testing.assert_array_equal(other.encode([TEXT])[0].ids, codec.encode([TEXT])[0].ids)


def test_models_may_be_given_as_files(static_codecs, tmp_path):
    model = static_codecs[4].model
    model.save(tmp_path / "m1.safetensors")
    for method in ("static_ac", "ac", "equal_info_ac"):
        codec = codecs.create(method, model=tmp_path / "m1.safetensors")
        assert codec.options()["m1_sha256"] == model.sha256
    with pytest.raises(ValueError, match="have precision 14, expected 16"):
        codecs.create("equal_info", model=tmp_path / "m1.safetensors")
    with pytest.raises(FileNotFoundError, match="absent"):
        codecs.create("ac", model=tmp_path / "absent")
    (tmp_path / "text").write_text("text")
    with pytest.raises(ValueError, match=r"not a frozen (or static )?M1"):
        codecs.create("ac", model=tmp_path / "text")
    static_codecs[7].codebook.save(tmp_path / "codebook.eqi")
    with pytest.raises(ValueError, match="is not an M1"):
        codecs.create("ac", model=tmp_path / "codebook.eqi")


def test_a_model_that_cannot_be_saved(lossless_codecs, tmp_path):
    with pytest.raises(TypeError, match="HashModel has no save"):
        lossless_codecs["ac n=16"].save(tmp_path)
    assert not (tmp_path / "codec.json").exists()


def test_import_is_light():
    code = (
        "import sys, equalinfo.codecs; "
        "print([m for m in ('jax', 'sentencepiece', 'tensorflow') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
