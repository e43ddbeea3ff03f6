"""StaticModel: the same frequencies after every text, the model of StaticAC [paper 3.3]."""

import hashlib
import os
from typing import Self

import numpy as np
import numpy.typing as npt

from equalinfo import container
from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.frequencies import check, from_counts
from equalinfo.m1.base import AC_PRECISION, Frequencies

FORMAT_VERSION = 1


class StaticModel:
    """A context-free `FrequencyModel`.

    Attributes:
      frequencies: uint32[257], read-only.
      precision: P; they sum to 2^P.
      max_context: 0, context plays no part.
    """

    max_context = 0

    def __init__(self, frequencies: Frequencies, precision: int = AC_PRECISION) -> None:
        """Keep a copy of `frequencies`.

        Raises:
          ValueError: they are not uint32[257], each >= 1, summing to 2^precision.
        """
        frequencies = np.array(frequencies)
        if frequencies.shape != (NUM_SYMBOLS,):
            raise ValueError(
                f"frequencies have shape {frequencies.shape}; expected [{NUM_SYMBOLS}]."
            )
        check(frequencies, precision)
        self.frequencies: Frequencies = frequencies.astype(np.uint32)
        self.frequencies.flags.writeable = False
        self.precision = precision

    @classmethod
    def from_counts(cls, counts: npt.ArrayLike, precision: int = AC_PRECISION) -> Self:
        """Make a model from int64[257] symbol counts, EOS included."""
        return cls(from_counts(counts, precision), precision)

    @property
    def sha256(self) -> str:
        """Of precision and frequencies."""
        digest = hashlib.sha256(f"static v{FORMAT_VERSION} P={self.precision}\n".encode())
        digest.update(self.frequencies.astype("<u4").tobytes())
        return digest.hexdigest()

    def root(self) -> Frequencies:
        """Return uint32[257]."""
        return self.frequencies

    def start(self, lanes: int, context: int) -> int:
        """Return the number of lanes, all there is to remember."""
        return lanes

    def step(
        self, state: int, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Frequencies:
        """Return the frequencies once a lane, uint32[lanes, 257] (a read-only view)."""
        return np.broadcast_to(self.frequencies, (state, NUM_SYMBOLS))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file with one array, `frequencies`."""
        header = {
            "format_version": FORMAT_VERSION,
            "precision": self.precision,
            "sha256": self.sha256,
        }
        container.write(path, container.STATIC, header, {"frequencies": self.frequencies})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises:
          FileNotFoundError: there is no such file.
          ValueError: of another kind or format version, or contents that do not match their sha256.
        """
        header, tensors = container.read(path, container.STATIC, [FORMAT_VERSION])
        try:
            model = cls(tensors["frequencies"], header["precision"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)} is damaged: {error}") from error
        container.check_sha256(path, container.STATIC, model.sha256, header)
        return model
