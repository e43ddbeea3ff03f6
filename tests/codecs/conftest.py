"""Codecs of every method on small models, made once."""

import numpy as np
import pytest

from equalinfo import codecs
from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook.limits import PARSES
from equalinfo.m1.static import StaticModel
from tests.models import HashModel, text_lines


def static_model(precision):
    """Unigrams of `text_lines`."""
    text = "\n".join(text_lines()).encode()
    counts = np.bincount(np.frombuffer(text, np.uint8), minlength=NUM_SYMBOLS)
    counts[256] = 300
    return StaticModel.from_counts(counts.astype(np.int64), precision)


@pytest.fixture(scope="session")
def lossless_codecs(lossless_model):
    """Codecs of every method that restores text exactly, at a spread of W and N."""
    static14, hash14 = static_model(14), HashModel(order=1, precision=14)
    hash16 = HashModel(order=1, precision=16)
    made = {
        "bytes": codecs.create("bytes"),
        "sentencepiece": codecs.create("sentencepiece", model=lossless_model),
    }
    for parse in PARSES:
        made[f"codebook {parse}"] = codecs.create("codebook", parse=parse)
    for bits in range(1, 17):
        header = bits % 2 == 0
        made[f"gzip n={bits}"] = codecs.create("gzip", token_bits=bits, header=header)
        made[f"static_ac n={bits}"] = codecs.create("static_ac", model=static14, token_bits=bits)
    for bits in (1, 8, 13, 16):
        made[f"ac n={bits}"] = codecs.create("ac", model=hash14, token_bits=bits)
    for window, bits in [
        *((10, bits) for bits in range(1, 11)),
        *((12, bits) for bits in (5, 11, 12)),
        *((24, bits) for bits in (8, 14, 15, 16)),
        (32, 16),
        (64, 8),
        (128, 16),
    ]:
        made[f"equal_info w={window} n={bits}"] = codecs.create(
            "equal_info", model=hash16, window_bits=window, token_bits=bits, quiet=True
        )
    for window, bits in ((10, 10), (12, 5), (24, 16), (128, 8)):
        made[f"equal_info fewest w={window} n={bits}"] = codecs.create(
            "equal_info",
            model=hash16,
            window_bits=window,
            token_bits=bits,
            parse="fewest",
            quiet=True,
        )
    for window, bits in ((16, 16), (16, 8), (24, 16), (32, 5), (64, 16), (128, 8)):
        made[f"equal_info_ac delay w={window} n={bits}"] = codecs.create(
            "equal_info_ac", model=hash14, window_bits=window, token_bits=bits, delay=True
        )
    return made


@pytest.fixture(scope="session")
def static_codecs(lossless_codecs):
    """One codec a method, on models that can be saved."""
    static14, static16 = static_model(14), static_model(16)
    make = codecs.create
    return [
        lossless_codecs["bytes"],
        lossless_codecs["sentencepiece"],
        make("gzip", token_bits=11, header=False),
        make("static_ac", model=static14, token_bits=8),
        make("ac", model=static14, token_bits=16, m1_context=7),
        make("equal_info_ac", model=static14, window_bits=24, token_bits=8, m1_reset=0),
        make("equal_info_ac", model=static14, window_bits=16, delay=True),
        make("equal_info", model=static16, window_bits=10, token_bits=5, quiet=True),
        make("equal_info", model=static16, window_bits=32, token_bits=16),
        make("equal_info", model=static16, window_bits=10, parse="fewest", quiet=True),
        make("equal_info", model=static16, window_bits=32, parse="fewest"),
    ]
