"""Where windows begin, by what counts alone say: which text weights are learned on, and START's."""

from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo import frequencies
from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.jit import njit
from equalinfo.m1.base import DEFAULT_PRECISION
from equalinfo.m1.frozen.counts import kernels
from equalinfo.m1.frozen.counts.engine import flat_weights, new_state
from equalinfo.m1.frozen.counts.tables import START, FrozenCounts, Trie


def window_starts(counts: FrozenCounts, text: Symbols, bits: int) -> npt.NDArray[np.int64]:
    """Places where windows of so many bits begin, about: each ends before it has too many bits."""
    starts = np.empty(len(text), np.int64)
    size = _cut(
        counts.trie, counts.pairs, flat_weights(counts.mixers["alone.window"]), counts.length,
        new_state(counts.trie, 1, history=False).begin, frequencies.LOG2_WEIGHTS,
        np.asarray(text, np.int64), float(bits), starts,
    )  # fmt: skip
    return starts[:size].copy()


@njit(cache=True, nogil=True)
def _cut(
    trie: Trie, pairs: Any, weights: kernels.Weights, length: int, begin: Any, table: Any,
    text: Any, bits: float, starts: Any,
) -> int:  # fmt: skip
    """Fill `starts`; returns how many there are."""
    nodes, nothing = begin.copy(), np.empty(0, np.int64)
    sums, logits = np.empty(NUM_SYMBOLS, np.int32), np.empty((1, NUM_SYMBOLS), np.int16)
    low, size = np.empty(1, np.uint32), np.empty(1, np.uint32)
    found, left = 0, 0.0
    last = START
    for place in range(len(text)):
        for _ in range(2):
            kernels.mix(
                trie.first, trie.entries, pairs[last], weights, nodes, length, nothing, nothing, 0,
                logits[0], False, sums, logits[0],
            )  # fmt: skip
            here = text[place : place + 1]
            frequencies.intervals_log2(logits, table, DEFAULT_PRECISION, here, low, size)
            cost = DEFAULT_PRECISION - np.log2(size[0])
            if last == START or cost <= left:
                break
            nodes[:] = begin  # and the symbol begins the next window
            last = START
        if last == START:
            starts[found] = place
            found += 1
            left = bits
        left -= cost
        last = text[place]
        kernels.walk(trie.first, trie.entries, nodes, last, nodes)
    return found
