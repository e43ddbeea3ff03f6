"""The decoding half of `equalinfo.coding.lanes`."""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.coding.window_coder import (
    DEFAULT_LANES,
    Flags,
    Indices,
    Progress,
    WindowCoder,
    check_options,
)
from equalinfo.m1.base import Frequencies, FrequencyModel


class DecodedText(NamedTuple):
    """What codes were read as.

    Attributes:
      symbols: uint16[n].
      lengths: int32[windows], how many symbols each code gave; they sum to n.
      valid: bool[windows], False where no text has that code (never in the exact code).
    """

    symbols: Symbols
    lengths: npt.NDArray[np.int32]
    valid: Flags


def decode_windows(
    codes: Sequence[Sequence[int]],
    model: FrequencyModel,
    coder: WindowCoder,
    *,
    context: int,
    lanes: int = DEFAULT_LANES,
    reset_every: int = 1,
    allow_invalid: bool = False,
    progress: Progress | None = None,
) -> list[DecodedText]:
    """Read the windows of texts coded by `encode_windows` with the same model, coder and options.

    With reset_every = 1 each window stands alone: lanes are windows, and equal codes are read once.
    Otherwise a window needs the text before it, and texts are read one after another: slow.

    Args:
      codes: for each text its codes, numbers in [0, 2^W).
      model: as for `encode_windows`.
      coder: as for `encode_windows`.
      context: as for `encode_windows`.
      lanes: windows read at the same time.
      reset_every: as for `encode_windows`.
      allow_invalid: read a code that no text has as the longest text on the way to it, and mark it,
        instead of raising ValueError. The exact code has no such codes.
      progress: called with the number of different codes read since the last call.

    Raises:
      ValueError: options that contradict each other; a code out of range; a code no text has.
    """
    check_options(model, coder, lanes, reset_every)
    lists = [[int(code) for code in text] for text in codes]
    for index, text in enumerate(lists):
        for window, code in enumerate(text):
            if not 0 <= code < 1 << coder.window_bits:
                raise ValueError(
                    f"text {index}, window {window}: code {code} does not fit "
                    f"{coder.window_bits} bits. Was it made with another window_bits?"
                )
    if reset_every == 1:
        unique = list(dict.fromkeys(code for text in lists for code in text))
        texts = _alone(unique, model, coder, context, lanes, progress)
        table = dict(zip(unique, texts, strict=True))
        read = [[table[code] for code in text] for text in lists]
    else:
        read = [_in_order(text, model, coder, context, reset_every, progress) for text in lists]
    if not allow_invalid:
        for index, windows in enumerate(read):
            for window, (_, valid) in enumerate(windows):
                if not valid:
                    raise ValueError(
                        f"text {index}, window {window}: no text has code {lists[index][window]}. "
                        "The codes are damaged, made with other options or by a model, or follow a "
                        "window that the paper's code read wrongly. allow_invalid=True reads on."
                    )
    return [
        DecodedText(
            np.array([symbol for symbols, _ in windows for symbol in symbols], np.uint16),
            np.array([len(symbols) for symbols, _ in windows], np.int32),
            np.array([valid for _, valid in windows], np.bool_),
        )
        for windows in read
    ]


def _alone(
    codes: list[int],
    model: FrequencyModel,
    coder: WindowCoder,
    context: int,
    lanes: int,
    progress: Progress | None,
) -> list[tuple[list[int], bool]]:
    """Read codes that depend on nothing before them."""
    out: list[tuple[list[int], bool]] = [([], False)] * len(codes)
    lanes = max(1, min(lanes, len(codes)))
    jobs = iter(range(len(codes)))
    decoder, state = coder.decoder(lanes), model.start(lanes, context)
    root, zeros = np.ascontiguousarray(model.root())[None], np.zeros(lanes, np.int64)
    job: list[int] = [-1] * lanes
    texts: list[list[int]] = [[] for _ in range(lanes)]

    def take_job(lane: int) -> bool:
        index = next(jobs, -1)
        job[lane] = index
        if index >= 0:
            texts[lane] = []
            decoder.begin(lane, codes[index])
        return index >= 0

    def read(table: Frequencies, rows: Indices, group: Indices) -> tuple[Indices, Indices]:
        """Return the lanes that go on, and those that start another code."""
        symbols, finished = decoder.descend(table, rows, group)
        for lane, symbol in zip(group.tolist(), symbols.tolist(), strict=True):
            if symbol >= 0:
                texts[lane].append(symbol)
        again = []
        for lane in group[finished].tolist():
            length, valid = decoder.result(lane)
            out[job[lane]] = texts[lane][:length], valid
            if progress is not None:
                progress(1)
            if take_job(lane):
                again.append(lane)
        return group[~finished], np.array(again, np.int64)

    fresh = np.array([lane for lane in range(lanes) if take_job(lane)], np.int64)
    opened = np.empty(0, np.int64)
    frequencies = np.broadcast_to(root, (lanes, NUM_SYMBOLS))
    while fresh.size or opened.size:
        ready, again = read(np.ascontiguousarray(frequencies), opened, opened)
        fresh = np.concatenate([fresh, again])
        reset = np.ones(lanes, np.bool_)
        reset[ready] = False
        while fresh.size:
            started, fresh = read(root, zeros[: fresh.size], fresh)
            ready = np.concatenate([ready, started])
        opened = np.sort(ready)
        if opened.size:
            symbols = np.zeros(lanes, np.int32)
            symbols[opened] = [texts[lane][-1] for lane in opened.tolist()]
            frequencies = model.step(state, symbols, reset)
    return out


def _in_order(
    codes: list[int],
    model: FrequencyModel,
    coder: WindowCoder,
    context: int,
    reset_every: int,
    progress: Progress | None,
) -> list[tuple[list[int], bool]]:
    """Read the windows of one text, M1 keeping its context between them."""
    out: list[tuple[list[int], bool]] = []
    decoder, lane = coder.decoder(1), np.zeros(1, np.int64)
    root = np.ascontiguousarray(model.root())[None]
    state, frequencies = model.start(1, context), root
    for window, code in enumerate(codes):
        empty = window == 0 or (reset_every > 0 and window % reset_every == 0)
        if empty:
            frequencies = root
        decoder.begin(0, code)
        text: list[int] = []
        # The paper's decoder walks past the end of the text before it knows: keep where that was.
        kept, kept_length = (copy.deepcopy(state), frequencies), 0
        finished = False
        while not finished:
            symbols, flags = decoder.descend(np.ascontiguousarray(frequencies), lane, lane)
            finished = bool(flags[0])
            if symbols[0] >= 0:
                text.append(int(symbols[0]))
                reset = np.array([empty and len(text) == 1])
                frequencies = model.step(state, symbols, reset)
            length, valid = decoder.result(0)
            if not finished and length == len(text) and valid:
                kept, kept_length = (copy.deepcopy(state), np.array(frequencies)), length
        if length < len(text) and length == kept_length:
            state, frequencies = kept
        out.append((text[:length], valid))
        if progress is not None:
            progress(1)
    return out
