"""A codebook: a set of texts, one for each code, and how text is parsed into them.

All 257 symbols are among the texts, so every text can be spelled with them. Codes number them in
lexicographic order. Encoding is a parse: `longest` takes the longest match from left to right,
`fewest` of all ways the one of fewest bits; decoding is a look-up. No M1, no floats.

Three plans say which texts:
  unigram     those that spell a corpus in the fewest bits (`equalinfo.codebook.unigram`).
  best_first  the V likeliest under M1, prefix-closed.
  interval    those of the exact W-bit code (`equalinfo.coding.exact`), V = 2^W, bit for bit: a
              text's code is the first point of its interval. Prefix-closed.

Coder and M1 restart at each window, so the windows of up to 20 bits are a finite trie, each node
but the root one code: enumerated once from M1, they are the texts of the last two plans.
"""

import operator
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from equalinfo import container
from equalinfo.alphabet import Symbols, as_symbols
from equalinfo.codebook import double_array, trie
from equalinfo.codebook.file import CodebookInfo, content_sha256, read
from equalinfo.codebook.limits import (
    MAX_SYMBOLS,
    UNIGRAM,
    check_m1_plan,
    check_num_codes,
    check_parse,
)
from equalinfo.container import Tensors
from equalinfo.m1.base import FrequencyModel

if TYPE_CHECKING:
    from equalinfo.codebook.lookup import ByteTexts
    from equalinfo.codebook.parsers import Parser
    from equalinfo.codebook.plain import Plain

Codes = npt.NDArray[np.uint32]
T = TypeVar("T", bound=np.generic)


