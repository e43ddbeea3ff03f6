"""Method `equal_info_ac`: the paper's windows of arithmetic coding [paper 3.4], to compare with.

Greedy windows cannot always be decoded: after text `s` the encoder may stop because the next symbol
does not fit, while a likelier one would have fitted with the very same zero-padded code, and the
decoder, which takes the longest text of that code, reads one symbol too many. "Delay" [paper A.5]
hands such symbols to the next window and is exact.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from equalinfo.codecs.base import (
    M1_ASSET,
    M1_CONTEXT_HELP,
    M1_HELP,
    Described,
    m1_facts,
    neural,
    option,
)
from equalinfo.codecs.windows import ModelWindows, WindowCodec
from equalinfo.coding.paper import PaperCode
from equalinfo.m1.base import AC_PRECISION, FrequencyModel
from equalinfo.m1.load import resolve_model


@dataclass(kw_only=True, eq=False)
class EqualInfoAcCodec(WindowCodec):
    """Windows of W bits of arithmetic code, padded with zeros; the coder restarts at each.

    Attributes:
      window_bits: W, precision..128.
      precision: P of M1's frequencies.
    """

    method: ClassVar[str] = "equal_info_ac"
    why_lossy: ClassVar[str] = (
        "its greedy windows are padded with zeros, and a decoder that takes the longest text "
        "of a code may read a symbol the encoder did not write (about 23% of windows of "
        "English at window_bits=16; count_window_errors measures it). Use delay=True or method "
        "'equal_info', which are exact."
    )

    model: FrequencyModel = option(None, asset=M1_ASSET, flag="m1", help=M1_HELP)
    window_bits: int = option(16, help="W, bits of a window: 14..128 (default: 16)")
    delay: bool = option(
        False, help="the paper's Delay [A.5]: lossless, one window decides where it ends"
    )
    m1_reset: int = option(
        1, help="empty M1's context at every k-th window [A.2], 0: never (default: 1)"
    )
    m1_context: int = option(
        None,
        lowest=0,
        flag="context",
        help=M1_CONTEXT_HELP,
    )
    precision: int = option(None)

    @classmethod
    def name_parts(cls, manifest: Described) -> tuple[str, ...]:
        options = manifest.codec["options"]
        reset = options.get("m1_reset", 1)
        return (
            *super().name_parts(manifest),
            *(["delay"] if options.get("delay") else []),
            *([] if reset == 1 else [f"reset{reset}" if reset else "noreset"]),
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.m1_reset < 0:
            raise ValueError(f"m1_reset={self.m1_reset} is negative. Use k >= 1, or 0 for never.")
        if self.delay and self.m1_reset != 1:
            raise ValueError(
                f"delay=True with m1_reset={self.m1_reset}: a delayed symbol is decided by its "
                "window alone, so M1 must restart there. Use m1_reset=1, or delay=False."
            )
        self.model = resolve_model(self.model, self.precision, AC_PRECISION)
        self.precision = self.model.precision
        if self.m1_context is None:
            restarts = self.m1_reset == 1 or not self.model.max_context
            self.m1_context = 4 * self.window_bits if restarts else self.model.max_context
        self._use(
            ModelWindows(
                self.model,
                PaperCode(self.window_bits, self.precision, delay=self.delay),
                self.m1_context,
                self.m1_reset,
                allow_invalid=not self.delay,
            )
        )

    @property
    def lossless(self) -> bool:
        """True with delay; greedy windows lose or gain symbols at their ends."""
        return self.delay

    @property
    def tokens_per_unit(self) -> int | None:
        """As in `WindowCodec`; None where M1 does not restart at each window."""
        return super().tokens_per_unit if self.m1_reset == 1 else None

    @property
    def m1(self) -> FrequencyModel | None:
        """See `Codec.m1`."""
        return neural(self.model)

    def _facts(self) -> dict[str, Any]:
        return m1_facts(self.model)
