"""What every compression method offers: symbols to token ids and back, saved as one directory.

A codec directory is self-contained: `codec.json` names the method, its options and the sha256 of
each asset beside it (a frozen M1, a codebook, a SentencePiece model).
"""

import hashlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import Symbols, as_symbols
from equalinfo.ids import EOS_ID as EOS_ID
from equalinfo.ids import ID_OFFSET as ID_OFFSET
from equalinfo.ids import PAD_ID as PAD_ID
from equalinfo.ids import UNK_ID as UNK_ID
from equalinfo.m1.base import FrequencyModel

FORMAT_VERSION = 1
CODEC_FILE = "codec.json"

Ids = npt.NDArray[np.int32]
Ends = npt.NDArray[np.int64]


class LossyCodecError(ValueError):
    """The method cannot restore the text it encoded; `allow_errors=True` gives its best guess."""


@dataclass(frozen=True)
class Encoded:
    """One example as tokens.

    Attributes:
      ids: int32[tokens], code + 3.
      ends: int64[tokens], symbols of the example complete after each token: non-decreasing, and the
        last is the number of symbols. A token in the middle of a window has its predecessor's
        value.
      windows: windows coded; 0 where the method has none.
    """

    ids: Ids
    ends: Ends
    windows: int


class Codec(ABC):
    """A compression method with its options: examples (uint16 symbols) to token ids and back.

    Results depend on the symbols and the options only: coding many examples at once gives the same
    ids as one at a time. An empty example has no tokens.
    """

    method: ClassVar[str]
    create: ClassVar[Callable[..., Any]]
    """Class method: the codec of keyword options, which differ from method to method."""

    @property
    @abstractmethod
    def lossless(self) -> bool:
        """True where `decode` restores every example exactly, whatever its bytes."""

    progress: Callable[[int], object] | None = None
    """Where encoding runs a neural M1, it calls this with the symbols coded since the last call."""

    @property
    def m1(self) -> FrequencyModel | None:
        """The neural M1 that encoding runs; None where it runs none."""
        return None

    @property
    def runs_model(self) -> bool:
        """True where encoding runs a neural M1: kilobytes a second, not megabytes."""
        return self.m1 is not None

    @property
    def engine(self) -> str:
        """What runs that M1, for people; empty where none runs."""
        return "" if self.m1 is None else getattr(self.m1, "runs_on", type(self.m1).__name__)

    @property
    def tokens_per_unit(self) -> int | None:
        """So many tokens decode by themselves, wherever they stand; None: only whole examples."""
        return None

    @property
    @abstractmethod
    def token_bits(self) -> int:
        """N: bits that one token takes on disk."""

    @property
    def vocab_size(self) -> int:
        """Ids run from 0 to this, exclusive: 3 special ids and 2^N codes."""
        return ID_OFFSET + (1 << self.token_bits)

    @abstractmethod
    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """Encode many examples at once, each by itself.

        Args:
          examples: uint16[n] each, symbols 0..256.

        Raises:
          ValueError: a symbol above 256, an array that is not one-dimensional or not of integers.
        """

    @abstractmethod
    def decode(
        self,
        ids: Sequence[Ids],
        lengths: Sequence[int] | None = None,
        *,
        allow_errors: bool = False,
    ) -> list[Symbols]:
        """Undo `encode`.

        Args:
          ids: int32[tokens] each: all tokens of an example, without padding.
          lengths: symbols of each example (bytes + EOS). Methods that do not need them check them;
            None skips the check. `ac` and `static_ac` cannot do without.
          allow_errors: decode with a method that is not lossless all the same.

        Raises:
          LossyCodecError: the method is not lossless and `allow_errors` is False.
          ValueError: an id out of range, or ids that this codec does not produce.
        """

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """What, with the assets, defines the codec: JSON values."""

    @abstractmethod
    def _save_assets(self, directory: Path) -> list[str]:
        """Write the asset files into `directory`; return their names."""

    @classmethod
    @abstractmethod
    def _load(cls, assets: Mapping[str, Path], options: Mapping[str, Any]) -> Self:
        """The codec of `options`; `assets` has the verified files by name, and no others."""

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the codec to `directory` (made if absent): `codec.json` and its assets."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        names = self._save_assets(directory)
        description = {
            "format_version": FORMAT_VERSION,
            "method": self.method,
            "options": self.options(),
            "assets": {name: file_sha256(directory / name) for name in sorted(names)},
        }
        # Last, and in one move: a directory with a codec.json is complete.
        unfinished = directory / f".{CODEC_FILE}.{os.getpid()}"
        unfinished.write_text(json.dumps(description, indent=2, sort_keys=True) + "\n", "utf-8")
        unfinished.replace(directory / CODEC_FILE)

    def _refuse_if_lossy(self, allow_errors: bool, why: str) -> None:
        if not self.lossless and not allow_errors:
            raise LossyCodecError(
                f"method {self.method!r} cannot restore its text: {why} "
                "Pass allow_errors=True to get what its decoder gives all the same."
            )


