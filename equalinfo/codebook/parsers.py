"""The parses of a codebook behind one face, with their tables."""

from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.codebook import fewest, longest
from equalinfo.codebook.double_array import BREAK, Codes, DoubleArray, Ends, Text
from equalinfo.codebook.limits import FEWEST
from equalinfo.codebook.plain import PIECE
from equalinfo.codebook.trie import Trie


def _frozen(text: Text) -> Text:
    """A read-only view: numba compiles for read-only and writable arrays apart."""
    view = text.view()
    view.flags.writeable = False
    return view


class Parser:
    """A parse of one codebook, as `make_parser` makes it."""

    def __init__(self, parse: Any, table: Any, stream: "type[ParserStream]") -> None:
        self._encode, self._table, self._stream = parse.encode, table, stream

    def encode(self, text: Text, ends: Ends, add: int) -> tuple[Codes, Ends]:
        """Encode many texts, each by itself.

        Args:
          text: uint8[n] or uint16[n], symbols at most 256 (not checked), the texts one after the
            other; nobody else may change them meanwhile.
          ends: int64[texts], where each ends.
          add: number added to every code.

        Returns:
          codes: uint32[codes], code + add of all texts.
          code_ends: int64[texts], where those of each text end.
        """
        return self._encode(self._table, _frozen(text), ends, add)

    def stream(self, add: int) -> "ParserStream":
        """A parse of one text in chunks; `add` as above."""
        return self._stream(self._table, add)


class LongestStream:
    """A text that comes in chunks, cut anywhere."""

    def __init__(self, table: longest.Table, add: int) -> None:
        self._table, self._add = table, add
        self._state = table.start

    def feed(self, chunk: Text) -> Codes:
        """Codes + add that are certain now, uint32[tokens].

        Args:
          chunk: uint8[n] or uint16[n], symbols at most 256.
        """
        out = np.empty(len(chunk) + self._table.longest, np.uint32)
        count, state = longest.advance(self._table, self._state, _frozen(chunk), self._add, out)
        self._state = np.uint64(state)  # numba returns an integer of Python
        return out[:count].copy()

    def finish(self) -> Codes:
        """The last codes + add; the stream is as new after it."""
        last = self.feed(np.array([BREAK], np.uint16))
        self._state = self._table.start
        return last


class FewestStream:
    """Holds what is not certain yet of the piece at hand."""

    def __init__(self, table: fewest.Table, add: int) -> None:
        self._table, self._add = table, add
        self._begin()

    def _begin(self) -> None:
        self._pending = np.empty(0, np.uint16)
        self._left = PIECE  # symbols of the piece that are not written yet
        self._tried = 0  # pending symbols of which nothing was certain

    def feed(self, chunk: Text) -> Codes:
        self._pending = np.concatenate([self._pending, chunk])
        written = [np.empty(0, np.uint32)]
        while len(self._pending) >= self._left:  # the piece is whole
            piece, self._pending = self._pending[: self._left], self._pending[self._left :]
            written.append(self._whole(piece))
            self._left, self._tried = PIECE, 0
        # Only when there is twice as much as was tried in vain: together that is linear time.
        if len(self._pending) > 2 * self._tried:
            out = np.empty(len(self._pending), np.uint32)
            count, read = fewest.certain(self._table, _frozen(self._pending), self._add, out)
            written.append(out[:count])
            self._pending = self._pending[read:]
            self._left -= read
            self._tried = len(self._pending)
        return np.concatenate(written)

    def finish(self) -> Codes:
        last = self._whole(self._pending)
        self._begin()
        return last

    def _whole(self, piece: Text) -> Codes:
        codes, _ = fewest.encode(self._table, _frozen(piece), np.array([len(piece)]), self._add)
        return codes


ParserStream = LongestStream | FewestStream


def make_parser(
    parse: str, trie: Trie, array: DoubleArray, information: npt.NDArray[np.uint16], token_cost: int
) -> Parser:
    """The parser of a codebook."""
    if parse == FEWEST:
        return Parser(fewest, fewest.table(trie, array, information, token_cost), FewestStream)
    return Parser(longest, longest.table(trie, array), LongestStream)
