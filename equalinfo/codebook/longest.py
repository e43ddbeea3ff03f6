"""Parse `longest`: each token is the longest text of the codebook that begins where it begins.

Linear time, and the text is never read twice, though a match may run on for long before it fails:
failure links, as in LinMaxMatch [Song et al. 2021, arXiv 2012.15524]. The walk stands on the node
of what it has read and not yet cut, its pending text. Where the node has no child by the next
symbol, what is certain is written (`Table.outputs`) and the walk goes to the node of what then
remains (`Table.failures`), where the symbol is tried again; the root has a child by every symbol.
For a node that is a text of the codebook, that text is written and nothing remains. The state of a
walk is the entry of its node; so a text may come in chunks, cut anywhere.

One walk waits for memory at each step. A long text is therefore cut into eight segments, which are
walked together. All but the first guess that a token begins where they begin. Afterwards the
true walk goes on from each segment into the next beside a replay of the guess: from the symbol at
which both stand on one node they agree for ever, usually after a few tokens. Where they never
meet, the true walk does the whole segment. So the result is that of one walk, always.

What a walk writes first are the bases of the nodes at which it failed: what to write for them is
looked up when a block is done (`_write`).

Legend: N nodes, S places, O codes in all lists of outputs.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.codebook.double_array import (
    BREAK,
    NO_SYMBOL,
    SYMBOL_BITS,
    Codes,
    DoubleArray,
    Ends,
    Entries,
    Places,
    Text,
)
from equalinfo.codebook.trie import Nodes, Trie
from equalinfo.jit import njit

# An entry is `base | base of the failure's node | symbol`, the base in the upper half.
_FAILURE, _BASE = np.uint32(SYMBOL_BITS), np.uint64(32)
_SYMBOL = np.uint64(NO_SYMBOL)

# In `outputs`: from _LIST on, the rest is where in `lists`; _END: a text has ended.
_LIST, _END = np.uint32(1 << 31), np.uint32((1 << 31) - 1)
_NOTHING = _LIST  # the list at 0 is empty
_MAX_OUTPUTS = 1 << 24

_BLOCK = 1 << 15  # symbols; what is written for one stays in the cache
_SHORT = 384  # below, segments cost more than they save
_SCRATCH = _BLOCK + 8  # failures of segments

_ZERO, _ONE = np.uint64(0), np.uint64(1)


class Table(NamedTuple):
    """What the walk reads. Of a node of base b is what lies at b.

    Attributes:
      entries: uint64[S], of the node at each place.
      start: entry of no node, on which a walk begins: nothing is pending.
      failures: uint64[S], the entry to go to where the node has no child; `start`: the root.
      outputs: uint32[S], what is then written: a code, or where in `lists`.
      lists: uint32[O], a number and as many codes, for each list.
      longest: symbols of the longest text.
    """

    entries: Entries
    start: np.uint64
    failures: Entries
    outputs: Codes
    lists: Codes
    longest: int


def table(trie: Trie, array: DoubleArray) -> Table:
    """Make the table of a codebook.

    Raises:
      ValueError: too much would be pending at too many places.
    """
    failures, outputs, lists, complete = _link(trie, array.bases, array.node_at, trie.by_depth)
    if not complete:
        raise ValueError(
            f"what its texts leave pending would fill more than {_MAX_OUTPUTS:,} codes: this "
            "codebook cannot be parsed by longest match. Use parse 'fewest'."
        )
    failure_bases = np.where(failures < 0, 0, array.bases[failures])
    of_nodes = _entry(array.bases, failure_bases, trie.symbols)
    ended, start = _entry(array.free_bases, np.zeros(2, np.int64), np.array([BREAK, NO_SYMBOL]))
    entries = np.full(array.size, NO_SYMBOL, np.uint64)
    entries[array.places] = of_nodes
    entries[BREAK] = ended
    after = np.full(array.size, start, np.uint64)
    after[array.bases] = np.where(failures < 0, start, of_nodes[failures])
    written = np.full(array.size, _NOTHING, np.uint32)
    written[array.bases] = outputs
    written[array.free_bases[0]] = _END
    return Table(entries, start, after, written, lists, int(trie.depths.max()))


def _entry(bases: Places, failure_bases: Places, symbols: npt.NDArray[np.integer]) -> Entries:
    """Entries of their fields."""
    low = (failure_bases.astype(np.uint64) << np.uint64(_FAILURE)) | symbols.astype(np.uint64)
    return (bases.astype(np.uint64) << _BASE) | low


@njit(cache=True, nogil=True)
def _link(
    trie: Trie, bases: Places, node_at: Nodes, by_depth: Places
) -> tuple[Nodes, Codes, Codes, bool]:
    """Failures (nodes; -1: the root), outputs, lists, and whether they are not too much."""
    parents, symbols, codes, _ = trie
    num_nodes = len(parents)
    failures = np.full(num_nodes, -1, np.int32)
    outputs = np.zeros(num_nodes, np.uint32)
    lists = np.empty(1 << 12, np.uint32)
    lists[0] = 0
    used = np.int64(1)
    for node in by_depth:  # a failure is a shorter text, hence maybe a later node
        if codes[node] >= 0:
            outputs[node] = codes[node]
            continue
        parent = parents[node]
        # Written: what the parent writes, then what each node on the way to the failure does.
        after = failures[parent]
        start, size = used, np.int64(0)
        source = parent
        while True:
            output = outputs[source]
            first = np.int64(output & ~_LIST)
            number = np.int64(lists[first]) if output & _LIST else np.int64(1)
            if used + size + number + 1 >= len(lists):
                if 2 * len(lists) > _MAX_OUTPUTS:
                    return failures, outputs, lists[:used], False
                lists = np.append(lists, np.empty(len(lists), np.uint32))
            for index in range(number):
                lists[start + 1 + size + index] = (
                    lists[first + 1 + index] if output & _LIST else output
                )
            size += number
            base = 0 if after < 0 else bases[after]
            child = node_at[base + symbols[node]]
            if child >= 0 and symbols[child] == symbols[node] and parents[child] == after:
                failures[node] = child
                break
            source = after
            after = failures[after]
        if source == parent:  # the same list
            outputs[node] = outputs[parent]
        elif size == 1:
            outputs[node] = lists[start + 1]
        else:
            lists[start] = size
            outputs[node] = _LIST | np.uint32(start)
            used = start + 1 + size
    return failures, outputs, lists[:used].copy(), True


@njit(cache=True, nogil=True)
def encode(table: Table, text: Text, ends: Ends, add: int) -> tuple[Codes, Ends]:
    """Encode many texts, each by itself: in one walk, with a break behind each.

    Args:
      table: of the codebook.
      text: uint8[n] or uint16[n], the texts one after the other; symbols at most 256.
      ends: int64[texts], where each ends.
      add: number added to every code.

    Returns:
      codes: uint32[codes], code + add of all texts.
      code_ends: int64[texts], where those of each text end.
    """
    scratch = np.empty(_SCRATCH, np.uint32)
    failed = np.empty(_BLOCK + table.longest + 1, np.uint32)
    block = np.empty(_BLOCK, np.uint16)
    codes = np.empty(len(text) + 1, np.uint32)
    code_ends = np.zeros(len(ends), np.int64)
    place, reading = 0, 0  # symbols and texts read
    count, done = np.int64(0), 0  # codes and texts written
    state = table.start
    while reading < len(ends):
        filled = 0
        while filled < _BLOCK and reading < len(ends):
            size = min(ends[reading] - place, _BLOCK - filled)
            # Views and a plain range: only so does LLVM copy many symbols at once.
            source, target = text[place : place + size], block[filled : filled + size]
            for index in range(len(source)):
                target[index] = source[index]
            filled += size
            place += size
            if place == ends[reading] and filled < _BLOCK:
                block[filled] = BREAK
                filled += 1
                reading += 1
        number, state = _walk(table, state, block[:filled], scratch, failed)
        count, done = _write(table, failed[:number], add, codes, count, code_ends, done)
    if len(ends):
        code_ends[done] = count  # the walk stands on the last break
    return codes[:count].copy(), code_ends


@njit(cache=True, nogil=True)
def advance(
    table: Table, state: np.uint64, text: Text, add: int, out: Codes
) -> tuple[np.int64, np.uint64]:
    """Walk on through `text`; what is pending stays so.

    Args:
      table: of the codebook.
      state: entry of the pending text's node, or `table.start`.
      text: uint8[n] or uint16[n], symbols at most 256; BREAK: what is pending ends here.
      add: number added to every code.
      out: uint32[n + longest] or longer, filled with code + add of the tokens that are certain.

    Returns:
      (their number, state).
    """
    scratch = np.empty(_SCRATCH, np.uint32)
    failed = np.empty(len(text) + table.longest + 1, np.uint32)
    number, state = _walk(table, state, text, scratch, failed)
    count, _ = _write(
        table, failed[:number], add, out, np.int64(0), np.empty(len(text) + 1, np.int64), 0
    )
    return count, state


@njit(cache=True, nogil=True)
def _write(
    table: Table, failed: Codes, add: int, codes: Codes, count: np.int64, code_ends: Ends, done: int
) -> tuple[np.int64, int]:
    """Write the codes of failures, from `count` on, and where texts end, from `done` on."""
    outputs, lists = table.outputs, table.lists
    number = np.uint32(add)
    filled = np.uint64(count)
    for index in range(len(failed)):
        output = outputs[np.uint64(failed[index])]
        if output < _END:  # most often
            codes[filled] = output + number
            filled += _ONE
        elif output == _END:
            code_ends[done] = np.int64(filled)
            done += 1
        else:
            first = np.uint64(output & ~_LIST)
            for offset in range(np.uint64(lists[first])):
                codes[filled] = lists[first + _ONE + np.uint64(offset)] + number
                filled += _ONE
    return np.int64(filled), done


@njit(cache=True, nogil=True)
def _walk(
    table: Table, state: np.uint64, text: Text, scratch: Codes, failed: Codes
) -> tuple[np.int64, np.uint64]:
    """Walk through `text`: (number of failures, whose places are in `failed`; state)."""
    count, place = _ZERO, 0
    while len(text) - place >= _SHORT:
        size = min(len(text) - place, _BLOCK) // 8
        block = text[place : place + 8 * size]
        count, state = _segments(table, state, block, scratch, failed, count)
        place += 8 * size
    for index in range(place, len(text)):
        state, count = _step(table, state, text[index], failed, count)
    return np.int64(count), state


@njit(cache=True, nogil=True, inline="always")
def _step(
    table: Table, state: np.uint64, symbol: int, failed: Codes, count: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Read a symbol: (state, number of failures)."""
    read = np.uint64(symbol)
    while True:
        child = table.entries[(state >> _BASE) + read]
        if (child & _SYMBOL) == read:
            return child, count
        failed[count] = state >> _BASE
        count += _ONE
        state = table.failures[state >> _BASE]
        if state == table.start:
            return table.entries[read], count


