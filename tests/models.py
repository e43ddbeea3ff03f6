"""A model of the next symbol for tests: deterministic, with context, as peaked as one likes."""

import hashlib
import random

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.frequencies import from_counts
from equalinfo.m1.base import Frequencies


class HashModel:
    """Frequencies from a hash of the last `order` symbols.

    Args:
      order: symbols of context that matter.
      precision: P.
      peak: how much likelier one symbol is than another; 0 is uniform, 40 and more puts nearly all
        on one symbol.
      favourite: a symbol that gets all that can be given, after any context; None for none.
    """

    def __init__(
        self, order: int = 2, precision: int = 16, peak: int = 12, favourite: int | None = None
    ) -> None:
        self.order, self.precision, self.peak, self.favourite = order, precision, peak, favourite
        self.max_context = order
        self.sha256 = hashlib.sha256(f"{order} {precision} {peak} {favourite}".encode()).hexdigest()
        self._known: dict[tuple[int, ...], Frequencies] = {}

    def next_frequencies(self, text: list[int]) -> Frequencies:
        """Return uint32[257] after `text`, as the reference coders ask."""
        key = tuple(int(symbol) for symbol in text[max(0, len(text) - self.order) :])
        if key not in self._known:
            counts = np.ones(NUM_SYMBOLS, np.int64)
            if self.favourite is not None:
                counts[self.favourite] = 1 << 50
            elif self.peak:
                seed = hashlib.sha256(repr((self.peak, key)).encode()).digest()
                rng = np.random.default_rng(list(seed))
                counts = 1 << rng.integers(0, self.peak + 1, NUM_SYMBOLS)
            self._known[key] = from_counts(counts, self.precision)
        return self._known[key]

    def root(self) -> Frequencies:
        return self.next_frequencies([])

    def start(self, lanes: int, context: int) -> list[list[int]]:
        self._context = context
        return [[] for _ in range(lanes)]

    def step(
        self,
        state: list[list[int]],
        symbols: npt.NDArray[np.int32],
        reset: npt.NDArray[np.bool_],
    ) -> Frequencies:
        out = np.empty((len(state), NUM_SYMBOLS), np.uint32)
        for lane, symbol in enumerate(symbols.tolist()):
            if reset[lane]:
                state[lane] = []
            state[lane] = [*state[lane], symbol][-max(1, min(self._context, self.order)) :]
            out[lane] = self.next_frequencies(state[lane] if self.order else [])
        return out


WORDS = "the quick brown fox jumps over the lazy dog and then été naïve 日本 hello world of in to"


def text_lines(count: int = 300) -> list[str]:
    """Lines of random words."""
    generator = random.Random(0)
    return [" ".join(generator.choices(WORDS.split(), k=12)) for _ in range(count)]
