"""Which n-grams are kept, and their codes: counted in text, level by level.

An n-gram is worth its count times how far its context moves the probability of its last symbol; the
best are kept, with the shorter ones that they need. Floats decide what is kept and which code it
has; what is made of it is integer.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from equalinfo.alphabet import EOS, NUM_SYMBOLS, Symbols
from equalinfo.jit import njit
from equalinfo.m1.frozen.arithmetic import LOGIT_BITS
from equalinfo.m1.frozen.counts.tables import CODES, START

_ONES = NUM_SYMBOLS + 1  # START's included
_UNUSED = 255  # the byte that stands for EOS in tables
_LOWEST = -24 << LOGIT_BITS
_FIRST_SLOTS = 1 << 18
_DISCOUNT = 0.6

Array = npt.NDArray[np.int64]
Cursors = npt.NDArray[np.int32]


class Part(NamedTuple):
    """Text that n-grams are counted in.

    Attributes:
      text: uint16[n], documents joined with EOS, which n-grams may begin or end with but not hold.
      starts: int64[windows], where windows begin; only what begins there, after START, is counted.
        None: what begins anywhere.
      weight: how many times an n-gram counts that is seen again; text like what will be coded, of
        which there is little, counts several times.
    """

    text: Symbols
    starts: Array | None = None
    weight: int = 1


class Level(NamedTuple):
    """The n-grams of one length.

    Attributes:
      parents: int64[n], ascending: each n-gram without its last symbol, by its place in the level
        before.
      symbols: int64[n], last symbols; they ascend among those of a parent.
      counts: int64[n].
      once, twice: how many were seen once and twice, whether kept or not.
    """

    parents: Array
    symbols: Array
    counts: Array
    once: int
    twice: int


def count(
    parts: Sequence[Part], length: int, min_count: int = 6, progress: bool = True
) -> list[Level]:
    """Count n-grams.

    Args:
      parts: all with starts, or none; n-grams of the former begin with START, which is a symbol.
      length: N.
      min_count: rarer n-grams of 9 and more symbols are dropped, below 9 by and by fewer.
      progress: draw a bar.

    Returns:
      Levels 1 to N; the first holds all symbols and START, the last.

    Raises:
      ValueError: no text, or more than 2^31 - 1 symbols.
    """
    num_symbols = sum(len(part.text) for part in parts)
    if not 0 < num_symbols < 1 << 31:
        raise ValueError(f"{num_symbols} symbols of text to count: expected 1 to 2^31 - 1.")
    # Each n-gram of the text is a cursor: the place of its first symbol, and its place in a level.
    begins: list[Cursors] = []
    nodes: list[Cursors] = []
    ones = np.zeros(_ONES, np.int64)
    for part in parts:
        if part.starts is None:
            begins.append(np.arange(len(part.text), dtype=np.int32))
            nodes.append(np.where(part.text == _UNUSED, -1, part.text.astype(np.int32)))
            ones += part.weight * np.bincount(part.text, minlength=_ONES)
        else:
            begins.append((part.starts - 1).astype(np.int32))
            nodes.append(np.full(len(part.starts), START, np.int32))
            ones[START] += part.weight * len(part.starts)
    levels = [Level(np.zeros(_ONES, np.int64), np.arange(_ONES), np.maximum(ones, 1), 0, 0)]
    slots = _FIRST_SLOTS
    for size in tqdm(range(2, length + 1), "count", unit="length", disable=not progress):
        level, slots = _next_level(parts, begins, nodes, size, min_count, slots)
        levels.append(level)
    return levels


def _next_level(
    parts: Sequence[Part], begins: list[Cursors], nodes: list[Cursors], size: int, min_count: int,
    slots: int,
) -> tuple[Level, int]:  # fmt: skip
    """The n-grams of `size` symbols; cursors move on to them, and end where none was kept."""
    while True:
        keys = np.full(slots, -1, np.int64)
        found = np.zeros((len(parts), slots), np.int32)
        distinct = 0
        for part, begin, node, times in zip(parts, begins, nodes, found, strict=True):
            distinct = _count(part.text, begin, node, size, keys, times, distinct)
        if distinct <= slots * 2 // 3:
            break
        slots *= 4
    seen = found.sum(axis=0, dtype=np.int32)
    total = np.zeros(slots, np.int32)
    for part, times in zip(parts, found, strict=True):
        # What was seen once in a little text says little: Kneser and Ney's discount.
        weighted = np.rint(part.weight * (times - _DISCOUNT)) if part.weight > 1 else times
        total += np.maximum(weighted, 0).astype(np.int32)
    least = min(min_count, max(1, (size + 1) // 2)) if size > 4 else 1
    kept = np.flatnonzero(total >= least)
    kept = kept[np.argsort(keys[kept])]
    grams = keys[kept]
    goes_on = grams % NUM_SYMBOLS != EOS
    numbers = np.full(slots, -1, np.int32)
    numbers[kept] = np.where(goes_on, np.arange(len(kept)), -1)
    for index, part in enumerate(parts):
        _follow(part.text, begins[index], nodes[index], size, keys, numbers)
        alive = nodes[index] >= 0
        begins[index], nodes[index] = begins[index][alive], nodes[index][alive]
    level = Level(
        grams // NUM_SYMBOLS,
        grams % NUM_SYMBOLS,
        total[kept].astype(np.int64),
        int(np.count_nonzero(seen == 1)),
        int(np.count_nonzero(seen == 2)),
    )
    return level, slots * 4 if distinct > slots // 8 else slots


def with_starts(levels: list[Level], starts: list[Level]) -> list[Level]:
    """N-grams of text, and those that begin with START, which come after them in each level."""
    out = [levels[0]._replace(counts=np.append(levels[0].counts[:START], starts[0].counts[START]))]
    for size, (level, more) in enumerate(zip(levels[1:], starts[1:], strict=True), 2):
        before = len(levels[size - 2].symbols) if size > 2 else 0
        out.append(
            level._replace(
                parents=np.concatenate([level.parents, more.parents + before]),
                symbols=np.concatenate([level.symbols, more.symbols]),
                counts=np.concatenate([level.counts, more.counts]),
            )
        )
    return out


def keep_best(counted: list[Level], most: int) -> dict[str, npt.NDArray[np.generic]]:
    """Tables of `FrozenCounts` but for its mixers.

    Args:
      counted: from `count` or `with_starts`.
      most: n-grams to keep, about, those of one symbol included; all of two always stay.

    Raises:
      ValueError: a context with more than 255 continuations.
    """
    sizes = [len(level.symbols) for level in counted]
    offsets = np.cumsum([1, *sizes])  # node 0 is the empty text, the parent of level 1
    text = int(counted[0].counts[:NUM_SYMBOLS].sum())
    counts = np.concatenate([[text], *(level.counts for level in counted)])
    symbols = np.concatenate([[0], *(level.symbols for level in counted)]).astype(np.uint16)
    before = [0, *offsets[:-2]]
    parents = np.concatenate(
        [[0], *(level.parents + begin for level, begin in zip(counted, before, strict=True))]
    ).astype(np.int32)
    first = _first(parents)
    shorter = np.zeros(len(symbols), np.int32)
    _fill_shorter(first, symbols, shorter)
    discounts = np.zeros((len(sizes) + 1, 4))
    levels = np.zeros(len(symbols), np.uint8)
    for size, (begin, end) in enumerate(itertools.pairwise(offsets), 1):
        levels[begin:end] = size
        once, twice = counted[size - 1].once, counted[size - 1].twice
        part = once / max(once + 2 * twice, 1)
        # Kneser and Ney's discount, more for those seen more often: fitted by eye.
        discounts[size, 1:] = part, min(1.3, 1.6 * part), min(1.6, 2.2 * part)
    likely = np.zeros(len(symbols), np.float32)
    ones = counts[1 : NUM_SYMBOLS + 1]
    likely[1 : NUM_SYMBOLS + 1] = ones / ones.sum()
    likely[START + 1] = 1  # nothing is asked of it
    _interpolate(first, counts, shorter, levels, discounts, likely)
    moved = np.abs(np.log2(np.maximum(likely, 1e-12) / np.maximum(likely[shorter], 1e-12)))
    worth = (counts * moved).astype(np.float32)
    worth[: offsets[2]] = np.inf  # one and two symbols
    for begin, end in reversed(list(itertools.pairwise(offsets[1:]))):
        np.maximum.at(worth, parents[begin:end], worth[begin:end])
        np.maximum.at(worth, shorter[begin:end], worth[begin:end])
    if len(worth) > most:
        kept = worth >= np.partition(worth, len(worth) - most)[len(worth) - most]
    else:
        kept = np.ones(len(worth), np.bool_)
    return _tables(len(counted), parents, symbols, likely, levels, kept)


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
    text: Symbols, begins: Cursors, nodes: Cursors, size: int,
    keys: Array, found: npt.NDArray[np.int32], distinct: int,
) -> int:  # fmt: skip
    """Count the n-grams of `size` symbols at cursors; stop if there are too many kinds."""
    for cursor in range(len(nodes)):
        place = np.int64(begins[cursor]) + size - 1
        if nodes[cursor] < 0 or place >= len(text) or text[place] == _UNUSED:
            continue
        key = np.int64(nodes[cursor]) * NUM_SYMBOLS + text[place]
        slot = _slot(keys, key)
        if keys[slot] < 0:
            keys[slot] = key
            distinct += 1
            if distinct > len(keys) * 2 // 3:
                return distinct
        found[slot] += 1
    return distinct


@njit(cache=True, nogil=True)
def _follow(
    text: Symbols, begins: Cursors, nodes: Cursors, size: int,
    keys: Array, numbers: npt.NDArray[np.int32],
) -> None:  # fmt: skip
    """Each cursor's n-gram of `size` symbols, -1 where it was not kept."""
    for cursor in range(len(nodes)):
        place = np.int64(begins[cursor]) + size - 1
        node = np.int64(nodes[cursor])
        nodes[cursor] = -1
        if node >= 0 and place < len(text) and text[place] != _UNUSED:
            nodes[cursor] = numbers[_slot(keys, node * NUM_SYMBOLS + text[place])]


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
