"""The weights of a `Mixer`: learned on text that was not counted, by gradient descent in floats.

What is learned is rounded to integers: floats choose the weights, they play no part in coding.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.jit import njit
from equalinfo.m1.frozen.counts import kernels
from equalinfo.m1.frozen.counts.engine import new_state
from equalinfo.m1.frozen.counts.tables import (
    CODES,
    HISTORY_ORDERS,
    MAX_WEIGHT,
    MOST_SYMBOLS,
    SYMBOL_BITS,
    TEXT_CONTEXT,
    WEIGHT_BITS,
    WIDTHS,
    FrozenCounts,
    Mixer,
    Trie,
    mixer_shapes,
)

_ROUNDS = 3
_RATE = 0.03  # of Adagrad, in bits; half of it in each next round
_DENSE_RATE = 0.2  # of it, for weights of whole logits
_UNIT = 1024.0  # of logits


def initial_mixer(length: int, network: bool) -> Mixer:
    """Before anything is learned: counts as they are, or half counts and half the network."""
    share = 0.5 if network else 1.0
    shapes = mixer_shapes(length)
    codes = (np.arange(shapes["grams"][-1]) - 4) / 2 * share * _UNIT
    return Mixer(
        network=np.full(shapes["network"], round(share * (1 << WEIGHT_BITS)) * network, np.int16),
        base=np.full(shapes["base"], round(share * (1 << WEIGHT_BITS)), np.int16),
        grams=np.broadcast_to(codes, shapes["grams"]).astype(np.int16),
        histories=np.zeros(shapes["histories"], np.int16),
    )


def tune(
    counts: FrozenCounts,
    use: str,
    texts: Sequence[Symbols],
    engine: Any,
    progress: bool = True,
) -> tuple[Mixer, float]:
    """Learn the weights of a use.

    Args:
      counts: the tables; their mixers are not used.
      use: one of `tables.USES`.
      texts: texts or windows like those that will be coded.
      engine: of the network, where the use has one.
      progress: draw a bar.

    Returns:
      The weights, and the bits/symbol of the last round, which has learned from the text itself.
    """
    mixed, texts_with_history = use.startswith("mixed"), use.endswith("text")
    texts = [np.asarray(text, np.int64) for text in texts]
    starts = np.cumsum([0, *map(len, texts)])
    logits = np.zeros((starts[-1] if mixed else 1, NUM_SYMBOLS), np.int16)
    bar = tqdm(total=int(starts[-1]), desc=use, unit="symbol", disable=not progress)

    def take(text: int, place: int, rows: npt.NDArray[np.int16]) -> None:
        begin = starts[text] + place
        logits[begin : begin + len(rows)] = rows
        bar.update(len(rows))

    if mixed:
        engine.sequences([x[:-1] for x in texts], TEXT_CONTEXT, take)
    bar.close()
    first = initial_mixer(counts.length, mixed)
    network = first.network.reshape(-1) / (1 << WEIGHT_BITS)
    base = first.base.reshape(-1) / (1 << WEIGHT_BITS)
    sparse = np.concatenate([first.grams.reshape(-1), first.histories.reshape(-1)]) / _UNIT
    squares = np.zeros(len(network)), np.zeros(len(base)), np.zeros(len(sparse))
    bits = 0.0
    for number in range(_ROUNDS):
        bits = 0.0
        for index, text in enumerate(texts):
            # A new state each: its history is empty.
            if index == 0 or texts_with_history:
                state = new_state(counts.trie, 1, history=texts_with_history)
            bits += _learn(
                counts.trie, counts.pairs, state, counts.length, text,
                logits[starts[index] if mixed else 0 :], mixed, network, base, sparse, *squares,
                _RATE / 2**number,
            )  # fmt: skip
    shapes = mixer_shapes(counts.length)
    grams = int(np.prod(shapes["grams"]))

    def integers(values: Any, unit: float, limit: int, name: str) -> npt.NDArray[np.int16]:
        rounded = np.clip(np.rint(values * unit), -limit, limit)
        return rounded.astype(np.int16).reshape(shapes[name])

    one, top = 1 << WEIGHT_BITS, (1 << 15) - 1
    learned = Mixer(
        network=integers(network * mixed, one, MAX_WEIGHT, "network"),
        base=integers(base, one, MAX_WEIGHT, "base"),
        grams=integers(sparse[:grams], _UNIT, top, "grams"),
        histories=integers(sparse[grams:], _UNIT, top, "histories"),
    )
    return learned, bits / int(starts[-1])


@njit(fastmath=True, inline="always")
def _exp2(x: float) -> float:
    """2^x for x <= 0, in vectors where libm's is not: Taylor's series of the 64th root."""
    y = max(x, -60.0) * (0.6931471805599453 / 64)
    root = 1.0
    for term in (8, 7, 6, 5, 4, 3, 2, 1):
        root = 1.0 + root * y / term
    for _ in range(6):
        root *= root
    return root


@njit(cache=True, nogil=True, fastmath=True)
def _learn(
    trie: Trie, pairs: Any, state: kernels.State, length: int, text: Any, logits: Any,
    has_network: bool, network: Any, base: Any, sparse: Any, network_squares: Any,
    base_squares: Any, sparse_squares: Any, rate: float,
) -> float:  # fmt: skip
    """Read a text, step by step along the gradient (Adagrad); returns its bits before each step."""
    symbols = np.empty(MOST_SYMBOLS * NUM_SYMBOLS, np.int64)
    places = np.empty(MOST_SYMBOLS * NUM_SYMBOLS, np.int64)
    sums, likely = np.empty(NUM_SYMBOLS), np.empty(NUM_SYMBOLS)
    bits = 0.0
    last = NUM_SYMBOLS
    kernels.forget(state, 0)
    for place in range(len(text)):
        size, row = _features(trie, state, length, symbols, places)
        own, below = network[row] / _UNIT, base[row] / _UNIT
        for i in range(NUM_SYMBOLS):
            sums[i] = below * pairs[last, i]
        if has_network:
            for i in range(NUM_SYMBOLS):
                sums[i] += own * logits[place, i]
        for i in range(size):
            sums[symbols[i]] += sparse[places[i]]
        largest = sums[0]
        for i in range(NUM_SYMBOLS):
            largest = max(largest, sums[i])
        total = 0.0
        for i in range(NUM_SYMBOLS):
            likely[i] = _exp2(sums[i] - largest)
            total += likely[i]
        symbol = text[place]
        bits += np.log2(total) + largest - sums[symbol]
        in_network, in_base = 0.0, 0.0
        for i in range(NUM_SYMBOLS):
            likely[i] /= total
            in_base += likely[i] * pairs[last, i]
        gradient = (in_base - pairs[last, symbol]) / _UNIT
        base_squares[row] += gradient * gradient
        base[row] -= _DENSE_RATE * rate * gradient / np.sqrt(base_squares[row] + 1)
        if has_network:
            for i in range(NUM_SYMBOLS):
                in_network += likely[i] * logits[place, i]
            gradient = (in_network - logits[place, symbol]) / _UNIT
            network_squares[row] += gradient * gradient
            network[row] -= _DENSE_RATE * rate * gradient / np.sqrt(network_squares[row] + 1)
        for i in range(size):
            gradient = likely[symbols[i]] - (1.0 if symbols[i] == symbol else 0.0)
            here = places[i]
            sparse_squares[here] += gradient * gradient
            sparse[here] -= rate * gradient / np.sqrt(sparse_squares[here] + 1)
        if state.history.shape[1] > 0:
            kernels.remember(state, 0, symbol)
        kernels.walk(trie.first, trie.entries, state.nodes[0], symbol, state.nodes[0])
        last = symbol
    return bits


@njit(cache=True, nogil=True)
def _features(
    trie: Trie, state: kernels.State, length: int, symbols: Any, places: Any
) -> tuple[int, int]:
    """What `kernels.mix` adds to logits of symbols.

    Args:
      trie: n-grams of up to `length` symbols.
      state: of a text.
      length: N.
      symbols: int64, filled with a symbol for each feature.
      places: the same, with its weight's place among those of grams and histories.

    Returns:
      The number of features, and the row of the network's weight and the base's.
    """
    nodes = state.nodes[0]
    depth, width = kernels.context(trie.first, nodes)
    size, longest = 0, 0
    offset = (length - 2) * length * CODES
    if state.history.shape[1] > 0:
        size, longest = kernels.recall(
            state.history[0], state.slots[0], state.checks[0], symbols, places
        )
        places[:size] += offset + longest * 25
    for known in range(2, depth + 1):
        node = nodes[known]
        if node < 0:
            continue
        place = ((known - 2) * length + depth) * CODES
        for child in range(trie.first[node], trie.first[node + 1]):
            symbols[size] = trie.entries[child] & (1 << SYMBOL_BITS) - 1
            places[size] = place + (trie.entries[child] >> SYMBOL_BITS)
            size += 1
    return size, (depth * WIDTHS + width) * (len(HISTORY_ORDERS) + 1) + longest
