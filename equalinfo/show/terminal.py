"""A panel as lines for a terminal."""

import textwrap
from collections.abc import Iterable

from equalinfo.show.colors import TERMINAL
from equalinfo.show.layout import GAP, Cell, rows
from equalinfo.show.panel import Panel

# Black text on pale colours: readable on light and on dark screens.
_FOREGROUNDS = {"text": 16, "space": 243, "escape": 124}
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def render(panel: Panel, width: int = 80, *, color: bool = False) -> str:
    """Title, rows of tokens with ids and bits beneath, summary; ends with a newline.

    Whatever the tokens hold, there are no escape sequences in it but, with colour, those that set
    colours.

    Args:
      panel: what to show.
      width: columns of the terminal.
      color: write ANSI colours.
    """

    def style(code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if color else text

    lines = [style(_BOLD, panel.title), style(_DIM, panel.legend), ""]
    for row in rows(panel, width):
        lines.append(
            _join(_text(cell, color) + " " * (cell.width - cell.text_width) for cell in row)
        )
        for labels in zip(*(cell.labels for cell in row), strict=True):
            line = _join(label.ljust(cell.width) for label, cell in zip(labels, row, strict=True))
            # None under rows of a token that began above.
            lines += [style(_DIM, line)] if line else []
        lines.append("")
    if not panel.tokens:
        lines += [style(_DIM, "(no tokens)"), ""]
    for sentence in panel.summary():
        lines += textwrap.wrap(sentence, max(width, 20), subsequent_indent="  ")
    return "\n".join(lines) + "\n"


def _join(columns: Iterable[str]) -> str:
    return (" " * GAP).join(columns).rstrip(" ")


def _text(cell: Cell, color: bool) -> str:
    if not color:
        return "".join(glyph.shown for glyph in cell.glyphs)
    out = f"\x1b[48;5;{TERMINAL[cell.index % len(TERMINAL)]}m"
    kind = ""
    for glyph in cell.glyphs:
        if glyph.kind != kind:
            kind = glyph.kind
            out += f"\x1b[38;5;{_FOREGROUNDS[kind]}m"
        out += glyph.shown
    return out + _RESET
