"""Windows that leave symbols to the next: as the reference, as few as can be, read as others."""

import numpy as np
import pytest

from equalinfo.coding.drive import decode_windows, encode_windows
from equalinfo.coding.exact import ExactCode
from equalinfo.coding.fewest import AHEAD, encode_fewest_windows
from equalinfo.m1.base import FrequencyModel
from models import HashModel
from tests.coding import reference
from tests.coding.test_drive import texts

MODEL = HashModel(2, 16, 14)


def fewest_of_all(text: np.ndarray, model: FrequencyModel, coder: ExactCode) -> int:
    """Windows of the best of all ways to cut a text, whatever their ends: a shortest path."""
    rests = [text[begin:] for begin in range(len(text))]
    found = encode_windows(rests, model, coder, context=8)
    needed = [0] * (len(text) + 1)
    for begin in reversed(range(len(text))):
        reach = int(found[begin].lengths[0])
        needed[begin] = 1 + min(needed[begin + 1 : begin + reach + 1])
    return needed[0]


@pytest.mark.parametrize("window_bits", [12, 20, 63])
def test_equals_the_reference_with_any_number_of_lanes(window_bits: int) -> None:
    coder = ExactCode(window_bits, 16)
    examples = texts([0, 1, 70, 2, 0, 31, 1, 44, 0], seed=window_bits)
    expected = [
        reference.encode_fewest(example.tolist(), MODEL.next_frequencies, window_bits, 16, AHEAD)
        for example in examples
    ]
    for lanes in (None, 1, 5, 9):
        seen: list[int] = []
        coded = encode_fewest_windows(
            examples, MODEL, coder, context=8, lanes=lanes, progress=seen.append
        )
        assert sum(seen) == sum(map(len, examples))
        found = [list(zip(out.codes, out.lengths.tolist(), strict=True)) for out in coded]
        assert found == expected
    read = decode_windows([out.codes for out in coded], MODEL, coder, context=8)
    for example, back in zip(examples, read, strict=True):
        assert np.array_equal(back.symbols, example)


def test_there_are_fewer_and_hardly_more_than_needed() -> None:
    coder = ExactCode(40, 16)
    examples = texts([150] * 6, seed=1)
    windows = [
        sum(len(out.codes) for out in encode(examples, MODEL, coder, context=8))
        for encode in (encode_windows, encode_fewest_windows)
    ]
    least = sum(fewest_of_all(example, MODEL, coder) for example in examples)
    assert least <= windows[1] < windows[0]
    assert windows[1] <= 1.01 * least


def test_what_is_no_text_and_what_does_not_go_together() -> None:
    with pytest.raises(ValueError, match="precision 14, the model has 16"):
        encode_fewest_windows([], MODEL, ExactCode(16, 14), context=8)
    with pytest.raises(ValueError, match="text 0, place 1: symbol 257"):
        encode_fewest_windows([np.array([3, 257])], MODEL, ExactCode(16, 16), context=8)
    with pytest.raises(ValueError, match="lanes=0"):
        encode_fewest_windows([], MODEL, ExactCode(16, 16), context=8, lanes=0)
    assert encode_fewest_windows([], MODEL, ExactCode(16, 16), context=8) == []
