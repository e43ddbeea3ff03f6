"""Which n-grams are kept, and their codes: counted in text, level by level.

An n-gram is worth its count times how far its context moves the probability of its last symbol; the
best are kept, with the shorter ones that they need. Floats decide what is kept and which code it
has; what is made of it is integer.
"""

import itertools

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from equalinfo.alphabet import EOS, NUM_SYMBOLS, Symbols
from equalinfo.jit import njit
from equalinfo.m1.frozen.arithmetic import LOGIT_BITS
from equalinfo.m1.frozen.counts.tables import CODES, START

_ONES = NUM_SYMBOLS + 1
_UNUSED = 255  # the byte that stands for EOS in tables
_LOWEST = -24 << LOGIT_BITS
_FIRST_SLOTS = 1 << 18

Array = npt.NDArray[np.int64]


class Counted:
    """N-grams of up to N symbols: the arrays of a trie, as in `tables.Trie`, and their counts.

    Attributes:
      sizes: n-grams of each length from 1, START's included.
      parents, symbols, counts: int32[nodes], uint16[nodes], int64[nodes]; node 0 is the empty text.
      ones, twos: for each length from 1, n-grams seen once and twice, whether kept or not.
    """

    def __init__(self, sizes: list[int], parents: Array, symbols: Array, counts: Array,
                 ones: list[int], twos: list[int]) -> None:  # fmt: skip
        self.sizes, self.parents, self.symbols, self.counts = sizes, parents, symbols, counts
        self.ones, self.twos = ones, twos


