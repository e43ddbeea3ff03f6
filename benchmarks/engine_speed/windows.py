"""What lanes read: real text in windows, as Equal-Info coding does, or with full caches."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import Symbols

# Window bits -> mean symbols of a window, at about 3 bits a symbol.
MEAN_LENGTHS = {24: 8, 32: 10, 64: 20, 128: 40}
_LONGEST = 4  # means
_SHAPE = 4.0  # of the gamma distribution of lengths: the spread is half the mean
_CYCLE = 32  # means; then the resets begin again


@dataclass(frozen=True)
class Pattern:
    """What some lanes read. Resets come again after a cycle of steps, the text goes on.

    Attributes:
      text: uint16[n].
      begins: int64[lanes], where each lane begins in it.
      resets: bool[steps, lanes], where a window begins.
      first: int64[lanes], where caches take the first symbols; the start marker is at 0.
      context: slots that caches need.
      seen: symbols that a symbol sees on average, itself and the start marker included.
    """

    text: Symbols
    begins: npt.NDArray[np.int64]
    resets: npt.NDArray[np.bool_]
    first: npt.NDArray[np.int64]
    context: int
    seen: float

    @property
    def lanes(self) -> int:
        """Texts at once."""
        return len(self.begins)

    @property
    def has_windows(self) -> bool:
        """Whether lanes ever begin again."""
        return bool(self.resets.any())

    def symbols(self, step: int) -> npt.NDArray[np.int32]:
        """int32[lanes]."""
        return self.text[(self.begins + step) % len(self.text)].astype(np.int32)

    def cycle(self) -> npt.NDArray[np.int32]:
        """int32[steps, lanes] of the first cycle."""
        return np.stack([self.symbols(step) for step in range(len(self.resets))])

    def one_lane(self) -> "Pattern":
        """The first lane alone."""
        return replace(
            self, begins=self.begins[:1], resets=self.resets[:, :1], first=self.first[:1]
        )


def windows(text: Symbols, lanes: int, bits: int) -> Pattern:
    """Windows one after another on each lane, at all stages at any moment.

    Args:
      text: read in as many places as there are lanes.
      lanes: texts at once.
      bits: W, one of MEAN_LENGTHS.
    """
    rng = np.random.default_rng([lanes, bits])
    mean = MEAN_LENGTHS[bits]
    steps, longest = _CYCLE * mean, _LONGEST * mean
    resets = np.zeros((steps, lanes), np.bool_)
    for lane in range(lanes):
        lengths = rng.gamma(_SHAPE, mean / _SHAPE, 4 * _CYCLE)
        begins = np.cumsum(np.clip(np.rint(lengths), 1, longest).astype(np.int64))
        resets[begins[begins < steps], lane] = True
        resets[0, lane] = True
        resets[:, lane] = np.roll(resets[:, lane], rng.integers(steps))
    # Where each step's symbol goes: 1 at a reset. The first cycle finds out how the second begins.
    position = np.zeros((2 * steps, lanes), np.int64)
    before = np.zeros(lanes, np.int64)
    for step in range(2 * steps):
        before = position[step] = np.where(resets[step % steps], 1, before + 1)
    position = position[steps:]
    context = -(-(longest + 2) // 16) * 16
    begins = rng.integers(len(text), size=lanes)
    return Pattern(text, begins, resets, position[0], context, float(position.mean()) + 1)


def full_rings(text: Symbols, lanes: int, context: int) -> Pattern:
    """Every lane has read more than `context` symbols, and never begins again."""
    begins = np.random.default_rng(lanes).integers(len(text), size=lanes)
    first = np.arange(context, context + lanes, dtype=np.int64)
    return Pattern(text, begins, np.zeros((256, lanes), np.bool_), first, context, float(context))


def texts(text: Symbols, number: int, length: int) -> list[Symbols]:
    """Pieces of `length` symbols from all over the text."""
    begins = np.random.default_rng(length).integers(max(1, len(text) - length), size=number)
    return [np.resize(text[begin : begin + length], length) for begin in begins]
