"""What methods with windows share: codes of W bits to tokens of N bits, and what each covers."""

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import Symbols
from equalinfo.codecs.base import (
    ID_OFFSET,
    Codec,
    Encoded,
    Ends,
    Ids,
    check_examples,
    check_ids,
    check_integer,
    check_lengths,
    check_number_of_lengths,
    codes_to_ids,
)
from equalinfo.coding.bits import check_widths, codes_to_tokens, tokens_to_codes

WindowCodes = Sequence[int] | npt.NDArray[np.integer]
CodedWindows = tuple[WindowCodes, npt.NDArray[np.integer]]
"""Codes of an example's windows, and the number of symbols in each."""


def window_ends(lengths: npt.NDArray[np.integer], window_bits: int, token_bits: int) -> Ends:
    """Symbols complete after each token: those of windows whose last bit the token reaches.

    Args:
      lengths: int[windows], symbols of each window.
      window_bits: W.
      token_bits: N; token t ends with bit (t + 1) N.

    Returns:
      int64[ceil(windows * W / N)].
    """
    done = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
    tokens = -(-len(lengths) * window_bits // token_bits)
    windows = np.arange(1, tokens + 1, dtype=np.int64) * token_bits // window_bits
    return done[np.minimum(windows, len(lengths))]


class WindowCodec(Codec):
    """A codec of windows: W bits each, written one after the other as N-bit tokens."""

    def __init__(self, window_bits: int, token_bits: int) -> None:
        self._window_bits = check_integer("window_bits", window_bits)
        self._token_bits = check_integer("token_bits", token_bits)
        check_widths(self._window_bits, self._token_bits)

    @property
    def window_bits(self) -> int:
        """W."""
        return self._window_bits

    @property
    def token_bits(self) -> int:
        """N."""
        return self._token_bits

    @property
    def tokens_per_unit(self) -> int | None:
        """Tokens of the fewest windows that end where a token ends."""
        return math.lcm(self._window_bits, self._token_bits) // self._token_bits

    @abstractmethod
    def _encode_windows(self, examples: list[Symbols]) -> list[CodedWindows]:
        """Cut each example into windows and code them."""

    @abstractmethod
    def _decode_windows(self, codes: list[WindowCodes]) -> list[Symbols]:
        """The text of each example's windows."""

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`."""
        encoded = []
        for codes, lengths in self._encode_windows(check_examples(examples)):
            ids = codes_to_ids(codes_to_tokens(codes, self._window_bits, self._token_bits))
            ends = window_ends(lengths, self._window_bits, self._token_bits)
            encoded.append(Encoded(ids, ends, len(codes)))
        return encoded

    def decode(
        self,
        ids: Sequence[Ids],
        lengths: Sequence[int] | None = None,
        *,
        allow_errors: bool = False,
    ) -> list[Symbols]:
        """See `Codec.decode`."""
        self._refuse_if_lossy(allow_errors, self._why_lossy())
        check_number_of_lengths(ids, lengths)
        decoded = self._decode_windows(self._codes(ids))
        if self.lossless:
            check_lengths(decoded, lengths)
        return decoded

    def _codes(self, ids: Sequence[Ids]) -> list[WindowCodes]:
        codes: list[WindowCodes] = []
        for index, example in enumerate(check_ids(ids, self.vocab_size)):
            try:
                codes.append(
                    tokens_to_codes(example - ID_OFFSET, self._token_bits, self._window_bits)
                )
            except ValueError as error:
                raise ValueError(f"example {index}: {error}") from error
        return codes

    def _why_lossy(self) -> str:
        return ""
