"""Tokenizing and detokenizing a stream, cut anywhere; and many texts some at a time."""

import codecs
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import as_bytes
from equalinfo.codebook import Codebook
from equalinfo.ids import ID_OFFSET

Ids = npt.NDArray[np.int32]
T = TypeVar("T", bound=Sized)


class StreamEncoder:
    """Encodes a text that comes in chunks: together they give the ids of the whole text."""

    def __init__(self, codebook: Codebook, parse: str) -> None:
        self._stream = codebook.parser(parse).stream(ID_OFFSET)

    def feed(self, chunk: str | bytes) -> Ids:
        """Ids of the tokens that are certain now, int32[tokens]; the rest waits for more.

        Args:
          chunk: bytes may be cut anywhere, inside a character too.
        """
        return self._stream.feed(np.frombuffer(as_bytes(chunk), np.uint8)).view(np.int32)

    def finish(self) -> Ids:
        """Ids of what is left, int32[tokens]; the encoder is as new after it."""
        return self._stream.finish().view(np.int32)


class StreamDecoder:
    """Decodes ids as they come, in whole characters: a token may end inside one."""

    def __init__(self, decode_bytes: Callable[[npt.ArrayLike], bytes]) -> None:
        self._decode_bytes = decode_bytes
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, ids: npt.ArrayLike) -> str:
        """Text that is complete with these ids.

        Args:
          ids: integers[tokens], or one integer.
        """
        return self._characters.decode(self._decode_bytes(np.atleast_1d(np.asarray(ids))))

    def finish(self) -> str:
        """What is left: U+FFFD for a character that was cut off. The decoder is as new after it."""
        rest = self._characters.decode(b"", final=True)
        self._characters.reset()
        return rest


def groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Neighbours whose lengths make up `size` or a little more; the last may have less."""
    held: list[T] = []
    length = 0
    for item in items:
        held.append(item)
        length += len(item)
        if length >= size:
            yield held
            held, length = [], 0
    if held:
        yield held
