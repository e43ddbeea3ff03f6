"""Which texts a codebook holds: what the two plans want of the children of a text.

All in integers, so that a plan gives the same texts wherever M1 gives the same frequencies. The
probability of a text is a weight: 2^(63-P) at the root, floor(weight f / 2^P) for a child.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook import costs
from equalinfo.codebook.limits import BEST_FIRST
from equalinfo.coding.exact import child_points
from equalinfo.jit import njit
from equalinfo.m1.base import Frequencies

Weights = npt.NDArray[np.uint64]
Sizes = npt.NDArray[np.int64]


class Plan(Protocol):
    """Decides which children of a text become texts."""

    num_codes: int
    root_size: int

    def children(
        self, sizes: Sizes, weights: Weights, frequencies: Frequencies, root: bool
    ) -> Sizes:
        """Sizes of all children of some texts, int64[n, 257]; -1: the child is not wanted.

        M1 is asked first about large texts.

        Args:
          sizes: int64[n] of the parents.
          weights: uint64[n, 257] of the children.
          frequencies: uint32[n, 257], what follows each parent.
          root: there is one parent, the empty text.
        """

    def open(self, size: int) -> bool:
        """Whether a text of that size may have children that are wanted."""

    def chosen(self, weights: Weights, order: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of all texts found belong to the codebook, prefix-closed.

        Args:
          weights: uint64[n], the 257 symbols first.
          order: int64[n], the place of each in lexicographic order.
        """


def make_plan(name: str, num_codes: int, precision: int) -> Plan:
    """The plan of that name, for M1's precision P."""
    plan = BestFirst if name == BEST_FIRST else Interval
    return plan(num_codes, precision)


def root_weight(precision: int) -> int:
    """Weight of probability 1."""
    return 1 << (63 - precision)


class Interval:
    """The exact W-bit code: a text's size is the number of points it owns."""

    def __init__(self, num_codes: int, precision: int) -> None:
        self.num_codes = num_codes
        self.root_size = num_codes
        self._precision = precision

    def children(
        self, sizes: Sizes, weights: Weights, frequencies: Frequencies, root: bool
    ) -> Sizes:
        """Those that own points."""
        points = _points_of_children(sizes, frequencies, self._precision, root)
        return np.where(points > 0, points, -1)

    def open(self, size: int) -> bool:
        """A text keeps its first point for itself and shares the others."""
        return size >= 2

    def chosen(self, weights: Weights, order: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """All: points are shared until each text has its own."""
        return np.ones(len(weights), np.bool_)


class BestFirst:
    """The likeliest texts: a text's size is its weight.

    A child weighs less than its parent, so the V heaviest texts are prefix-closed, and which they
    are does not depend on the order in which M1 is asked. Of equally heavy ones the first in
    lexicographic order are taken.
    """

    def __init__(self, num_codes: int, precision: int) -> None:
        self.num_codes = num_codes
        self.root_size = root_weight(precision)
        self._precision = precision
        self._wanted = num_codes - NUM_SYMBOLS  # the symbols are in, whatever they weigh
        self._limit = 1  # lighter texts are not among the heaviest
        self._found: list[Sizes] = []
        self._new = 0

    def children(
        self, sizes: Sizes, weights: Weights, frequencies: Frequencies, root: bool
    ) -> Sizes:
        """Those that may be among the heaviest, as far as is known by now."""
        found = weights.astype(np.int64)
        if root:
            return found
        heavy = found >= self._limit
        self._found.append(found[heavy])
        self._new += len(self._found[-1])
        if self._new > self._wanted // 8:
            self._raise_limit()
        return np.where(heavy, found, -1)

    def _raise_limit(self) -> None:
        heavy = np.concatenate(self._found)
        if len(heavy) >= self._wanted > 0:
            heavy = np.partition(heavy, len(heavy) - self._wanted)[-self._wanted :]
            self._limit = max(1, int(heavy[0]))
        self._found, self._new = [heavy], 0

    def open(self, size: int) -> bool:
        """Children weigh less than the text; ones as heavy as the limit may still be wanted."""
        return self._wanted > 0 and size > self._limit

    def chosen(self, weights: Weights, order: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """The symbols and the heaviest others."""
        longer = np.arange(NUM_SYMBOLS, len(weights))
        if len(longer) < self._wanted:
            raise ValueError(
                f"M1 gives only {len(longer) + NUM_SYMBOLS} texts a probability of "
                f"2^-{63 - self._precision} or more, num_codes={self.num_codes} were asked for. "
                "Use fewer codes."
            )
        heaviest = longer[np.lexsort((order[longer], ~weights[longer]))][: self._wanted]
        keep = np.zeros(len(weights), np.bool_)
        keep[:NUM_SYMBOLS] = True
        keep[heaviest] = True
        return keep


@njit(cache=True, nogil=True)
def _points_of_children(
    points: Sizes, frequencies: Frequencies, precision: int, root: bool
) -> Sizes:
    """Points that each child of some texts owns, int64[n, 257]."""
    counts, starts = np.empty(frequencies.shape, np.int64), np.empty(NUM_SYMBOLS, np.int64)
    for row in range(len(points)):
        child_points(points[row], frequencies[row], precision, root, starts, counts[row])
    return counts


def information_of(weights: Weights, precision: int) -> npt.NDArray[np.uint16]:
    """-log2 of a weight's probability in 1/256 bit, rounded up: uint16[n]; 65535 for weight 0."""
    bits = costs.bits(np.maximum(weights, 1).astype(np.int64), root_weight(precision))
    return np.where(weights == 0, 65535, bits).astype(np.uint16)
