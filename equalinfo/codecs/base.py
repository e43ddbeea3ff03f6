"""What every compression method offers: symbols to token ids and back, saved as one directory.

A codec is a dataclass. Its fields are the options of its method, and what others ask of a method
stands in its class: the command line, the names of tasks and the vocabularies hold no table of
methods. A codec directory is self-contained: `codec.json` names the method, its options and the
sha256 of each asset beside it (a frozen M1, a codebook, a SentencePiece model).
"""

import dataclasses
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import Symbols, as_symbols
from equalinfo.data import storage
from equalinfo.ids import EOS_ID as EOS_ID
from equalinfo.ids import ID_OFFSET as ID_OFFSET
from equalinfo.ids import PAD_ID as PAD_ID
from equalinfo.ids import UNK_ID as UNK_ID
from equalinfo.m1.base import FrequencyModel

FORMAT_VERSION = 1
CODEC_FILE = "codec.json"
M1_ASSET = "m1.safetensors"

# Of options that several methods have.
TOKEN_BITS_HELP = "N, bits of a token: 1..16 (default: 16)"
M1_HELP = (
    "frozen M1: an .eqm file, or one of the package: english-3m-v3 (default), english-3m-v2, "
    "english-3m-v1, counts"
)
M1_CONTEXT_HELP = (
    "symbols of left context that M1 sees (default: 4 W where it restarts at each window, else as "
    "many as it was made for)"
)

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


class Described(Protocol):
    """What the manifest of a data set says of its codec."""

    @property
    def codec(self) -> Mapping[str, Any]:
        """The content of codec.json."""

    @property
    def token_bits(self) -> int:
        """N."""

    @property
    def vocab_size(self) -> int:
        """Ids, the special ones among them."""


@dataclass(frozen=True)
class Option:
    """What the option of a codec is besides its type and its default.

    Attributes:
      help: what it does; empty: it is no option of the command line.
      flag: its name on the command line; empty: that of the field.
      lowest: the least integer it may be; None: the codec sees to it.
      choices: what a text may be.
      asset: name of the file beside codec.json that holds it; empty: it stands in codec.json.
      missing: how to come by it, where it is needed and not given.
    """

    help: str = ""
    flag: str = ""
    lowest: int | None = None
    choices: tuple[str, ...] | None = None
    asset: str = ""
    missing: str = ""


def option(default: Any = dataclasses.MISSING, **properties: Any) -> Any:
    """A field of a codec; `properties` are those of `Option`.

    The field's annotation says what the codec has once it is made. Given may be less: None where
    `__post_init__` finds the value, and the path of an asset.
    """
    about = Option(**properties)
    metadata = {Option.__name__: about}
    return dataclasses.field(default=default, repr=not about.asset, metadata=metadata)


