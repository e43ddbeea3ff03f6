"""What counts say while a network is trained to be mixed with them: it learns what they lack."""

from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.jit import njit
from equalinfo.m1.frozen.counts import kernels
from equalinfo.m1.frozen.counts.engine import flat_weights, new_state
from equalinfo.m1.frozen.counts.tables import (
    HISTORY_ORDERS,
    NUM_HISTORIES,
    START,
    WEIGHT_BITS,
    WIDTHS,
    FrozenCounts,
    Trie,
)


def beside_network(
    counts: FrozenCounts, text: Symbols, window: bool
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32]]:
    """What is added to the network's logits at each place of a text, and their own weight there.

    Args:
      counts: with the weights that they have beside a network.
      text: uint16[n], read from its beginning.
      window: as windows are read; else as a text with a history.

    Returns:
      int16[n, 257] logits in 1/1,024 bit, up to a constant a row; and float32[n].
    """
    logits, shares = np.empty((len(text), NUM_SYMBOLS), np.int16), np.empty(len(text), np.int16)
    weights = flat_weights(counts.mixers["mixed.window" if window else "mixed.text"])
    state = new_state(counts.trie, 1, history=not window)
    symbols = np.asarray(text, np.int64)
    _read(counts.trie, counts.pairs, weights, state, counts.length, symbols, logits, shares)
    return logits, (shares / (1 << WEIGHT_BITS)).astype(np.float32)


@njit(cache=True, nogil=True)
def _read(
    trie: Trie, pairs: Any, weights: kernels.Weights, state: kernels.State, length: int,
    text: Any, logits: Any, shares: Any,
) -> None:  # fmt: skip
    with_history = state.history.shape[1] > 0
    sums, nothing = np.empty(NUM_SYMBOLS, np.int32), np.empty(NUM_SYMBOLS, np.int16)
    came, kinds = np.empty(2 * NUM_HISTORIES, np.int64), np.empty(2 * NUM_HISTORIES, np.int64)
    known, longest = 0, 0
    last = START
    for place in range(len(text)):
        nodes, symbol = state.nodes[0], text[place]
        if with_history:
            known, longest = kernels.recall(
                state.history[0], state.slots[0], state.checks[0], came, kinds
            )
        kernels.mix(
            trie.first, trie.entries, pairs[last], weights, nodes, length, came[:known], kinds,
            longest, nothing, False, sums, logits[place],
        )  # fmt: skip
        depth, width = kernels.context(trie.first, nodes)
        row = (depth * WIDTHS + width) * (len(HISTORY_ORDERS) + 1) + longest
        shares[place] = weights.network[row]
        if with_history:
            kernels.remember(state, 0, symbol)
        kernels.walk(trie.first, trie.entries, nodes, symbol, nodes)
        last = symbol
