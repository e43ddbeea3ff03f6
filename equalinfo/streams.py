"""Tokenizing and detokenizing a stream, cut anywhere."""

import codecs
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import as_bytes
from equalinfo.codebook import Codebook
from equalinfo.codebook.double_array import NONE, OUTSIDE
from equalinfo.ids import ID_OFFSET

Ids = npt.NDArray[np.int32]


class StreamEncoder:
    """Encodes a text that comes in chunks: together they give the ids of the whole text."""

    def __init__(self, codebook: Codebook) -> None:
        from equalinfo.codebook import walk

        self._advance = walk.advance
        self._entries = codebook.entries
        self._scratch = np.empty(walk.SCRATCH_SHAPE, np.uint32)
        self._state = OUTSIDE

    def feed(self, chunk: str | bytes) -> Ids:
        """Ids of the windows that ended, int32[tokens]; the open window waits for more.

        Args:
          chunk: bytes may be cut anywhere, inside a character too.
        """
        text = np.frombuffer(as_bytes(chunk), np.uint8)
        out = np.empty(len(text) + 1, np.uint32)
        count, state = self._advance(
            self._entries, self._state, text, ID_OFFSET, self._scratch, out
        )
        self._state = np.uint64(state)
        return out[:count].view(np.int32).copy()

    def finish(self) -> Ids:
        """Id of the last window, int32[0 or 1]; the encoder is as new after it."""
        state, self._state = self._state, OUTSIDE
        if state == OUTSIDE:
            return np.empty(0, np.int32)
        return np.array([int(state & NONE) + ID_OFFSET], np.int32)


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
