"""Counts of n-grams as integers: what a frozen M1 knows without its network; in `.eqm` files.

Kept n-grams are the nodes of a trie: node "abc" is the child "c" of the context "ab". Each has a
*code*: log2 of how much likelier its last symbol is after its context than after the shorter one,
in steps of half a bit. What a code is worth is learned (`Mixer`), for it depends on what else is
known. `reference` says what all of it computes.
"""

import dataclasses
import functools
import hashlib
import zlib
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, NUM_SYMBOLS

CODES = 32
"""Kinds of n-grams: code k says about (k - 4) / 2 bits."""

MOST_SYMBOLS = 16
"""Longest n-grams, and symbols of context that history looks at."""

HISTORY_ORDERS = (1, 2, 3, 4, 6, 8, 12)
"""Lengths of the contexts whose last two continuations in this text are remembered."""

NUM_HISTORIES = len(HISTORY_ORDERS) + 2
"""And two contexts of words: the word so far, and that with the word before."""

SLOT_BITS = 12
"""Each history remembers 2^12 contexts of a text, by their hash."""

TEXT_CONTEXT = 1024
"""From this context on a text is a text, not a window: what it said so far is counted."""

WIDTHS = 4
"""A context has 1, 2, 3..5, or more continuations."""

WEIGHT_BITS = 12
"""Multipliers of logits count 2^-12."""

MAX_WEIGHT = 1 << 14
"""Multipliers lie in [-4, 4]: the sum of two products stays below 2^31."""

SYMBOL_BITS = 9
"""Of 257 symbols, in an entry of `Trie`."""

START = NUM_SYMBOLS
"""Stands before the first symbol of a text or window, and begins n-grams like any symbol."""

_ONES = NUM_SYMBOLS + 1  # n-grams of length 1, START's included
_EOS_BYTE = 255  # EOS in `symbols`; the byte 255, which UTF-8 never has, is in no n-gram
_COMPRESSED = ("symbols", "children", "codes")
_PREFIX = "counts."
TABLES = tuple(_PREFIX + name for name in (*_COMPRESSED, "pairs"))
"""Tensors of a file that hold the n-grams; the others are weights."""

Tensors = dict[str, npt.NDArray[Any]]


class Mixer(NamedTuple):
    """Learned weights of a use.

    Attributes:
      network, base: int16[depths, WIDTHS, histories + 1], in 2^-12: what the logits of the network,
        and log2 of the probability after one symbol, are multiplied with; by the symbols in the
        longest counted context, its continuations, and the longest history that knows the context.
      grams: int16[n-gram lengths from 3, depths, CODES], what a code adds to the symbol's logit, in
        1/1,024 bit.
      histories: int16[NUM_HISTORIES, len(HISTORY_ORDERS) + 1, 5, 5]: what a symbol gains that the
        history says came 1, 2, 3, 4, 5 or more times, others 0, 1, 2, 3, 4 or more times; by the
        longest history that knows its context.
    """

    network: Any
    base: Any
    grams: Any
    histories: Any


USES = ("mixed.window", "mixed.text", "alone.window", "alone.text")
"""With the network or without; windows, or texts with a history."""


class Trie(NamedTuple):
    """The n-grams as engines read them; node 0 is the empty text, 1 to 257 the symbols, 258 START.

    Attributes:
      first: int32[nodes + 1]; the children of node t are first[t] .. first[t + 1] - 1.
      entries: uint16[nodes], symbol + 512 code; symbols ascend among the children of a node.
    """

    first: Any
    entries: Any


def mixer_shapes(length: int) -> dict[str, tuple[int, ...]]:
    """Of `Mixer`, for n-grams of up to `length` symbols."""
    rows = (length, WIDTHS, len(HISTORY_ORDERS) + 1)
    return {
        "network": rows,
        "base": rows,
        "grams": (length - 2, length, CODES),
        "histories": (NUM_HISTORIES, len(HISTORY_ORDERS) + 1, 5, 5),
    }


