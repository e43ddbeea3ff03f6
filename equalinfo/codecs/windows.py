"""What methods with windows share: codes of W bits to tokens of N bits, and what each covers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import Symbols
from equalinfo.codebook import Codebook
from equalinfo.codebook.limits import FEWEST, LONGEST
from equalinfo.codecs.base import (
    ID_OFFSET,
    TOKEN_BITS_HELP,
    Codec,
    Described,
    Encoded,
    Ends,
    Ids,
    check_examples,
    check_ids,
    codes_to_ids,
    option,
)
from equalinfo.coding.bits import check_widths, codes_to_tokens, tokens_to_codes
from equalinfo.coding.drive import WindowCoder, decode_windows, encode_windows
from equalinfo.coding.exact import ExactCode
from equalinfo.coding.fewest import encode_fewest_windows
from equalinfo.m1.base import FrequencyModel

WindowCodes = Sequence[int] | npt.NDArray[np.integer]
CodedWindows = tuple[WindowCodes, npt.NDArray[np.integer]]
"""Codes of an example's windows, and the number of symbols in each."""
ReadWindows = tuple[Symbols, npt.NDArray[np.integer]]
"""The text of an example's windows, and the number of symbols in each."""


class BookWindows:
    """Windows that were enumerated: the texts of a codebook, cut by one of its parses."""

    def __init__(self, book: Codebook, parse: str = LONGEST) -> None:
        self._book, self._parse = book, parse

    def encode(
        self, examples: list[Symbols], progress: Callable[[int], object] | None
    ) -> list[CodedWindows]:
        """Cut each example into windows and code them, too fast for `progress`."""
        coded = [self._book.encode(symbols, self._parse) for symbols in examples]
        return [(codes, self._book.lengths(codes)) for codes in coded]

    def decode(
        self, codes: list[WindowCodes], progress: Callable[[int], object] | None
    ) -> list[Symbols]:
        """The text of each example's windows."""
        return [self._book.decode(np.asarray(of_example, np.int64)) for of_example in codes]

    def read(
        self, codes: list[WindowCodes], progress: Callable[[int], object] | None
    ) -> list[ReadWindows]:
        """The same, and the symbols of each window."""
        lengths = [self._book.lengths(of_example) for of_example in codes]
        return list(zip(self.decode(codes, progress), lengths, strict=True))


@dataclass(frozen=True)
class ModelWindows:
    """Windows that M1 is run for.

    Attributes:
      model: M1.
      coder: the code, such as `ExactCode`.
      context: symbols of left context M1 sees.
      reset_every: see `encode_windows`.
      allow_invalid: see `decode_windows`.
      parse: LONGEST: each window takes all symbols that fit; FEWEST: see `encode_fewest_windows`.
    """

    model: FrequencyModel
    coder: WindowCoder
    context: int
    reset_every: int = 1
    allow_invalid: bool = False
    parse: str = LONGEST

    def encode(
        self, examples: list[Symbols], progress: Callable[[int], object] | None
    ) -> list[CodedWindows]:
        """See `BookWindows`."""
        if self.parse == FEWEST:
            assert isinstance(self.coder, ExactCode) and self.reset_every == 1
            texts = encode_fewest_windows(
                examples, self.model, self.coder, context=self.context, progress=progress
            )
        else:
            texts = encode_windows(
                examples,
                self.model,
                self.coder,
                context=self.context,
                reset_every=self.reset_every,
                progress=progress,
            )
        return [(text.codes, text.lengths) for text in texts]

    def decode(
        self, codes: list[WindowCodes], progress: Callable[[int], object] | None
    ) -> list[Symbols]:
        """See `BookWindows`."""
        return [symbols for symbols, _ in self.read(codes, progress)]

    def read(
        self, codes: list[WindowCodes], progress: Callable[[int], object] | None
    ) -> list[ReadWindows]:
        """See `BookWindows`."""
        texts = decode_windows(
            [list(of_example) for of_example in codes],
            self.model,
            self.coder,
            context=self.context,
            reset_every=self.reset_every,
            allow_invalid=self.allow_invalid,
            progress=progress,
        )
        return [(text.symbols, text.lengths) for text in texts]


