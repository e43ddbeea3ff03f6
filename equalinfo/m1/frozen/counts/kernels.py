"""What counts say of the next symbol, compiled by numba: one text (lane) at a time.

All numbers are integers in known ranges: hashes below 2^32 times factors below 2^31 stay below
2^63, logits below 2^21 (see `reference`).
"""

from typing import Any, NamedTuple

import numpy as np

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.jit import njit
from equalinfo.m1.frozen.arithmetic import LOGIT_LIMIT
from equalinfo.m1.frozen.counts.tables import (
    CODES,
    HISTORY_ORDERS,
    MOST_SYMBOLS,
    NUM_HISTORIES,
    SLOT_BITS,
    START,
    SYMBOL_BITS,
    WEIGHT_BITS,
    WIDTHS,
    Trie,
)

FACTOR = 0x5851F42D
WORD_FACTOR = 0x2545F491
_MASK = (1 << 32) - 1
_SYMBOL = (1 << SYMBOL_BITS) - 1
_ORDERS = np.array(HISTORY_ORDERS)
_RECENT = 16  # symbols kept of each text
MOST_COUNT = 31

MOST_FEATURES = 16 * NUM_SYMBOLS


class State(NamedTuple):
    """Texts side by side.

    Attributes:
      nodes: int32[lanes, 16]; at k the node of the text's last k symbols (START before them) if it
        is one with children, else -1.
      begin: int32[16], the nodes of an empty text.
      size: int64[lanes], symbols read.
      recent: int16[lanes, 16], the last symbols, as a ring.
      words: int64[lanes, 2], hashes of the word that goes on (0: none) and of the one before.
      slots, checks: int64[lanes, NUM_HISTORIES], each history's place for the context now, -1 where
        there is none; and what tells contexts in one place apart.
      history: uint16[lanes, NUM_HISTORIES, 2^SLOT_BITS, 3]: check, and two times 32 symbol + count,
        the more frequent first; [lanes, 0, 0, 0] for windows.
      used: bool[lanes], whether history holds anything.
    """

    nodes: Any
    begin: Any
    size: Any
    recent: Any
    words: Any
    slots: Any
    checks: Any
    history: Any
    used: Any


class Weights(NamedTuple):
    """A `Mixer` as kernels read it: flat, `grams` and `histories` in one array."""

    network: Any
    base: Any
    sparse: Any


@njit(cache=True, nogil=True)
def forget(state: State, lane: int) -> None:
    """The lane's text is empty again."""
    state.nodes[lane] = state.begin
    state.size[lane] = 0
    state.words[lane, :] = 0
    state.slots[lane, :] = -1
    if state.used[lane]:
        state.history[lane] = 0
        state.used[lane] = False


@njit(cache=True, nogil=True)
def _count(slot: Any, check: int, symbol: int) -> None:
    """Add a symbol to a place of a history."""
    if slot[0] != check:
        slot[0] = check
        slot[1] = 0
        slot[2] = 0
    one: Any = np.int64(slot[1])
    two: Any = np.int64(slot[2])
    if one & 31 and one >> 5 == symbol:
        one += (one & 31) < MOST_COUNT
        if two & 31 > 2:
            two -= (two & 31) >> 1
    else:
        if two & 31 and two >> 5 == symbol:
            two += (two & 31) < MOST_COUNT
        else:
            two = symbol << 5 | 1
        if one & 31 > 2:
            one -= (one & 31) >> 1
        if (one & 31) <= (two & 31):
            one, two = two, one
    slot[1] = one
    slot[2] = two


@njit(cache=True, nogil=True)
def _child(trie: Trie, node: int, symbol: int) -> int:
    """The child of `node` for `symbol` if there is one and it has children, else -1."""
    if node < 0:
        return -1
    low: Any = np.int64(trie.first[node])
    end: Any = np.int64(trie.first[node + 1])
    high = end
    while low < high:
        middle = (low + high) >> 1
        if trie.entries[middle] & _SYMBOL < symbol:
            low = middle + 1
        else:
            high = middle
    if low == end or trie.entries[low] & _SYMBOL != symbol:
        return -1
    return low if trie.first[low] < trie.first[low + 1] else -1


