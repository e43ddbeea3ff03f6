"""Drive a model and a code over many texts at once, one text (or one window) a lane.

One model step serves all lanes, and no step is wasted: what begins anew within a step, as the
window of a symbol that does not fit the one before, begins with the root's frequencies, known
beforehand. What a lane computes does not depend on the others, so results do not depend on `lanes`.

A model that is exact in any order (`intervals`) reads a whole text in one pass. With any other,
encoder and decoder take the same steps [paper 3.7].
"""

import copy
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols, as_symbols
from equalinfo.coding.arithmetic import TextDecoder, check_is_code, encode
from equalinfo.coding.bits import Bits
from equalinfo.coding.exact import ExactCode
from equalinfo.coding.intervals import Lanes, interval_of
from equalinfo.coding.paper import PaperCode
from equalinfo.m1.base import Frequencies, FrequencyModel, WholeTextModel

_FEWEST_LANES, _MOST_LANES, _LANE_SYMBOLS = 24, 1024, 1 << 18

WindowCoder = ExactCode | PaperCode

Flags = npt.NDArray[np.bool_]
Progress = Callable[[int], object]
Read = Callable[[Frequencies, Lanes, Lanes], tuple[Lanes, Lanes]]


class WindowedText(NamedTuple):
    """A text as windows: their codes (each < 2^W), and how many symbols each stands for, int32."""

    codes: list[int]
    lengths: npt.NDArray[np.int32]


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


class CodedText(NamedTuple):
    """A text as bits.

    Attributes:
      bits: uint8[m] of 0 and 1.
      settled: int64[symbols]; the first settled[i] bits do not depend on symbols after i.
    """

    bits: Bits
    settled: npt.NDArray[np.int64]


def encode_windows(
    examples: Sequence[Symbols],
    model: FrequencyModel,
    coder: WindowCoder,
    *,
    context: int,
    lanes: int | None = None,
    reset_every: int = 1,
    progress: Progress | None = None,
) -> list[WindowedText]:
    """Code texts, each on its own, window after window.

    Args:
      examples: uint16[any] texts of symbols 0..256; empty ones give no windows.
      model: M1.
      coder: the code; its precision must be the model's.
      context: symbols of left context M1 sees at most.
      lanes: texts coded at the same time; None: as many as the memory of the contexts allows.
      reset_every: empty M1's context at every k-th window of a text; 0 for never [paper A.2].
        The coder restarts at every window whatever this is.
      progress: called with the number of symbols coded since the last call.

    Raises:
      ValueError: options that contradict each other, or a symbol above 256.
    """
    check_options(model, coder, reset_every)
    checked, text, starts = joined(examples)
    ends = starts + [len(example) for example in checked]
    codes: list[list[int]] = [[] for _ in checked]
    sizes: list[list[int]] = [[] for _ in checked]
    jobs = iter(np.flatnonzero(ends > starts).tolist())
    lanes = enough(lanes, context, int(np.count_nonzero(ends > starts)))
    encoder = coder.encoder(lanes)
    job, end = np.full(lanes, -1), np.zeros(lanes, np.int64)
    begin, cursor = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    run = Run(model, context, lanes)

    def take_job(lane: int) -> bool:
        index = job[lane] = next(jobs, -1)
        if index >= 0:
            begin[lane] = cursor[lane] = starts[index]
            end[lane] = ends[index]
            run.goes_on[lane] = False
        return index >= 0

    def close(lane: int) -> None:
        code, length = encoder.close(lane)
        index = job[lane]
        codes[index].append(code)
        sizes[index].append(length)
        begin[lane] += length
        cursor[lane] = begin[lane]
        run.goes_on[lane] = reset_every == 0 or len(codes[index]) % reset_every != 0
        if progress is not None:
            progress(length)

    def read(table: Frequencies, rows: Lanes, group: Lanes) -> tuple[Lanes, Lanes]:
        symbols = text[cursor[group]]
        fits = encoder.extend(table, rows, symbols, group)
        run.symbols[group] = symbols
        cursor[group[fits]] += 1
        ended = fits & (cursor[group] == end[group])
        full = ended | ~fits
        again = []
        for lane, last in zip(group[full].tolist(), ended[full].tolist(), strict=True):
            close(lane)
            if not last or cursor[lane] < end[lane] or take_job(lane):
                again.append(lane)
        return group[~full], np.array(again, np.int64)

    run(take_job, read)
    return [
        WindowedText(code, np.array(size, np.int32))
        for code, size in zip(codes, sizes, strict=True)
    ]


