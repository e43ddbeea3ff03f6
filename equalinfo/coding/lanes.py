"""Drive a model and a window coder over many texts at once, one text (or one window) a lane.

One model step serves all lanes, and no step is wasted: a symbol that does not fit its window starts
the next one, whose frequencies are the root's, known beforehand. What a lane computes does not
depend on the others, so results do not depend on `lanes`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols, as_symbols
from equalinfo.coding.window_coder import DEFAULT_LANES, Progress, WindowCoder, check_options
from equalinfo.coding.window_decoding import DecodedText, decode_windows
from equalinfo.m1.base import FrequencyModel

__all__ = [
    "DEFAULT_LANES",
    "DecodedText",
    "Progress",
    "WindowCoder",
    "WindowedText",
    "decode_windows",
    "encode_windows",
]


_FEWEST_LANES, _MOST_LANES, _LANE_SYMBOLS = 24, 1024, 1 << 18


def lanes_for(context: int) -> int:
    """Texts that a model runs at once: 24..1024, fewer where contexts take more memory."""
    return max(_FEWEST_LANES, min(_MOST_LANES, _LANE_SYMBOLS // max(context, 1)))


class WindowedText(NamedTuple):
    """A text as windows: their codes (each < 2^W), and how many symbols each stands for, int32."""

    codes: list[int]
    lengths: npt.NDArray[np.int32]


def encode_windows(
    examples: Sequence[Symbols],
    model: FrequencyModel,
    coder: WindowCoder,
    *,
    context: int,
    lanes: int = DEFAULT_LANES,
    reset_every: int = 1,
    progress: Progress | None = None,
) -> list[WindowedText]:
    """Code texts, each on its own, window after window.

    Args:
      examples: uint16[any] texts of symbols 0..256; empty ones give no windows.
      model: M1.
      coder: the code; its precision must be the model's.
      context: symbols of left context M1 sees at most.
      lanes: texts coded at the same time.
      reset_every: empty M1's context at every k-th window of a text; 0 for never [paper A.2].
        The coder restarts at every window whatever this is.
      progress: called with the number of symbols coded since the last call.

    Raises:
      ValueError: options that contradict each other, or a symbol above 256.
    """
    check_options(model, coder, lanes, reset_every)
    lengths = np.array([len(example) for example in examples], np.int64)
    ends = np.cumsum(lengths)
    checked = [as_symbols(example, f"text {i}") for i, example in enumerate(examples)]
    text = np.concatenate([*checked, np.empty(0, np.uint16)]).astype(np.int32)
    codes: list[list[int]] = [[] for _ in examples]
    sizes: list[list[int]] = [[] for _ in examples]
    jobs = iter(np.flatnonzero(lengths).tolist())
    lanes = max(1, min(lanes, int(np.count_nonzero(lengths))))

    encoder, state = coder.encoder(lanes), model.start(lanes, context)
    root, zeros = np.ascontiguousarray(model.root())[None], np.zeros(lanes, np.int64)
    job, begin, cursor = np.full(lanes, -1), np.zeros(lanes, np.int64), np.zeros(lanes, np.int64)
    end = np.zeros(lanes, np.int64)
    from_root = np.ones(lanes, np.bool_)  # the open window began from the root's frequencies ...
    reset = np.ones(lanes, np.bool_)  # ... with the symbol that the model reads next
    frequencies = np.broadcast_to(root, (lanes, NUM_SYMBOLS))

    def take_job(lane: int) -> bool:
        index = next(jobs, -1)
        job[lane] = index
        if index >= 0:
            end[lane] = ends[index]
            begin[lane] = cursor[lane] = ends[index] - lengths[index]
            from_root[lane] = True
        return index >= 0

    def close(lane: int) -> None:
        code, length = encoder.close(lane)
        index = job[lane]
        codes[index].append(code)
        sizes[index].append(length)
        begin[lane] += length
        cursor[lane] = begin[lane]
        from_root[lane] = reset_every > 0 and len(codes[index]) % reset_every == 0
        if progress is not None:
            progress(length)

    fresh = np.array([lane for lane in range(lanes) if take_job(lane)], np.int64)
    opened = np.empty(0, np.int64)
    while fresh.size or opened.size:
        table = np.ascontiguousarray(frequencies)
        fits = encoder.extend(table, opened, text[cursor[opened]], opened)
        for lane in opened[~fits].tolist():
            close(lane)
        fresh = np.concatenate([fresh, opened[~fits]])
        ready = opened[fits]
        cursor[ready] += 1
        while True:
            # First symbols fit always; a text may end with one, and its lane then begins another.
            for lanes_here, source in (
                (fresh[from_root[fresh]], root),
                (fresh[~from_root[fresh]], table),
            ):
                rows = zeros[: lanes_here.size] if source is root else lanes_here
                encoder.extend(source, rows, text[cursor[lanes_here]], lanes_here)
            reset[fresh] = from_root[fresh]
            cursor[fresh] += 1
            ready = np.concatenate([ready, fresh])
            done = cursor[ready] == end[ready]
            again = []
            for lane in ready[done].tolist():
                close(lane)
                if cursor[lane] < end[lane] or take_job(lane):
                    again.append(lane)
            ready = ready[~done]
            fresh = np.array(again, np.int64)
            if not fresh.size:
                break
        opened = np.sort(ready)
        if opened.size:
            symbols = np.zeros(lanes, np.int32)
            symbols[opened] = text[cursor[opened] - 1]
            frequencies = model.step(state, symbols, reset)
            reset[:] = False
    return [
        WindowedText(code, np.array(size, np.int32))
        for code, size in zip(codes, sizes, strict=True)
    ]
