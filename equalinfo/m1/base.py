"""What a coder asks of M1: integer frequencies of the next symbol, for many texts (lanes) at once.

Lanes step together because a model that evaluates thousands of short texts in one matrix product is
as fast as one that evaluates a long text.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS

Frequencies = npt.NDArray[np.uint32]

DEFAULT_PRECISION = 16
AC_PRECISION = 14
"""Of the paper's range coder: every probability is at least 2^-14 [paper 3.3]."""

MIN_PRECISION = 9  # 2^9 is the first power of two that gives each of 257 symbols a point.
MAX_PRECISION = 20  # Beyond, products of counts and points leave int64.


def check_precision(precision: int) -> None:
    """Raise ValueError unless 9 <= precision <= 20."""
    if not MIN_PRECISION <= precision <= MAX_PRECISION:
        raise ValueError(
            f"precision={precision} is outside {MIN_PRECISION}..{MAX_PRECISION}: frequencies of "
            f"{NUM_SYMBOLS} symbols sum to 2^precision, each at least 1. "
            f"Use {DEFAULT_PRECISION}, or {AC_PRECISION} for ac and static_ac, as in the paper."
        )


class FrequencyModel(Protocol):
    """A model of the next symbol.

    Frequencies are uint32[..., 257], each >= 1, summing to 2^precision.
    """

    @property
    def precision(self) -> int:
        """P: frequencies sum to 2^P."""

    @property
    def max_context(self) -> int:
        """Symbols of left context it was made for; 0 where context plays no part."""

    @property
    def sha256(self) -> str:
        """Of the model's content: parameters and precision."""

    def root(self) -> Frequencies:
        """Frequencies after the empty context, uint32[257]: "anywhere in text", not its start."""

    def start(self, lanes: int, context: int) -> Any:
        """State for `lanes` empty texts; a lane sees its last `context` symbols."""

    def step(
        self, state: Any, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Frequencies:
        """Read one symbol per lane and return what comes next, uint32[lanes, 257].

        Args:
          state: from `start`; it is updated in place.
          symbols: int32[lanes], the symbol each lane reads.
          reset: bool[lanes]; where True the lane's context is emptied before the symbol is read.
        """


@runtime_checkable
class WholeTextModel(Protocol):
    """A model that reads whole texts in one pass, with the very frequencies that steps would give.

    Only a model that computes in integers can promise that.
    """

    @property
    def precision(self) -> int:
        """See `FrequencyModel`."""

    def intervals(
        self,
        texts: Sequence[npt.NDArray[np.uint16]],
        context: int,
        progress: Callable[[int], object] | None = None,
    ) -> list[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]]:
        """For each text, what each of its symbols is given: where it starts, and its frequency.

        Args:
          texts: uint16[n] each.
          context: symbols of left context seen at most.
          progress: called with the number of symbols read since the last call.

        Returns:
          uint32[n] starts (the sum of the frequencies of lower symbols) and uint32[n] frequencies.
        """
