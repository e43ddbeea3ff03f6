"""Runs compared after the same bytes of text, or the same tokens [paper 5.3, Table 6].

At equal steps, a method with more bytes a token has read more text. Byte-matched, every run is read
off where it had seen as much text as the others: between two evaluations, on the line through them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Curve:
    """Evaluations of a run, over training.

    Attributes:
      steps: int64[k], increasing.
      bits_per_byte: float64[k].
      tokens_per_step: in a batch, padding not counted.
      bytes_per_token: of the training text.
    """

    steps: npt.NDArray[np.int64]
    bits_per_byte: npt.NDArray[np.float64]
    tokens_per_step: float
    bytes_per_token: float

    @property
    def tokens_seen(self) -> npt.NDArray[np.float64]:
        """At each evaluation, float64[k]."""
        return np.asarray(self.steps, np.float64) * self.tokens_per_step

    @property
    def bytes_seen(self) -> npt.NDArray[np.float64]:
        """Bytes of text at each evaluation, float64[k]."""
        return self.tokens_seen * self.bytes_per_token


@dataclass(frozen=True)
class Point:
    """A place on a curve.

    Attributes:
      step: of the optimizer; a fraction between two evaluations.
      bytes_seen, tokens_seen: until then, in training.
      bits_per_byte: the score.
    """

    step: float
    bytes_seen: float
    tokens_seen: float
    bits_per_byte: float


def at_bytes(curve: Curve, num_bytes: float) -> Point:
    """Where a run had seen so many bytes of training text.

    Raises:
      ValueError: that was before its first evaluation, or is after its last.
    """
    seen = curve.bytes_seen
    if not seen[0] <= num_bytes <= seen[-1] * (1 + 1e-9):
        raise ValueError(
            f"{num_bytes:.0f} bytes are outside of what a run was evaluated at: {seen[0]:.0f} "
            f"(step {int(curve.steps[0])}) to {seen[-1]:.0f} bytes (step {int(curve.steps[-1])}). "
            "Evaluate earlier, or train for more steps."
        )
    return Point(
        *(
            float(np.interp(num_bytes, seen, values))
            for values in (curve.steps, curve.bytes_seen, curve.tokens_seen, curve.bits_per_byte)
        )
    )


def byte_matched(curves: Mapping[Any, Curve]) -> dict[Any, Point]:
    """Each run at the bytes of the one that saw the fewest; none, where one was not yet scored."""
    budget = min((float(curve.bytes_seen[-1]) for curve in curves.values()), default=0.0)
    if any(curve.bytes_seen[0] > budget for curve in curves.values()):
        return {}
    return {name: at_bytes(curve, budget) for name, curve in curves.items()}