def tokens_per_window(options: Mapping[str, Any]) -> int | None:
    """Tokens of a window, from `options()`; None: no windows, or tokens cross their ends."""
    window, token = options.get("window_bits"), options.get("token_bits")
    return None if window is None or window % token else window // token


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Of a file's content, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_examples(examples: Sequence[Symbols]) -> list[Symbols]:
    """The examples as contiguous uint16[n], or a ValueError that names the wrong one."""
    return [as_symbols(example, f"example {index}") for index, example in enumerate(examples)]


def codes_to_ids(codes: npt.ArrayLike) -> Ids:
    """Token values (from 0) as ids (from 3), int32[tokens]."""
    return (np.asarray(codes).astype(np.int64) + ID_OFFSET).astype(np.int32)


def check_ids(ids: Sequence[Ids], vocab_size: int, lowest: int = ID_OFFSET) -> list[Ids]:
    """The ids as int32[tokens], or a ValueError that names the first out of range."""
    checked = []
    for index, example in enumerate(ids):
        array = np.asarray(example)
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise ValueError(
                f"ids of example {index} are {array.dtype}{list(array.shape)}, expected "
                "int32[tokens]."
            )
        wrong = (array < lowest) | (array >= vocab_size)
        if np.any(wrong):
            place = int(np.flatnonzero(wrong)[0])
            hint = " Cut padding off before decoding." if int(array[place]) == PAD_ID else ""
            raise ValueError(
                f"example {index}, token {place}: id {int(array[place])} is not in "
                f"{lowest}..{vocab_size - 1}.{hint}"
            )
        checked.append(array.astype(np.int32))
    return checked


def check_number_of_lengths(ids: Sequence[Any], lengths: Sequence[int] | None) -> None:
    """Raise a ValueError unless there is one length for each example."""
    if lengths is not None and len(lengths) != len(ids):
        raise ValueError(
            f"{len(ids)} examples of ids but {len(lengths)} lengths. Give one length for each "
            "example."
        )
    for index, length in enumerate([] if lengths is None else lengths):
        if length < 0:
            raise ValueError(f"example {index}: length {length} is negative.")


def check_lengths(decoded: Sequence[Symbols], lengths: Sequence[int] | None) -> None:
    """Raise a ValueError where a decoded example does not have the length it was said to have."""
    if lengths is None:
        return
    for index, (symbols, length) in enumerate(zip(decoded, lengths, strict=True)):
        if len(symbols) != length:
            raise ValueError(
                f"example {index}: its ids decode to {len(symbols)} symbols, expected {length}. "
                "The ids are damaged, or not all of the example's, or of another codec."
            )


def check_token_bits(token_bits: int, highest: int = 16) -> int:
    """`token_bits` where it is an integer in 1..highest, else a ValueError."""
    value = check_integer("token_bits", token_bits)
    if not 1 <= value <= highest:
        raise ValueError(f"token_bits={value} is not in 1..{highest}.")
    return value


def check_integer(name: str, value: int, lowest: int | None = None) -> int:
    """`value` as a plain int, which JSON can hold; a ValueError for other types and below `lowest`.

    NumPy's integers pass; booleans and floats do not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name}={value!r} is not an integer.")
    if lowest is not None and value < lowest:
        raise ValueError(f"{name}={value} is less than {lowest}. Use {lowest} or more.")
    return int(value)
