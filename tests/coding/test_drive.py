"""Driving many lanes: results do not depend on how many, and M1's context is reset when we say."""

import numpy as np
import pytest

from equalinfo.coding.drive import WindowCoder, decode_windows, encode_windows
from equalinfo.coding.exact import ExactCode
from equalinfo.coding.paper import PaperCode
from models import HashModel
from tests.coding import reference

MODEL = HashModel(2, 16, 14)


def texts(sizes: list[int], seed: int = 0) -> list[np.ndarray]:
    """Texts that MODEL finds likely, so that windows hold several symbols."""
    rng = np.random.default_rng(seed)
    out = []
    for size in sizes:
        text: list[int] = []
        for _ in range(size):
            row = MODEL.next_frequencies(text).astype(np.float64)
            text.append(int(rng.choice(257, p=row / row.sum())))
        out.append(np.array(text, np.uint16))
    return out


@pytest.mark.parametrize("coder", [ExactCode(16, 16), PaperCode(16, 16, delay=True)])
def test_lanes_do_not_matter(coder: WindowCoder) -> None:
    examples = texts([0, 1, 70, 2, 0, 31, 1, 1, 40, 0])
    seen: list[int] = []
    base = encode_windows(examples, MODEL, coder, context=8, progress=seen.append)
    assert sum(seen) == sum(map(len, examples))
    for lanes in (1, 2, 3):
        again = encode_windows(examples, MODEL, coder, context=8, lanes=lanes)
        assert [text.codes for text in again] == [text.codes for text in base]
        read = decode_windows([text.codes for text in base], MODEL, coder, context=8, lanes=lanes)
        for example, text in zip(examples, read, strict=True):
            assert np.array_equal(text.symbols, example)


def windows_by_reference(
    text: list[int], reset_every: int, width: int, paper: bool
) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    begin = context = 0
    while begin < len(text):
        if reset_every and len(out) % reset_every == 0:
            context = begin
        history = text[context:begin]
        encode = reference.encode_paper if paper else reference.encode_exact
        first = encode(
            text[begin:], lambda window, history=history: MODEL.next_frequencies(history + window),
            width, 16,
        )[0]  # fmt: skip
        out.append(first)
        begin += first[1]
    return out


@pytest.mark.parametrize("reset_every", [0, 1, 2, 3])
@pytest.mark.parametrize("paper", [False, True])
def test_resets_of_m1(reset_every: int, paper: bool) -> None:
    coder: WindowCoder = PaperCode(20, 16) if paper else ExactCode(20, 16)
    examples = texts([60, 1, 33], seed=3)
    coded = encode_windows(examples, MODEL, coder, context=8, lanes=2, reset_every=reset_every)
    for example, out in zip(examples, coded, strict=True):
        expected = windows_by_reference(example.tolist(), reset_every, 20, paper)
        assert list(zip(out.codes, out.lengths.tolist(), strict=True)) == expected

    # And back: by a reference that knows nothing of lanes, wrong windows included.
    read = decode_windows(
        [out.codes for out in coded], MODEL, coder, context=8,
        reset_every=reset_every, allow_invalid=True,
    )  # fmt: skip
    for example, out, back in zip(examples, coded, read, strict=True):
        history: list[int] = []
        context = 0
        for window, code in enumerate(out.codes):
            if reset_every and window % reset_every == 0:
                context = len(history)

            def following(text: list[int], seen: list[int] = history[context:]) -> np.ndarray:
                return MODEL.next_frequencies(seen + text)

            if paper:
                history += reference.decode_paper(code, following, 20, 16)[0]
            else:
                history += reference.decode_exact(code, following, 20, 16)
        assert back.symbols.tolist() == history
        if not paper:
            assert history == example.tolist()


def test_options_that_contradict_each_other() -> None:
    with pytest.raises(ValueError, match="precision 14, the model has 16"):
        encode_windows([], MODEL, ExactCode(16, 14), context=8)
    with pytest.raises(ValueError, match="delay=True with reset_every=0"):
        encode_windows([], MODEL, PaperCode(16, 16, delay=True), context=8, reset_every=0)
    with pytest.raises(ValueError, match="lanes=0"):
        encode_windows([], MODEL, ExactCode(16, 16), context=8, lanes=0)
    with pytest.raises(ValueError, match="reset_every=-1"):
        decode_windows([], MODEL, ExactCode(16, 16), context=8, reset_every=-1)
    with pytest.raises(ValueError, match="text 0, place 1: symbol 257"):
        encode_windows([np.array([3, 257])], MODEL, ExactCode(16, 16), context=8)
    with pytest.raises(ValueError, match="text 1, place 0: symbol 4294967301"):
        encode_windows([[], np.array([2**32 + 5])], MODEL, ExactCode(16, 16), context=8)
    with pytest.raises(ValueError, match="text 0, window 1: code 65536 does not fit 16 bits"):
        decode_windows([[1, 65_536]], MODEL, ExactCode(16, 16), context=8)
    assert encode_windows([], MODEL, ExactCode(16, 16), context=8) == []
    assert decode_windows([], MODEL, ExactCode(16, 16), context=8) == []
