"""Small tables of counts for tests, their numbers from SHAKE-256."""

import functools

import numpy as np

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.m1.frozen.counts.tables import (
    CODES,
    MAX_WEIGHT,
    START,
    USES,
    FrozenCounts,
    Mixer,
    mixer_shapes,
)
from tests.m1.frozen.models import draw

TEXT = b"the cat sat on the mat. The cat ate the rat, the rat the cat\xc3\xa9. "


@functools.cache
def random_counts(seed: str = "counts", length: int = 5, extreme: bool = False) -> FrozenCounts:
    """All n-grams of `TEXT`, with codes and weights from the seed; extreme: all at their limits."""
    # 256 follows 32 here and there; what begins with it begins a document.
    text = [256 if x == 46 else x for x in TEXT * 2]
    levels = [
        sorted(
            {tuple(text[i : i + size]) for i in range(len(text) - size)}
            | {(START, *text[i : i + size - 1]) for i in range(0, 60, 7)}
        )
        for size in range(2, length + 1)
    ]
    symbols = [gram[-1] for level in levels for gram in level]
    parents: list[list[tuple[int, ...]]] = [
        [(symbol,) for symbol in range(START + 1)],
        *levels[:-1],
    ]
    children = [
        sum(gram[:-1] == parent for gram in level)
        for parent_level, level in zip(parents, levels, strict=True)
        for parent in parent_level
    ]
    size = len(symbols)
    mixers = {}
    for use in USES:
        arrays = {}
        for name, shape in mixer_shapes(length).items():
            multiplier = name in ("network", "base")
            limit = MAX_WEIGHT if multiplier else (1 << 15) - 1
            if not extreme:
                limit = 4096 if multiplier else 3000
            values = draw(f"{seed} {use} {name}", int(np.prod(shape)), -limit, limit)
            if extreme:
                values = np.where(values < 0, -limit, limit)
            arrays[name] = values.reshape(shape).astype(np.int16)
        mixers[use] = Mixer(**arrays)
    lowest = -(1 << 15) if extreme else -24_000
    pairs = draw(f"{seed} pairs", (NUM_SYMBOLS + 1) * NUM_SYMBOLS, lowest, 0)
    return FrozenCounts(
        length,
        np.array([255 if symbol == 256 else symbol for symbol in symbols], np.uint8),
        np.array(children, np.uint8),
        draw(f"{seed} codes", size, 0, CODES - 1).astype(np.uint8),
        pairs.reshape(NUM_SYMBOLS + 1, NUM_SYMBOLS).astype(np.int16),
        mixers,
    )
