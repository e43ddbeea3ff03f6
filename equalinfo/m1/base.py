"""What a coder asks of M1: integer frequencies of the next symbol, for many texts (lanes) at once.

Lanes step together because a model that evaluates thousands of short texts in one matrix product is
as fast as one that evaluates a long text. Everything above this interface may be floating point;
everything below is integer (see `equalinfo.frequencies`, the border).
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Frequencies = npt.NDArray[np.uint32]


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
    def float_border(self) -> bool:
        """True where frequencies come from floats: the same bits on one machine and software."""

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