class Codec(ABC):
    """A compression method with its options: examples (uint16 symbols) to token ids and back.

    Results depend on the symbols and the options only: coding many examples at once gives the same
    ids as one at a time. An empty example has no tokens.
    """

    method: ClassVar[str]
    """Its name in `codecs.create`, codec.json and `--method`."""

    ids_are_symbols: ClassVar[bool] = False
    """True where each symbol is one id, that of `ids.symbols_to_ids`: what a byte LM trains on."""

    eos_is_id: ClassVar[bool] = False
    """True where the id 1 ends documents; else EOS is a symbol, coded as bytes are."""

    needs_lengths: ClassVar[bool] = False
    """True where ids do not decode without the number of symbols."""

    is_bit_stream: ClassVar[bool] = False
    """True where tokens are N bits each of one stream, so that its bits can be looked at."""

    beginnings_decode: ClassVar[bool] = False
    """True where the first tokens of an example (`whole`) decode to the beginning of its text."""

    library: ClassVar[str] = ""
    """The library whose version decides ids, too; empty: they are the same with any."""

    why_lossy: ClassVar[str] = ""
    """Where it is not lossless."""

    progress: Callable[[int], object] | None = None
    """Where a neural M1 runs, it is called with what was done since the last call: symbols coded,
    or read; where a method has windows, windows read (equal ones once)."""

    @classmethod
    def declared(cls) -> dict[str, Option]:
        """Its options by name, without those that only making it takes."""
        return {
            field.name: field.metadata.get(Option.__name__, Option())
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]  # subclasses are
        }

    @classmethod
    def tokens_per_window(cls, options: Mapping[str, Any]) -> int | None:
        """Tokens of a window, from `options()`; None: no windows, or tokens cross their ends."""
        return None

    @classmethod
    def meaning(cls, options: Mapping[str, Any], assets: Mapping[str, str]) -> list[Any]:
        """What its ids mean, for comparison: equal where they mean the same. JSON values.

        Args:
          options: `options()`.
          assets: sha256 of each, by name.
        """
        return [cls.method, dict(options), dict(assets)]

    @classmethod
    def name_parts(cls, manifest: Described) -> tuple[str, ...]:
        """What tells data sets of the method apart in the name of a task, such as b16 and v65k."""
        return (size_in_name(1 << manifest.token_bits),)

    def __post_init__(self) -> None:
        """Make integers plain ones, which JSON can hold; a ValueError names the option."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type]  # subclasses are
            value = getattr(self, field.name)
            if field.type is bool:
                if not isinstance(value, bool | np.bool_):
                    raise ValueError(f"{field.name}={value!r} must be True or False.")
                setattr(self, field.name, bool(value))
            elif field.type is int and (value is not None or field.default is not None):
                lowest = self.declared()[field.name].lowest
                setattr(self, field.name, check_integer(field.name, value, lowest))

    @property
    def lossless(self) -> bool:
        """True where `decode` restores every example exactly, whatever its bytes."""
        return True

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

    def encode_bytes(self, texts: Sequence[bytes]) -> list[Ids]:
        """Ids of texts without EOS, each by itself."""
        symbols = [np.frombuffer(text, np.uint8).astype(np.uint16) for text in texts]
        return [encoded.ids for encoded in self.encode(symbols)]

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
            None skips the check. See `needs_lengths`.
          allow_errors: decode with a method that is not lossless all the same.

        Raises:
          LossyCodecError: the method is not lossless and `allow_errors` is False.
          ValueError: an id out of range, or ids that this codec does not produce.
        """
        if not self.lossless and not allow_errors:
            raise LossyCodecError(
                f"method {self.method!r} cannot restore its text: {self.why_lossy} "
                "Pass allow_errors=True to get what its decoder gives all the same."
            )
        if lengths is None and self.needs_lengths:
            raise ValueError(
                f"method {self.method!r} has no end mark: give lengths, the symbols of each "
                "example (bytes + EOS)."
            )
        _check_number_of_lengths(ids, lengths)
        decoded = self._decode(ids, lengths)
        if self.lossless:
            _check_lengths(decoded, lengths)
        return decoded

    @abstractmethod
    def _decode(self, ids: Sequence[Ids], lengths: Sequence[int] | None) -> list[Symbols]:
        """Undo `encode`; there is one length for each example, and `decode` compares them."""

    def whole(self, ids: Ids) -> Ids:
        """Ids that were cut off anywhere, without the bits of a last window that is not whole."""
        return ids

    def goes_on_after(self, tokens: int) -> bool:
        """Whether more tokens can follow an example of so many: none of its bits are padding."""
        return not tokens or self.beginnings_decode

    def windows_in(self, tokens: int) -> int:
        """Windows that end in so many tokens of an example; 0 where the method has none."""
        return 0

    def count_window_errors(
        self, examples: Sequence[Symbols], encoded: Sequence[Encoded] | None = None
    ) -> tuple[int, int]:
        """Decode again, and count what comes back as another text.

        Args:
          examples: uint16[any] texts.
          encoded: what `encode` gave for them, if it is at hand.

        Returns:
          Windows decoded wrongly, and windows; examples, where the method has no windows.
        """
        encoded = self.encode(examples) if encoded is None else encoded
        lengths = [len(symbols) for symbols in examples] if self.lossless else None
        decoded = self.decode([one.ids for one in encoded], lengths, allow_errors=True)
        wrong = sum(not np.array_equal(*pair) for pair in zip(examples, decoded, strict=True))
        return wrong, len(examples)

    def options(self) -> dict[str, Any]:
        """What, with the assets, defines the codec: JSON values."""
        own = {
            name: getattr(self, name) for name, about in self.declared().items() if not about.asset
        }
        return {name: value for name, value in own.items() if value is not None} | self._facts()

    def description(self, assets: Mapping[str, str]) -> dict[str, Any]:
        """What codec.json says, given the sha256 of each asset."""
        return {
            "format_version": FORMAT_VERSION,
            "method": self.method,
            "options": self.options(),
            "assets": dict(assets),
        }

    def _facts(self) -> dict[str, Any]:
        """What codec.json says of the assets besides, so that others need not open them."""
        return {}

    def _assets(self) -> dict[str, Any]:
        """What each file beside codec.json holds, by its name."""
        found = {about.asset: getattr(self, name) for name, about in self.declared().items()}
        return {name: value for name, value in found.items() if name and value is not None}

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the codec to `directory` (made if absent): `codec.json` and its assets."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        assets = self._assets()
        for name, value in assets.items():
            if not hasattr(value, "save"):
                raise TypeError(
                    f"{type(value).__name__} has no save(path), so a codec on it cannot be saved."
                )
            value.save(directory / name)
        description = self.description(
            {name: storage.sha256(os.fspath(directory / name)) for name in sorted(assets)}
        )
        # Last, and in one move: a directory with a codec.json is complete.
        text = json.dumps(description, indent=2, sort_keys=True) + "\n"
        storage.write_text(os.fspath(directory / CODEC_FILE), text)

    @classmethod
    def load(cls, assets: Mapping[str, Path], options: Mapping[str, Any], where: str) -> Self:
        """The codec of a directory.

        Args:
          assets: its verified files by name, and no others.
          options: as `options()` gave them.
          where: they stand, for errors.

        Raises:
          ValueError: options or assets are not those of such a codec.
        """
        declared = cls.declared()
        needed = {about.asset for about in declared.values() if about.asset}
        given = {name: options[name] for name in declared.keys() & options.keys()}
        for name, about in declared.items():
            if about.asset in assets:
                given[name] = assets[about.asset]
        if bool(needed) != bool(assets) or not assets.keys() <= needed:
            raise ValueError(
                f"{where} is damaged: it names the assets {sorted(assets)}, method {cls.method!r} "
                f"has {' or '.join(sorted(needed)) or 'none'}."
            )
        codec = cls(**given)
        if codec.options() != options:
            raise ValueError(
                f"{where} is damaged: it says {dict(options)}, its assets give {codec.options()}."
            )
        return codec


