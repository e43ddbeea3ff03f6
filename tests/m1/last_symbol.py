"""An M1 of its own, in one file: what `test_new_m1` adds with one line."""

import hashlib
import os
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from equalinfo import container
from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.frequencies import from_counts
from equalinfo.m1.base import Frequencies

KIND, WORDS = "last-symbol M1", {"kind": "last symbol"}


class LastSymbolModel:
    """The symbol before is the likeliest, by `weight`."""

    max_context = 1

    def __init__(self, weight: int, precision: int = 14) -> None:
        self.weight, self.precision = weight, precision
        counts = np.ones((NUM_SYMBOLS, NUM_SYMBOLS), np.int64)
        counts[np.arange(NUM_SYMBOLS), np.arange(NUM_SYMBOLS)] = weight
        self._rows = np.stack([from_counts(row, precision) for row in counts])

    @property
    def sha256(self) -> str:
        return hashlib.sha256(f"last symbol {self.weight} {self.precision}".encode()).hexdigest()

    def root(self) -> Frequencies:
        return from_counts(np.ones(NUM_SYMBOLS, np.int64), self.precision)

    def start(self, lanes: int, context: int) -> None:
        return None

    def step(
        self, state: Any, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Frequencies:
        return self._rows[symbols]

    def save(self, path: str | os.PathLike[str]) -> None:
        header = {"format_version": 1, "sha256": self.sha256, "precision": self.precision}
        container.write(path, KIND, header, {"weight": np.array([self.weight])})

    @classmethod
    def load(cls, path: str | os.PathLike[str], precision: int | None = None) -> Self:
        header, tensors = container.read(path, KIND, [1])
        return cls(int(tensors["weight"][0]), precision or header["precision"])
