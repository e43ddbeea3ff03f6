"""Method `gzip`: DEFLATE per example at zlib's default level [paper 3.3].

Its output depends on the zlib that Python was built with: every zlib restores it, but another
version may compress to other bytes.
"""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from equalinfo import alphabet
from equalinfo.alphabet import Symbols
from equalinfo.codecs.base import (
    ID_OFFSET,
    Codec,
    Encoded,
    Ids,
    check_examples,
    check_ids,
    check_lengths,
    check_number_of_lengths,
    check_token_bits,
    codes_to_ids,
)
from equalinfo.coding.bits import bits_to_tokens, tokens_to_bits

_HEADER_BYTES, _FOOTER_BYTES = 2, 4


class GzipCodec(Codec):
    """Symbols to bytes (`alphabet.to_bytes`), compressed by zlib, cut into N-bit tokens.

    zlib does not tell which input byte an output byte stands for, so `Encoded.ends` spreads the
    example evenly over its tokens: ends[t] = floor((t + 1) * symbols / tokens).
    """

    method: ClassVar[str] = "gzip"

    def __init__(self, token_bits: int, header: bool) -> None:
        self._token_bits = check_token_bits(token_bits)
        self._header = bool(header)

    @classmethod
    def create(cls, *, token_bits: int = 16, header: bool = True) -> Self:
        """Make the codec.

        Args:
          token_bits: N, 1..16.
          header: keep zlib's 2-byte header and Adler-32 footer, as the paper's main runs do.
        """
        return cls(token_bits, header)

    @property
    def lossless(self) -> bool:
        """Always."""
        return True

    @property
    def token_bits(self) -> int:
        """N."""
        return self._token_bits

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`."""
        encoded = []
        for symbols in check_examples(examples):
            if not len(symbols):
                encoded.append(Encoded(np.empty(0, np.int32), np.empty(0, np.int64), 0))
                continue
            data = zlib.compress(alphabet.to_bytes(symbols))
            if not self._header:
                data = data[_HEADER_BYTES:-_FOOTER_BYTES]
            bits = np.unpackbits(np.frombuffer(data, np.uint8))
            ids = codes_to_ids(bits_to_tokens(bits, self._token_bits))
            ends = np.arange(1, len(ids) + 1, dtype=np.int64) * len(symbols) // len(ids)
            encoded.append(Encoded(ids, ends, 0))
        return encoded

    def decode(
        self,
        ids: Sequence[Ids],
        lengths: Sequence[int] | None = None,
        *,
        allow_errors: bool = False,
    ) -> list[Symbols]:
        """See `Codec.decode`."""
        check_number_of_lengths(ids, lengths)
        decoded = []
        for index, example in enumerate(check_ids(ids, self.vocab_size)):
            if not len(example):
                decoded.append(np.empty(0, np.uint16))
                continue
            bits = tokens_to_bits(example - ID_OFFSET, self._token_bits)
            # An escape takes two bytes: a longer output than that is damage, not worth the memory.
            limit = 0 if lengths is None else 2 * lengths[index] + 1
            decoded.append(self._inflate(bits, index, limit))
        check_lengths(decoded, lengths)
        return decoded

    def _inflate(self, bits: np.ndarray, index: int, limit: int) -> Symbols:
        # bytes are whole, the last token may not be: at most N - 1 zero bits follow the data.
        whole = bits[: len(bits) // 8 * 8]
        stream = zlib.decompressobj(zlib.MAX_WBITS if self._header else -zlib.MAX_WBITS)
        try:
            data = stream.decompress(np.packbits(whole).tobytes(), limit)
            symbols = alphabet.from_bytes(data)
        except (zlib.error, ValueError) as error:
            raise ValueError(f"example {index}: not the output of this codec: {error}") from error
        if not stream.eof and not stream.unconsumed_tail:
            raise ValueError(
                f"example {index}: its {len(bits)} bits end before the compressed data does. "
                "Give all tokens of the example."
            )
        pad = 8 * len(stream.unused_data) + len(bits) - len(whole)
        if pad >= self._token_bits or any(stream.unused_data) or np.any(bits[len(whole) :]):
            raise ValueError(
                f"example {index}: {pad} bits follow the compressed data, expected fewer than "
                f"token_bits={self._token_bits}, all zero. Give the tokens of one example at a "
                "time."
            )
        return symbols

    def options(self) -> dict[str, Any]:
        """N and whether header and footer are kept."""
        return {"token_bits": self._token_bits, "header": self._header}

    def _save_assets(self, directory: Path) -> list[str]:
        return []

    @classmethod
    def _load(cls, assets: Mapping[str, Path], options: Mapping[str, Any]) -> Self:
        return cls.create(**options)
