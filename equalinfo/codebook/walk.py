"""Encoding: a walk over the double array that never looks back.

Every prefix of a text is a text, so the longest match ends where the walk finds no child, and the
symbol that has none begins the next window: one step a symbol. The state of a walk is the entry of
the node it stands on, the window still open; so a text may come in chunks, cut anywhere.

One walk waits for memory at each step. `advance` therefore cuts a long text into four segments and
walks them together. Segments 2 to 4 guess that a window begins where they begin. Afterwards the
true walk goes on from segment 1 into segment 2 beside a replay of the guess: from the symbol at
which both stand on one node they agree for ever, usually after a few windows. Where they never
meet, the true walk does the whole segment. So the result is that of one walk, always.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from equalinfo.codebook.double_array import (
    BASE,
    BREAK,
    BREAK_CODE,
    NONE,
    OUTSIDE,
    PARENT,
    Entries,
)

Codes = npt.NDArray[np.uint32]
Ends = npt.NDArray[np.int64]
State = np.uint64
Text = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_BLOCK = 1 << 15  # symbols; what is written for one stays in the cache
_SHORT = 192  # below, four segments cost more than they save
SCRATCH_SHAPE = (3, _BLOCK // 4 + 1)

_ZERO, _ONE = np.uint64(0), np.uint64(1)


@njit(cache=True, nogil=True)
def encode(entries: Entries, text: Text, ends: Ends, add: int) -> tuple[Codes, Ends]:
    """Encode many texts, each by itself: in one walk, with a break behind each.

    Args:
      entries: uint64[S].
      text: uint8[n] or uint16[n], the texts one after the other; symbols at most 256.
      ends: int64[texts], where each ends.
      add: number added to every code.

    Returns:
      codes: uint32[codes], code + add of all texts.
      code_ends: int64[texts], where those of each text end.
    """
    scratch = np.empty(SCRATCH_SHAPE, np.uint32)
    block = np.empty(_BLOCK, np.uint16)
    codes = np.empty(len(text) + len(ends) + 1, np.uint32)  # the breaks are dropped block by block
    code_ends = np.zeros(len(ends), np.int64)
    place, reading = 0, 0  # symbols and texts read
    count, done = 0, 0  # codes and texts written
    state = OUTSIDE
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
        number, state = advance(entries, state, block[:filled], add, scratch, codes[count:])
        ended = _drop_breaks(codes[count : count + number], add, count, code_ends[done:])
        count += number - ended
        done += ended
    if len(ends):
        code_ends[done] = count  # the last break is still open
    return codes[:count].copy(), code_ends


@njit(cache=True, nogil=True)
def _drop_breaks(codes: Codes, add: int, before: int, code_ends: Ends) -> int:
    """Close up `codes` where breaks are, and tell where: before + codes before it. How many."""
    code_of_break = np.uint32(BREAK_CODE) + np.uint32(add)
    breaks = 0
    for index in range(len(codes)):
        breaks += codes[index] == code_of_break
    if breaks == 0:  # most often
        return 0
    kept, done = _ZERO, 0
    for index in range(len(codes)):
        if codes[index] == code_of_break:
            code_ends[done] = before + np.int64(kept)
            done += 1
        else:
            codes[kept] = codes[index]
            kept += _ONE
    return breaks


@njit(cache=True, nogil=True)
def advance(
    entries: Entries, state: State, text: Text, add: int, scratch: Codes, out: Codes
) -> tuple[int, State]:
    """Walk on through `text`; the last window stays open.

    Args:
      entries: uint64[S].
      state: entry of the open window's node, or OUTSIDE.
      text: uint8[n] or uint16[n], symbols at most 256.
      add: number added to every code.
      scratch: uint32[SCRATCH_SHAPE].
      out: uint32[n + 1] or longer, filled with code + add of the windows that ended.

    Returns:
      (number of windows that ended, state).
    """
    count, place = 0, 0
    if state == OUTSIDE and len(text):
        state = entries[text[0]]
        place = 1
    while len(text) - place >= _SHORT:
        size = min(len(text) - place, _BLOCK) // 4
        block = text[place : place + 4 * size]
        count, state = _four_segments(entries, state, block, scratch, out, count)
        place += 4 * size
    for index in range(place, len(text)):
        state, ended = _step(entries, state, text[index], out, count)
        count += ended
    for index in range(count):
        out[index] = (out[index] & np.uint32(NONE)) + np.uint32(add)
    return count, state


@njit(cache=True, nogil=True, inline="always")
def _step(entries: Entries, state: State, symbol: int, out: Codes, count: int) -> tuple[State, int]:
    """Read a symbol: (state, 1 if a window ended; its code is then the low bits of out[count])."""
    child = entries[(state >> BASE) + np.uint64(symbol)]
    if (((child >> PARENT) ^ state) & NONE) == _ZERO:
        return child, 0
    out[count] = np.uint32(state)
    return entries[symbol], 1


@njit(cache=True, nogil=True)
def _four_segments(
    entries: Entries, state: State, text: Text, scratch: Codes, out: Codes, count: int
) -> tuple[int, State]:
    """Walk through `text`, uint[4 q]: (number of codes in `out`, state)."""
    q = len(text) // 4
    size = np.uint64(q)
    text0, text1, text2, text3 = text[:q], text[q : 2 * q], text[2 * q : 3 * q], text[3 * q :]
    out0, out1, out2, out3 = out[count:], scratch[0], scratch[1], scratch[2]
    count0, count1, count2, count3 = _ZERO, _ZERO, _ZERO, _ZERO
    state0, ended = _step(entries, state, text0[0], out0, 0)
    count0 += np.uint64(ended)
    state1, state2, state3 = entries[text1[0]], entries[text2[0]], entries[text3[0]]
    # The next four lines come four times. Written as a loop over arrays of states they run at half
    # the speed. `kept` keeps both loads of a step from becoming a branch, which would be
    # mispredicted once a window: the branching form runs at half the speed too.
    kept = _ZERO
    index = _ONE
    while index < size:
        symbol = np.uint64(text0[index])
        child, single = entries[(state0 >> BASE) + symbol], entries[symbol]
        out0[count0] = np.uint32(state0)
        follows = (((child >> PARENT) ^ state0) & NONE) == _ZERO
        count0 += np.uint64(not follows)
        state0 = child if follows else single
        kept ^= single

        symbol = np.uint64(text1[index])
        child, single = entries[(state1 >> BASE) + symbol], entries[symbol]
        out1[count1] = np.uint32(state1)
        follows = (((child >> PARENT) ^ state1) & NONE) == _ZERO
        count1 += np.uint64(not follows)
        state1 = child if follows else single
        kept ^= single

        symbol = np.uint64(text2[index])
        child, single = entries[(state2 >> BASE) + symbol], entries[symbol]
        out2[count2] = np.uint32(state2)
        follows = (((child >> PARENT) ^ state2) & NONE) == _ZERO
        count2 += np.uint64(not follows)
        state2 = child if follows else single
        kept ^= single

        symbol = np.uint64(text3[index])
        child, single = entries[(state3 >> BASE) + symbol], entries[symbol]
        out3[count3] = np.uint32(state3)
        follows = (((child >> PARENT) ^ state3) & NONE) == _ZERO
        count3 += np.uint64(not follows)
        state3 = child if follows else single
        kept ^= single

        index += _ONE
    scratch[0, -1] = np.uint32(kept)
    count += int(count0)
    count, state = _join(entries, state0, text1, out1, int(count1), state1, out, count)
    count, state = _join(entries, state, text2, out2, int(count2), state2, out, count)
    return _join(entries, state, text3, out3, int(count3), state3, out, count)


@njit(cache=True, nogil=True)
def _join(
    entries: Entries,
    state: State,
    text: Text,
    guessed: Codes,
    num_guessed: int,
    guessed_state: State,
    out: Codes,
    count: int,
) -> tuple[int, State]:
    """Walk from `state` through a segment that a guess has walked from a fresh window.

    Args:
      entries: uint64[S].
      state: of the true walk, before the segment.
      text: uint[q], the segment.
      guessed: uint32[>= num_guessed], the low bits of whose elements are the guess's codes.
      num_guessed: how many.
      guessed_state: of the guess, behind the segment.
      out: filled from `count` on.
      count: codes in `out`.

    Returns:
      (codes in `out`, state of the true walk behind the segment).
    """
    state, ended = _step(entries, state, text[0], out, count)
    count += ended
    replay = entries[text[0]]
    replayed = 0
    for index in range(1, len(text)):
        if state == replay:
            rest = guessed[replayed:num_guessed]
            target = out[count : count + len(rest)]
            for place in range(len(rest)):
                target[place] = rest[place]
            return count + len(rest), guessed_state
        state, ended = _step(entries, state, text[index], out, count)
        count += ended
        # The replay's codes are known: it writes them again, over themselves.
        replay, ended = _step(entries, replay, text[index], guessed, replayed)
        replayed += ended
    return count, state
