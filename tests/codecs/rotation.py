"""A method of its own, in one file: what `test_new_method` adds with one line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.codecs import Codec, Encoded, option
from equalinfo.codecs.base import check_examples, check_ids, codes_to_ids
from equalinfo.ids import ID_OFFSET


@dataclass(kw_only=True, eq=False)
class RotationCodec(Codec):
    """One token a symbol, its number moved by `turn`."""

    method: ClassVar[str] = "rotation"
    beginnings_decode: ClassVar[bool] = True

    turn: int = option(13, lowest=0, help="how far symbols are moved (default: 13)")

    @property
    def lossless(self) -> bool:
        return True

    @property
    def token_bits(self) -> int:
        return 9

    @property
    def tokens_per_unit(self) -> int:
        return 1

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        return [
            Encoded(
                codes_to_ids((symbols.astype(np.int64) + self.turn) % NUM_SYMBOLS),
                np.arange(1, len(symbols) + 1),
                0,
            )
            for symbols in check_examples(examples)
        ]

    def _decode(self, ids: Sequence[Any], lengths: Sequence[int] | None) -> list[Symbols]:
        checked = check_ids(ids, ID_OFFSET + NUM_SYMBOLS)
        return [((one - ID_OFFSET - self.turn) % NUM_SYMBOLS).astype(np.uint16) for one in checked]
