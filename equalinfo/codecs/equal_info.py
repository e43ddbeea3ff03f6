"""Method `equal_info`, the default: windows of equal information, lossless for every text.

Up to W = 20 bits M1 is compiled into a codebook when the codec is made, and needed no more; above,
M1 runs, in the exact code.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass
from typing import Any, ClassVar

from equalinfo.alphabet import Symbols
from equalinfo.codebook import Codebook
from equalinfo.codebook.limits import (
    BEST_FIRST,
    FEWEST,
    INTERVAL,
    LONGEST,
    M1_PLANS,
    MAX_CODES,
    MAX_TOKEN_COST,
    PARSES,
    check_m1_plan,
    check_parse,
)
from equalinfo.codebook.shipped import resolve_codebook
from equalinfo.codecs.base import (
    M1_ASSET,
    M1_CONTEXT_HELP,
    M1_HELP,
    Encoded,
    Ids,
    m1_facts,
    neural,
    option,
)
from equalinfo.codecs.codebook import (
    CODEBOOK_ASSET,
    decode_tokens,
    encode_tokens,
    meaning_of_tokens,
)
from equalinfo.codecs.windows import BookWindows, ModelWindows, WindowCodec
from equalinfo.coding.bits import check_window_bits
from equalinfo.coding.exact import ExactCode
from equalinfo.ids import ID_OFFSET
from equalinfo.m1.base import DEFAULT_PRECISION, FrequencyModel
from equalinfo.m1.load import resolve_model

# What the codec takes without an M1 and without a codebook; a later one would change the tokens.
_SHIPPED = "english-65536-v1.eqi"


@dataclass(kw_only=True, eq=False)
class EqualInfoCodec(WindowCodec):
    """Made from a codebook or from M1; from neither, with 16-bit windows, from the package's.

    Attributes:
      model: M1, where it runs; None where there is a codebook.
      codebook: what M1 was compiled into; None where W > 20.
      window_bits: W, 9..128.
      token_bits: N, 1..16, at most W; also 17..20 where it is W. Where a codebook has fewer than
        2^W codes, W: then no token is wrong.
      plan: the codebook's.
      precision: P of M1's frequencies.
      parse: how text is cut into windows: "longest" (None), or "fewest", see
        `coding.fewest`; decoding is the same.
      quiet: draw no bar while compiling.
    """

    method: ClassVar[str] = "equal_info"

    model: FrequencyModel | None = option(None, asset=M1_ASSET, flag="m1", help=M1_HELP)
    codebook: Codebook | None = option(
        None,
        asset=CODEBOOK_ASSET,
        help="in place of --m1 (default: with neither and 16-bit windows, that of the package)",
    )
    window_bits: int = option(None, help="W, bits of a window: 9..128 (default: 16)")
    token_bits: int = option(
        None, help="N, bits of a token: 1..16, or W up to 20 (default: W, at most 16)"
    )
    plan: str | None = option(
        None, choices=M1_PLANS, help="how to compile --m1 (default: best_first)"
    )
    m1_context: int = option(None, lowest=0, flag="context", help=M1_CONTEXT_HELP)
    precision: int = option(None)
    parse: str | None = option(
        None,
        choices=PARSES,
        help="longest: a window takes all that fits (default); fewest: or less where that saves "
        "windows, 1 to 2% of them up to W = 32; where M1 runs, in four times the steps",
    )
    quiet: InitVar[bool] = False

    @classmethod
    def meaning(cls, options: Mapping[str, Any], assets: Mapping[str, str]) -> list[Any]:
        if CODEBOOK_ASSET in assets and options["window_bits"] == options["token_bits"]:
            return meaning_of_tokens(assets, options.get("parse", LONGEST))
        return super().meaning(options, assets)

    def __post_init__(self, quiet: bool) -> None:
        super().__post_init__()
        check_parse(self.parse or LONGEST)
        if self.parse == LONGEST:
            self.parse = None  # as in codec.json from before there was another
        if self.plan is not None:
            check_m1_plan(self.plan)
        if self.model is not None and self.codebook is not None:
            raise ValueError("method 'equal_info' takes one of model and codebook, not both.")
        if self.codebook is None and not self._is_the_packages():
            self._take_model(quiet)
        else:
            self._take_codebook(resolve_codebook(self.codebook, _SHIPPED))

    def _is_the_packages(self) -> bool:
        return self.model is None and self.window_bits in (None, 16) and self.plan is None

    def _take_codebook(self, book: Codebook) -> None:
        """Code with a codebook, which the options given must fit."""
        if book.info.plan not in M1_PLANS:
            raise ValueError(
                f"a codebook of plan {book.info.plan!r} has no windows of equal information. Use "
                "it with method 'codebook'."
            )
        found = {
            "window_bits": book.window_bits,
            "m1_context": book.info.m1_context,
            "plan": book.info.plan,
            "precision": book.info.precision,
        }
        for name, value in found.items():
            if getattr(self, name) not in (None, value):
                raise ValueError(
                    f"{name}={getattr(self, name)}, but the codebook was compiled with "
                    f"{name}={value}. Leave the option out, or compile another codebook."
                )
            setattr(self, name, value)
        whole = book.num_codes < 1 << self.window_bits
        if self.token_bits is None:
            self.token_bits = self.window_bits if whole else min(self.window_bits, 16)
        if whole and self.token_bits != self.window_bits:
            raise ValueError(
                f"token_bits={self.token_bits}, but a codebook of {book.num_codes} codes needs "
                f"{self.window_bits}: cut in smaller tokens, not every sequence of them would be "
                "codes. Leave token_bits out, or compile a codebook with a power of two of codes."
            )
        if self.parse == FEWEST and book.info.token_cost < MAX_TOKEN_COST:
            # Whatever its text, a window takes W bits.
            info = dataclasses.replace(book.info, parse=FEWEST, token_cost=MAX_TOKEN_COST)
            book = Codebook(info, book.texts, book.offsets, book.information)
        self.codebook = book
        self._use(BookWindows(book, self._parse))

    def _take_model(self, quiet: bool) -> None:
        """Code with M1, or with what it is compiled into."""
        if self.window_bits is None:
            self.window_bits = 16
        check_window_bits(self.window_bits)
        if self.m1_context is None:
            self.m1_context = 4 * self.window_bits
        if self.token_bits is None:
            self.token_bits = min(self.window_bits, 16)
        model = resolve_model(self.model, self.precision, DEFAULT_PRECISION)
        self.precision = model.precision
        coder = ExactCode(self.window_bits, self.precision)
        windows = ModelWindows(model, coder, self.m1_context, parse=self._parse)
        self._use(windows)  # checks the widths
        num_codes = 1 << self.window_bits
        if num_codes > MAX_CODES:
            if self.plan not in (None, INTERVAL):
                raise ValueError(
                    f"plan={self.plan!r} enumerates windows, and there are too many of "
                    f"window_bits={self.window_bits}. Use 20 or less, or leave plan out."
                )
            self.model, self.plan = model, None
        else:
            self.model, self.plan = None, self.plan or BEST_FIRST
            self._take_codebook(
                Codebook.compile(
                    model, num_codes, plan=self.plan, context=self.m1_context, progress=not quiet
                )
            )

    @property
    def m1(self) -> FrequencyModel | None:
        """See `Codec.m1`. Up to W = 20 M1 is compiled."""
        return None if self.model is None else neural(self.model)

    @property
    def vocab_size(self) -> int:
        """Ids run from 0 to this, exclusive: 3 special ids and V codes, or 2^N values of tokens."""
        book = self._book_of_tokens
        return super().vocab_size if book is None else ID_OFFSET + book.num_codes

    @property
    def _parse(self) -> str:
        return self.parse or LONGEST

    @property
    def _book_of_tokens(self) -> Codebook | None:
        """The codebook, where one token is one code."""
        return self.codebook if self.token_bits == self.window_bits else None

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`. The arrays are views, of one array for all examples."""
        book = self._book_of_tokens
        if book is None:
            return super().encode(examples)
        return encode_tokens(book, examples, self._parse, windows=True)

    def _decode(self, ids: Sequence[Ids], lengths: Sequence[int] | None) -> list[Symbols]:
        """The arrays are views, of one array for all examples."""
        book = self._book_of_tokens
        if book is None:
            return super()._decode(ids, lengths)
        return decode_tokens(book, ids)

    def _facts(self) -> dict[str, Any]:
        if self.codebook is None:
            assert self.model is not None
            return m1_facts(self.model)
        made_of = self.codebook.info.made_of
        return {
            "num_codes": self.codebook.num_codes,
            "m1_sha256": made_of["m1_sha256"],
            "float_border": made_of.get("float_border", False),
        }
