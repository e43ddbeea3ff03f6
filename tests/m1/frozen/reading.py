"""Reading texts with an engine, and what the reference gives for them."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.m1.frozen.file import FrozenM1
from equalinfo.m1.frozen.reference import reference_logits
from m1.frozen.models import Ints, draw, draw_text

_known: dict[tuple[str, bytes, int], Ints] = {}


def expected(model: FrozenM1, text: Ints, context: int) -> Ints:
    """`reference_logits`, once for each text."""
    key = (model.sha256, text.tobytes(), context)
    if key not in _known:
        _known[key] = reference_logits(model, text, context)
    return _known[key]


def read(engine: Any, texts: Sequence[Ints], context: int) -> list[npt.NDArray[np.int16]]:
    """All logits that an engine gives for whole texts, int16[n + 1, 257] each."""
    out: list[list[npt.NDArray[np.int16]]] = [[] for _ in texts]

    def take(text: int, place: int, logits: npt.NDArray[np.int16]) -> None:
        assert place == sum(len(part) for part in out[text])
        assert logits.dtype == np.int16
        out[text].append(logits.copy())

    engine.sequences(texts, context, take)
    return [np.concatenate(parts) for parts in out]


def check_texts(engine: Any, texts: Sequence[Ints], context: int) -> None:
    """Whole texts give the reference's logits."""
    for text, found in zip(texts, read(engine, texts, context), strict=True):
        wanted = expected(engine.model, text, context)
        np.testing.assert_array_equal(found, wanted, f"{len(text)} symbols, context {context}")


class Script(NamedTuple):
    """What lanes read.

    Attributes:
      symbols: int32[steps, lanes].
      resets: bool[steps, lanes].
    """

    symbols: npt.NDArray[np.int32]
    resets: npt.NDArray[np.bool_]


def script(seed: str, lanes: int, steps: int) -> Script:
    """Random symbols and moments of reset; few different lanes, so that the reference is quick."""
    different = min(lanes, 13)
    symbols = draw_text(seed, steps * different).reshape(steps, different)
    resets = draw(f"{seed} resets", steps * different, 0, 11).reshape(steps, different) == 0
    order = np.arange(lanes) * 5 % different
    return Script(symbols[:, order].astype(np.int32), resets[:, order])


def expected_steps(model: FrozenM1, what: Script, context: int) -> Ints:
    """int64[steps, lanes, 257]: each lane is cut into texts where it is reset."""
    steps, lanes = what.symbols.shape
    out = np.empty((steps, lanes, 257), np.int64)
    for lane in range(lanes):
        cuts = [0, *np.flatnonzero(what.resets[:, lane]).tolist(), steps]
        for begin, end in itertools.pairwise(cuts):
            if end > begin:
                text = what.symbols[begin:end, lane].astype(np.int64)
                out[begin:end, lane] = expected(model, text, context)[1:]
    return out


def check_steps(engine: Any, what: Script, context: int) -> None:
    """Steps give the reference's logits."""
    wanted = expected_steps(engine.model, what, context)
    lanes = what.symbols.shape[1]
    state = engine.start(lanes, context)
    for step, (symbols, resets) in enumerate(zip(*what, strict=True)):
        found = engine.step(state, symbols, resets)
        assert found.dtype == np.int16
        message = f"step {step} of {lanes} lanes, context {context}"
        np.testing.assert_array_equal(found, wanted[step], message)
