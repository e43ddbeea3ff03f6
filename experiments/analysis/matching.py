"""Runs compared after the same bytes of text, or the same tokens [paper 5.3, Table 6].

At equal steps, a method with more bytes a token has read more text. Byte-matched, every run is read
off where it had seen as much text as the others: between two evaluations, on the line through them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

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

    def __post_init__(self) -> None:
        steps, scores = np.asarray(self.steps), np.asarray(self.bits_per_byte)
        if steps.ndim != 1 or steps.shape != scores.shape or not len(steps):
            raise ValueError(
                f"steps are {list(steps.shape)}, bits_per_byte {list(scores.shape)}: expected one "
                "score for each of one or more steps."
            )
        if steps[0] < 0 or np.any(np.diff(steps) <= 0):
            raise ValueError(f"steps {steps.tolist()} do not increase. Sort the evaluations.")
        if self.tokens_per_step <= 0 or self.bytes_per_token <= 0:
            raise ValueError(
                f"tokens_per_step={self.tokens_per_step}, bytes_per_token={self.bytes_per_token}: "
                "must be > 0."
            )

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
    if num_bytes < seen[0]:
        raise ValueError(
            f"a budget of {num_bytes:.0f} bytes ends before the first evaluation, at {seen[0]:.0f} "
            f"bytes (step {int(curve.steps[0])}). Evaluate earlier, or allow more."
        )
    if num_bytes > seen[-1] * (1 + 1e-9):
        raise ValueError(
            f"a budget of {num_bytes:.0f} bytes is more than the run has seen: {seen[-1]:.0f} at "
            f"its last step {int(curve.steps[-1])}. Train for more, or match a smaller budget."
        )
    return Point(
        *(
            float(np.interp(num_bytes, seen, values))
            for values in (curve.steps, curve.bytes_seen, curve.tokens_seen, curve.bits_per_byte)
        )
    )


def byte_matched(curves: Mapping[str, Curve]) -> dict[str, Point]:
    """Each run at the bytes of the one that saw the fewest."""
    budget = min((float(curve.bytes_seen[-1]) for curve in curves.values()), default=0.0)
    return {name: at_bytes(curve, budget) for name, curve in curves.items()}