def decode_windows(
    codes: Sequence[Sequence[int]],
    model: FrequencyModel,
    coder: WindowCoder,
    *,
    context: int,
    lanes: int | None = None,
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
      lanes: windows read at the same time; None: as for `encode_windows`.
      reset_every: as for `encode_windows`.
      allow_invalid: read a code that no text has as the longest text on the way to it, and mark it,
        instead of raising ValueError. The exact code has no such codes.
      progress: called with the number of different codes read since the last call.

    Raises:
      ValueError: options that contradict each other; a code out of range; a code no text has.
    """
    check_options(model, coder, reset_every)
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
        texts = _read_alone(unique, model, coder, context, lanes, progress)
        table = dict(zip(unique, texts, strict=True))
        read = [[table[code] for code in text] for text in lists]
    else:
        read = [
            _read_in_order(text, model, coder, context, reset_every, progress) for text in lists
        ]
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


def encode_texts(
    examples: Sequence[Symbols],
    model: FrequencyModel,
    *,
    context: int,
    lanes: int | None = None,
    progress: Progress | None = None,
) -> list[CodedText]:
    """Code texts, each on its own.

    Args:
      examples: uint16[any] texts of symbols 0..256.
      model: M1.
      context: symbols of left context M1 sees at most.
      lanes: texts coded at the same time; None: as for `encode_windows`.
      progress: called with the number of symbols coded since the last call.

    Raises:
      ValueError: a symbol above 256.
    """
    checked, text, _ = joined(examples)
    if isinstance(model, WholeTextModel):
        return [
            CodedText(*encode(*interval, model.precision))
            for interval in model.intervals(checked, context, progress)
        ]
    starts, sizes = np.empty(text.size, np.uint32), np.empty(text.size, np.uint32)

    def read(table: Frequencies, rows: Lanes, group: Lanes, places: Lanes) -> npt.NDArray[np.int32]:
        symbols = text[places]
        starts[places], sizes[places] = interval_of(table, rows, symbols)
        return symbols

    lengths = [len(example) for example in checked]
    _over_texts(lengths, model, context, lanes, progress, lambda lane, job: None, read)
    return [
        CodedText(*encode(starts[place], sizes[place], model.precision))
        for place in _places(lengths)
    ]


def decode_texts(
    bits: Sequence[Bits],
    lengths: Sequence[int],
    model: FrequencyModel,
    *,
    context: int,
    lanes: int | None = None,
    progress: Progress | None = None,
    max_padding: int | None = None,
) -> list[Symbols]:
    """Undo `encode_texts`, with the same model and context.

    Args:
      bits: for each text uint8[m] of 0 and 1; what follows (pad bits) does not matter.
      lengths: symbols of each text, which its bits do not tell.
      model: M1.
      context: as for `encode_texts`.
      lanes: texts read at the same time; None: as for `encode_windows`.
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
    lanes = enough(lanes, context, len(bits))
    decoder = TextDecoder(lanes, model.precision)

    def read(table: Frequencies, rows: Lanes, group: Lanes, places: Lanes) -> npt.NDArray[np.int32]:
        symbols = decoder.descend(table, rows, group)
        out[places] = symbols
        if max_padding is not None:
            starts[places], sizes[places] = interval_of(table, rows, symbols)
        return symbols

    def begin(lane: int, job: int) -> None:
        decoder.begin(lane, bits[job])

    _over_texts(lengths, model, context, lanes, progress, begin, read)
    places = _places(lengths)
    if max_padding is not None:
        for index, place in enumerate(places):
            code, _ = encode(starts[place], sizes[place], model.precision)
            check_is_code(bits[index], code, max_padding, f"text {index}")
    return [out[place] for place in places]


class Run:
    """A model that steps over lanes.

    Attributes:
      symbols: int32[lanes], what each lane read last; readers write it.
      goes_on: bool[lanes]; a lane that begins anew does so after what it read before, not after
        the empty text. Readers write it.
    """

    def __init__(self, model: FrequencyModel, context: int, lanes: int) -> None:
        self._model, self._state = model, model.start(lanes, context)
        self._root = np.ascontiguousarray(model.root())[None]
        self.symbols = np.zeros(lanes, np.int32)
        self.goes_on = np.zeros(lanes, np.bool_)

    def __call__(self, take_job: Callable[[int], bool], read: Read) -> None:
        """Read until no lane has anything left.

        Args:
          take_job: give a lane something to read; False: there is nothing.
          read: read a symbol with each of some lanes. Takes a table uint32[any, 257], for each lane
            its row, and the lanes, int64[k]; returns those that go on, and those that begin anew.
        """
        lanes = len(self.symbols)
        fresh = np.array([lane for lane in range(lanes) if take_job(lane)], np.int64)
        opened, zeros = np.empty(0, np.int64), np.zeros(lanes, np.int64)
        table = np.broadcast_to(self._root, (lanes, NUM_SYMBOLS))
        while fresh.size or opened.size:
            table = np.ascontiguousarray(table)
            going, again = read(table, opened, opened)
            fresh = np.concatenate([fresh, again])
            reset = np.ones(lanes, np.bool_)
            reset[going] = False
            while fresh.size:
                after = self.goes_on[fresh]
                reset[fresh] = ~after
                same, fresh = fresh[after], fresh[~after]
                more, fresh = read(self._root, zeros[: fresh.size], fresh)
                going = np.concatenate([going, more])
                if same.size:
                    more, again = read(table, same, same)
                    going, fresh = np.concatenate([going, more]), np.concatenate([fresh, again])
            opened = np.sort(going)
            if opened.size:
                symbols = np.zeros(lanes, np.int32)
                symbols[opened] = self.symbols[opened]
                table = self._model.step(self._state, symbols, reset)


def _read_alone(
    codes: list[int],
    model: FrequencyModel,
    coder: WindowCoder,
    context: int,
    lanes: int | None,
    progress: Progress | None,
) -> list[tuple[list[int], bool]]:
    """Read codes that depend on nothing before them."""
    out: list[tuple[list[int], bool]] = [([], False)] * len(codes)
    lanes = enough(lanes, context, len(codes))
    jobs = iter(range(len(codes)))
    decoder, run = coder.decoder(lanes), Run(model, context, lanes)
    job: list[int] = [-1] * lanes
    texts: list[list[int]] = [[] for _ in range(lanes)]

    def take_job(lane: int) -> bool:
        index = job[lane] = next(jobs, -1)
        if index >= 0:
            texts[lane] = []
            decoder.begin(lane, codes[index])
        return index >= 0

    def read(table: Frequencies, rows: Lanes, group: Lanes) -> tuple[Lanes, Lanes]:
        symbols, finished = decoder.descend(table, rows, group)
        run.symbols[group] = symbols
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

    run(take_job, read)
    return out


def _read_in_order(
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


def _over_texts(
    lengths: Sequence[int],
    model: FrequencyModel,
    context: int,
    lanes: int | None,
    progress: Progress | None,
    begin: Callable[[int, int], None],
    read_at: Callable[[Frequencies, Lanes, Lanes, Lanes], npt.NDArray[np.int32]],
) -> None:
    """Step the model over texts of given lengths; `read_at` says which symbol each lane has.

    Args:
      lengths: symbols of each text.
      model: M1.
      context: symbols of left context M1 sees.
      lanes: texts at the same time.
      progress: called with the number of symbols read.
      begin: called with (lane, text) before the text's first symbol.
      read_at: called with (table uint32[any, 257], rows, lanes, places in all texts joined),
        int64[k] each; returns int32[k] symbols.
    """
    places = _places(lengths)
    jobs = (index for index, length in enumerate(lengths) if length)
    lanes = enough(lanes, context, sum(length > 0 for length in lengths))
    place, end = np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    run = Run(model, context, lanes)

    def take_job(lane: int) -> bool:
        index = next(jobs, -1)
        if index >= 0:
            begin(lane, index)
            place[lane], end[lane] = places[index].start, places[index].stop
        return index >= 0

    def read(table: Frequencies, rows: Lanes, group: Lanes) -> tuple[Lanes, Lanes]:
        run.symbols[group] = read_at(table, rows, group, place[group])
        place[group] += 1
        if progress is not None and group.size:
            progress(int(group.size))
        ended = place[group] == end[group]
        again = [lane for lane in group[ended].tolist() if take_job(lane)]
        return group[~ended], np.array(again, np.int64)

    run(take_job, read)


def joined(examples: Sequence[Symbols]) -> tuple[list[Symbols], npt.NDArray[np.int32], Lanes]:
    """The examples, checked; all of them as one array; and where each begins in it."""
    checked = [as_symbols(example, f"text {index}") for index, example in enumerate(examples)]
    starts = np.array([place.start for place in _places([len(one) for one in checked])], np.int64)
    return checked, np.concatenate([*checked, np.empty(0, np.uint16)]).astype(np.int32), starts


def _places(lengths: Sequence[int]) -> list[slice]:
    """Where texts lie that are joined."""
    ends = np.cumsum(lengths, dtype=np.int64).tolist()
    return [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]


def enough(lanes: int | None, context: int, jobs: int) -> int:
    """No more lanes than jobs, and one at least; None: fewer where contexts take more memory."""
    if lanes is None:
        lanes = max(_FEWEST_LANES, min(_MOST_LANES, _LANE_SYMBOLS // max(context, 1)))
    elif lanes < 1:
        raise ValueError(f"lanes={lanes}: expected at least 1.")
    return max(1, min(lanes, jobs))


def check_options(model: FrequencyModel, coder: WindowCoder, reset_every: int = 1) -> None:
    """Raise ValueError where options contradict each other; see `encode_windows`."""
    if coder.precision != model.precision:
        raise ValueError(
            f"the coder expects precision {coder.precision}, the model has {model.precision}. "
            "Make the coder with precision=model.precision."
        )
    if reset_every < 0:
        raise ValueError(f"reset_every={reset_every}: expected k >= 1, or 0 for never.")
    if reset_every != 1 and isinstance(coder, PaperCode) and coder.delay:
        raise ValueError(
            f"delay=True with reset_every={reset_every}: a delayed symbol starts the next window, "
            "which then depends on what M1 saw after it. Use reset_every=1, or delay=False."
        )
