"""What counts say of the next symbol, compiled by numba: one text (lane) at a time.

All numbers are integers in known ranges: hashes below 2^32 times factors below 2^31 stay below
2^63, logits below 2^21 (see `reference`).
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.jit import njit
from equalinfo.m1.frozen.arithmetic import LOGIT_LIMIT
from equalinfo.m1.frozen.counts.tables import (
    CODES,
    HISTORY_ORDERS,
    MOST_SYMBOLS,
    NUM_HISTORIES,
    SLOT_BITS,
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

_AHEAD = 32  # symbols of a text


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
    """A `Mixer` as kernels read it: flat arrays."""

    network: Any
    base: Any
    grams: Any
    histories: Any


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


def _prefetching(context: Any, array: Any, place: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(function, [address, word(0), word(3), word(1)])  # to read, and again; data
        return context.get_dummy_value()

    return types.void(array, place), generate


_prefetch: Any = intrinsic(_prefetching)
"""(array, place): ask for what lies at that place of it, flat; it will be read soon."""


@njit(cache=True, nogil=True)
def walk(first: Any, entries: Any, before: Any, symbol: int, after: Any) -> None:
    """Fill `after` with the nodes (see `State`) of the text of `before` and one symbol more."""
    for length in range(MOST_SYMBOLS - 1, 0, -1):  # downwards: both may be one array
        node = before[length - 1]
        found = np.int32(-1)
        if node >= 0:
            low = np.uint64(first[np.uint64(node)])
            size = np.uint64(first[np.uint64(node) + np.uint64(1)]) - low
            while size > 1:  # no branch but the loop's
                half = size >> np.uint64(1)
                below = entries[low + half - np.uint64(1)] & _SYMBOL < symbol
                low += half * np.uint64(below)
                size -= half
            has_children = first[low] < first[low + np.uint64(1)]
            if entries[low] & _SYMBOL == symbol and has_children:
                found = np.int32(low)
                _prefetch(entries, np.uint64(first[low]))
        after[length] = found


@njit(cache=True, nogil=True)
def remember(state: State, lane: int, symbol: int) -> None:
    """The lane's text goes on with `symbol`: count it, and find the histories' contexts now."""
    for order in range(NUM_HISTORIES):
        slot = state.slots[lane, order]
        if slot >= 0:
            state.used[lane] = True
            _count(state.history[lane, order, slot], state.checks[lane, order], symbol)
    state.recent[lane, state.size[lane] % _RECENT] = symbol
    state.size[lane] += 1
    _find_slots(state, lane, symbol)
    size = state.history.shape[2] * state.history.shape[3]
    for order in range(NUM_HISTORIES):
        slot = max(state.slots[lane, order], np.int64(0))
        _prefetch(state.history, (lane * NUM_HISTORIES + order) * size + slot * 3)


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
def recall(history: Any, slots: Any, checks: Any, symbols: Any, kinds: Any) -> tuple[int, int]:
    """What a text's histories remember of the context now.

    Args:
      history: the lane's, see `State`.
      slots: the lane's.
      checks: the lane's.
      symbols: int64[2 NUM_HISTORIES], filled with what came.
      kinds: the same: which history says so, and how often it came, as a place in `Weights`
        for contexts that no history of an order knows.

    Returns:
      How many symbols; and 1 and the number of the longest history of an order, or 0.
    """
    size, longest = 0, 0
    for order in range(NUM_HISTORIES):
        slot = slots[order]
        if slot < 0 or history[order, slot, 0] != checks[order]:
            continue
        one: Any = np.int64(history[order, slot, 1])
        two: Any = np.int64(history[order, slot, 2])
        if one == 0:
            continue
        if order < len(_ORDERS):
            longest = order + 1
        place = order * (len(_ORDERS) + 1) * 25
        symbols[size] = one >> 5
        kinds[size] = place + (min(one & 31, 5) - 1) * 5 + min(two & 31, 4)
        size += 1
        if two:
            symbols[size] = two >> 5
            kinds[size] = place + (min(two & 31, 5) - 1) * 5 + min(one & 31, 4)
            size += 1
    return size, longest


@njit(cache=True, nogil=True)
def context(first: Any, nodes: Any) -> tuple[int, int]:
    """Symbols of the longest counted suffix; and whether 1, 2, 3..5, or more symbols follow it."""
    depth = MOST_SYMBOLS - 1
    while nodes[depth] < 0:
        depth -= 1
    node = np.uint64(nodes[depth])
    width = first[node + np.uint64(1)] - first[node]
    return depth, 0 if width == 1 else 1 if width == 2 else 2 if width < 6 else 3


@njit(cache=True, nogil=True)
def mix(
    first: Any, entries: Any, below: Any, weights: Weights, nodes: Any, length: int,
    symbols: Any, kinds: Any, longest: int, logits: Any, has_network: bool, sums: Any, out: Any,
) -> None:  # fmt: skip
    """Logits int16[257] of the next symbol, in `out`; the largest is 0.

    Args:
      first: of `Trie`.
      entries: of `Trie`.
      below: int16[257], the last symbol's row of `pairs`.
      weights: of this use.
      nodes: int32[16], as in `State`.
      length: N.
      symbols: from `recall`, as many as there are.
      kinds: from `recall`.
      longest: from `recall`.
      logits: int16[257] of the network, if there is one.
      has_network: whether.
      sums: scratch memory, int32[257].
      out: may be `logits`.
    """
    depth, width = context(first, nodes)
    row = (depth * WIDTHS + width) * (len(_ORDERS) + 1) + longest
    # numba widens products and sums of int32: what is cast back stays in vectors of int32.
    base, half = np.int32(weights.base[row]), np.int32(1 << (WEIGHT_BITS - 1))
    if has_network:
        network = np.int32(weights.network[row])
        for i in range(NUM_SYMBOLS):
            both = np.int32(network * np.int32(logits[i])) + np.int32(base * np.int32(below[i]))
            sums[i] = np.int32(np.int32(both) + half) >> np.int32(WEIGHT_BITS)
    else:
        for i in range(NUM_SYMBOLS):
            product = np.int32(base * np.int32(below[i]))
            sums[i] = np.int32(product + half) >> np.int32(WEIGHT_BITS)
    for known in range(2, depth + 1):
        if nodes[known] < 0:
            continue
        node = np.uint64(nodes[known])
        place = np.uint64(((known - 2) * length + depth) * CODES)
        for child in range(np.uint64(first[node]), np.uint64(first[node + np.uint64(1)])):
            entry = np.uint64(entries[child])
            weight = weights.grams[place + (entry >> np.uint64(SYMBOL_BITS))]
            sums[entry & np.uint64(_SYMBOL)] += np.int32(weight)
    for i in range(len(symbols)):
        sums[symbols[i]] += np.int32(weights.histories[kinds[i] + longest * 25])
    largest = sums[0]
    for i in range(NUM_SYMBOLS):
        largest = max(largest, sums[i])
    for i in range(NUM_SYMBOLS):
        out[i] = max(np.int32(sums[i] - largest), np.int32(-LOGIT_LIMIT))


@njit(cache=True, nogil=True)
def read_lanes(
    trie: Trie, pairs: Any, weights: Weights, state: State, length: int, begin: int, end: int,
    symbols: Any, reset: Any, logits: Any, has_network: bool, out: Any,
) -> None:  # fmt: skip
    """Lanes begin .. end - 1 read a symbol each, and say what comes next."""
    with_history = state.history.shape[1] > 0
    sums = np.empty(NUM_SYMBOLS, np.int32)
    came, kinds = np.empty(2 * NUM_HISTORIES, np.int64), np.empty(2 * NUM_HISTORIES, np.int64)
    known, longest = 0, 0
    for lane in range(begin, end):
        if reset[lane]:
            forget(state, lane)
        walk(trie.first, trie.entries, state.nodes[lane], symbols[lane], state.nodes[lane])
        if with_history:
            remember(state, lane, symbols[lane])
    for lane in range(begin, end):
        if with_history:
            known, longest = recall(
                state.history[lane], state.slots[lane], state.checks[lane], came, kinds
            )
        mix(
            trie.first, trie.entries, pairs[symbols[lane]], weights, state.nodes[lane], length,
            came[:known], kinds, longest, logits[lane if has_network else 0], has_network, sums,
            out[lane],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def read_text(
    trie: Trie, pairs: Any, weights: Weights, state: State, length: int, symbols: Any,
    logits: Any, has_network: bool, out: Any,
) -> None:  # fmt: skip
    """Lane 0 reads symbols one after the other; a row of `out` after each."""
    with_history = state.history.shape[1] > 0
    sums = np.empty(NUM_SYMBOLS, np.int32)
    came, kinds = np.empty(2 * NUM_HISTORIES, np.int64), np.empty(2 * NUM_HISTORIES, np.int64)
    known, longest = 0, 0
    # Some symbols ahead: what the trie has of them is on its way from memory meanwhile.
    nodes = np.empty((_AHEAD + 1, MOST_SYMBOLS), np.int32)
    for begin in range(0, len(symbols), _AHEAD):
        size = min(_AHEAD, len(symbols) - begin)
        nodes[:] = state.nodes[0]
        for i in range(size):
            walk(trie.first, trie.entries, nodes[i], symbols[begin + i], nodes[i + 1])
        for i in range(size):
            place = begin + i
            if with_history:
                remember(state, 0, symbols[place])
                known, longest = recall(
                    state.history[0], state.slots[0], state.checks[0], came, kinds
                )
            mix(
                trie.first, trie.entries, pairs[symbols[place]], weights, nodes[i + 1], length,
                came[:known], kinds, longest, logits[place if has_network else 0], has_network,
                sums, out[place],
            )  # fmt: skip
        state.nodes[0] = nodes[size]
