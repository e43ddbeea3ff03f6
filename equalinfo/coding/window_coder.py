"""What a code of fixed-size windows offers: many windows at once, one a lane."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from equalinfo.m1.base import Frequencies, FrequencyModel

DEFAULT_LANES = 1024

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Progress = Callable[[int], object]


class WindowEncoder(Protocol):
    """Windows being filled, one a lane; see `exact_lanes.ExactEncoder`."""

    def extend(
        self, table: Frequencies, rows: Indices, symbols: npt.NDArray[np.int32], lanes: Indices
    ) -> Flags:
        """Add a symbol to each of some windows; False where it does not fit."""

    def close(self, lane: int) -> tuple[int, int]:
        """End a window: its code, and how many of its first symbols the code stands for."""


class WindowDecoder(Protocol):
    """Codes being read, one a lane; see `exact_lanes.ExactDecoder`."""

    def begin(self, lane: int, code: int) -> None:
        """Start reading a code."""

    def descend(
        self, table: Frequencies, rows: Indices, lanes: Indices
    ) -> tuple[npt.NDArray[np.int32], Flags]:
        """Read a symbol a lane (-1 for none); True where the window is finished."""

    def result(self, lane: int) -> tuple[int, bool]:
        """Of those read: how many symbols so far are the text, and whether it has that code."""


class WindowCoder(Protocol):
    """A code of fixed-size windows: `ExactCode` or `PaperWindow`."""

    @property
    def window_bits(self) -> int:
        """W, bits per window."""

    @property
    def precision(self) -> int:
        """P, of the frequencies it expects."""

    def encoder(self, lanes: int) -> WindowEncoder:
        """Return an encoder with `lanes` empty windows."""

    def decoder(self, lanes: int) -> WindowDecoder:
        """Return a decoder of `lanes` codes at once."""


def check_options(model: FrequencyModel, coder: WindowCoder, lanes: int, reset_every: int) -> None:
    """Raise ValueError where options contradict each other; see `lanes.encode_windows`."""
    if coder.precision != model.precision:
        raise ValueError(
            f"the coder expects precision {coder.precision}, the model has {model.precision}. "
            "Make the coder with precision=model.precision."
        )
    if lanes < 1:
        raise ValueError(f"lanes={lanes}: expected at least 1.")
    if reset_every < 0:
        raise ValueError(f"reset_every={reset_every}: expected k >= 1, or 0 for never.")
    if reset_every != 1 and getattr(coder, "delay", False):
        raise ValueError(
            f"delay=True with reset_every={reset_every}: a delayed symbol starts the next window, "
            "which then depends on what M1 saw after it. Use reset_every=1, or delay=False."
        )
