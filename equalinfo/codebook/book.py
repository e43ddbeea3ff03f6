"""Texts and codes of one compiled M1.

Coder and M1 restart at each window, so the texts that fit a window form a finite trie, and each of
its nodes but the root is one code. Enumerated once from M1, encoding is a walk to the longest match
and decoding a look-up: no M1, no floats. Codes number the texts in lexicographic preorder.

Two plans say which texts:
  best_first  the V likeliest under M1, all 257 symbols among them; V is free.
  interval    those of the exact W-bit code (`equalinfo.coding.exact`), V = 2^W, bit for bit: a
              node's code is the first point of its interval, its children follow in symbol order.
"""

import operator
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import Symbols, as_symbols
from equalinfo.codebook import double_array, file
from equalinfo.codebook.limits import check_num_codes
from equalinfo.codebook.trie import byte_lengths, check_preorder
from equalinfo.m1.base import FrequencyModel
from equalinfo.precision import check_precision

if TYPE_CHECKING:
    from equalinfo.codebook.lookup import ByteTexts

Codes = npt.NDArray[np.uint32]
T = TypeVar("T", bound=np.generic)

INFORMATION_UNIT_BITS = 1 / 256
"""Unit of `Codebook.information`."""


@dataclass(frozen=True)
class CodebookInfo:
    """Where a codebook comes from.

    Attributes:
      plan: best_first or interval.
      num_codes: V.
      precision: P of the frequencies it was compiled from.
      m1_sha256: of the M1 that gave them.
      m1_context: symbols of left context M1 saw.
      float_border: M1's frequencies come from floats; the file is what makes them portable.
    """

    plan: str
    num_codes: int
    precision: int
    m1_sha256: str
    m1_context: int
    float_border: bool


