"""Method `equal_info`, the default: windows of equal information, lossless for every text.

Up to W = 20 bits M1 is compiled into a codebook when the codec is made, and needed no more; above,
M1 runs, in the exact code.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from equalinfo.alphabet import Symbols
from equalinfo.codebook import BEST_FIRST, INTERVAL, LONGEST, MAX_CODES, UNIGRAM, Codebook
from equalinfo.codecs.assets import (
    M1_ASSET,
    ModelOrPath,
    describe_model,
    lanes_for,
    resolve_model,
    save_model,
)
from equalinfo.codecs.base import Encoded, Ids, check_integer
from equalinfo.codecs.codebook import CODEBOOK_ASSET, decode_tokens, encode_tokens
from equalinfo.codecs.windows import CodedWindows, WindowCodec, WindowCodes
from equalinfo.coding.exact import check_window_bits
from equalinfo.coding.exact_lanes import ExactCode
from equalinfo.coding.lanes import decode_windows, encode_windows
from equalinfo.frequencies import DEFAULT_PRECISION
from equalinfo.ids import ID_OFFSET
from equalinfo.m1.base import FrequencyModel
from equalinfo.tokenizer import Tokenizer

# What `create` takes without an M1 and without a codebook; a later one would change the tokens.
_SHIPPED = "english-65536-v1.eqi"


class EqualInfoCodec(WindowCodec):
    """A codebook (W <= 20), or the exact code with M1 itself."""

    method: ClassVar[str] = "equal_info"

    def __init__(
        self,
        source: Codebook | FrequencyModel,
        window_bits: int,
        token_bits: int | None,
        m1_context: int,
    ) -> None:
        check_window_bits(check_integer("window_bits", window_bits))
        num_codes = source.num_codes if isinstance(source, Codebook) else 1 << window_bits
        whole = num_codes < 1 << window_bits
        if token_bits is None:
            token_bits = window_bits if whole else min(window_bits, 16)
        super().__init__(window_bits, token_bits)
        if whole and token_bits != window_bits:
            raise ValueError(
                f"token_bits={token_bits}, but a codebook of {num_codes} codes needs "
                f"{window_bits}: cut in smaller tokens, not every sequence of them would be codes. "
                "Leave token_bits out, or compile a codebook with a power of two of codes."
            )
        self._source = source
        self._context = check_integer("m1_context", m1_context, lowest=0)

    @classmethod
    def create(
        cls,
        *,
        model: ModelOrPath | None = None,
        codebook: Codebook | str | os.PathLike[str] | None = None,
        window_bits: int | None = None,
        token_bits: int | None = None,
        plan: str | None = None,
        m1_context: int | None = None,
        precision: int | None = None,
        progress: bool = True,
    ) -> Self:
        """Make the codec from a codebook, or from M1.

        From neither, with 16-bit windows: the codebook that comes with the package; else its M1.

        Args:
          model: M1, or its file. Compiled first where W <= 20.
          codebook: a codebook, or its `.eqi` file, in place of M1.
          window_bits: W, 9..128; default 16, or the codebook's.
          token_bits: N, 1..16, at most W; also 17..20 where it is W. Default: W up to 16, else 16.
            Where a codebook has fewer than 2^W codes, W: then no token is wrong.
          plan: of compiling: best_first (default) or interval; see `equalinfo.codebook`.
          m1_context: symbols of left context M1 sees; default 4 W.
          precision: P of M1's frequencies; default 16, or what codebook or M1 have.
          progress: draw a bar while compiling.
        """
        if model is not None and codebook is not None:
            raise ValueError("method 'equal_info' takes one of model and codebook, not both.")
        if codebook is None and model is None and window_bits in (None, 16) and plan is None:
            codebook = Tokenizer.default(_SHIPPED).codebook
        if codebook is not None:
            book = codebook if isinstance(codebook, Codebook) else Codebook.load(codebook)
            if book.info.plan == UNIGRAM:
                raise ValueError(
                    f"a codebook of plan {UNIGRAM!r} has no windows of equal information. Use it "
                    "with method 'codebook'."
                )
            for name, value, found in (
                ("window_bits", window_bits, book.window_bits),
                ("m1_context", m1_context, book.info.m1_context),
                ("plan", plan, book.info.plan),
                ("precision", precision, book.info.precision),
            ):
                if value not in (None, found):
                    raise ValueError(
                        f"{name}={value}, but the codebook was compiled with {name}={found}. "
                        "Leave the option out, or compile another codebook."
                    )
            return cls(book, book.window_bits, token_bits, book.info.m1_context)
        window_bits = 16 if window_bits is None else check_integer("window_bits", window_bits)
        m1_context = 4 * window_bits if m1_context is None else m1_context
        source = resolve_model(model, DEFAULT_PRECISION if precision is None else precision)
        if precision not in (None, source.precision):
            raise ValueError(f"precision={precision}, but M1 has precision={source.precision}.")
        codec = cls(source, window_bits, token_bits, m1_context)  # checks the options
        if 1 << window_bits > MAX_CODES:
            if plan not in (None, INTERVAL):
                raise ValueError(
                    f"plan={plan!r} enumerates windows, and there are too many of "
                    f"window_bits={window_bits}. Use 20 or less, or leave plan out."
                )
            return codec
        compiled = Codebook.compile(
            source,
            1 << window_bits,
            plan=plan or BEST_FIRST,
            context=codec._context,
            progress=progress,
        )
        return cls(compiled, window_bits, token_bits, codec._context)

    @property
    def lossless(self) -> bool:
        """Always."""
        return True

    @property
    def m1(self) -> FrequencyModel | None:
        """See `Codec.m1`. Up to W = 20 M1 is compiled; a static one is none."""
        source = self._source
        return None if isinstance(source, Codebook) or not source.max_context else source

    @property
    def vocab_size(self) -> int:
        """Ids run from 0 to this, exclusive: 3 special ids and V codes, or 2^N values of tokens."""
        book = self._book_of_tokens
        return super().vocab_size if book is None else ID_OFFSET + book.num_codes

    @property
    def codebook(self) -> Codebook | None:
        """The compiled M1; None where W > 20."""
        return self._source if isinstance(self._source, Codebook) else None

    @property
    def _book_of_tokens(self) -> Codebook | None:
        """The codebook, where one token is one code."""
        return self.codebook if self._token_bits == self._window_bits else None

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`. The arrays are views, of one array for all examples."""
        book = self._book_of_tokens
        if book is None:
            return super().encode(examples)
        return encode_tokens(book, examples, LONGEST, windows=True)

    def decode(
        self,
        ids: Sequence[Ids],
        lengths: Sequence[int] | None = None,
        *,
        allow_errors: bool = False,
    ) -> list[Symbols]:
        """See `Codec.decode`. The arrays are views, of one array for all examples."""
        book = self._book_of_tokens
        if book is None:
            return super().decode(ids, lengths, allow_errors=allow_errors)
        return decode_tokens(book, ids, lengths)

    def _encode_windows(self, examples: list[Symbols]) -> list[CodedWindows]:
        source = self._source
        if isinstance(source, Codebook):
            coded = [source.encode(symbols, LONGEST) for symbols in examples]
            return [(codes, source.lengths(codes)) for codes in coded]
        texts = encode_windows(
            examples,
            source,
            ExactCode(self._window_bits, source.precision),
            context=self._context,
            lanes=lanes_for(self._context),
            progress=self.progress,
        )
        return [(text.codes, text.lengths) for text in texts]

    def _decode_windows(self, codes: list[WindowCodes]) -> list[Symbols]:
        source = self._source
        if isinstance(source, Codebook):
            return [source.decode(np.asarray(of_example, np.int64)) for of_example in codes]
        texts = decode_windows(
            [list(of_example) for of_example in codes],
            source,
            ExactCode(self._window_bits, source.precision),
            context=self._context,
            lanes=lanes_for(self._context),
        )
        return [text.symbols for text in texts]

    @cached_property
    def _described(self) -> dict[str, Any]:
        if not isinstance(self._source, Codebook):
            return describe_model(self._source, self._context)
        made_by = self._source.info
        return {
            "plan": made_by.plan,
            "num_codes": made_by.num_codes,
            "precision": made_by.precision,
            "m1_sha256": made_by.made_of["m1_sha256"],
            "float_border": made_by.made_of.get("float_border", False),
        }

    def options(self) -> dict[str, Any]:
        """W, N, M1's context, precision and sha256, whether its frequencies come from floats."""
        return {
            "window_bits": self._window_bits,
            "token_bits": self._token_bits,
            "m1_context": self._context,
            **self._described,
        }

    def _save_assets(self, directory: Path) -> list[str]:
        if isinstance(self._source, Codebook):
            self._source.save(directory / CODEBOOK_ASSET)
            return [CODEBOOK_ASSET]
        return [save_model(self._source, directory)]

    @classmethod
    def _load(cls, assets: Mapping[str, Path], options: Mapping[str, Any]) -> Self:
        known = {name: options[name] for name in ("window_bits", "token_bits", "m1_context")}
        if "num_codes" in options:
            return cls.create(codebook=assets[CODEBOOK_ASSET], **known)
        return cls.create(
            model=assets[M1_ASSET], precision=options["precision"], progress=False, **known
        )