@njit(cache=True, nogil=True, inline="always")
def _try(
    entries: Entries,
    state: np.uint64,
    read: int,
    out: Codes,
    count: np.uint64,
    wrong: np.uint64,
    kept: np.uint64,
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Read a symbol, where the node or its failure's has a child by it; else `wrong` shows.

    Both entries are loaded, that of the child and that of the failure's child, and one is chosen: a
    branch would be mispredicted once a token, and `kept` keeps LLVM from making one. That neither
    says the symbol is rare: what remains after a failure is short, and most often nothing.
    """
    symbol, base = np.uint64(read), state >> _BASE
    child = entries[base + symbol]
    instead = entries[np.uint64(np.uint32(state) >> _FAILURE) + symbol]
    out[count] = np.uint32(base)
    fails = ((child ^ symbol) & _SYMBOL) != _ZERO
    state = instead if fails else child
    return state, count + np.uint64(fails), wrong | (state ^ symbol), kept ^ instead


@njit(cache=True, nogil=True)
def _segments(
    table: Table, state: np.uint64, text: Text, scratch: Codes, failed: Codes, count: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Walk through `text`, uint[8 q]: (number of failures in `failed`, state)."""
    q, room = len(text) // 8, len(scratch) // 8
    size, entries = np.uint64(q), table.entries
    q2, q3, q4 = np.uint64(2 * q), np.uint64(3 * q), np.uint64(4 * q)
    q5, q6, q7 = np.uint64(5 * q), np.uint64(6 * q), np.uint64(7 * q)
    # Of each segment its state, and where its next failure is written.
    s0, n0 = _step(table, state, text[0], failed, count)
    s1, n1 = entries[np.uint64(text[size])], np.uint64(1 * room)
    s2, n2 = entries[np.uint64(text[q2])], np.uint64(2 * room)
    s3, n3 = entries[np.uint64(text[q3])], np.uint64(3 * room)
    s4, n4 = entries[np.uint64(text[q4])], np.uint64(4 * room)
    s5, n5 = entries[np.uint64(text[q5])], np.uint64(5 * room)
    s6, n6 = entries[np.uint64(text[q6])], np.uint64(6 * room)
    s7, n7 = entries[np.uint64(text[q7])], np.uint64(7 * room)
    # Written as a loop over arrays of states it runs at half the speed.
    kept, at = _ZERO, _ONE
    while at < size:
        wrong = _ZERO
        while at < size and not wrong & _SYMBOL:
            s0, n0, wrong, kept = _try(entries, s0, text[at], failed, n0, wrong, kept)
            s1, n1, wrong, kept = _try(entries, s1, text[at + size], scratch, n1, wrong, kept)
            s2, n2, wrong, kept = _try(entries, s2, text[at + q2], scratch, n2, wrong, kept)
            s3, n3, wrong, kept = _try(entries, s3, text[at + q3], scratch, n3, wrong, kept)
            s4, n4, wrong, kept = _try(entries, s4, text[at + q4], scratch, n4, wrong, kept)
            s5, n5, wrong, kept = _try(entries, s5, text[at + q5], scratch, n5, wrong, kept)
            s6, n6, wrong, kept = _try(entries, s6, text[at + q6], scratch, n6, wrong, kept)
            s7, n7, wrong, kept = _try(entries, s7, text[at + q7], scratch, n7, wrong, kept)
            at += _ONE
        if wrong & _SYMBOL:
            last = at - _ONE
            s0, n0 = _retry(table, s0, text[last], failed, n0)
            s1, n1 = _retry(table, s1, text[last + size], scratch, n1)
            s2, n2 = _retry(table, s2, text[last + q2], scratch, n2)
            s3, n3 = _retry(table, s3, text[last + q3], scratch, n3)
            s4, n4 = _retry(table, s4, text[last + q4], scratch, n4)
            s5, n5 = _retry(table, s5, text[last + q5], scratch, n5)
            s6, n6 = _retry(table, s6, text[last + q6], scratch, n6)
            s7, n7 = _retry(table, s7, text[last + q7], scratch, n7)
    scratch[0] = np.uint32(kept)
    state, count = s0, n0
    states, ends = (s0, s1, s2, s3, s4, s5, s6, s7), (n0, n1, n2, n3, n4, n5, n6, n7)
    for lane in range(1, 8):
        part = text[lane * q : (lane + 1) * q]
        guessed = scratch[lane * room : np.int64(ends[lane])]
        count, state = _join(table, state, part, guessed, states[lane], failed, count)
    return count, state


@njit(cache=True, nogil=True)
def _retry(
    table: Table, state: np.uint64, symbol: int, failed: Codes, count: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """Where `_try` found no child, go on from the failure that it wrote."""
    if not (state ^ np.uint64(symbol)) & _SYMBOL:
        return state, count
    state = table.failures[np.uint64(failed[count - _ONE])]
    return _step(table, state, symbol, failed, count)


@njit(cache=True, nogil=True)
def _join(
    table: Table,
    state: np.uint64,
    text: Text,
    guessed: Codes,
    guessed_state: np.uint64,
    failed: Codes,
    count: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """Walk from `state` through a segment that a guess has walked from a fresh token.

    Args:
      table: of the codebook.
      state: of the true walk, before the segment.
      text: uint[q], the segment.
      guessed: uint32[], the guess's failures.
      guessed_state: of the guess, behind the segment.
      failed: filled from `count` on.
      count: failures in `failed`.

    Returns:
      (failures in `failed`, state of the true walk behind the segment).
    """
    state, count = _step(table, state, text[0], failed, count)
    replay = table.entries[np.uint64(text[0])]
    replayed = _ZERO
    for index in range(1, len(text)):
        if state == replay:
            rest = guessed[np.int64(replayed) :]
            target = failed[np.int64(count) :]
            for place in range(len(rest)):
                target[place] = rest[place]
            return count + np.uint64(len(rest)), guessed_state
        state, count = _step(table, state, text[index], failed, count)
        # The replay's failures are known: it writes them again, over themselves.
        replay, replayed = _step(table, replay, text[index], guessed, replayed)
    return count, state
