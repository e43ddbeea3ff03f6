"""Method `equal_info_ac`: the paper's windows of arithmetic coding [paper 3.4], to compare with.

Greedy windows cannot always be decoded: after text `s` the encoder may stop because the next symbol
does not fit, while a likelier one would have fitted with the very same zero-padded code, and the
decoder, which takes the longest text of that code, reads one symbol too many. "Delay" [paper A.5]
hands such symbols to the next window and is exact.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from equalinfo.alphabet import Symbols
from equalinfo.codecs.assets import (
    M1_ASSET,
    PROBE_OPTION,
    ModelOrPath,
    describe_model,
    lanes_for,
    resolve_model,
    save_model,
)
from equalinfo.codecs.base import Encoded, check_examples, check_integer
from equalinfo.codecs.windows import CodedWindows, WindowCodec, WindowCodes
from equalinfo.coding.ac_window import PaperWindow
from equalinfo.coding.lanes import DecodedText, WindowedText, decode_windows, encode_windows
from equalinfo.frequencies import AC_PRECISION
from equalinfo.m1.base import FrequencyModel


class EqualInfoAcCodec(WindowCodec):
    """Windows of W bits of arithmetic code, padded with zeros; the coder restarts at each."""

    method: ClassVar[str] = "equal_info_ac"

    def __init__(
        self,
        model: FrequencyModel,
        window_bits: int,
        token_bits: int,
        *,
        delay: bool,
        m1_reset: int,
        m1_context: int,
    ) -> None:
        super().__init__(window_bits, token_bits)
        if check_integer("m1_reset", m1_reset) < 0:
            raise ValueError(f"m1_reset={m1_reset} is negative. Use k >= 1, or 0 for never.")
        if delay and m1_reset != 1:
            raise ValueError(
                f"delay=True with m1_reset={m1_reset}: a delayed symbol is decided by its window "
                "alone, so M1 must restart there. Use m1_reset=1, or delay=False."
            )
        self._model = model
        self._coder = PaperWindow(self._window_bits, model.precision, delay=delay)
        self._delay = bool(delay)
        self._m1_reset = int(m1_reset)
        self._context = check_integer("m1_context", m1_context, lowest=0)

    @classmethod
    def create(
        cls,
        *,
        model: ModelOrPath | None = None,
        window_bits: int = 16,
        token_bits: int = 16,
        delay: bool = False,
        m1_reset: int = 1,
        m1_context: int | None = None,
        precision: int = AC_PRECISION,
    ) -> Self:
        """Make the codec.

        Args:
          model: M1, or its file; None: the M1 that comes with the package.
          window_bits: W (the paper's b), up to 128.
          token_bits: N, 1..16, at most W; the paper's v is 2^N.
          delay: leave a window-final symbol whose code adds only zero bits to the next window.
          m1_reset: M1 restarts at every k-th window; 0: never.
          m1_context: symbols of left context M1 sees; default 4 W where M1 restarts at each window,
            else the model's own length.
          precision: P, where `model` is a file.
        """
        model = resolve_model(model, precision)
        if m1_context is None:
            m1_context = 4 * check_integer("window_bits", window_bits)
            if m1_reset != 1 and model.max_context:
                m1_context = model.max_context
        return cls(
            model, window_bits, token_bits, delay=delay, m1_reset=m1_reset, m1_context=m1_context
        )

    @property
    def lossless(self) -> bool:
        """True with delay; greedy windows lose or gain symbols at their ends."""
        return self._delay

    @property
    def tokens_per_unit(self) -> int | None:
        """As in `WindowCodec`; None where M1 does not restart at each window."""
        return super().tokens_per_unit if self._m1_reset == 1 else None

    @property
    def m1(self) -> FrequencyModel | None:
        """See `Codec.m1`; a static one is none."""
        return self._model if self._model.max_context > 0 else None

    def count_window_errors(
        self, examples: Sequence[Symbols], encoded: Sequence[Encoded] | None = None
    ) -> tuple[int, int]:
        """Encode, decode window by window, and count windows whose text differs.

        Args:
          examples: uint16[any] texts.
          encoded: what `encode` gave for them, if it is at hand.

        Where M1 restarts at each window, every window is decoded by itself. Where it does not, a
        wrong window leads M1 astray in those after it, which count as errors when they differ.

        Returns:
          (windows decoded wrongly, windows).
        """
        checked = check_examples(examples)
        encoded = self.encode(checked) if encoded is None else encoded
        decoded = self._decode_texts(self._codes([tokens.ids for tokens in encoded]))
        errors = windows = 0
        for symbols, tokens, restored in zip(checked, encoded, decoded, strict=True):
            # A token completes one window at most (N <= W), and no window is empty.
            written = np.split(symbols, np.unique(tokens.ends[tokens.ends > 0]))
            read = np.split(restored.symbols, np.cumsum(restored.lengths))
            windows += tokens.windows
            errors += sum(not np.array_equal(*pair) for pair in zip(written, read, strict=True))
        return errors, windows

    def _encode_texts(self, examples: list[Symbols]) -> list[WindowedText]:
        return encode_windows(
            examples,
            self._model,
            self._coder,
            context=self._context,
            lanes=lanes_for(self._context),
            reset_every=self._m1_reset,
            progress=self.progress,
        )

    def _decode_texts(self, codes: Sequence[WindowCodes]) -> list[DecodedText]:
        return decode_windows(
            [list(of_example) for of_example in codes],
            self._model,
            self._coder,
            context=self._context,
            lanes=lanes_for(self._context),
            reset_every=self._m1_reset,
            allow_invalid=not self._delay,
        )

    def _encode_windows(self, examples: list[Symbols]) -> list[CodedWindows]:
        return [(text.codes, text.lengths) for text in self._encode_texts(examples)]

    def _decode_windows(self, codes: list[WindowCodes]) -> list[Symbols]:
        return [text.symbols for text in self._decode_texts(codes)]

    def _why_lossy(self) -> str:
        return (
            "its greedy windows are padded with zeros, and a decoder that takes the longest text "
            "of a code may read a symbol the encoder did not write (about 23% of windows of "
            "English at window_bits=16; count_window_errors measures it). Use delay=True or method "
            "'equal_info', which are exact."
        )

    @cached_property
    def _described(self) -> dict[str, Any]:
        return describe_model(self._model, self._context)

    def options(self) -> dict[str, Any]:
        """W, N, delay, M1's resets, context, precision and sha256."""
        return {
            "window_bits": self._window_bits,
            "token_bits": self._token_bits,
            "delay": self._delay,
            "m1_reset": self._m1_reset,
            "m1_context": self._context,
            **self._described,
        }

    def _save_assets(self, directory: Path) -> list[str]:
        return [save_model(self._model, directory)]

    @classmethod
    def _load(cls, assets: Mapping[str, Path], options: Mapping[str, Any]) -> Self:
        made_by = ("m1_sha256", "float_border", PROBE_OPTION)
        known = {name: value for name, value in options.items() if name not in made_by}
        return cls.create(model=assets[M1_ASSET], **known)
