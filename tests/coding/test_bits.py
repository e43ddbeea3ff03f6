"""Codes and tokens share one big-endian bit stream: order, pad bits and widths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equalinfo.coding import bits


def plain_tokens(codes: list[int], window_bits: int, token_bits: int) -> list[int]:
    text = "".join(format(code, f"0{window_bits}b") for code in codes)
    text += "0" * (-len(text) % token_bits)
    return [int(text[place : place + token_bits], 2) for place in range(0, len(text), token_bits)]


@settings(deadline=None, max_examples=150)
@given(
    data=st.data(),
    window_bits=st.integers(9, 128) | st.sampled_from([16, 24, 32, 61, 62, 63, 64, 128]),
    token_bits=st.integers(1, 16),
)
def test_codes_round_trip(data: st.DataObject, window_bits: int, token_bits: int) -> None:
    token_bits = min(token_bits, window_bits)
    codes = data.draw(st.lists(st.integers(0, 2**window_bits - 1), max_size=20))
    tokens = bits.codes_to_tokens(codes, window_bits, token_bits)
    assert tokens.dtype == np.int32
    assert tokens.tolist() == plain_tokens(codes, window_bits, token_bits)
    assert list(bits.tokens_to_codes(tokens, token_bits, window_bits)) == codes
    if window_bits <= 62:
        array = np.array(codes, np.uint64)
        assert np.array_equal(bits.codes_to_tokens(array, window_bits, token_bits), tokens)


def test_tokens_cross_windows() -> None:
    # Three codes of 24 bits are 4.5 tokens of 16.
    codes = [0xABCDEF, 0x000001, 0xFFFFFF]
    tokens = bits.codes_to_tokens(codes, 24, 16)
    assert tokens.tolist() == [0xABCD, 0xEF00, 0x0001, 0xFFFF, 0xFF00]


def test_bits_are_written_high_end_first() -> None:
    assert bits.bits_to_tokens(np.array([1, 0, 0, 1], np.uint8), 3).tolist() == [4, 4]
    assert bits.tokens_to_bits(np.array([4, 4]), 3).tolist() == [1, 0, 0, 1, 0, 0]
    assert bits.bits_to_tokens(np.empty(0, np.uint8), 16).tolist() == []
    assert bits.tokens_to_bits(np.empty(0, np.int32), 16).tolist() == []


@pytest.mark.parametrize("token_bits", range(1, 17))
def test_bits_round_trip(token_bits: int) -> None:
    stream = np.random.default_rng(token_bits).integers(0, 2, 1001).astype(np.uint8)
    back = bits.tokens_to_bits(bits.bits_to_tokens(stream, token_bits), token_bits)
    assert np.array_equal(back[:1001], stream)
    assert len(back) < 1001 + token_bits
    assert not back[1001:].any()


def test_damage_is_not_read_on() -> None:
    with pytest.raises(ValueError, match="1 of them set"):
        bits.tokens_to_codes(np.array([0xABCD, 0xEF01]), 16, 24)  # a pad bit is set
    with pytest.raises(ValueError, match="16 bits more"):
        bits.tokens_to_codes(np.array([0]), 16, 24)  # the rest of the code is missing


@pytest.mark.parametrize(
    ("codes", "window_bits", "place"),
    [([1, 512], 9, 1), ([-1], 16, 0), ([0, 2**128], 128, 1), ([2**64], 32, 0)],
)
def test_codes_that_do_not_fit(codes: list[int], window_bits: int, place: int) -> None:
    with pytest.raises(ValueError, match=f"index {place} does not fit {window_bits} bits"):
        bits.codes_to_tokens(codes, window_bits, 9)


def test_widths_and_tokens_out_of_range() -> None:
    with pytest.raises(ValueError, match="token_bits=17"):
        bits.bits_to_tokens(np.zeros(3, np.uint8), 17)
    with pytest.raises(ValueError, match="window_bits=129"):
        bits.codes_to_tokens([0], 129, 16)
    # [0, 0] would come back as [0, 0, 0]: 28 bits hold three codes of 9.
    with pytest.raises(ValueError, match="token_bits=14 is more than window_bits=9"):
        bits.codes_to_tokens([0, 0], 9, 14)
    with pytest.raises(ValueError, match="token_bits=14 is more than window_bits=9"):
        bits.tokens_to_codes(np.array([0, 0]), 14, 9)
    with pytest.raises(ValueError, match="token 256 at index 1"):
        bits.tokens_to_codes(np.array([0, 256]), 8, 16)
    with pytest.raises(ValueError, match="token -1 at index 0"):
        bits.tokens_to_codes(np.array([-1]), 16, 16)
