"""Parse `fewest`: of all ways to spell a text with texts of the codebook, that of fewest bits.

A code costs its information and the codebook's `token_cost`, both integers in 1/256 bit. Among ways
that cost the same the one whose last token is longest is taken, then the one before, and so on. A
text of more than PIECE symbols is cut after each PIECE, and each piece is parsed by itself: so
memory is bounded and tokens can be written while a text comes, for half a token a piece.

Viterbi's algorithm, forward: from each place a walk goes down the trie as far as the text does,
and where a text of the codebook ends, the way to there is kept if it costs less than all before.
Longer texts reach a place before shorter ones do, hence the rule for ties. Behind a place that
all surviving ways pass, nothing before it can change any more: so far the tokens are certain.

One walk waits for memory at each step, and its end cannot be predicted. So four pieces are parsed
together, a step of the trie each, and a step that finds no child goes on at the next place without
a branch.

Legend: N nodes, S places.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from equalinfo.codebook.double_array import (
    BREAK,
    NO_SYMBOL,
    PLACE_BITS,
    SYMBOL_BITS,
    DoubleArray,
)
from equalinfo.codebook.limits import MAX_FEWEST_SYMBOLS
from equalinfo.codebook.plain import MAX_COST, PIECE
from equalinfo.codebook.trie import Trie

Codes = npt.NDArray[np.uint32]
Ends = npt.NDArray[np.int64]
Entries = npt.NDArray[np.uint64]
Text = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MAX_LENGTH = MAX_FEWEST_SYMBOLS

# An entry is `none | base | cost | symbol`.
_COST, _COST_BITS = np.uint64(SYMBOL_BITS), np.uint64(MAX_COST)
_BASE = np.uint64(SYMBOL_BITS + 16)
_SYMBOL = np.uint64(NO_SYMBOL)
_NONE = np.uint64(1 << 63)

# A way to a place is `none | cost | MAX_LENGTH - symbols of the last token | place of its node`: of
# two the lesser is better.
_NODE = np.uint64((1 << PLACE_BITS) - 1)
_LENGTH = np.uint64(PLACE_BITS)
_TOTAL = np.uint64(PLACE_BITS + 10)
_NO_WAY = ~np.uint64(0)
_ZERO, _ONE = np.uint64(0), np.uint64(1)

_LANES = 4


class Table(NamedTuple):
    """What the parse reads.

    Attributes:
      entries: uint64[S], of the node at each place.
      codes: uint32[S], of the node at each place, where it stands for one.
    """

    entries: Entries
    codes: Codes


class _Lanes(NamedTuple):
    """Pieces that are parsed together.

    Attributes:
      texts: uint16[lanes, PIECE + 1], the symbols of each, and BREAK.
      ways: uint64[lanes, PIECE + 2], the best way to each of its places so far.
      begins: uint64[lanes], where the walk at hand begins: ways up to there are final.
      sizes: uint64[lanes], symbols.
    """

    texts: npt.NDArray[np.uint16]
    ways: Entries
    begins: Entries
    sizes: Entries


def table(
    trie: Trie, array: DoubleArray, information: npt.NDArray[np.uint16], token_cost: int
) -> Table:
    """Make the table of a codebook, of texts of at most MAX_LENGTH symbols."""
    coded = trie.codes >= 0
    head = np.full(len(trie.codes), _NONE, np.uint64)
    costs = np.minimum(information[trie.codes[coded]].astype(np.int64) + token_cost, MAX_COST)
    head[coded] = costs.astype(np.uint64) << _COST
    entries = np.full(array.size, _SYMBOL, np.uint64)
    entries[array.places] = (
        head | (array.bases.astype(np.uint64) << _BASE) | trie.symbols.astype(np.uint64)
    )
    codes = np.zeros(array.size, np.uint32)
    codes[array.places[coded]] = trie.codes[coded]
    return Table(entries, codes)


@njit(cache=True, nogil=True)
def encode(table: Table, text: Text, ends: Ends, add: int) -> tuple[Codes, Ends]:
    """Encode many texts, each by itself.

    Args:
      table: of the codebook.
      text: uint8[n] or uint16[n], the texts one after the other; symbols at most 256.
      ends: int64[texts], where each ends.
      add: number added to every code.

    Returns:
      codes: uint32[codes], code + add of all texts.
      code_ends: int64[texts], where those of each text end.
    """
    piece_ends = _cut(ends)
    counts = np.empty(len(piece_ends), np.int64)
    codes = np.empty(len(text), np.uint32)  # those of a piece begin where its symbols do
    lanes = _lanes(_LANES)
    held = np.full(_LANES, -1, np.int64)  # the piece in each lane
    taken = 0
    while True:
        for lane in range(_LANES):
            if held[lane] < 0 and taken < len(piece_ends):
                start = piece_ends[taken - 1] if taken else 0
                _take(lanes, lane, text[start : piece_ends[taken]])
                held[lane] = taken
                taken += 1
        if held.min() >= 0:
            _find_ways_in_lanes(table.entries, lanes)
        elif held.max() >= 0:  # none is left for some lane: the others end alone
            _find_ways(table.entries, lanes, np.argmax(held))
        else:
            break
        for lane in range(_LANES):
            if held[lane] >= 0 and lanes.begins[lane] == lanes.sizes[lane]:
                piece = held[lane]
                start = piece_ends[piece - 1] if piece else 0
                size = np.int64(lanes.sizes[lane])
                counts[piece] = _follow_back(
                    table.codes, lanes.ways[lane], size, add, codes[start:]
                )
                held[lane] = -1
    code_ends = np.zeros(len(ends), np.int64)
    count, index = 0, 0
    for piece in range(len(piece_ends)):
        start = piece_ends[piece - 1] if piece else 0
        while ends[index] <= start:  # texts that have no symbols, and the one that ends there
            code_ends[index] = count
            index += 1
        for place in range(counts[piece]):
            codes[count + place] = codes[start + place]
        count += counts[piece]
    code_ends[index:] = count
    return codes[:count].copy(), code_ends


@njit(cache=True, nogil=True)
def certain(table: Table, text: Text, add: int, out: Codes) -> tuple[int, int]:
    """Encode what is certain of a piece that may go on.

    Args:
      table: of the codebook.
      text: uint8[n] or uint16[n], n <= PIECE, symbols at most 256.
      add: number added to every code.
      out: uint32[n] or longer, filled with code + add.

    Returns:
      (number of codes, symbols that they stand for).
    """
    lanes = _lanes(1)
    _take(lanes, 0, text)
    _find_ways(table.entries, lanes, 0)
    symbols, ways = lanes.texts[0], lanes.ways[0]
    # All ways go on from a place behind which the trie goes on as far as the text does.
    meet = len(text)
    for begin in range(len(text) - 1, -1, -1):
        place, base = begin, _ZERO
        while place < len(text):
            symbol = np.uint64(symbols[place])
            entry = table.entries[base + symbol]
            if (entry & _SYMBOL) != symbol:
                break
            base = (entry & ~_NONE) >> _BASE
            place += 1
        if place < len(text):
            continue
        other = begin
        while meet != other:  # the last place that both pass
            if meet > other:
                meet -= _length(ways[meet])
            else:
                other -= _length(ways[other])
        if meet == 0:
            break
    return _follow_back(table.codes, ways, meet, add, out), meet


@njit(cache=True, nogil=True)
def _cut(ends: Ends) -> Ends:
    """Where the pieces of texts end, that end at `ends`: int64[pieces]."""
    number, start = 0, 0
    for end in ends:
        number += (end - start + PIECE - 1) // PIECE
        start = end
    piece_ends = np.empty(number, np.int64)
    number, start = 0, 0
    for end in ends:
        while start < end:
            start = min(start + PIECE, end)
            piece_ends[number] = start
            number += 1
    return piece_ends


@njit(cache=True, nogil=True)
def _lanes(number: int) -> _Lanes:
    return _Lanes(
        np.empty((number, PIECE + 1), np.uint16),
        np.empty((number, PIECE + 2), np.uint64),
        np.zeros(number, np.uint64),
        np.zeros(number, np.uint64),
    )


@njit(cache=True, nogil=True)
def _take(lanes: _Lanes, lane: int, source: Text) -> None:
    """Put a piece, uint[n], n <= PIECE, into a lane."""
    target, ways = lanes.texts[lane, : len(source)], lanes.ways[lane, : len(source) + 2]
    for place in range(len(source)):
        target[place] = source[place]
    ways[:] = _NO_WAY
    ways[0] = _ZERO
    lanes.texts[lane, len(source)] = BREAK
    lanes.begins[lane], lanes.sizes[lane] = 0, len(source)


@njit(cache=True, nogil=True)
def _find_ways(entries: Entries, lanes: _Lanes, lane: int) -> None:
    """Find the best way to every place of one lane."""
    text, ways = lanes.texts[lane], lanes.ways[lane]
    for begin in range(lanes.begins[lane], lanes.sizes[lane]):
        place = np.uint64(begin)
        way = _begin_token(ways[place])
        base = _ZERO
        while True:
            symbol = np.uint64(text[place])
            node = base + symbol
            entry = entries[node]
            if (entry & _SYMBOL) != symbol:
                break
            place += _ONE
            way -= _ONE << _LENGTH
            ways[place] = min(ways[place], _end_token(way, node, entry))
            base = (entry & ~_NONE) >> _BASE
    lanes.begins[lane] = lanes.sizes[lane]


@njit(cache=True, nogil=True, inline="always")
def _begin_token(way: np.uint64) -> np.uint64:
    """The cost so far, and no symbols yet."""
    return ((way >> _TOTAL) << _TOTAL) | (np.uint64(MAX_LENGTH) << _LENGTH)


@njit(cache=True, nogil=True, inline="always")
def _end_token(way: np.uint64, node: np.uint64, entry: np.uint64) -> np.uint64:
    """The way through a node; none, if it stands for no code."""
    cost = (entry >> _COST) & _COST_BITS
    return (way + (cost << _TOTAL)) | node | (entry & _NONE)


@njit(cache=True, nogil=True)
def _find_ways_in_lanes(entries: Entries, lanes: _Lanes) -> None:
    """Find the best ways in all lanes, until one of them has them all."""
    texts, all_ways, begins, sizes = lanes.texts, lanes.ways, lanes.begins, lanes.sizes
    text0, ways0, begin0, size0 = texts[0], all_ways[0], begins[0], sizes[0]
    place0, way0, base0 = begin0, _begin_token(ways0[begin0]), _ZERO
    text1, ways1, begin1, size1 = texts[1], all_ways[1], begins[1], sizes[1]
    place1, way1, base1 = begin1, _begin_token(ways1[begin1]), _ZERO
    text2, ways2, begin2, size2 = texts[2], all_ways[2], begins[2], sizes[2]
    place2, way2, base2 = begin2, _begin_token(ways2[begin2]), _ZERO
    text3, ways3, begin3, size3 = texts[3], all_ways[3], begins[3], sizes[3]
    place3, way3, base3 = begin3, _begin_token(ways3[begin3]), _ZERO
    # What follows comes four times. Written as a loop over arrays it runs at half the speed.
    while begin0 < size0 and begin1 < size1 and begin2 < size2 and begin3 < size3:
        symbol = np.uint64(text0[place0])
        node = base0 + symbol
        entry = entries[node]
        differs = (entry ^ symbol) & _SYMBOL
        follows = differs == _ZERO
        way = way0 - (_ONE << _LENGTH)
        # No condition, which would become a branch: _ZERO - differs has _NONE if it is not 0.
        found = _end_token(way, node, entry) | ((_ZERO - differs) & _NONE)
        place0 += _ONE
        ways0[place0] = min(ways0[place0], found)
        begin0 += np.uint64(not follows)
        again = _begin_token(ways0[begin0])
        place0 = place0 if follows else begin0
        way0 = way if follows else again
        base0 = ((entry & ~_NONE) >> _BASE) if follows else _ZERO

        symbol = np.uint64(text1[place1])
        node = base1 + symbol
        entry = entries[node]
        differs = (entry ^ symbol) & _SYMBOL
        follows = differs == _ZERO
        way = way1 - (_ONE << _LENGTH)
        # No condition, which would become a branch: _ZERO - differs has _NONE if it is not 0.
        found = _end_token(way, node, entry) | ((_ZERO - differs) & _NONE)
        place1 += _ONE
        ways1[place1] = min(ways1[place1], found)
        begin1 += np.uint64(not follows)
        again = _begin_token(ways1[begin1])
        place1 = place1 if follows else begin1
        way1 = way if follows else again
        base1 = ((entry & ~_NONE) >> _BASE) if follows else _ZERO

        symbol = np.uint64(text2[place2])
        node = base2 + symbol
        entry = entries[node]
        differs = (entry ^ symbol) & _SYMBOL
        follows = differs == _ZERO
        way = way2 - (_ONE << _LENGTH)
        # No condition, which would become a branch: _ZERO - differs has _NONE if it is not 0.
        found = _end_token(way, node, entry) | ((_ZERO - differs) & _NONE)
        place2 += _ONE
        ways2[place2] = min(ways2[place2], found)
        begin2 += np.uint64(not follows)
        again = _begin_token(ways2[begin2])
        place2 = place2 if follows else begin2
        way2 = way if follows else again
        base2 = ((entry & ~_NONE) >> _BASE) if follows else _ZERO

        symbol = np.uint64(text3[place3])
        node = base3 + symbol
        entry = entries[node]
        differs = (entry ^ symbol) & _SYMBOL
        follows = differs == _ZERO
        way = way3 - (_ONE << _LENGTH)
        # No condition, which would become a branch: _ZERO - differs has _NONE if it is not 0.
        found = _end_token(way, node, entry) | ((_ZERO - differs) & _NONE)
        place3 += _ONE
        ways3[place3] = min(ways3[place3], found)
        begin3 += np.uint64(not follows)
        again = _begin_token(ways3[begin3])
        place3 = place3 if follows else begin3
        way3 = way if follows else again
        base3 = ((entry & ~_NONE) >> _BASE) if follows else _ZERO
    begins[0] = begin0
    begins[1] = begin1
    begins[2] = begin2
    begins[3] = begin3


@njit(cache=True, nogil=True, inline="always")
def _length(way: np.uint64) -> int:
    return MAX_LENGTH - np.int64((way >> _LENGTH) & np.uint64(MAX_LENGTH))


@njit(cache=True, nogil=True)
def _follow_back(codes: Codes, ways: Entries, end: int, add: int, out: Codes) -> int:
    """Write the codes of the way to `end`: how many."""
    number, place = 0, end
    while place > 0:
        place -= _length(ways[place])
        number += 1
    place, last = end, number
    while place > 0:
        last -= 1
        out[last] = codes[ways[place] & _NODE] + np.uint32(add)
        place -= _length(ways[place])
    return number
