"""Methods `ac` and `static_ac`: one arithmetic code for the whole example [paper 3.3].

Decoding needs the number of symbols, and M1's steps in the same arithmetic as encoding: a model
whose frequencies come from floats (`float_border` in the options) decodes on the machine and
software that encoded.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from equalinfo.alphabet import Symbols
from equalinfo.codecs.assets import (
    M1_ASSET,
    ModelOrPath,
    describe_model,
    lanes_for,
    resolve_model,
    save_model,
)
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
    check_token_bits,
    codes_to_ids,
)
from equalinfo.coding import arithmetic
from equalinfo.coding.bits import Bits, bits_to_tokens, tokens_to_bits
from equalinfo.coding.whole_text import decode_texts, encode_texts
from equalinfo.frequencies import AC_PRECISION, cumulative
from equalinfo.m1.base import FrequencyModel
from equalinfo.m1.static import StaticModel

STATIC_ASSET = "static.safetensors"


class _ArithmeticCodec(Codec):
    """Bits of the whole example as N-bit tokens, the last padded with zeros."""

    def __init__(self, token_bits: int) -> None:
        self._token_bits = check_token_bits(token_bits)

    @property
    def lossless(self) -> bool:
        """Always, given the lengths."""
        return True

    @property
    def token_bits(self) -> int:
        """N."""
        return self._token_bits

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
            ids = codes_to_ids(bits_to_tokens(bits, self._token_bits))
            last_bits = np.arange(1, len(ids) + 1, dtype=np.int64) * self._token_bits
            ends = np.searchsorted(settled, last_bits, side="right").astype(np.int64)
            ends[-1:] = len(symbols)
            encoded.append(Encoded(ids, ends, 0))
        return encoded

    def decode(
        self,
        ids: Sequence[Ids],
        lengths: Sequence[int] | None = None,
        *,
        allow_errors: bool = False,
    ) -> list[Symbols]:
        """See `Codec.decode`. `lengths` cannot be left out."""
        if lengths is None:
            raise ValueError(
                f"method {self.method!r} has no end mark: give lengths, the symbols of each "
                "example (bytes + EOS)."
            )
        check_number_of_lengths(ids, lengths)
        bits = []
        for index, example in enumerate(check_ids(ids, self.vocab_size)):
            if (len(example) == 0) != (lengths[index] == 0):
                raise ValueError(
                    f"example {index}: {len(example)} ids for {lengths[index]} symbols. Give all "
                    "ids of the example and its own length."
                )
            bits.append(tokens_to_bits(example - ID_OFFSET, self._token_bits))
        decoded = self._decode_bits(bits, [int(length) for length in lengths])
        check_lengths(decoded, lengths)
        return decoded


class StaticAcCodec(_ArithmeticCodec):
    """Arithmetic coding with one fixed distribution, the unigrams of a training text."""

    method: ClassVar[str] = "static_ac"

    def __init__(self, model: StaticModel, token_bits: int) -> None:
        super().__init__(token_bits)
        self._model = model
        self._frequencies = np.asarray(model.root(), np.uint32)
        self._cumulative = cumulative(self._frequencies)

    @classmethod
    def create(
        cls, *, model: ModelOrPath, token_bits: int = 16, precision: int = AC_PRECISION
    ) -> Self:
        """Make the codec.

        Args:
          model: a StaticModel, or its file.
          token_bits: N, 1..16.
          precision: P, which a file must have.
        """
        model = resolve_model(model, precision)
        if not isinstance(model, StaticModel):
            raise ValueError(
                f"method 'static_ac' needs a StaticModel, got {type(model).__name__}. "
                "Use method 'ac' for a model with context."
            )
        return cls(model, token_bits)

    def _encode_bits(self, examples: list[Symbols]) -> list[tuple[Bits, Ends]]:
        return [
            arithmetic.encode(
                self._cumulative[symbols], self._frequencies[symbols], self._model.precision
            )
            for symbols in examples
        ]

    def _decode_bits(self, bits: list[Bits], lengths: list[int]) -> list[Symbols]:
        precision, decoded = self._model.precision, []
        for index, (of_example, length) in enumerate(zip(bits, lengths, strict=True)):
            text = arithmetic.decode_static(of_example, self._cumulative, length, precision)
            ((code, _),) = self._encode_bits([text])
            arithmetic.check_is_code(of_example, code, self._token_bits - 1, f"example {index}")
            decoded.append(text)
        return decoded

    def options(self) -> dict[str, Any]:
        """N, precision, sha256 of the distribution."""
        return {
            "token_bits": self._token_bits,
            "precision": self._model.precision,
            "m1_sha256": self._model.sha256,
        }

    def _save_assets(self, directory: Path) -> list[str]:
        self._model.save(directory / STATIC_ASSET)
        return [STATIC_ASSET]

    @classmethod
    def _load(cls, assets: Mapping[str, Path], options: Mapping[str, Any]) -> Self:
        return cls.create(
            model=assets[STATIC_ASSET],
            token_bits=options["token_bits"],
            precision=options["precision"],
        )


class AcCodec(_ArithmeticCodec):
    """Arithmetic coding with M1 over the whole example."""

    method: ClassVar[str] = "ac"

    def __init__(self, model: FrequencyModel, token_bits: int, m1_context: int) -> None:
        super().__init__(token_bits)
        self._model = model
        self._context = check_integer("m1_context", m1_context, lowest=0)

    @classmethod
    def create(
        cls,
        *,
        model: ModelOrPath | None = None,
        token_bits: int = 16,
        m1_context: int | None = None,
        precision: int = AC_PRECISION,
    ) -> Self:
        """Make the codec.

        Args:
          model: M1, or its file; None: the M1 that comes with the package.
          token_bits: N, 1..16.
          m1_context: symbols of left context M1 sees; default the length it was made for.
          precision: P, where `model` is a file.
        """
        model = resolve_model(model, precision)
        return cls(model, token_bits, model.max_context if m1_context is None else m1_context)

    @property
    def m1(self) -> FrequencyModel | None:
        """See `Codec.m1`; a static one is none."""
        return self._model if self._model.max_context > 0 else None

    def _encode_bits(self, examples: list[Symbols]) -> list[tuple[Bits, Ends]]:
        lanes = lanes_for(self._context)
        texts = encode_texts(
            examples, self._model, context=self._context, lanes=lanes, progress=self.progress
        )
        return [(text.bits, text.settled) for text in texts]

    def _decode_bits(self, bits: list[Bits], lengths: list[int]) -> list[Symbols]:
        lanes = lanes_for(self._context)
        return decode_texts(
            bits,
            lengths,
            self._model,
            context=self._context,
            lanes=lanes,
            max_padding=self._token_bits - 1,
        )

    @cached_property
    def _described(self) -> dict[str, Any]:
        return describe_model(self._model, self._context)

    def options(self) -> dict[str, Any]:
        """N, M1's context, precision and sha256, whether its frequencies come from floats."""
        return {
            "token_bits": self._token_bits,
            "m1_context": self._context,
            **self._described,
        }

    def _save_assets(self, directory: Path) -> list[str]:
        return [save_model(self._model, directory)]

    @classmethod
    def _load(cls, assets: Mapping[str, Path], options: Mapping[str, Any]) -> Self:
        known = {name: options[name] for name in ("token_bits", "m1_context", "precision")}
        return cls.create(model=assets[M1_ASSET], **known)
