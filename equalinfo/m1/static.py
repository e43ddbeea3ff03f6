"""StaticModel: the same frequencies after every text, the model of StaticAC [paper 3.3]."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

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
    def from_counts(cls, counts: npt.ArrayLike, precision: int = AC_PRECISION) -> "StaticModel":
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

    def save(self, path: str | Path) -> None:
        """Write a safetensors file with one tensor, `frequencies`, and JSON metadata."""
        metadata = {
            "format": "equalinfo-static",
            "format_version": FORMAT_VERSION,
            "precision": self.precision,
            "sha256": self.sha256,
        }
        save_file(
            {"frequencies": self.frequencies},
            str(path),
            metadata={"equalinfo": json.dumps(metadata, sort_keys=True)},
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "StaticModel":
        """Read what `save` wrote.

        Raises:
          ValueError: not such a file, another format version, or contents that do not match their
            sha256.
        """
        try:
            with safe_open(str(path), "np") as file:
                metadata = json.loads((file.metadata() or {}).get("equalinfo", "{}"))
                if not isinstance(metadata, dict):
                    raise ValueError(f"{path}: its metadata is not a JSON object.")
                found = metadata.get("format"), metadata.get("format_version")
                if found != ("equalinfo-static", FORMAT_VERSION):
                    raise ValueError(
                        f"{path}: format {found[0]!r} version {found[1]!r}; expected "
                        f"'equalinfo-static' version {FORMAT_VERSION}. "
                        "Was it written by StaticModel.save?"
                    )
                frequencies = file.get_tensor("frequencies")
        except (SafetensorError, json.JSONDecodeError, AttributeError, TypeError) as error:
            raise ValueError(
                f"{path}: not a readable safetensors file ({error}). "
                "Write it with StaticModel.save."
            ) from error
        try:
            model = cls(frequencies, metadata["precision"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        expected = str(metadata.get("sha256"))
        if model.sha256 != expected:
            raise ValueError(
                f"{path}: contents have sha256:{model.sha256[:8]}.. but the header says "
                f"sha256:{expected[:8]}.. The file is damaged; copy or count it again."
            )
        return model