Windows = BookWindows | ModelWindows


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


@dataclass(kw_only=True, eq=False)
class WindowCodec(Codec):
    """A codec of windows: W bits each, written one after the other as N-bit tokens.

    Attributes:
      window_bits: W.
      token_bits: N.
    """

    is_bit_stream: ClassVar[bool] = True
    beginnings_decode: ClassVar[bool] = True

    window_bits: int = option(16, help="W, bits of a window (default: 16)")
    token_bits: int = option(16, help=TOKEN_BITS_HELP)

    @classmethod
    def tokens_per_window(cls, options: Mapping[str, Any]) -> int | None:
        window, token = options["window_bits"], options["token_bits"]
        return None if window % token else int(window // token)

    @classmethod
    def name_parts(cls, manifest: Described) -> tuple[str, ...]:
        """W before the vocabulary."""
        parts = super().name_parts(manifest)
        return (f"b{manifest.codec['options']['window_bits']}", *parts)

    def _use(self, windows: Windows) -> None:
        """Code with these, once the options are known."""
        check_widths(self.window_bits, self.token_bits)
        self._windows = windows

    @property
    def tokens_per_unit(self) -> int | None:
        """Tokens of the fewest windows that end where a token ends."""
        return math.lcm(self.window_bits, self.token_bits) // self.token_bits

    def windows_in(self, tokens: int) -> int:
        """See `Codec.windows_in`."""
        return tokens * self.token_bits // self.window_bits

    def goes_on_after(self, tokens: int) -> bool:
        """See `Codec.goes_on_after`: its last window ends where its last token does."""
        return not tokens * self.token_bits % self.window_bits

    def whole(self, ids: Ids) -> Ids:
        """See `Codec.whole`."""
        bits = self.windows_in(len(ids)) * self.window_bits
        kept = ids[: -(-bits // self.token_bits)].copy()
        spare = len(kept) * self.token_bits - bits
        kept[-1:] = ((kept[-1:] - ID_OFFSET) >> spare << spare) + ID_OFFSET
        return kept

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`."""
        encoded = []
        for codes, lengths in self._windows.encode(check_examples(examples), self.progress):
            ids = codes_to_ids(codes_to_tokens(codes, self.window_bits, self.token_bits))
            ends = window_ends(lengths, self.window_bits, self.token_bits)
            encoded.append(Encoded(ids, ends, len(codes)))
        return encoded

    def _decode(self, ids: Sequence[Ids], lengths: Sequence[int] | None) -> list[Symbols]:
        return self._windows.decode(self._codes(ids), self.progress)

    def count_window_errors(
        self, examples: Sequence[Symbols], encoded: Sequence[Encoded] | None = None
    ) -> tuple[int, int]:
        """See `Codec.count_window_errors`.

        Where M1 restarts at each window, every window is decoded by itself. Where it does not, a
        wrong window leads M1 astray in those after it, which count as errors when they differ.
        """
        checked = check_examples(examples)
        encoded = self.encode(checked) if encoded is None else encoded
        codes = self._codes([tokens.ids for tokens in encoded])
        decoded = self._windows.read(codes, self.progress)
        errors = windows = 0
        for symbols, tokens, (text, lengths) in zip(checked, encoded, decoded, strict=True):
            # A token completes one window at most (N <= W), and no window is empty.
            written = np.split(symbols, np.unique(tokens.ends[tokens.ends > 0]))
            read = np.split(text, np.cumsum(lengths))
            windows += tokens.windows
            errors += sum(not np.array_equal(*pair) for pair in zip(written, read, strict=True))
        return errors, windows

    def _codes(self, ids: Sequence[Ids]) -> list[WindowCodes]:
        codes: list[WindowCodes] = []
        for index, example in enumerate(check_ids(ids, self.vocab_size)):
            try:
                codes.append(
                    tokens_to_codes(example - ID_OFFSET, self.token_bits, self.window_bits)
                )
            except ValueError as error:
                raise ValueError(f"example {index}: {error}") from error
        return codes
