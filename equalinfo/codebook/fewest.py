"""Parse `fewest`: of all ways to spell a text with texts of the codebook, that of fewest bits.

A code costs its information and the codebook's `token_cost`, both integers in 1/256 bit. Among ways
that cost the same the one whose last token is longest is taken, then the one before, and so on. A
text of more than PIECE symbols is cut after each PIECE, and each piece is parsed by itself: so
memory is bounded and tokens can be written while a text comes, for half a token a piece.

Viterbi's algorithm over an Aho-Corasick automaton. Its state behind a symbol is the longest node of
the trie that the text ends with there (`_find_states`). The codes whose texts end there are that
node's code and a chain of shorter ones; the best way to the place is the best of those through
them (`_find_ways`), and of equal ones the first, which is the longest.

Most of a chain cannot win. Let m be a code of the chain, k a shorter one, and w what m has before
k. Then k loses to m wherever the ways to both of their beginnings differ by at least
cost(m) - cost(k), and there is a bound below that difference, whatever stands before: a way to k's
beginning passes m's, and costs the best spelling of w more; or its token u covers m's beginning,
ends with a prefix x of w, and costs at least cost(u) less the best spelling of the rest of u more,
and what follows x in w. `_least_excess` has the least of that over all u, for each x; `_prune`
drops the codes that always lose.

Behind a place that all surviving ways pass, nothing before it can change any more: so far the
tokens of a text that goes on are certain (`certain`).

Legend: C codes, N nodes, S places.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.codebook import plain
from equalinfo.codebook.double_array import (
    NO_SYMBOL,
    SYMBOL_BITS,
    Codes,
    DoubleArray,
    Ends,
    Entries,
    Places,
    Text,
)
from equalinfo.codebook.limits import MAX_FEWEST_SYMBOLS
from equalinfo.codebook.plain import PIECE
from equalinfo.codebook.trie import Nodes, Texts, Trie
from equalinfo.jit import njit

Costs = npt.NDArray[np.int64]

# An entry is `base | place of the failure | symbol`, the base in the upper half.
_FAILURE, _BASE = np.uint32(SYMBOL_BITS), np.uint64(32)
_SYMBOL = np.uint64(NO_SYMBOL)
_ROOT = np.uint64(0)

# A way to a place is `cost | MAX_FEWEST_SYMBOLS - symbols of the last token | its code`: of two the
# lesser is better. A link is `rank of the next link | cost of the code | as in a way`.
_CODE_BITS, _LENGTH_BITS, _COST_BITS = 20, 8, 16
_CODE = np.uint64((1 << _CODE_BITS) - 1)
_LENGTH = np.uint64(_CODE_BITS)
_TOTAL = np.uint64(_CODE_BITS + _LENGTH_BITS)
_NEXT = np.uint64(_CODE_BITS + _LENGTH_BITS + _COST_BITS)
_LONGEST = np.uint64(MAX_FEWEST_SYMBOLS)
_LINK = (np.uint64(1) << _NEXT) - np.uint64(1)
_COSTS = ~((np.uint64(1) << _TOTAL) - np.uint64(1))
_ZERO, _ONE = np.uint64(0), np.uint64(1)

_BLOCK = 1 << 13  # symbols whose states are found together
_FAR = np.int64(1) << 40


class Table(NamedTuple):
    """What the parse reads.

    Attributes:
      entries: uint64[S], of the node at each place.
      firsts: uint32[S], rank of the longest code that the node of each base ends with.
      links: uint64[C], of the codes, those of least information first.
      longest: symbols of the longest text.
    """

    entries: Entries
    firsts: Codes
    links: Entries
    longest: int


def table(
    trie: Trie, array: DoubleArray, information: npt.NDArray[np.uint16], token_cost: int
) -> Table:
    """Make the table of a codebook, of texts of at most MAX_FEWEST_SYMBOLS symbols."""
    costs = plain.costs(information, token_cost)
    nodes = np.empty(len(costs), np.int32)
    nodes[trie.codes[trie.codes >= 0]] = np.flatnonzero(trie.codes >= 0)
    failures, suffixes = _link(trie, array.bases, array.node_at, trie.by_depth)
    excess = _least_excess(trie, nodes, failures, suffixes, costs)
    nexts = _prune(trie, nodes, failures, suffixes, costs, excess)
    ranks = np.empty(len(costs), np.int64)
    ranks[np.argsort(costs, kind="stable")] = np.arange(len(costs))
    # The last link of a chain names itself.
    after = np.where(nexts < 0, ranks, ranks[nexts]).astype(np.uint64)
    lengths = _LONGEST - trie.depths[nodes].astype(np.uint64)
    links = np.empty(len(costs), np.uint64)
    links[ranks] = (
        (after << _NEXT)
        | (costs.astype(np.uint64) << _TOTAL)
        | (lengths << _LENGTH)
        | np.arange(len(costs), dtype=np.uint64)
    )
    entries = np.full(array.size, _SYMBOL, np.uint64)
    places = np.where(failures < 0, array.size - 1, array.places[failures]).astype(np.uint64)
    entries[array.places] = (
        (array.bases.astype(np.uint64) << _BASE)
        | (places << np.uint64(_FAILURE))
        | trie.symbols.astype(np.uint64)
    )
    entries[array.size - 1] = _ROOT  # the place of no node
    firsts = np.zeros(array.size, np.uint32)
    firsts[array.bases] = ranks[suffixes]
    return Table(entries, firsts, links, int(trie.depths.max()))


@njit(cache=True, nogil=True)
def _link(trie: Trie, bases: Places, node_at: Nodes, by_depth: Places) -> tuple[Nodes, Nodes]:
    """Of each node: its longest suffix that is a node, and that is a text.

    Returns:
      failures: int32[N], the node; -1: the root.
      suffixes: int32[N], the code of the text, which may be the node's own.
    """
    parents, symbols, codes, _ = trie
    failures = np.full(len(parents), -1, np.int32)
    suffixes = np.empty(len(parents), np.int32)
    for node in by_depth:
        parent = parents[node]
        if parent >= 0:
            suffix = failures[parent]
            while True:
                child = node_at[(0 if suffix < 0 else bases[suffix]) + symbols[node]]
                if child >= 0 and symbols[child] == symbols[node] and parents[child] == suffix:
                    failures[node] = child
                    break
                suffix = failures[suffix]
        suffixes[node] = codes[node] if codes[node] >= 0 else suffixes[failures[node]]
    return failures, suffixes


@njit(cache=True, nogil=True)
def _least_excess(
    trie: Trie, nodes: Nodes, failures: Nodes, suffixes: Nodes, costs: Costs
) -> Costs:
    """Of each node, the least cost(u) - best spelling of what u has before it, int64[N].

    Over all codes u that end with the node's text and are longer.
    """
    parents, depths = trie.parents, trie.depths
    excess = np.full(len(parents), _FAR, np.int64)
    path = np.empty(MAX_FEWEST_SYMBOLS, np.int32)
    spelt = np.empty(MAX_FEWEST_SYMBOLS + 1, np.int64)
    for code in range(len(nodes)):
        node = nodes[code]
        size = depths[node]
        for depth in range(size - 1, -1, -1):
            path[depth] = node
            node = parents[node]
        spelt[0] = 0
        for end in range(1, size):  # best spelling of the first `end` symbols
            spelt[end] = _FAR
            part = suffixes[path[end - 1]]
            while part >= 0:
                length = depths[nodes[part]]
                spelt[end] = min(spelt[end], spelt[end - length] + costs[part])
                shorter = failures[nodes[part]]
                part = suffixes[shorter] if shorter >= 0 else -1
        shorter = failures[nodes[code]]
        while shorter >= 0:
            before = size - depths[shorter]
            excess[shorter] = min(excess[shorter], costs[code] - spelt[before])
            shorter = failures[shorter]
    return excess


@njit(cache=True, nogil=True)
def _prune(
    trie: Trie, nodes: Nodes, failures: Nodes, suffixes: Nodes, costs: Costs, excess: Costs
) -> Nodes:
    """Of each code, the longest shorter code that its text ends with and that may win; -1: none."""
    parents, depths = trie.parents, trie.depths
    nexts = np.full(len(nodes), -1, np.int32)
    path = np.empty(MAX_FEWEST_SYMBOLS, np.int32)
    spelt = np.empty(MAX_FEWEST_SYMBOLS + 1, np.int64)
    for code in range(len(nodes)):
        node = nodes[code]
        size = depths[node]
        for depth in range(size - 1, -1, -1):
            path[depth] = node
            node = parents[node]
        shorter = failures[nodes[code]]
        while shorter >= 0:
            other = suffixes[shorter]
            width = size - depths[nodes[other]]  # symbols of `code` before `other`
            # Backwards: the best spelling of what is between each place and `other`.
            for begin in range(width):
                spelt[begin] = _FAR
            spelt[width] = 0
            for end in range(width, 0, -1):
                part = suffixes[path[end - 1]]
                while part >= 0:
                    begin = end - depths[nodes[part]]
                    spelt[begin] = min(spelt[begin], spelt[end] + costs[part])
                    rest = failures[nodes[part]]
                    part = suffixes[rest] if rest >= 0 else -1
            least = spelt[0]
            for end in range(1, width + 1):
                least = min(least, excess[path[end - 1]] + spelt[end])
            if least + costs[other] < costs[code]:
                nexts[code] = other
                break
            shorter = failures[nodes[other]]
    return nexts


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
    ways = np.empty(PIECE + 1, np.uint64)
    block = np.empty(_BLOCK, np.uint16)
    states = np.empty(_BLOCK + 1, np.uint32)
    codes = np.empty(len(text), np.uint32)
    code_ends = np.empty(len(ends), np.int64)
    start, count = 0, 0
    for index in range(len(ends)):
        while start < ends[index]:
            size = min(PIECE, ends[index] - start)
            _find_all_ways(table, text[start : start + size], block, states, ways)
            count = _follow_back(ways, size, add, codes, count)
            start += size
        code_ends[index] = count
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
    ways = np.empty(len(text) + 1, np.uint64)
    block = np.empty(_BLOCK, np.uint16)
    states = np.empty(_BLOCK + 1, np.uint32)
    _find_all_ways(table, text, block, states, ways)
    # All ways go on from a place behind which the trie goes on as far as the text does.
    meet = len(text)
    for begin in range(len(text) - 1, max(-1, len(text) - table.longest), -1):
        place, base = begin, _ZERO
        while place < len(text):
            symbol = np.uint64(text[place])
            entry = table.entries[base + symbol]
            if (entry & _SYMBOL) != symbol:
                break
            base = entry >> _BASE
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
    return _follow_back(ways, meet, add, out, 0), meet


@njit(cache=True, nogil=True)
def _find_all_ways(table: Table, text: Text, block: Texts, states: Codes, ways: Entries) -> None:
    """Fill ways[place] with the best way to each place of `text`, uint[n], n <= PIECE."""
    ways[0] = _ZERO
    state = _ROOT
    for start in range(0, len(text), _BLOCK):
        source = text[start : min(start + _BLOCK, len(text))]
        for place in range(len(source)):
            block[place] = source[place]
        state = _find_states(table.entries, state, block[: len(source)], states)
        _find_ways(table.firsts, table.links, states[: len(source)], start, ways)


@njit(cache=True, nogil=True, inline="always")
def _try(
    entries: Entries,
    state: np.uint64,
    text: Texts,
    states: Codes,
    index: np.uint64,
    kept: np.uint64,
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Read the symbol at `index`; or go to the failure and stay there, where no child is found.

    That is no branch, and `kept` keeps LLVM from making one.
    """
    symbol = np.uint64(text[index])
    child = entries[(state >> _BASE) + symbol]
    instead = entries[np.uint64(np.uint32(state) >> _FAILURE)]
    follows = (child & _SYMBOL) == symbol
    state = child if follows else instead
    states[index] = np.uint32(state >> _BASE)
    return state, index + np.uint64(follows), kept ^ instead


