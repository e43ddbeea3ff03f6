"""Method `bytes`: one token a byte, as ByT5 [paper 2, 3.1]: the baseline, no compression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from equalinfo.alphabet import EOS, Symbols
from equalinfo.codecs.base import (
    EOS_ID,
    ID_OFFSET,
    UNK_ID,
    Codec,
    Described,
    Encoded,
    Ids,
)
from equalinfo.codecs.batch import join_examples, join_ids, parts


@dataclass(kw_only=True, eq=False)
class BytesCodec(Codec):
    """id = byte + 3, EOS = 1."""

    method: ClassVar[str] = "bytes"
    ids_are_symbols: ClassVar[bool] = True
    eos_is_id: ClassVar[bool] = True
    beginnings_decode: ClassVar[bool] = True

    @classmethod
    def name_parts(cls, manifest: Described) -> tuple[str, ...]:
        """None: there is one such vocabulary."""
        return ()

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
        symbols, places = join_examples(examples)
        ids = symbols.astype(np.int32)
        ids += ID_OFFSET
        ids[np.flatnonzero(symbols == EOS)] = EOS_ID
        # One array of ends for all: token i ends with symbol i in every example.
        ends = np.arange(1, max(map(len, examples), default=0) + 1, dtype=np.int64)
        ends.flags.writeable = False
        return [Encoded(part, ends[: len(part)], 0) for part in parts(ids, places)]

    def _decode(self, ids: Sequence[Ids], lengths: Sequence[int] | None) -> list[Symbols]:
        joined, places = join_ids(ids, self.vocab_size, EOS_ID)
        special = np.flatnonzero(joined < ID_OFFSET)
        if np.any(joined[special] != EOS_ID):
            raise _unk_error(ids)
        symbols = joined.astype(np.uint16)
        symbols -= ID_OFFSET
        symbols[special] = EOS
        return parts(symbols, places)


def _unk_error(ids: Sequence[Ids]) -> ValueError:
    found = (
        (index, np.flatnonzero(np.asarray(of_one) == UNK_ID)) for index, of_one in enumerate(ids)
    )
    index, places = next((index, places) for index, places in found if len(places))
    return ValueError(
        f"example {index}, token {int(places[0])}: id {UNK_ID} (unk) stands for no byte. "
        "This codec never produces it."
    )
