"""What a coder asks of M1: integer frequencies of the next symbol, for many texts (lanes) at once.

Lanes step together because a model that evaluates thousands of short texts in one matrix product is
as fast as one that evaluates a long text. Everything above this interface may be floating point;
everything below is integer (see `equalinfo.frequencies`, the border).
"""

from typing import Any, Protocol

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