class Codebook:
    """Texts and codes.

    Attributes:
      info: how it was made, and is used.
      texts: uint16[total symbols], the texts of all codes in code order.
      offsets: int64[V + 1]; code c stands for texts[offsets[c]:offsets[c + 1]].
      information: uint16[V], bits of each text in 1/256 bit, rounded up: -log2 of its share of the
        tokens (unigram), or -log2 P(text | window start) under M1, and then 65535 for a text whose
        probability is below 2^-(63-P), too low to be told.
      format_version: of the file: 3, or 2 for one that was read from such a file.
      sha256: of all of the above.
    """

    def __init__(
        self,
        info: CodebookInfo,
        texts: npt.NDArray[np.uint16],
        offsets: npt.NDArray[np.int64],
        information: npt.NDArray[np.uint16],
        bases: double_array.Bases | None = None,
        entries: npt.NDArray[np.uint64] | None = None,
    ) -> None:
        """Check the tables. `compile` and `load` are the ways to get a codebook.

        The first four are the attributes. `bases`, uint32[inner nodes], is the double array (see
        `double_array.lay_out`), made here where it is None. `entries`, uint64[], is the double
        array of format 2, which nothing reads any more; its presence makes this a codebook of
        format 2, whose sha256 it is part of.

        Raises:
          ValueError: the texts are not `info.num_codes` texts in lexicographic order with all 257
            symbols among them, or a table has another size.
        """
        check_num_codes(info.plan, info.num_codes)
        info.check()
        if len(information) != info.num_codes:
            raise ValueError(f"information of {len(information)} codes, expected {info.num_codes}.")
        self.info = info
        self.texts = _own(texts, np.uint16, "texts")
        self.offsets = _own(offsets, np.int64, "offsets")
        self.information = _own(information, np.uint16, "information")
        self.format_version = 3 if entries is None else 2
        self._trie = trie.build(self.texts, self.offsets, info.num_codes)
        prefixes = len(self._trie.parents) - info.num_codes
        if prefixes and (info.plan != UNIGRAM or self.format_version == 2):
            raise ValueError(f"{prefixes} prefixes of its texts are not among them.")
        longest = int(self.symbol_lengths.max())
        check_parse(info.parse, longest)
        if longest > MAX_SYMBOLS and self.format_version > 2:
            raise ValueError(f"a text of {longest} symbols is longer than {MAX_SYMBOLS}.")
        self._entries = None if entries is None else _own(entries, np.uint64, "entries")
        if bases is None and entries is None:
            from equalinfo.codebook.packing import pack

            bases = pack(self._trie, self.information)
        self._bases = None if bases is None else _own(bases, np.uint32, "bases")
        if self._bases is not None:
            _ = self._double_array  # checks them
        self._parsers: dict[str, Parser] = {}
        self.sha256 = content_sha256(self._header(), self._tensors())

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
        check_m1_plan(plan)
        context = 64 if context is None else operator.index(context)
        texts = enumerate_texts(
            model, make_plan(plan, num_codes, model.precision), context, lanes, progress
        )
        made_of: dict[str, int | str] = {
            "precision": model.precision,
            "m1_sha256": model.sha256,
            "m1_context": context,
        }
        return cls(CodebookInfo(plan, num_codes, made_of=made_of), *texts)

    def __reduce__(self) -> tuple[Any, ...]:
        # So that the tables of the copy are checked and read-only again.
        return type(self), (
            self.info,
            self.texts,
            self.offsets,
            self.information,
            self._bases,
            self._entries,
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
        return trie.byte_lengths(self.texts, self.offsets)

    @cached_property
    def costs(self) -> npt.NDArray[np.int64]:
        """What each code costs parse `fewest`, int64[V], in 1/256 bit."""
        from equalinfo.codebook.plain import costs

        return costs(self.information, self.info.token_cost)

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

    def parser(self, parse: str | None = None) -> "Parser":
        """What encodes: see `equalinfo.codebook.parsers`.

        Args:
          parse: longest or fewest; None: the codebook's own.

        Raises:
          ValueError: another parse, or one that this codebook cannot be parsed by.
        """
        from equalinfo.codebook.parsers import make_parser

        parse = self.info.parse if parse is None else parse
        if parse not in self._parsers:
            check_parse(parse, int(self.symbol_lengths.max()))
            self._parsers[parse] = make_parser(
                parse, self._trie, self._double_array, self.information, self.info.token_cost
            )
        return self._parsers[parse]

    @cached_property
    def _double_array(self) -> double_array.DoubleArray:
        bases = self._bases
        if bases is None:  # of format 2
            from equalinfo.codebook.packing import pack

            bases = pack(self._trie, self.information)
        return double_array.lay_out(self._trie, bases, self.information)

    @cached_property
    def plain(self) -> "Plain":
        """The slow parses, without numba."""
        from equalinfo.codebook.plain import Plain

        return Plain(self.texts, self.offsets, self.information, self.info.token_cost)

    def encode(self, symbols: Symbols, parse: str | None = None) -> Codes:
        """Parse a text.

        Args:
          symbols: uint16[n], 0..256.
          parse: see `parser`.

        Returns:
          uint32[tokens], codes below V.
        """
        # A copy: the parser, which has no checks, runs without the GIL.
        symbols = np.array(as_symbols(symbols))
        codes, _ = self.parser(parse).encode(symbols, np.array([len(symbols)]), 0)
        return codes

    def decode(self, codes: npt.ArrayLike) -> Symbols:
        """Undo `encode`: any codes in any order decode, uint16[n]."""
        checked = self._check_codes(codes).astype(np.int32)
        return self.decode_texts(checked, np.array([len(checked)]), 0)[0]

    def encode_texts(
        self, symbols: Symbols, ends: npt.NDArray[np.int64], first: int, parse: str | None = None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Encode many texts at once, each by itself.

        Args:
          symbols: uint16[n], 0..256 (not checked), the texts one after the other; nobody else may
            change them meanwhile.
          ends: int64[texts], where each ends.
          first: the id of code 0.
          parse: see `parser`.

        Returns:
          ids: int32[tokens], code + first.
          read: int64[tokens], symbols of its text that a token and those before it stand for.
          id_ends: int64[texts], where the ids of each text end.
        """
        codes, id_ends = self.parser(parse).encode(symbols, ends, first)
        ids = codes.view(np.int32)
        read = np.cumsum(self.symbol_lengths[ids - first], dtype=np.int64)
        before = np.append(0, ends)[:-1]  # of each text
        read -= np.repeat(before, np.diff(id_ends, prepend=0))
        return ids, read, id_ends

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

    def _header(self) -> dict[str, Any]:
        return self.info.header(self.format_version)

    def _tensors(self) -> Tensors:
        tensors: Tensors = {"texts": self.texts, "information": self.information}
        if self._entries is not None:
            return {**tensors, "offsets": self.offsets, "entries": self._entries}
        assert self._bases is not None  # of format 3
        return {**tensors, "lengths": self.symbol_lengths.astype(np.uint16), "bases": self._bases}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the `.eqi` file: the same bytes for the same codebook."""
        header = {**self._header(), "sha256": self.sha256}
        container.write(path, container.CODEBOOK, header, self._tensors())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a `.eqi` file and check all of it.

        Raises:
          FileNotFoundError: there is no such file.
          ValueError: not a codebook, of another format version, or damaged.
        """
        header, tensors = read(path)
        try:
            if "lengths" in tensors:
                lengths = tensors.pop("lengths").astype(np.int64)
                tensors["offsets"] = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
            codebook = cls(CodebookInfo.of_header(header), **tensors)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"codebook {os.fspath(path)} is damaged: {error}") from error
        container.check_sha256(path, container.CODEBOOK, codebook.sha256, header)
        return codebook


def _own(array: npt.NDArray[T], dtype: type[T], name: str) -> npt.NDArray[T]:
    """A read-only copy: nobody can change a table that has been checked."""
    if array.dtype != dtype or array.ndim != 1:
        raise ValueError(
            f"{name} are {array.dtype}{list(array.shape)}, expected {dtype.__name__}[]."
        )
    copy = np.array(array)
    copy.flags.writeable = False
    return copy
