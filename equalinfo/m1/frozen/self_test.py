"""At start-up: does the engine give the reference's integers on this machine?"""

from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.m1.frozen.counts.tables import TEXT_CONTEXT, FrozenCounts
from equalinfo.m1.frozen.file import FrozenM1
from equalinfo.m1.frozen.reference import reference

_TEXT = np.frombuffer(b"A window of W bits, a window.\xff\x00", np.uint8).astype(np.int64)
_CONTEXT = 16  # shorter than the text: what falls out of sight is tested too
_LANES = 7  # more than the rows that kernels take at once, and no multiple of them


def self_test(frozen: FrozenM1 | None, engine: Any, counts: FrozenCounts | None = None) -> None:
    """Compare an engine, in both modes, with the reference on a short text.

    Raises:
      RuntimeError: they differ; says where.
    """
    for context in (_CONTEXT,) if counts is None else (_CONTEXT, TEXT_CONTEXT):
        _test(engine, reference(frozen, counts, _TEXT, context), context)


def _test(engine: Any, expected: npt.NDArray[np.int64], context: int) -> None:
    whole = np.zeros_like(expected)

    def take(text: int, place: int, logits: npt.NDArray[np.int16]) -> None:
        if text == 1:
            whole[place : place + len(logits)] = logits

    engine.sequences([_TEXT[:3], _TEXT], context, take)
    _compare("reading a whole text", expected, whole)
    state = engine.start(_LANES, context)
    reset = np.ones(_LANES, np.bool_)
    for place, symbol in enumerate(_TEXT):
        symbols = np.full(_LANES, symbol, np.int32)
        symbols[1] = 65
        logits = engine.step(state, symbols, reset)
        reset = np.zeros(_LANES, np.bool_)
        for lane in (0, *range(2, _LANES)):
            _compare("reading by steps", expected[place + 1], logits[lane], place + 1)


def _compare(
    what: str, expected: npt.NDArray[np.int64], found: npt.NDArray[Any], row: int | None = None
) -> None:
    if np.array_equal(expected, found):
        return
    where = np.argwhere(expected != found)[0].tolist()
    place = where[0] if row is None else row
    raise RuntimeError(
        f"M1 gives other integers here than its definition: {what}, after {place} symbols of the "
        f"self-test, symbol {where[-1]}: {found[tuple(where)]} for {expected[tuple(where)]}. Text "
        "coded now could not be decoded elsewhere. Use another backend ('cpu' or 'jax'), and "
        "report this with your CPU or accelerator and the versions of numba and jax."
    )
