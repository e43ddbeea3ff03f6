"""Windows that end where the next one reaches farthest: fewer of them, read as any others.

Every prefix of a window of the exact code has a code of its own, so a window may end early at no
cost (docs/exact-code.md, 6). To look one window ahead is enough for the fewest windows, as with any
set of texts that holds the prefixes of each [Matias and Sahinalp 1999].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from equalinfo.alphabet import Symbols
from equalinfo.coding.drive import (
    Progress,
    Run,
    WindowedText,
    check_options,
    enough,
    joined,
)
from equalinfo.coding.exact import ExactCode
from equalinfo.coding.intervals import Lanes, Wide
from equalinfo.m1.base import Frequencies, FrequencyModel

AHEAD = 3
"""A window leaves so many symbols to the next one at most: more win less than 0.2%."""

_WIDTH = 1 + AHEAD
"""Lanes of a text: one for each place where its next window may begin."""


@dataclass
class _Text:
    """A text that is coded.

    Attributes:
      index: which of the examples.
      end: where it ends in all of them, joined.
      tried: windows that are read side by side, on its first lanes; one of them is its next.
      waiting: those that are not full yet.
      begin: of the window before those, whose end is not chosen yet.
      stop: where that window is full.
      codes: that window's code by how many symbols it leaves to the next; None: there is none yet.
    """

    index: int
    end: int
    tried: int = 0
    waiting: int = 0
    begin: int = 0
    stop: int = 0
    codes: Wide | None = None


def encode_fewest_windows(
    examples: Sequence[Symbols],
    model: FrequencyModel,
    coder: ExactCode,
    *,
    context: int,
    lanes: int | None = None,
    progress: Progress | None = None,
) -> list[WindowedText]:
    """Code texts, each on its own; `drive.decode_windows` reads them.

    A window ends where it is full, or up to `AHEAD` symbols before: where the next one reaches
    farthest from, and of such places at the last. So M1 takes 1 + `AHEAD` steps a symbol.

    Args:
      examples: uint16[any] texts of symbols 0..256; empty ones give no windows.
      model: M1, whose context is emptied at every window.
      coder: the code; its precision must be the model's.
      context: symbols of left context M1 sees at most.
      lanes: windows read at the same time, rounded up to whole texts; None: as many as the memory
        of the contexts allows.
      progress: called with the number of symbols coded since the last call.

    Raises:
      ValueError: options that contradict each other, or a symbol above 256.
    """
    check_options(model, coder)
    checked, text, starts = joined(examples)
    ends = starts + [len(example) for example in checked]
    codes: list[list[int]] = [[] for _ in checked]
    sizes: list[list[int]] = [[] for _ in checked]
    jobs = iter(np.flatnonzero(ends > starts).tolist())
    texts = -(-enough(lanes, context, _WIDTH * int(np.count_nonzero(ends > starts))) // _WIDTH)
    lanes = texts * _WIDTH
    encoder, run = coder.encoder(lanes), Run(model, context, lanes)
    begin, cursor, end = np.zeros((3, lanes), np.int64)
    found = np.zeros((lanes, _WIDTH), encoder.low.dtype)  # codes, as `_Text.codes`
    coded = [_Text(-1, 0)] * texts

    def begin_windows(number: int, places: range) -> list[int]:
        one, lanes_of_it = coded[number], range(number * _WIDTH, number * _WIDTH + len(places))
        one.tried = one.waiting = len(places)
        for lane, place in zip(lanes_of_it, places, strict=True):
            begin[lane] = cursor[lane] = place
            end[lane] = one.end
            encoder.restart(lane)
        return list(lanes_of_it)

    def take_text(number: int) -> list[int]:
        index = next(jobs, -1)
        if index < 0:
            return []
        coded[number] = _Text(index, int(ends[index]))
        return begin_windows(number, range(int(starts[index]), int(starts[index]) + 1))

    def end_window(one: _Text, stop: int) -> None:
        assert one.codes is not None
        codes[one.index].append(int(one.codes[one.stop - stop]))
        sizes[one.index].append(stop - one.begin)
        if progress is not None:
            progress(stop - one.begin)

    def close(lane: int) -> list[int]:
        """A window is full; returns the lanes whose windows begin now."""
        number = lane // _WIDTH
        one = coded[number]
        one.waiting -= 1
        if one.waiting:
            return []
        tried = range(number * _WIDTH, number * _WIDTH + one.tried)
        best = max(tried, key=lambda lane: (cursor[lane], begin[lane]))
        if one.codes is not None:
            end_window(one, int(begin[best]))
        one.begin, one.stop, one.codes = int(begin[best]), int(cursor[best]), found[best].copy()
        if one.stop == one.end:
            end_window(one, one.end)
            return take_text(number)
        return begin_windows(number, range(one.stop, max(one.begin, one.stop - _WIDTH), -1))

    def read(table: Frequencies, rows: Lanes, group: Lanes) -> tuple[Lanes, Lanes]:
        symbols = text[cursor[group]]
        fits = encoder.extend(table, rows, symbols, group)
        run.symbols[group] = symbols
        taken = group[fits]
        cursor[taken] += 1
        found[taken, 1:] = found[taken, :-1]
        found[taken, 0] = encoder.low[taken]
        full = ~fits | (cursor[group] == end[group])
        again = [lane for done in group[full].tolist() for lane in close(done)]
        return group[~full], np.array(again, np.int64)

    run(lambda lane: lane % _WIDTH == 0 and bool(take_text(lane // _WIDTH)), read)
    return [
        WindowedText(code, np.array(size, np.int32))
        for code, size in zip(codes, sizes, strict=True)
    ]