def count(
    text: Symbols, starts: Array, length: int, min_count: int = 6, progress: bool = True
) -> Counted:
    """Count n-grams, those of START too.

    Args:
      text: uint16[n], documents joined with EOS, which n-grams may begin or end with but not hold.
      starts: int64[windows], places where windows begin: START stands before them.
      length: N.
      min_count: rarer n-grams of 9 and more symbols are dropped, below 9 by and by fewer.
      progress: draw a bar.

    Raises:
      ValueError: no text, or more than 2^31 - 1 symbols; min_count below 1.
    """
    if min_count < 1:
        raise ValueError(f"min_count={min_count} must be at least 1.")
    if not 0 < len(text) < 1 << 31:
        raise ValueError(f"{len(text)} symbols of text to count: expected 1 to 2^31 - 1.")
    nodes = text.astype(np.int32)
    nodes[text == _UNUSED] = -1
    begun = np.full(len(starts), START, np.int32)
    ones = np.zeros(_ONES, np.int64)
    ones[:NUM_SYMBOLS] = np.bincount(text, minlength=NUM_SYMBOLS)
    ones[START] = len(starts)
    parents, symbols, counts = [np.zeros(1, np.int64)], [np.zeros(1, np.int64)], [ones[:1] * 0]
    counts[0][0] = len(text)
    parents.append(np.zeros(_ONES, np.int64))
    symbols.append(np.arange(_ONES))
    counts.append(np.maximum(ones, 1))
    sizes, once, twice = [_ONES], [0], [0]
    slots, offset = _FIRST_SLOTS, 1
    for size in tqdm(range(2, length + 1), "count", unit="length", disable=not progress):
        while True:
            keys, found = np.full(slots, -1, np.int64), np.zeros(slots, np.int32)
            distinct = _count(text, nodes, starts, begun, size, keys, found)
            if distinct <= slots * 2 // 3:
                break
            slots *= 4
        least = min(min_count, max(1, (size + 1) // 2)) if size > 4 else 1
        kept = np.flatnonzero(found >= least)
        kept = kept[np.argsort(keys[kept])]
        grams, times = keys[kept], found[kept].astype(np.int64)
        once.append(int(np.count_nonzero(found == 1)))
        twice.append(int(np.count_nonzero(found == 2)))
        numbers = np.full(slots, -1, np.int32)
        goes_on = grams % NUM_SYMBOLS != EOS
        numbers[kept] = np.where(goes_on, np.arange(len(kept)), -1)
        _follow(text, nodes, starts, begun, size, keys, numbers)
        parents.append(grams // NUM_SYMBOLS + offset)
        symbols.append(grams % NUM_SYMBOLS)
        counts.append(times)
        offset += sizes[-1]
        sizes.append(len(kept))
        if distinct > slots // 8:
            slots *= 4
    return Counted(
        sizes, np.concatenate(parents), np.concatenate(symbols), np.concatenate(counts), once, twice
    )


def keep_best(counted: Counted, most: int) -> dict[str, npt.NDArray[np.generic]]:
    """Tables of `FrozenCounts` but for its mixers.

    Args:
      counted: from `count`.
      most: n-grams to keep, about, those of one symbol included; all of two always stay.

    Raises:
      ValueError: a context with more than 255 continuations.
    """
    offsets = np.cumsum([1, *counted.sizes])
    symbols = counted.symbols.astype(np.uint16)
    parents = counted.parents.astype(np.int32)
    first = _first(parents)
    shorter = np.zeros(len(symbols), np.int32)
    _fill_shorter(first, symbols, shorter)
    discounts = np.zeros((len(counted.sizes) + 1, 4))
    levels = np.zeros(len(symbols), np.uint8)
    for level, (begin, end) in enumerate(itertools.pairwise(offsets), 1):
        levels[begin:end] = level
        once, twice = counted.ones[level - 1], counted.twos[level - 1]
        part = once / max(once + 2 * twice, 1)
        # Kneser and Ney's discount, more for those seen more often: fitted by eye.
        discounts[level, 1:] = part, min(1.3, 1.6 * part), min(1.6, 2.2 * part)
    likely = np.zeros(len(symbols), np.float32)
    ones = counted.counts[1 : NUM_SYMBOLS + 1]
    likely[1 : NUM_SYMBOLS + 1] = ones / ones.sum()
    likely[START + 1] = 1  # nothing is asked of it
    _interpolate(first, counted.counts, shorter, levels, discounts, likely)
    moved = np.abs(np.log2(np.maximum(likely, 1e-12) / np.maximum(likely[shorter], 1e-12)))
    worth = (counted.counts * moved).astype(np.float32)
    worth[: offsets[2]] = np.inf  # one and two symbols
    for begin, end in reversed(list(itertools.pairwise(offsets[1:]))):
        np.maximum.at(worth, parents[begin:end], worth[begin:end])
        np.maximum.at(worth, shorter[begin:end], worth[begin:end])
    if len(worth) > most:
        kept = worth >= np.partition(worth, len(worth) - most)[len(worth) - most]
    else:
        kept = np.ones(len(worth), np.bool_)
    return _tables(len(counted.sizes), parents, symbols, likely, levels, kept)


def _tables(
    length: int, parents: npt.NDArray[np.int32], symbols: npt.NDArray[np.uint16],
    likely: npt.NDArray[np.float32], levels: npt.NDArray[np.uint8], kept: npt.NDArray[np.bool_],
) -> dict[str, npt.NDArray[np.generic]]:  # fmt: skip
    """Of the nodes that are kept; `length` is N."""
    numbers = (np.cumsum(kept) - 1).astype(np.int32)
    parents, symbols, likely, levels = (
        numbers[parents[kept]],
        symbols[kept],
        likely[kept],
        levels[kept],
    )
    first = _first(parents)
    shorter = np.zeros(len(symbols), np.int32)
    _fill_shorter(first, symbols, shorter)
    gains = np.zeros(len(symbols), np.float32)
    rest = np.ones(len(symbols), np.float32)
    _renormalize(first, symbols, shorter, likely, rest, gains)
    pairs = np.empty((_ONES, NUM_SYMBOLS))
    for last in range(_ONES):
        row = likely[1 : NUM_SYMBOLS + 1] * rest[last + 1]
        own = slice(first[last + 1], first[last + 2])
        row[symbols[own]] = likely[own]
        pairs[last] = np.log2(np.maximum(row, 1e-12))
    children = np.diff(first)[1:]
    if children.max() > 255:
        raise ValueError(f"{children.max()} symbols follow one context: expected 255 at most.")
    codes = np.clip(np.rint(2 * gains + 4), 0, CODES - 1)
    codes[levels < 3] = 0
    bytes_ = np.where(symbols == EOS, _UNUSED, symbols)
    return {
        "symbols": bytes_[_ONES + 1 :].astype(np.uint8),
        "children": children[levels[1:] < length].astype(np.uint8),
        "codes": codes[_ONES + 1 :].astype(np.uint8),
        "pairs": np.clip(np.rint(pairs * (1 << LOGIT_BITS)), _LOWEST, 0).astype(np.int16),
    }


def _first(parents: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    first = np.searchsorted(parents[1:], np.arange(len(parents) + 1)) + 1
    return first.astype(np.int32)


@njit(cache=True, nogil=True)
def _find(
    first: npt.NDArray[np.int32], symbols: npt.NDArray[np.uint16], node: int, symbol: int
) -> int:
    """The child of `node` for `symbol`, or -1."""
    low, high = np.int64(first[node]), np.int64(first[node + 1])
    end = high
    while low < high:
        middle = (low + high) >> 1
        if symbols[middle] < symbol:
            low = middle + 1
        else:
            high = middle
    if low < end and symbols[low] == symbol:
        return int(low)
    return -1


@njit(cache=True, nogil=True)
def _fill_shorter(
    first: npt.NDArray[np.int32], symbols: npt.NDArray[np.uint16], shorter: npt.NDArray[np.int32]
) -> None:
    """Each node's longest proper suffix that is one; those of shorter nodes come first."""
    for node in range(1, len(symbols)):
        for child in range(first[node], first[node + 1]):
            suffix = np.int64(shorter[node])
            found = _find(first, symbols, suffix, symbols[child])
            while found < 0:
                suffix = np.int64(shorter[suffix])
                found = _find(first, symbols, suffix, symbols[child])
            shorter[child] = found


@njit(cache=True, nogil=True)
def _slot(keys: npt.NDArray[np.int64], key: int) -> int:
    mask = len(keys) - 1
    place = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20)) & mask
    while keys[place] >= 0 and keys[place] != key:
        place = (place + 1) & mask
    return int(place)


@njit(cache=True, nogil=True)
def _count(
    text: Symbols, nodes: npt.NDArray[np.int32], starts: Array, begun: npt.NDArray[np.int32],
    size: int, keys: Array, found: npt.NDArray[np.int32],
) -> int:  # fmt: skip
    """Count what follows `nodes` (of each place) and `begun` (of each window); stop if too many."""
    distinct, limit = 0, len(keys) * 2 // 3
    for place in range(1, len(text)):
        node = np.int64(nodes[place - 1])
        if node < 0 or text[place] == _UNUSED:
            continue
        key = node * NUM_SYMBOLS + text[place]
        slot = _slot(keys, key)
        if keys[slot] < 0:
            keys[slot] = key
            distinct += 1
            if distinct > limit:
                return distinct
        found[slot] += 1
    for window in range(len(starts)):
        place = starts[window] + size - 2
        if begun[window] < 0 or place >= len(text) or text[place] == _UNUSED:
            continue
        key = np.int64(begun[window]) * NUM_SYMBOLS + text[place]
        slot = _slot(keys, key)
        if keys[slot] < 0:
            keys[slot] = key
            distinct += 1
            if distinct > limit:
                return distinct
        found[slot] += 1
    return distinct


@njit(cache=True, nogil=True)
def _follow(
    text: Symbols, nodes: npt.NDArray[np.int32], starts: Array, begun: npt.NDArray[np.int32],
    size: int, keys: Array, numbers: npt.NDArray[np.int32],
) -> None:  # fmt: skip
    """Each place's and window's n-gram of one symbol more, -1 where it was not kept."""
    before = nodes[0]
    nodes[0] = -1
    for place in range(1, len(text)):
        node = np.int64(before)
        before = nodes[place]
        nodes[place] = -1
        if node >= 0 and text[place] != _UNUSED:
            nodes[place] = numbers[_slot(keys, node * NUM_SYMBOLS + text[place])]
    for window in range(len(starts)):
        place = starts[window] + size - 2
        node = np.int64(begun[window])
        begun[window] = -1
        if node >= 0 and place < len(text) and text[place] != _UNUSED:
            begun[window] = numbers[_slot(keys, node * NUM_SYMBOLS + text[place])]


@njit(cache=True, nogil=True)
def _interpolate(
    first: npt.NDArray[np.int32], counts: Array, shorter: npt.NDArray[np.int32],
    levels: npt.NDArray[np.uint8], discounts: npt.NDArray[np.float64],
    likely: npt.NDArray[np.float32],
) -> None:  # fmt: skip
    """Fill `likely`: each n-gram's last symbol after its context, by absolute discounting."""
    for node in range(1, len(counts)):
        begin, end = first[node], first[node + 1]
        if begin == end:
            continue
        seen = 0
        for child in range(begin, end):
            seen += counts[child]
        total = float(max(counts[node], seen))
        taken = 0.0
        for child in range(begin, end):
            taken += max(counts[child] - discounts[levels[child], min(counts[child], 3)], 0.0)
        left = max(1 - taken / total, 1e-6)
        for child in range(begin, end):
            own = max(counts[child] - discounts[levels[child], min(counts[child], 3)], 0.0)
            likely[child] = own / total + left * likely[shorter[child]]


@njit(cache=True, nogil=True)
def _renormalize(
    first: npt.NDArray[np.int32], symbols: npt.NDArray[np.uint16], shorter: npt.NDArray[np.int32],
    likely: npt.NDArray[np.float32], rest: npt.NDArray[np.float32], gains: npt.NDArray[np.float32],
) -> None:  # fmt: skip
    """What is left to symbols that no kept n-gram names, and log2 of each n-gram's gain over it."""
    for node in range(1, len(symbols)):
        begin, end = first[node], first[node + 1]
        if begin == end:
            continue
        named, below = 0.0, 0.0
        for child in range(begin, end):
            named += likely[child]
            factor, suffix = 1.0, np.int64(shorter[node])
            found = _find(first, symbols, suffix, symbols[child])
            while found < 0:
                factor *= rest[suffix]
                suffix = np.int64(shorter[suffix])
                found = _find(first, symbols, suffix, symbols[child])
            gains[child] = factor * likely[found]
            below += gains[child]
        rest[node] = max(1 - named, 1e-5) / max(1 - below, 1e-5)
        for child in range(begin, end):
            gains[child] = np.log2(likely[child] / (rest[node] * gains[child]))
