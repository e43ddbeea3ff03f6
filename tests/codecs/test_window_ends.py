"""Which symbols a token completes, for windows: against a bit-by-bit count."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from equalinfo.codecs.windows import window_ends


def test_one_token_a_window():
    assert window_ends(np.array([4, 1, 7]), 16, 16).tolist() == [4, 5, 12]


def test_two_tokens_a_window():
    assert window_ends(np.array([4, 1]), 16, 8).tolist() == [0, 4, 4, 5]


def test_tokens_across_windows():
    # bits:   0..23 window 0, 24..47 window 1; tokens end at 16, 32, 48
    assert window_ends(np.array([3, 2]), 24, 16).tolist() == [0, 3, 5]
    # window 0 ends in token 1, window 1 is padded by 4 bits
    assert window_ends(np.array([3, 2]), 10, 8).tolist() == [0, 3, 5]


@given(
    lengths=st.lists(st.integers(1, 9), max_size=20),
    window_bits=st.integers(9, 128),
    token_bits=st.integers(1, 16),
)
def test_against_a_count_of_bits(lengths, window_bits, token_bits):
    last_bits = [(i + 1) * window_bits - 1 for i in range(len(lengths))]
    expected = []
    token = 0
    while token * token_bits < len(lengths) * window_bits:
        read = (token + 1) * token_bits
        done = [n for n, last in zip(lengths, last_bits, strict=True) if last < read]
        expected.append(sum(done))
        token += 1
    assert window_ends(np.array(lengths, np.int32), window_bits, token_bits).tolist() == expected
