"""Method `bytes`: one token a byte, as ByT5 [paper 2, 3.1]: the baseline, no compression."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from equalinfo.alphabet import EOS, Symbols
from equalinfo.codecs.base import (
    EOS_ID,
    ID_OFFSET,
    UNK_ID,
    Codec,
    Encoded,
    Ids,
    check_examples,
    check_ids,
    check_lengths,
    check_number_of_lengths,
)


class BytesCodec(Codec):
    """id = byte + 3, EOS = 1."""

    method: ClassVar[str] = "bytes"

    @classmethod
    def create(cls) -> Self:
        """The codec; it has no options."""
        return cls()

    @property
    def lossless(self) -> bool:
        """Always."""
        return True

    @property
    def tokens_per_unit(self) -> int:
        """One."""
        return 1

    @property
    def token_bits(self) -> int:
        """8; EOS has an id of its own beside the 256 bytes."""
        return 8

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`."""
        encoded = []
        for symbols in check_examples(examples):
            ids = symbols.astype(np.int32) + ID_OFFSET
            ids[symbols == EOS] = EOS_ID
            encoded.append(Encoded(ids, np.arange(1, len(ids) + 1, dtype=np.int64), 0))
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
        for index, example in enumerate(check_ids(ids, self.vocab_size, EOS_ID)):
            if np.any(example == UNK_ID):
                place = int(np.flatnonzero(example == UNK_ID)[0])
                raise ValueError(
                    f"example {index}, token {place}: id {UNK_ID} (unk) stands for no byte. "
                    "This codec never produces it."
                )
            symbols = (example - ID_OFFSET).astype(np.uint16)
            symbols[example == EOS_ID] = EOS
            decoded.append(symbols)
        check_lengths(decoded, lengths)
        return decoded

    def options(self) -> dict[str, Any]:
        """None."""
        return {}

    def _save_assets(self, directory: Path) -> list[str]:
        return []

    @classmethod
    def _load(cls, assets: Mapping[str, Path], options: Mapping[str, Any]) -> Self:
        return cls.create(**options)
