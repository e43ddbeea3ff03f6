"""The paper's windows: the flaw is counted and announced, the delayed variant has none."""

import numpy as np
import pytest

from equalinfo import codecs
from tests.coding.reference import decode_paper, encode_paper
from tests.models import HashModel

MODEL = HashModel(order=1, precision=14, peak=14)


def _examples():
    rng = np.random.default_rng(5)
    texts = []
    for length in (300, 0, 120):
        text: list[int] = []
        for _ in range(length):
            frequencies = np.cumsum(MODEL.next_frequencies(text), dtype=np.int64)
            point = int(rng.integers(int(frequencies[-1])))
            text.append(int(np.searchsorted(frequencies, point, side="right")))
        texts.append(np.array(text, np.uint16))
    return texts


EXAMPLES = _examples()


def test_greedy_errors_are_those_of_the_reference():
    codec = codecs.create("equal_info_ac", model=MODEL)
    errors = windows = 0
    for symbols in EXAMPLES:
        start = 0
        for code, length in encode_paper(symbols.tolist(), MODEL.next_frequencies, 16, 14):
            read, _ = decode_paper(code, MODEL.next_frequencies, 16, 14)
            errors += list(read) != symbols[start : start + length].tolist()
            windows += 1
            start += length
    assert codec.count_window_errors(EXAMPLES) == (errors, windows)
    assert 0 < errors < windows


def test_greedy_refuses_to_decode_unless_told():
    codec = codecs.create("equal_info_ac", model=MODEL)
    assert not codec.lossless
    ids = [one.ids for one in codec.encode(EXAMPLES)]
    with pytest.raises(codecs.LossyCodecError, match=r"23% of windows.*delay=True"):
        codec.decode(ids)
    decoded = codec.decode(ids, [len(x) for x in EXAMPLES], allow_errors=True)
    assert not np.array_equal(decoded[0], EXAMPLES[0])
    # Every window stands alone: what the first one gives is right or one symbol too long.
    assert decoded[1].shape == (0,)


@pytest.mark.parametrize("window_bits", [16, 32, 64])
def test_delay_has_no_errors(window_bits):
    codec = codecs.create("equal_info_ac", model=MODEL, window_bits=window_bits, delay=True)
    assert codec.lossless
    errors, windows = codec.count_window_errors(EXAMPLES)
    assert errors == 0
    assert windows == sum(one.windows for one in codec.encode(EXAMPLES))


@pytest.mark.parametrize("m1_reset", [0, 2, 3])
def test_context_kept_across_windows(m1_reset):
    codec = codecs.create("equal_info_ac", model=MODEL, m1_reset=m1_reset)
    every = codecs.create("equal_info_ac", model=MODEL)
    assert codec.options()["m1_reset"] == m1_reset
    kept, cut = codec.encode(EXAMPLES)[0], every.encode(EXAMPLES)[0]
    assert kept.ids.tolist() != cut.ids.tolist()
    errors, windows = codec.count_window_errors(EXAMPLES)
    assert 0 < errors <= windows == sum(one.windows for one in codec.encode(EXAMPLES))
    decoded = codec.decode([one.ids for one in codec.encode(EXAMPLES)], allow_errors=True)
    assert len(decoded) == len(EXAMPLES)


def test_context_defaults():
    model = HashModel(order=5, precision=14)
    make = codecs.create
    assert make("equal_info_ac", model=model, window_bits=32).options()["m1_context"] == 128
    assert make("equal_info_ac", model=model, m1_reset=0).options()["m1_context"] == 5
    assert make("ac", model=model).options()["m1_context"] == 5
    assert make("equal_info", model=model, window_bits=64).options()["m1_context"] == 256