@njit(cache=True, nogil=True)
def advance(trie: Trie, state: State, lane: int, symbol: int) -> None:
    """The lane's text goes on with `symbol`: count it, and find the contexts that are now."""
    with_history = state.history.shape[1] > 0
    if with_history:
        for order in range(NUM_HISTORIES):
            slot = state.slots[lane, order]
            if slot >= 0:
                state.used[lane] = True
                _count(state.history[lane, order, slot], state.checks[lane, order], symbol)
    for length in range(MOST_SYMBOLS - 1, 0, -1):
        state.nodes[lane, length] = _child(trie, np.int64(state.nodes[lane, length - 1]), symbol)
    state.recent[lane, state.size[lane] % _RECENT] = symbol
    state.size[lane] += 1
    if with_history:
        _find_slots(state, lane, symbol)


@njit(cache=True, nogil=True)
def _find_slots(state: State, lane: int, symbol: int) -> None:
    size = state.size[lane]
    code = np.int64(0)
    order = 0
    for length in range(1, _ORDERS[-1] + 1):
        if length > size:
            break
        code = ((code ^ (state.recent[lane, (size - length) % _RECENT] + 1)) * FACTOR) & _MASK
        if length == _ORDERS[order]:
            state.slots[lane, order] = code >> (32 - SLOT_BITS)
            state.checks[lane, order] = code & 0xFFFF
            order += 1
    word, before = state.words[lane, 0], state.words[lane, 1]
    if 65 <= symbol <= 90 or 97 <= symbol <= 122 or 128 <= symbol < 256:
        word = ((word ^ ((symbol | 32) + 1)) * FACTOR) & _MASK
    elif word != 0:
        before, word = word, np.int64(0)
    state.words[lane, 0], state.words[lane, 1] = word, before
    code = ((word ^ 77) * FACTOR) & _MASK
    state.slots[lane, NUM_HISTORIES - 2] = code >> (32 - SLOT_BITS)
    state.checks[lane, NUM_HISTORIES - 2] = code & 0xFFFF
    code = ((word ^ ((before * WORD_FACTOR) & _MASK)) * FACTOR) & _MASK
    state.slots[lane, NUM_HISTORIES - 1] = code >> (32 - SLOT_BITS)
    state.checks[lane, NUM_HISTORIES - 1] = code & 0xFFFF


@njit(cache=True, nogil=True)
def features(
    trie: Trie, state: State, lane: int, length: int, symbols: Any, places: Any
) -> tuple[int, int]:
    """What is known of the next symbol: each feature is a symbol and a place in `Weights.sparse`.

    Args:
      trie: n-grams of up to `length` symbols.
      state: of the texts.
      lane: which.
      length: N.
      symbols: int64[MOST_FEATURES], filled.
      places: the same.

    Returns:
      The number of features, and the row of `Weights.network` and `Weights.base`.
    """
    depth = length - 1
    while state.nodes[lane, depth] < 0:
        depth -= 1
    node = np.int64(state.nodes[lane, depth])
    width = trie.first[node + 1] - trie.first[node]
    row = depth * WIDTHS + (0 if width == 1 else 1 if width == 2 else 2 if width < 6 else 3)
    size = 0
    for known in range(2, depth + 1):
        node = np.int64(state.nodes[lane, known])
        if node < 0:
            continue
        place = ((known - 2) * length + depth) * CODES
        for child in range(trie.first[node], trie.first[node + 1]):
            symbols[size] = trie.entries[child] & _SYMBOL
            places[size] = place + (trie.entries[child] >> SYMBOL_BITS)
            size += 1
    longest = 0
    if state.history.shape[1] > 0:
        begin = size
        for order in range(NUM_HISTORIES):
            slot = state.slots[lane, order]
            if slot < 0:
                continue
            found = state.history[lane, order, slot]
            if found[0] != state.checks[lane, order] or found[1] == 0:
                continue
            if order < len(_ORDERS):
                longest = order + 1
            one: Any = np.int64(found[1])
            two: Any = np.int64(found[2])
            here = order * ((len(_ORDERS) + 1) * 25)
            symbols[size] = one >> 5
            places[size] = here + (min(one & 31, 5) - 1) * 5 + min(two & 31, 4)
            size += 1
            if two:
                symbols[size] = two >> 5
                places[size] = here + (min(two & 31, 5) - 1) * 5 + min(one & 31, 4)
                size += 1
        offset = (length - 2) * length * CODES + longest * 25
        for i in range(begin, size):
            places[i] += offset
    return size, row * (len(_ORDERS) + 1) + longest


