"""Code whole texts with a context model, many texts side by side (method `ac`).

A model that is exact in any order (`intervals`) reads a text in one pass. With any other, encoder
and decoder take the same steps, as one pass over floats would give other last bits [paper 3.7].
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols, as_symbols
from equalinfo.coding.arithmetic import Bits, check_is_code, encode
from equalinfo.coding.arithmetic_lanes import TextDecoder
from equalinfo.coding.intervals import interval_of
from equalinfo.coding.lanes import DEFAULT_LANES, Progress
from equalinfo.m1.base import Frequencies, FrequencyModel, WholeTextModel

_Indices = npt.NDArray[np.int64]
_Read = Callable[[Frequencies, _Indices, _Indices, _Indices], npt.NDArray[np.int32]]


class CodedText(NamedTuple):
    """A text as bits.

    Attributes:
      bits: uint8[m] of 0 and 1.
      settled: int64[symbols]; the first settled[i] bits do not depend on symbols after i.
    """

    bits: Bits
    settled: npt.NDArray[np.int64]


def encode_texts(
    examples: Sequence[Symbols],
    model: FrequencyModel,
    *,
    context: int,
    lanes: int = DEFAULT_LANES,
    progress: Progress | None = None,
) -> list[CodedText]:
    """Code texts, each on its own.

    Args:
      examples: uint16[any] texts of symbols 0..256.
      model: M1.
      context: symbols of left context M1 sees at most.
      lanes: texts coded at the same time.
      progress: called with the number of symbols coded since the last call.

    Raises:
      ValueError: a symbol above 256.
    """
    checked = [as_symbols(example, f"text {i}") for i, example in enumerate(examples)]
    if isinstance(model, WholeTextModel):
        return [
            CodedText(*encode(*interval, model.precision))
            for interval in model.intervals(checked, context, progress)
        ]
    text = np.concatenate([*checked, np.empty(0, np.uint16)]).astype(np.int32)
    starts, sizes = np.empty(text.size, np.uint32), np.empty(text.size, np.uint32)

    def read(
        table: Frequencies, rows: _Indices, lanes_here: _Indices, places: _Indices
    ) -> npt.NDArray[np.int32]:
        symbols = text[places]
        starts[places], sizes[places] = interval_of(table, rows, symbols)
        return symbols

    lengths = [len(example) for example in examples]
    _run(lengths, model, context, lanes, progress, lambda lane, job: None, read)
    cuts = np.cumsum(lengths[:-1], dtype=np.int64)
    return [
        CodedText(*encode(start, size, model.precision))
        for start, size, _ in zip(
            np.split(starts, cuts), np.split(sizes, cuts), lengths, strict=False
        )
    ]


def decode_texts(
    bits: Sequence[Bits],
    lengths: Sequence[int],
    model: FrequencyModel,
    *,
    context: int,
    lanes: int = DEFAULT_LANES,
    progress: Progress | None = None,
    max_padding: int | None = None,
) -> list[Symbols]:
    """Undo `encode_texts`, with the same model and context.

    Args:
      bits: for each text uint8[m] of 0 and 1; what follows (pad bits) does not matter.
      lengths: symbols of each text, which its bits do not tell.
      model: M1.
      context: as for `encode_texts`.
      lanes: texts read at the same time.
      progress: called with the number of symbols read since the last call.
      max_padding: zeros that may follow a text's code; None: anything may, and bits that code no
        text of this length are read as some text.

    Raises:
      ValueError: not one length for each text; bits that are no code, see `max_padding`.
    """
    if len(bits) != len(lengths):
        raise ValueError(f"{len(bits)} texts but {len(lengths)} lengths: expected one for each.")
    out = np.empty(sum(lengths), np.uint16)
    starts, sizes = np.empty(out.size, np.uint32), np.empty(out.size, np.uint32)
    decoder = TextDecoder(max(1, min(lanes, len(bits))), model.precision)

    def read(
        table: Frequencies, rows: _Indices, lanes_here: _Indices, places: _Indices
    ) -> npt.NDArray[np.int32]:
        symbols = decoder.descend(table, rows, lanes_here)
        out[places] = symbols
        if max_padding is not None:
            starts[places], sizes[places] = interval_of(table, rows, symbols)
        return symbols

    def begin(lane: int, job: int) -> None:
        decoder.begin(lane, bits[job])

    _run(lengths, model, context, lanes, progress, begin, read)
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    places = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    if max_padding is not None:
        for index, place in enumerate(places):
            code, _ = encode(starts[place], sizes[place], model.precision)
            check_is_code(bits[index], code, max_padding, f"text {index}")
    return [out[place] for place in places]


def _run(
    lengths: Sequence[int],
    model: FrequencyModel,
    context: int,
    lanes: int,
    progress: Progress | None,
    begin: Callable[[int, int], None],
    read: _Read,
) -> None:
    """Step the model over texts of given lengths; `read` says which symbol each lane has.

    Args:
      lengths: symbols of each text.
      model: M1.
      context: symbols of left context M1 sees at most.
      lanes: texts at the same time.
      progress: called with the number of symbols read.
      begin: called with (lane, text) before the text's first symbol.
      read: called with (table uint32[any, 257], rows, lanes, places in all texts joined), int64[k]
        each; returns int32[k] symbols.
    """
    if lanes < 1:
        raise ValueError(f"lanes={lanes}: expected at least 1.")
    sizes = np.array(lengths, np.int64)
    starts = np.cumsum(sizes) - sizes
    jobs = iter(np.flatnonzero(sizes).tolist())
    lanes = max(1, min(lanes, int(np.count_nonzero(sizes))))
    place, end = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)

    def take_jobs(free: _Indices) -> _Indices:
        taken = []
        for lane, job in zip(free.tolist(), jobs, strict=False):
            begin(lane, job)
            place[lane], end[lane] = starts[job], starts[job] + sizes[job]
            taken.append(lane)
        return np.array(taken, np.int64)

    root = np.ascontiguousarray(model.root())[None]
    state = model.start(lanes, context)
    fresh, opened = take_jobs(np.arange(lanes)), np.empty(0, np.int64)
    frequencies = np.broadcast_to(root, (lanes, NUM_SYMBOLS))
    while fresh.size or opened.size:
        symbols = np.zeros(lanes, np.int32)
        reset = np.ones(lanes, np.bool_)
        reset[opened] = False
        symbols[opened] = read(np.ascontiguousarray(frequencies), opened, opened, place[opened])
        symbols[fresh] = read(root, np.zeros(fresh.size, np.int64), fresh, place[fresh])
        opened = np.concatenate([opened, fresh])
        if progress is not None:
            progress(int(opened.size))
        place[opened] += 1
        ended = place[opened] == end[opened]
        fresh = take_jobs(opened[ended])
        opened = np.sort(opened[~ended])
        if opened.size:
            frequencies = model.step(state, symbols, reset)