class Codebook:
    """Texts and codes of one compiled M1.

    Attributes:
      info: how it was made.
      texts: uint16[total symbols], the texts of all codes in code order.
      offsets: int64[V + 1]; code c stands for texts[offsets[c]:offsets[c + 1]].
      information: uint16[V], -log2 P(text | window start) under M1 in 1/256 bit, rounded up;
        65535 for a text whose probability is below 2^-(63-P), too low to be told.
      entries: uint64[S], the double array.
      sha256: of all of the above.
    """

    def __init__(
        self,
        info: CodebookInfo,
        texts: npt.NDArray[np.uint16],
        offsets: npt.NDArray[np.int64],
        information: npt.NDArray[np.uint16],
        entries: double_array.Entries | None = None,
    ) -> None:
        """Check the tables. `compile` and `load` are the ways to get a codebook.

        Args:
          info: see the class.
          texts: see the class.
          offsets: see the class.
          information: see the class.
          entries: the double array, checked against the texts; None: build it.

        Raises:
          ValueError: the texts are not the preorder of a trie of `info.num_codes` nodes with all
            257 symbols, or a table has another size.
        """
        check_num_codes(info.plan, info.num_codes)
        check_precision(info.precision)
        if info.m1_context < 0:
            raise ValueError(f"m1_context={info.m1_context} is negative.")
        if len(information) != info.num_codes:
            raise ValueError(f"information of {len(information)} codes, expected {info.num_codes}.")
        self.info = info
        self.texts = _own(texts, np.uint16, "texts")
        self.offsets = _own(offsets, np.int64, "offsets")
        self.information = _own(information, np.uint16, "information")
        parents = check_preorder(self.texts, self.offsets, info.num_codes)
        if entries is None:
            from equalinfo.codebook.packing import pack

            entries = pack(self.texts, self.offsets, parents, self.information)
        self.entries = _own(entries, np.uint64, "entries")
        double_array.check(self.entries, self.texts, self.offsets, parents)
        self.sha256 = file.content_sha256(file.header_of(info), self._tensors())

    @classmethod
    def compile(
        cls,
        model: FrequencyModel,
        num_codes: int = 1 << 16,
        *,
        plan: str = "best_first",
        context: int | None = None,
        lanes: int = 512,
        progress: bool = True,
    ) -> Self:
        """Enumerate the windows of a model.

        Args:
          model: M1; asked once for each text that may have children.
          num_codes: V, 257..2^20; a power of two from 2^9 on for `interval`.
          plan: best_first or interval.
          context: symbols of left context M1 sees; default 64.
          lanes: texts that M1 evaluates together. The result does not depend on it.
          progress: draw a bar.
        """
        from equalinfo.codebook.enumeration import enumerate_texts
        from equalinfo.codebook.plans import make_plan

        num_codes = operator.index(num_codes)
        check_num_codes(plan, num_codes)
        context = 64 if context is None else operator.index(context)
        texts = enumerate_texts(
            model, make_plan(plan, num_codes, model.precision), context, lanes, progress
        )
        info = CodebookInfo(
            plan, num_codes, model.precision, model.sha256, context, bool(model.float_border)
        )
        return cls(info, *texts)

    def __reduce__(self) -> tuple[Any, ...]:
        # So that the tables of the copy are checked and read-only again.
        return type(self), (
            self.info,
            self.texts,
            self.offsets,
            self.information,
            self.entries,
        )

    @property
    def num_codes(self) -> int:
        """V."""
        return self.info.num_codes

    @property
    def window_bits(self) -> int:
        """W: bits that hold every code, ceil(log2 V)."""
        return (self.info.num_codes - 1).bit_length()

    @cached_property
    def byte_lengths(self) -> npt.NDArray[np.uint32]:
        """Bytes of each code's text, uint32[V]: EOS is none."""
        return byte_lengths(self.texts, self.offsets)

    @cached_property
    def symbol_lengths(self) -> npt.NDArray[np.uint32]:
        """Symbols of each code's text, uint32[V]."""
        return np.diff(self.offsets).astype(np.uint32)

    @cached_property
    def _spaced_texts(self) -> npt.NDArray[np.uint16]:
        """The texts, and the space that `equalinfo.codebook.lookup` reads behind them."""
        from equalinfo.codebook.lookup import SPARE_SYMBOLS

        return np.append(self.texts, np.zeros(SPARE_SYMBOLS, np.uint16))

    @cached_property
    def byte_texts(self) -> "ByteTexts":
        """The texts as `equalinfo.codebook.lookup` wants them."""
        from equalinfo.codebook.lookup import byte_texts

        return byte_texts(self.texts, self.offsets)

    def encode(self, symbols: Symbols) -> Codes:
        """Cut a text into windows and code them.

        Args:
          symbols: uint16[n], 0..256.

        Returns:
          uint32[windows], codes below V.
        """
        from equalinfo.codebook import walk

        # A copy: the walk, which has no checks, runs without the GIL.
        symbols = _frozen(np.array(as_symbols(symbols)), np.uint16)
        codes, _ = walk.encode(self.entries, symbols, np.array([len(symbols)]), 0)
        return codes

    def decode(self, codes: npt.ArrayLike) -> Symbols:
        """Undo `encode`: any codes in any order decode, uint16[n]."""
        checked = self._check_codes(codes).astype(np.int32)
        return self.decode_texts(checked, np.array([len(checked)]), 0)[0]

    def encode_texts(
        self, symbols: Symbols, ends: npt.NDArray[np.int64], first: int
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Encode many texts at once, each by itself.

        Args:
          symbols: uint16[n], 0..256 (not checked), the texts one after the other; nobody else may
            change them meanwhile.
          ends: int64[texts], where each ends.
          first: the id of code 0.

        Returns:
          ids: int32[tokens], code + first.
          read: int64[tokens], symbols of its text that a token and those before it stand for.
          id_ends: int64[texts], where the ids of each text end.
        """
        from equalinfo.codebook import lookup, walk

        codes, id_ends = walk.encode(self.entries, _frozen(symbols, np.uint16), ends, first)
        ids = codes.view(np.int32)
        return ids, lookup.symbol_ends(ids, id_ends, first, self.symbol_lengths), id_ends

    def decode_texts(
        self, ids: npt.NDArray[np.int32], ends: npt.NDArray[np.int64], first: int
    ) -> tuple[Symbols, npt.NDArray[np.int64]]:
        """Undo `encode_texts`.

        Args:
          ids: int32[tokens], first..first + V - 1 (not checked); nobody else may change them
            meanwhile.
          ends: int64[texts], where the ids of each text end.
          first: the id of code 0.

        Returns:
          symbols: uint16[n], the texts one after the other.
          symbol_ends: int64[texts], where each ends.
        """
        from equalinfo.codebook import lookup

        symbol_ends, _ = lookup.count_bytes(ids, ends, first, self.symbol_lengths)
        size = int(symbol_ends[-1]) if len(ends) else 0
        out = np.empty(size + lookup.SPARE_SYMBOLS, np.uint16)
        lookup.copy_symbols(ids, first, self._spaced_texts, self.offsets, out)
        return out[:size], symbol_ends

    def lengths(self, codes: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Symbols that each code stands for, int64[codes]."""
        checked = self._check_codes(codes)
        return self.offsets[checked + 1] - self.offsets[checked]

    def text(self, code: int) -> Symbols:
        """The symbols of one code, uint16[n], n >= 1."""
        return self.decode([code])

    def _check_codes(self, codes: npt.ArrayLike) -> npt.NDArray[np.int64]:
        checked = np.asarray(codes)
        if checked.ndim != 1 or (checked.size and checked.dtype.kind not in "iu"):
            raise ValueError(
                f"codes are {checked.dtype}{list(checked.shape)}, expected integers[windows]."
            )
        wrong = (checked < 0) | (checked >= self.num_codes)
        if np.any(wrong):
            place = int(np.argmax(wrong))
            raise ValueError(
                f"code {int(checked[place])} at place {place} is not in 0..{self.num_codes - 1}."
            )
        return checked.astype(np.int64)

    def _tensors(self) -> file.Tensors:
        return {
            "texts": self.texts,
            "offsets": self.offsets,
            "information": self.information,
            "entries": self.entries,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the `.eqi` file: the same bytes for the same codebook."""
        file.write(path, {**file.header_of(self.info), "sha256": self.sha256}, self._tensors())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a `.eqi` file and check all of it.

        Raises:
          FileNotFoundError: there is no such file.
          ValueError: not a codebook, of another format version, or damaged.
        """
        header, tensors = file.read(path)
        try:
            info = file.info_fields(header)
            codebook = cls(CodebookInfo(**info), **tensors)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"codebook {os.fspath(path)} is damaged: {error}") from error
        if codebook.sha256 != header.get("sha256"):
            raise ValueError(
                f"codebook {os.fspath(path)} is damaged: its content has "
                f"sha256:{codebook.sha256[:12]}.., its header says "
                f"sha256:{str(header.get('sha256'))[:12]}.. Get the file again."
            )
        return codebook


def _frozen(array: npt.NDArray[T], dtype: type[T]) -> npt.NDArray[T]:
    """A read-only view: numba compiles for read-only and writable arrays apart."""
    view: npt.NDArray[T] = np.ascontiguousarray(array, dtype).view()
    view.flags.writeable = False
    return view


def _own(array: npt.NDArray[T], dtype: type[T], name: str) -> npt.NDArray[T]:
    """A read-only copy: nobody can change a table that has been checked."""
    if array.dtype != dtype or array.ndim != 1:
        raise ValueError(
            f"{name} are {array.dtype}{list(array.shape)}, expected {dtype.__name__}[]."
        )
    copy = np.array(array)
    copy.flags.writeable = False
    return copy
