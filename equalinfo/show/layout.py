"""Tokens in rows: each a column as wide as its text or its labels, wrapped to a width."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from equalinfo.show.glyphs import Glyph, ends_line, glyphs
from equalinfo.show.panel import Panel, Token, bits_label

# The widest glyph is a code point of six digits with its quotes; ids and bits are shorter.
MIN_WIDTH = 10
GAP = 1


@dataclass(frozen=True)
class Cell:
    """A token in its row, or, of a token wider than a row, a part.

    Attributes:
      index: of the token; decides the colour.
      glyphs: of this part.
      labels: id and, if the panel has bits, bits; empty strings beneath all but the first part.
    """

    index: int
    glyphs: tuple[Glyph, ...]
    labels: tuple[str, ...]

    @property
    def text_width(self) -> int:
        """Columns of the text."""
        return sum(glyph.width for glyph in self.glyphs)

    @property
    def width(self) -> int:
        """Columns of the text and the labels beneath it."""
        return max(self.text_width, *map(len, self.labels))


def rows(
    panel: Panel, width: int, drawable: Callable[[str], bool] | None = None
) -> list[list[Cell]]:
    """Fill rows with tokens; a row also ends after a token with a newline or EOS.

    Args:
      panel: the tokens.
      width: columns of a row; below 10 it counts as 10.
      drawable: see `equalinfo.show.glyphs.glyphs`.
    """
    width = max(width, MIN_WIDTH)
    out: list[list[Cell]] = []
    used = width
    for index, token in enumerate(panel.tokens):
        for cell in _cells(index, token, panel.has_bits, width, drawable):
            if used + GAP + cell.width > width:
                out.append([])
                used = -GAP
            out[-1].append(cell)
            used += GAP + cell.width
        if ends_line(token.symbols):
            used = width
    return out


def token_glyphs(token: Token, drawable: Callable[[str], bool] | None = None) -> list[Glyph]:
    """What to show of a token: its text or, where it stands for none, its name."""
    if token.symbols:
        return glyphs(token.symbols, drawable)
    return [Glyph(glyph.shown, glyph.width, "escape") for glyph in glyphs(token.name.encode())]


def _cells(
    index: int, token: Token, with_bits: bool, width: int, drawable: Callable[[str], bool] | None
) -> Iterator[Cell]:
    labels: tuple[str, ...] = (str(token.id),)
    if with_bits:
        labels += (bits_label(token),)
    part: list[Glyph] = []
    for glyph in token_glyphs(token, drawable):
        if sum(other.width for other in part) + glyph.width > width:
            yield Cell(index, tuple(part), labels)
            part, labels = [], ("",) * len(labels)
        part.append(glyph)
    yield Cell(index, tuple(part), labels)
