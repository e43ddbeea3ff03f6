"""Bytes as characters that any screen can show: nothing invisible, nothing that acts.

Plain characters stand for themselves. A space is `·`, a newline `↵`, a tab `⇥`. In single angle
quotes stand: two hexadecimal digits, a byte (a control character, or part of no whole UTF-8
character); U+200B and the like, a character that is invisible or has no fixed width; EOS, the end
of a document. These marks themselves, should the text hold them, are written as code points too:
what a token stands for can be read from what is shown.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from equalinfo.alphabet import EOS

Kind = Literal["text", "space", "escape"]

SPACE = "·"
_SPACES = {" ": SPACE, "\n": "↵", "\t": "⇥"}
_OPEN, _CLOSE = "\u2039", "\u203a"  # single angle quotes
_BASE = "\u25cc"  # a dotted circle, for a mark to combine with
_MARKS = {*_SPACES.values(), _OPEN, _CLOSE, _BASE}
# Separators, controls, formats (bidirectional overrides, joiners), private, unassigned.
_HIDDEN = {"Zs", "Zl", "Zp", "Cc", "Cf", "Co", "Cn", "Cs"}
# Letters and marks that show nothing by themselves, or change the width of what is before them.
_FICKLE = (
    (0x034F, 0x034F),  # combining grapheme joiner
    (0x115F, 0x11FF),  # parts of Hangul syllables
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x3164, 0x3164),
    (0xD7B0, 0xD7FF),
    (0xFE00, 0xFE0F),  # variation selectors
    (0xFFA0, 0xFFA0),
    (0x1F3FB, 0x1F3FF),  # skin tones
    (0xE0100, 0xE01EF),
)


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character as shown, with the marks combined with it; or an escape.

    Attributes:
      shown: printable characters.
      width: columns of a terminal that they take.
      kind: "text" stands for itself, "space" for white space, "escape" for anything else.
    """

    shown: str
    width: int
    kind: Kind


def glyphs(symbols: Iterable[int], drawable: Callable[[str], bool] | None = None) -> list[Glyph]:
    """What to show of a token.

    Args:
      symbols: bytes and EOS (256), from anywhere in a text.
      drawable: whether a font has a character; those it lacks are written as code points.
    """
    out: list[Glyph] = []
    for is_eos, run in groupby(symbols, lambda symbol: symbol == EOS):
        if is_eos:
            out += [_escape("EOS") for _ in run]
            continue
        # Of bytes that are no whole character, each becomes a lone surrogate.
        for char in bytes(run).decode("utf-8", "surrogateescape"):
            glyph = _glyph(char, drawable)
            if glyph.width == 0 and out and out[-1].kind == "text":
                base = out.pop()
                glyph = Glyph(base.shown + char, base.width, "text")
            elif glyph.width == 0:
                glyph = Glyph(_BASE + char, 1, "text")
            out.append(glyph)
    return out


def shown(symbols: Iterable[int]) -> str:
    """What to show of a token, as one str."""
    return "".join(glyph.shown for glyph in glyphs(symbols))


def ends_line(symbols: Iterable[int]) -> bool:
    """The token has a newline or EOS: what follows belongs on a new row."""
    return any(symbol in (0x0A, EOS) for symbol in symbols)


def _escape(name: str) -> Glyph:
    shown = f"{_OPEN}{name}{_CLOSE}"
    return Glyph(shown, len(shown), "escape")


def _glyph(char: str, drawable: Callable[[str], bool] | None) -> Glyph:
    """Of one character; width 0 for a mark that combines with the character before it."""
    code, category = ord(char), unicodedata.category(char)
    if "!" <= char <= "~":
        return Glyph(char, 1, "text")
    if char in _SPACES:
        return Glyph(_SPACES[char], 1, "space")
    if 0xDC80 <= code <= 0xDCFF:
        return _escape(f"{code - 0xDC00:02X}")
    if code < 0x80 and category == "Cc":
        return _escape(f"{code:02X}")
    if (
        category in _HIDDEN
        or char in _MARKS
        or any(first <= code <= last for first, last in _FICKLE)
        or (drawable is not None and not drawable(char))
    ):
        return _escape(f"U+{code:04X}")
    if category in ("Mn", "Me"):
        return Glyph(char, 0, "text")
    return Glyph(char, 2 if unicodedata.east_asian_width(char) in "WF" else 1, "text")
