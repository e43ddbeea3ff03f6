"""Encoding and decoding in plain Python: the reference, and the first short texts of a process.

Importing numba and its first call take half a second. Who encodes a few texts and leaves should not
pay that: the first texts of a process go through here, as long as `FIRST_TEXTS` lasts.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, Symbols
from equalinfo.codebook.limits import FEWEST, MAX_TOKEN_COST
from equalinfo.codebook.trie import Offsets, Texts

PIECE = 1 << 14
"""Symbols that parse `fewest` parses together."""


class Budget:
    """Look-ups that may still be made in plain Python."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, number: int) -> bool:
        """Take so many, if they are left."""
        if number > self.left:
            return False
        self.left -= number
        return True


FIRST_TEXTS = Budget(1 << 20)


def costs(information: npt.NDArray[np.uint16], token_cost: int) -> npt.NDArray[np.int64]:
    """What each code costs parse `fewest`, int64[V], in 1/256 bit."""
    return np.minimum(information.astype(np.int64) + token_cost, MAX_TOKEN_COST)


class Plain:
    """The parses of a codebook, as slow and as obvious as can be.

    Attributes:
      longest: symbols of the longest text.
    """

    def __init__(
        self, texts: Texts, offsets: Offsets, information: npt.NDArray[np.uint16], token_cost: int
    ) -> None:
        content, ends = texts.tobytes(), (2 * offsets).tolist()
        self._codes = {content[a:b]: code for code, (a, b) in enumerate(pairwise(ends))}
        self._costs = costs(information, token_cost)
        self.longest = int(np.diff(offsets).max())

    def encode(self, symbols: Symbols, parse: str) -> list[int]:
        """Codes of one text, uint16[n]."""
        content = symbols.tobytes()
        if parse == FEWEST:
            pieces = range(0, len(content), 2 * PIECE)
            return [code for at in pieces for code in self._fewest(content[at : at + 2 * PIECE])]
        return self._longest(content)

    def _longest(self, content: bytes) -> list[int]:
        out, place = [], 0
        while place < len(content):
            end = min(place + 2 * self.longest, len(content))
            while content[place:end] not in self._codes:
                end -= 2
            out.append(self._codes[content[place:end]])
            place = end
        return out

    def _fewest(self, content: bytes) -> list[int]:
        best: list[tuple[int, int, int]] = [(0, 0, 0)]  # bits to there, last token: begin, code
        for end in range(2, len(content) + 2, 2):
            ways = []
            for begin in range(max(0, end - 2 * self.longest), end, 2):
                code = self._codes.get(content[begin:end])
                if code is not None:
                    ways.append((best[begin // 2][0] + int(self._costs[code]), begin, code))
            best.append(min(ways))  # of equal ones that of the longest last token
        out, place = [], len(content)
        while place:
            _, place, code = best[place // 2]
            out.append(code)
        return out[::-1]


def decode(texts: Texts, offsets: Offsets, codes: npt.NDArray[np.integer]) -> bytes:
    """Bytes of codes; EOS is none."""
    parts = [texts[offsets[code] : offsets[code + 1]] for code in codes.tolist()]
    symbols = np.concatenate([np.empty(0, np.uint16), *parts])
    return symbols[symbols != EOS].astype(np.uint8).tobytes()