@dataclasses.dataclass(frozen=True)
class FrozenCounts:
    """Tables of counts, and how to use them.

    Attributes:
      length: N, symbols of the longest n-grams.
      symbols: uint8[n], last symbols of the n-grams from length 2 on, in order of length, then of
        the parents, then their own; EOS is 255.
      children: uint8[m], for each n-gram of length 1 to N - 1 how many longer ones it begins.
      codes: uint8[n] below CODES, parallel to `symbols`.
      pairs: int16[258, 257], log2 of the probability of a symbol after another, in 1/1,024 bit; the
        last row: after START.
      mixers: for each of `USES`.
      packed: the zlib streams of the large tables, as a file had them. They are written as they
        were: packing takes 15 s, and other versions of zlib give other bytes.
    """

    length: int
    symbols: npt.NDArray[np.uint8]
    children: npt.NDArray[np.uint8]
    codes: npt.NDArray[np.uint8]
    pairs: npt.NDArray[np.int16]
    mixers: dict[str, Mixer]
    packed: Tensors | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self)

    @functools.cached_property
    def sha256(self) -> str:
        """Of all tables."""
        digest = hashlib.sha256(f"equalinfo counts {self.length}".encode())
        for name, value in sorted(self._arrays().items()):
            little = value.astype(value.dtype.newbyteorder("<"))
            digest.update(f"{name}\0{value.dtype.name}{list(value.shape)}\0".encode())
            digest.update(np.ascontiguousarray(little).tobytes())
        return digest.hexdigest()

    def _arrays(self) -> Tensors:
        arrays: Tensors = {
            name: getattr(self, name) for name in ("symbols", "children", "codes", "pairs")
        }
        for use, mixer in self.mixers.items():
            arrays |= {f"{use}.{name}": value for name, value in mixer._asdict().items()}
        return arrays

    def tensors(self) -> Tensors:
        """For a file: the large ones compressed (zlib), names begin with "counts."."""
        arrays = self._arrays()
        packed = self.packed or {
            name: np.frombuffer(zlib.compress(arrays[name].tobytes(), 9), np.uint8)
            for name in _COMPRESSED
        }
        return {_PREFIX + name: value for name, value in (arrays | packed).items()}

    @classmethod
    def from_tensors(cls, tensors: Tensors, length: Any) -> "FrozenCounts":
        """Undo `tensors`.

        Raises:
          ValueError: a tensor is missing, unknown, or not as it must be.
        """
        left = {name.removeprefix(_PREFIX): value for name, value in tensors.items()}
        try:
            packed = {name: left[name] for name in _COMPRESSED}
            for name, stream in packed.items():
                left[name] = np.frombuffer(zlib.decompress(stream.tobytes()), np.uint8)
            tables = {name: left.pop(name) for name in (*_COMPRESSED, "pairs")}
            mixers = {
                use: Mixer(*(left.pop(f"{use}.{name}") for name in Mixer._fields)) for use in USES
            }
        except KeyError as error:
            raise ValueError(f"tensor counts.{error.args[0]} is missing.") from error
        except zlib.error as error:
            raise ValueError(f"a compressed table is damaged: {error}.") from error
        if left:
            raise ValueError(f"tensors {sorted(left)} are unknown.")
        return cls(length, **tables, mixers=mixers, packed=packed)

    @functools.cached_property
    def first(self) -> npt.NDArray[np.int32]:
        """int32[nodes + 1], see `Trie`."""
        numbers = np.zeros(2 + _ONES + len(self.symbols), np.int32)
        numbers[:2] = 1, _ONES
        numbers[2 : 2 + len(self.children)] = self.children
        return np.cumsum(numbers, dtype=np.int32)

    @functools.cached_property
    def trie(self) -> Trie:
        """What engines read."""
        entries = np.zeros(len(self.first) - 1, np.uint16)
        entries[1 : _ONES + 1] = np.arange(_ONES)
        rest = entries[_ONES + 1 :]
        rest[:] = self.codes
        rest <<= SYMBOL_BITS
        rest |= self.symbols
        rest[self.symbols == _EOS_BYTE] += EOS - _EOS_BYTE
        return Trie(self.first, entries)


def _check(counts: FrozenCounts) -> None:
    length = counts.length
    if type(length) is not int or not 3 <= length <= MOST_SYMBOLS:
        raise ValueError(f"n-grams of length={length!r}: expected 3 to {MOST_SYMBOLS}.")
    kinds = {"symbols": np.uint8, "children": np.uint8, "codes": np.uint8, "pairs": np.int16}
    for name, kind in kinds.items():
        value = getattr(counts, name)
        sizes = (_ONES, NUM_SYMBOLS) if name == "pairs" else (value.size,)
        if value.dtype != kind or value.shape != sizes:
            raise ValueError(
                f"counts.{name} is {value.dtype}{list(value.shape)}, expected "
                f"{np.dtype(kind).name}{list(sizes)}."
            )
    size = len(counts.symbols)
    if len(counts.codes) != size or not size < 1 << 30:
        raise ValueError(f"{size} symbols and {len(counts.codes)} codes: expected as many of each.")
    if counts.codes.max(initial=0) >= CODES:
        raise ValueError(f"code {counts.codes.max()}: expected codes below {CODES}.")
    # Level by level: the children of one are the n-grams of the next.
    begin, nodes = 0, _ONES
    total = 0
    for level in range(1, length):
        numbers = counts.children[begin : begin + nodes].astype(np.int64)
        if len(numbers) != nodes:
            raise ValueError(f"counts.children ends within the n-grams of length {level}.")
        begin += nodes
        nodes = int(numbers.sum())
        total += nodes
    if begin != len(counts.children) or total != size:
        raise ValueError(
            f"counts.children has {len(counts.children)} numbers for {total} n-grams, expected "
            f"{begin} for {size}."
        )
    descents = np.flatnonzero(counts.symbols[1:] <= counts.symbols[:-1]) + 1
    begins = np.zeros(size + _ONES + 2, np.bool_)
    begins[counts.first] = True
    if not begins[descents + _ONES + 1].all():
        raise ValueError("counts.symbols do not ascend among the children of an n-gram.")
    if counts.pairs.max() > 0:
        raise ValueError("counts.pairs holds logarithms of probabilities above 1.")
    if set(counts.mixers) != set(USES):
        raise ValueError(f"mixers {sorted(counts.mixers)}: expected {', '.join(USES)}.")
    for use, mixer in counts.mixers.items():
        for name, shape in mixer_shapes(length).items():
            value = getattr(mixer, name)
            if value.dtype != np.int16 or value.shape != shape:
                raise ValueError(
                    f"counts.{use}.{name} is {value.dtype}{list(value.shape)}, expected "
                    f"int16{list(shape)}."
                )
            if name in ("network", "base") and np.abs(value.astype(np.int64)).max() > MAX_WEIGHT:
                raise ValueError(f"counts.{use}.{name} leaves -{MAX_WEIGHT}..{MAX_WEIGHT}.")
