"""Method `gzip`: DEFLATE per example at zlib's default level [paper 3.3].

Its output depends on the zlib that Python was built with: every zlib restores it, but another
version may compress to other bytes.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equalinfo import alphabet
from equalinfo.alphabet import Symbols
from equalinfo.codecs.base import (
    ID_OFFSET,
    TOKEN_BITS_HELP,
    Codec,
    Described,
    Encoded,
    Ids,
    check_examples,
    check_ids,
    codes_to_ids,
    option,
)
from equalinfo.coding.bits import bits_to_tokens, check_token_bits, tokens_to_bits

_HEADER_BYTES, _FOOTER_BYTES = 2, 4


@dataclass(kw_only=True, eq=False)
class GzipCodec(Codec):
    """Symbols to bytes (`alphabet.to_bytes`), compressed by zlib, cut into N-bit tokens.

    zlib does not tell which input byte an output byte stands for, so `Encoded.ends` spreads the
    example evenly over its tokens: ends[t] = floor((t + 1) * symbols / tokens).
    """

    method: ClassVar[str] = "gzip"
    is_bit_stream: ClassVar[bool] = True
    library: ClassVar[str] = "zlib"

    token_bits: int = option(16, help=TOKEN_BITS_HELP)
    header: bool = option(
        True,
        flag="gzip_header",
        help="keep zlib's 2-byte header and Adler-32 footer, as the paper's main runs do",
    )

    @classmethod
    def name_parts(cls, manifest: Described) -> tuple[str, ...]:
        parts = super().name_parts(manifest)
        plain = manifest.codec["options"].get("header", True)
        return parts if plain else (*parts, "noheader")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_token_bits(self.token_bits)

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`."""
        encoded = []
        for symbols in check_examples(examples):
            if not len(symbols):
                encoded.append(Encoded(np.empty(0, np.int32), np.empty(0, np.int64), 0))
                continue
            data = zlib.compress(alphabet.to_bytes(symbols))
            if not self.header:
                data = data[_HEADER_BYTES:-_FOOTER_BYTES]
            bits = np.unpackbits(np.frombuffer(data, np.uint8))
            ids = codes_to_ids(bits_to_tokens(bits, self.token_bits))
            ends = np.arange(1, len(ids) + 1, dtype=np.int64) * len(symbols) // len(ids)
            encoded.append(Encoded(ids, ends, 0))
        return encoded

    def _decode(self, ids: Sequence[Ids], lengths: Sequence[int] | None) -> list[Symbols]:
        decoded = []
        for index, example in enumerate(check_ids(ids, self.vocab_size)):
            if not len(example):
                decoded.append(np.empty(0, np.uint16))
                continue
            bits = tokens_to_bits(example - ID_OFFSET, self.token_bits)
            # An escape takes two bytes: a longer output than that is damage, not worth the memory.
            limit = 0 if lengths is None else 2 * lengths[index] + 1
            decoded.append(self._inflate(bits, index, limit))
        return decoded

    def _inflate(self, bits: np.ndarray, index: int, limit: int) -> Symbols:
        # bytes are whole, the last token may not be: at most N - 1 zero bits follow the data.
        whole = bits[: len(bits) // 8 * 8]
        stream = zlib.decompressobj(zlib.MAX_WBITS if self.header else -zlib.MAX_WBITS)
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
        if pad >= self.token_bits or any(stream.unused_data) or np.any(bits[len(whole) :]):
            raise ValueError(
                f"example {index}: {pad} bits follow the compressed data, expected fewer than "
                f"token_bits={self.token_bits}, all zero. Give the tokens of one example at a "
                "time."
            )
        return symbols
