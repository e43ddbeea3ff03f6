"""Methods `ac` and `static_ac`: one arithmetic code for the whole example [paper 3.3].

Decoding needs the number of symbols, and the very frequencies that encoding had.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equalinfo.alphabet import Symbols
from equalinfo.codecs.base import (
    ID_OFFSET,
    M1_ASSET,
    M1_CONTEXT_HELP,
    M1_HELP,
    TOKEN_BITS_HELP,
    Codec,
    Encoded,
    Ends,
    Ids,
    check_examples,
    check_ids,
    codes_to_ids,
    m1_facts,
    neural,
    option,
)
from equalinfo.coding import arithmetic
from equalinfo.coding.bits import Bits, bits_to_tokens, check_token_bits, tokens_to_bits
from equalinfo.coding.drive import decode_texts, encode_texts
from equalinfo.frequencies import cumulative
from equalinfo.m1.base import AC_PRECISION, MAX_PRECISION, FrequencyModel
from equalinfo.m1.load import resolve_model
from equalinfo.m1.static import StaticModel

STATIC_ASSET = "static.safetensors"


@dataclass(kw_only=True, eq=False)
class _ArithmeticCodec(Codec):
    """Bits of the whole example as N-bit tokens, the last padded with zeros."""

    needs_lengths: ClassVar[bool] = True
    is_bit_stream: ClassVar[bool] = True

    token_bits: int = option(16, help=TOKEN_BITS_HELP)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_token_bits(self.token_bits)

    @abstractmethod
    def _encode_bits(self, examples: list[Symbols]) -> list[tuple[Bits, Ends]]:
        """Bits, and how many of them are settled after each symbol."""

    @abstractmethod
    def _decode_bits(self, bits: list[Bits], lengths: list[int]) -> list[Symbols]:
        """Undo `_encode_bits`; fewer than N zeros may follow. ValueError: no code, or more."""

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`. A token covers the symbols whose bits are settled at its end."""
        checked = check_examples(examples)
        encoded = []
        for symbols, (bits, settled) in zip(checked, self._encode_bits(checked), strict=True):
            ids = codes_to_ids(bits_to_tokens(bits, self.token_bits))
            last_bits = np.arange(1, len(ids) + 1, dtype=np.int64) * self.token_bits
            ends = np.searchsorted(settled, last_bits, side="right").astype(np.int64)
            ends[-1:] = len(symbols)
            encoded.append(Encoded(ids, ends, 0))
        return encoded

    def _decode(self, ids: Sequence[Ids], lengths: Sequence[int] | None) -> list[Symbols]:
        assert lengths is not None  # `needs_lengths`
        bits = []
        for index, example in enumerate(check_ids(ids, self.vocab_size)):
            if (len(example) == 0) != (lengths[index] == 0):
                raise ValueError(
                    f"example {index}: {len(example)} ids for {lengths[index]} symbols. Give all "
                    "ids of the example and its own length."
                )
            bits.append(tokens_to_bits(example - ID_OFFSET, self.token_bits))
        return self._decode_bits(bits, [int(length) for length in lengths])


@dataclass(kw_only=True, eq=False)
class StaticAcCodec(_ArithmeticCodec):
    """Arithmetic coding with one fixed distribution, the unigrams of a training text."""

    method: ClassVar[str] = "static_ac"

    model: StaticModel = option(
        asset=STATIC_ASSET,
        flag="static",
        help="byte frequencies, from pipelines.count",
        missing="Count it from the text first: python -m pipelines.count --input ... "
        "--output static.safetensors",
    )
    precision: int = option(None)

    def __post_init__(self) -> None:
        super().__post_init__()
        model = resolve_model(self.model, self.precision, AC_PRECISION)
        if not isinstance(model, StaticModel):
            raise ValueError(
                f"method 'static_ac' needs a StaticModel, got {type(model).__name__}. "
                "Use method 'ac' for a model with context."
            )
        self.model, self.precision = model, model.precision
        self._frequencies = np.asarray(model.root(), np.uint32)
        self._cumulative = cumulative(self._frequencies)

    def _encode_bits(self, examples: list[Symbols]) -> list[tuple[Bits, Ends]]:
        return [
            arithmetic.encode(self._cumulative[symbols], self._frequencies[symbols], self.precision)
            for symbols in examples
        ]

    def _decode_bits(self, bits: list[Bits], lengths: list[int]) -> list[Symbols]:
        precision, decoded = self.precision, []
        for index, (of_example, length) in enumerate(zip(bits, lengths, strict=True)):
            text = arithmetic.decode_static(of_example, self._cumulative, length, precision)
            ((code, _),) = self._encode_bits([text])
            arithmetic.check_is_code(of_example, code, self.token_bits - 1, f"example {index}")
            decoded.append(text)
        return decoded

    def _facts(self) -> dict[str, Any]:
        return {"m1_sha256": self.model.sha256}


@dataclass(kw_only=True, eq=False)
class AcCodec(_ArithmeticCodec):
    """Arithmetic coding with M1 over the whole example."""

    method: ClassVar[str] = "ac"

    model: FrequencyModel = option(None, asset=M1_ASSET, flag="m1", help=M1_HELP)
    m1_context: int = option(None, lowest=0, flag="context", help=M1_CONTEXT_HELP)
    precision: int = option(None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.model = resolve_model(
            self.model, self.precision, AC_PRECISION, with_counts=MAX_PRECISION
        )
        self.precision = self.model.precision
        if self.m1_context is None:
            self.m1_context = self.model.max_context

    @property
    def m1(self) -> FrequencyModel | None:
        """See `Codec.m1`."""
        return neural(self.model)

    def _encode_bits(self, examples: list[Symbols]) -> list[tuple[Bits, Ends]]:
        texts = encode_texts(examples, self.model, context=self.m1_context, progress=self.progress)
        return [(text.bits, text.settled) for text in texts]

    def _decode_bits(self, bits: list[Bits], lengths: list[int]) -> list[Symbols]:
        return decode_texts(
            bits,
            lengths,
            self.model,
            context=self.m1_context,
            max_padding=self.token_bits - 1,
            progress=self.progress,
        )

    def _facts(self) -> dict[str, Any]:
        return m1_facts(self.model)