def neural(model: FrequencyModel) -> FrequencyModel | None:
    """The model where it has context, and steps of it cost time; None for a static one."""
    return model if model.max_context > 0 else None


def m1_facts(model: FrequencyModel) -> dict[str, Any]:
    """What codec.json says of M1. Frequencies come from integers, which once was an option."""
    return {"m1_sha256": model.sha256, "float_border": False}


def size_in_name(codes: int) -> str:
    """A number of codes in the name of a task, in thousands from 1,000 on: v256, v65k."""
    return f"v{codes}" if codes < 1000 else f"v{codes // 1000}k"


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


def _check_number_of_lengths(ids: Sequence[Any], lengths: Sequence[int] | None) -> None:
    """Raise a ValueError unless there is one length for each example."""
    if lengths is not None and len(lengths) != len(ids):
        raise ValueError(
            f"{len(ids)} examples of ids but {len(lengths)} lengths. Give one length for each "
            "example."
        )
    for index, length in enumerate([] if lengths is None else lengths):
        if length < 0:
            raise ValueError(f"example {index}: length {length} is negative.")


def _check_lengths(decoded: Sequence[Symbols], lengths: Sequence[int] | None) -> None:
    """Raise a ValueError where a decoded example does not have the length it was said to have."""
    if lengths is None:
        return
    for index, (symbols, length) in enumerate(zip(decoded, lengths, strict=True)):
        if len(symbols) != length:
            raise ValueError(
                f"example {index}: its ids decode to {len(symbols)} symbols, expected {length}. "
                "The ids are damaged, or not all of the example's, or of another codec."
            )


def check_integer(name: str, value: int, lowest: int | None = None) -> int:
    """`value` as a plain int, which JSON can hold; a ValueError for other types and below `lowest`.

    NumPy's integers pass; booleans and floats do not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name}={value!r} is not an integer.")
    if lowest is not None and value < lowest:
        raise ValueError(f"{name}={value} is less than {lowest}. Use {lowest} or more.")
    return int(value)