@njit(cache=True, nogil=True)
def _find_states(entries: Entries, state: np.uint64, text: Texts, states: Codes) -> np.uint64:
    """Fill `states` with the base of the node behind each symbol; the entry of the last.

    One walk waits for memory at each step. So the text is cut into eight segments, which are
    walked together, all but the first from the root; then each is walked again from the state
    behind the one before, until it stands on the same node as the first time, usually soon.

    Args:
      entries: uint64[S].
      state: entry of the node behind the symbol before.
      text: uint16[n].
      states: uint32[n + 1].
    """
    size = np.uint64(len(text) // 8)
    s0, at0, end0 = state, _ZERO, size
    s1, at1, end1 = _ROOT, end0, end0 + size
    s2, at2, end2 = _ROOT, end1, end1 + size
    s3, at3, end3 = _ROOT, end2, end2 + size
    s4, at4, end4 = _ROOT, end3, end3 + size
    s5, at5, end5 = _ROOT, end4, end4 + size
    s6, at6, end6 = _ROOT, end5, end5 + size
    s7, at7, end7 = _ROOT, end6, end6 + size
    # Written as a loop over arrays of states it runs at half the speed.
    kept = _ZERO
    while (at0 < end0 and at1 < end1 and at2 < end2 and at3 < end3) and (
        at4 < end4 and at5 < end5 and at6 < end6 and at7 < end7
    ):
        s0, at0, kept = _try(entries, s0, text, states, at0, kept)
        s1, at1, kept = _try(entries, s1, text, states, at1, kept)
        s2, at2, kept = _try(entries, s2, text, states, at2, kept)
        s3, at3, kept = _try(entries, s3, text, states, at3, kept)
        s4, at4, kept = _try(entries, s4, text, states, at4, kept)
        s5, at5, kept = _try(entries, s5, text, states, at5, kept)
        s6, at6, kept = _try(entries, s6, text, states, at6, kept)
        s7, at7, kept = _try(entries, s7, text, states, at7, kept)
    states[len(text)] = np.uint32(kept)
    last = np.array([s0, s1, s2, s3, s4, s5, s6, s7])
    places = (at0, at1, at2, at3, at4, at5, at6, at7)
    for lane in range(8):
        end = size * np.uint64(lane + 1)
        last[lane] = _walk(entries, last[lane], text, places[lane], end, states)
    state = last[0]
    for lane in range(1, 8):
        first = size * np.uint64(lane)
        state = _walk_again(entries, state, text, first, first + size, states, last[lane])
    return _walk(entries, state, text, end7, np.uint64(len(text)), states)


@njit(cache=True, nogil=True, inline="always")
def _step(entries: Entries, state: np.uint64, symbol: int) -> np.uint64:
    """Entry of the node behind `symbol`."""
    read = np.uint64(symbol)
    while True:
        child = entries[(state >> _BASE) + read]
        if (child & _SYMBOL) == read:
            return child
        state = entries[np.uint64(np.uint32(state) >> _FAILURE)]


@njit(cache=True, nogil=True)
def _walk(
    entries: Entries, state: np.uint64, text: Texts, first: np.uint64, end: np.uint64, states: Codes
) -> np.uint64:
    """Fill states[first:end]; the entry behind the last symbol."""
    for index in range(first, end):
        state = _step(entries, state, text[index])
        states[index] = np.uint32(state >> _BASE)
    return state


@njit(cache=True, nogil=True)
def _walk_again(
    entries: Entries,
    state: np.uint64,
    text: Texts,
    first: np.uint64,
    end: np.uint64,
    states: Codes,
    last: np.uint64,
) -> np.uint64:
    """Correct states[first:end], which was walked from the root, and `last`, behind it."""
    for index in range(first, end):
        state = _step(entries, state, text[index])
        base = np.uint32(state >> _BASE)
        if states[index] == base:
            return last
        states[index] = base
    return state


@njit(cache=True, nogil=True)
def _find_ways(firsts: Codes, links: Entries, states: Codes, start: int, ways: Entries) -> None:
    """Fill ways[start + 1:] from the states behind the symbols from `start` on."""
    for index in range(len(states)):
        # Of MAX_FEWEST_SYMBOLS symbols before the first of the longest token there can be.
        origin = np.uint64(start + index + 1) - _LONGEST
        rank = np.uint64(firsts[np.uint64(states[index])])
        # Three without asking whether there are so many: the last names itself, and few have more.
        link = links[rank]
        best = _through(link, ways, origin)
        rank = link >> _NEXT
        link = links[rank]
        best = min(best, _through(link, ways, origin))
        rank = link >> _NEXT
        link = links[rank]
        best = min(best, _through(link, ways, origin))
        while link >> _NEXT != rank:
            rank = link >> _NEXT
            link = links[rank]
            best = min(best, _through(link, ways, origin))
        ways[np.uint64(start + index + 1)] = best


@njit(cache=True, nogil=True, inline="always")
def _through(link: np.uint64, ways: Entries, origin: np.uint64) -> np.uint64:
    before = ways[origin + ((link >> _LENGTH) & _LONGEST)]
    return (before & _COSTS) + (link & _LINK)


@njit(cache=True, nogil=True, inline="always")
def _length(way: np.uint64) -> np.int64:
    return np.int64(_LONGEST - ((way >> _LENGTH) & _LONGEST))


@njit(cache=True, nogil=True)
def _follow_back(ways: Entries, end: int, add: int, out: Codes, count: int) -> int:
    """Write the codes of the way to `end`, from `count` on: number of codes in `out`."""
    number, place = 0, end
    while place > 0:
        place -= _length(ways[place])
        number += 1
    place, last = end, count + number
    while place > 0:
        last -= 1
        out[last] = np.uint32(ways[place] & _CODE) + np.uint32(add)
        place -= _length(ways[place])
    return count + number
