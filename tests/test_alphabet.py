"""Symbols to bytes and back: against symbol-by-symbol references, on what text never has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equalinfo.alphabet import EOS, as_symbols, from_bytes, join, split, to_bytes

SYMBOLS = st.lists(
    st.one_of(st.integers(0, EOS), st.sampled_from([0, 0xFD, 0xFE, 0xFF, EOS])), max_size=60
)


def _bytes_of(symbol):
    return {EOS: b"\xff", 0xFE: b"\xfe\xfe", 0xFF: b"\xfe\xff"}.get(symbol, bytes([symbol % 256]))


@given(SYMBOLS)
def test_to_bytes_is_the_reference_and_goes_back(symbols):
    array = np.array(symbols, np.uint16)
    data = to_bytes(array)
    assert data == b"".join(map(_bytes_of, symbols))
    assert from_bytes(data).tolist() == symbols
    assert array.tolist() == symbols  # not changed on the way


@given(st.lists(st.binary(max_size=8), max_size=8))
def test_join_is_the_reference_and_goes_back(documents):
    symbols = join(iter(documents))
    assert symbols.dtype == np.uint16
    assert symbols.tolist() == [symbol for text in documents for symbol in [*text, EOS]]
    assert split(symbols) == documents
    unfinished = np.append(symbols, np.array([97, 0], np.uint16))
    assert split(unfinished) == [*documents, b"a\0"]


def test_join_takes_no_str():
    with pytest.raises(TypeError):
        join(["text"])


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int32, np.uint64, np.int64])
def test_symbols_of_any_integers(dtype):
    assert as_symbols(np.array([0, 97, 127], dtype)).tolist() == [0, 97, 127]
    highest = int(np.iinfo(dtype).max)
    if highest > EOS:
        with pytest.raises(ValueError, match=rf"place 1: symbol {highest} is not in 0\.\.256"):
            as_symbols(np.array([EOS, highest], dtype))
    if np.dtype(dtype).kind == "i":
        with pytest.raises(ValueError, match="place 2: symbol -1 is not in"):
            as_symbols(np.array([97, 98, -1], dtype))