@njit(cache=True, nogil=True)
def mix(
    trie: Trie, pairs: Any, weights: Weights, state: State, lane: int, length: int, logits: Any,
    has_network: bool, symbols: Any, places: Any, sums: Any, out: Any,
) -> None:  # fmt: skip
    """Logits int16[257] of the lane's next symbol, in `out`; the largest is 0.

    Args:
      trie: of `FrozenCounts`.
      pairs: of it.
      weights: of its use.
      state: of the texts.
      lane: which.
      length: N.
      logits: int16[257] of the network, if there is one.
      has_network: whether.
      symbols: scratch memory of `features`.
      places: the same.
      sums: scratch memory, int32[257].
      out: may be `logits`.
    """
    size, row = features(trie, state, lane, length, symbols, places)
    last = START
    if state.size[lane] > 0:
        last = state.recent[lane, (state.size[lane] - 1) % _RECENT]
    base = np.int32(weights.base[row])
    half = np.int32(1 << (WEIGHT_BITS - 1))
    if has_network:
        network = np.int32(weights.network[row])
        for i in range(NUM_SYMBOLS):
            both = np.int32(network * np.int32(logits[i])) + np.int32(
                base * np.int32(pairs[last, i])
            )
            sums[i] = np.int32(both + half) >> WEIGHT_BITS
    else:
        for i in range(NUM_SYMBOLS):
            sums[i] = np.int32(base * np.int32(pairs[last, i]) + half) >> WEIGHT_BITS
    for i in range(size):
        sums[symbols[i]] += weights.sparse[places[i]]
    largest = sums[0]
    for i in range(NUM_SYMBOLS):
        largest = max(largest, sums[i])
    for i in range(NUM_SYMBOLS):
        out[i] = max(sums[i] - largest, np.int32(-LOGIT_LIMIT))


@njit(cache=True, nogil=True)
def read_lanes(
    trie: Trie, pairs: Any, weights: Weights, state: State, length: int, begin: int, end: int,
    symbols: Any, reset: Any, logits: Any, has_network: bool, out: Any,
) -> None:  # fmt: skip
    """Lanes begin .. end - 1 read a symbol each, and say what comes next."""
    features_of, places = np.empty(MOST_FEATURES, np.int64), np.empty(MOST_FEATURES, np.int64)
    sums = np.empty(NUM_SYMBOLS, np.int32)
    for lane in range(begin, end):
        if reset[lane]:
            forget(state, lane)
        advance(trie, state, lane, symbols[lane])
        mix(
            trie, pairs, weights, state, lane, length, logits[lane if has_network else 0],
            has_network, features_of, places, sums, out[lane],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def read_text(
    trie: Trie, pairs: Any, weights: Weights, state: State, length: int, symbols: Any,
    logits: Any, has_network: bool, out: Any,
) -> None:  # fmt: skip
    """Lane 0 reads symbols one after the other; a row of `out` after each."""
    features_of, places = np.empty(MOST_FEATURES, np.int64), np.empty(MOST_FEATURES, np.int64)
    sums = np.empty(NUM_SYMBOLS, np.int32)
    for i in range(len(symbols)):
        advance(trie, state, 0, symbols[i])
        mix(
            trie, pairs, weights, state, 0, length, logits[i if has_network else 0],
            has_network, features_of, places, sums, out[i],
        )  # fmt: skip
