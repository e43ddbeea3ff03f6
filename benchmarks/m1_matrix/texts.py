"""Texts that all settings read, and a number for each row of logits, so that rows need no storage.

A context is a beginning of a text, the empty one included: a text of n symbols has n + 1.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint64]

# Symbols that a symbol sees -> longest text: texts go on after early symbols are out of sight.
LONGEST = {16: 48, 64: 128, 256: 512}

# Odd, and the same everywhere. Two rows that differ get the same number with probability 2^-48.
_KEYS = np.frombuffer(hashlib.shake_256(b"rows of M1").digest(8 * NUM_SYMBOLS), "<u8") | 1


class Texts(NamedTuple):
    """Texts that are read with one size of context.

    Attributes:
      context: symbols that a symbol sees, itself and the start marker included.
      symbols: int64[all], one text after another.
      ends: int64[texts], where each ends.
    """

    context: int
    symbols: Ints
    ends: Ints

    @property
    def lengths(self) -> Ints:
        """int64[texts]."""
        return np.diff(self.ends, prepend=0)

    @property
    def first_rows(self) -> Ints:
        """int64[texts]: the row that belongs to the empty beginning of each."""
        return self.ends - self.lengths + np.arange(len(self.ends))

    @property
    def num_contexts(self) -> int:
        """Rows of all texts."""
        return int(self.ends[-1]) + len(self.ends)

    def text(self, index: int) -> Ints:
        """int64[n]."""
        return self.symbols[self.ends[index] - self.lengths[index] : self.ends[index]]

    def all(self) -> list[Ints]:
        """Each text."""
        return np.split(self.symbols, self.ends[:-1])

    def beginning(self, contexts: int) -> "Texts":
        """The first texts, with at least that many contexts if there are as many; at least one."""
        rows = self.ends + np.arange(1, len(self.ends) + 1)
        count = min(len(self.ends), int(np.searchsorted(rows, contexts)) + 1)
        return Texts(self.context, self.symbols[: self.ends[count - 1]], self.ends[:count])


def draw(text: Symbols, context: int, contexts: int, seed: int = 0) -> Texts:
    """Random symbols and real text by turns, of random lengths, with at least `contexts` rows."""
    rng = np.random.default_rng([seed, context])
    parts: list[Ints] = []
    rows = 0
    while rows < contexts or len(parts) < 2:
        length = int(rng.integers(LONGEST[context] + 1))
        if len(parts) % 2:
            begin = int(rng.integers(max(1, len(text) - length)))
            parts.append(np.resize(text[begin : begin + length], length).astype(np.int64))
        else:
            parts.append(rng.integers(NUM_SYMBOLS, size=length))
        rows += length + 1
    return Texts(context, np.concatenate(parts), np.cumsum([len(part) for part in parts]))


def numbers(rows: npt.NDArray[np.integer]) -> Numbers:
    """uint64[n] of integers [n, 257]."""
    return rows.astype(np.int64).view(np.uint64) @ _KEYS
