"""Panels as an image for papers: .png, .svg or .pdf."""

import io
import os
import textwrap
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equalinfo.data import storage
from equalinfo.show.colors import LIGHT
from equalinfo.show.glyphs import Glyph
from equalinfo.show.layout import GAP, Cell, rows
from equalinfo.show.panel import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI = 300
# The renderer of PNG has no larger images.
_MAX_PIXELS = 2**16 - 1
# What makes the same panels the same file.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}

# Lengths in points. A character of the font takes 0.602 em.
_MONO = "DejaVu Sans Mono"
_EM = 0.6021
_SIZE, _LABEL_SIZE, _TITLE_SIZE = 8.0, 6.0, 8.5
_ADVANCE = _EM * _SIZE
_LINE, _LABEL_LINE, _TITLE_LINE, _SUMMARY_LINE = 11.5, 7.5, 25.0, 9.0
_BOX, _PAD, _ROW_GAP, _MARGIN = 10.5, 1.0, 4.0, 4.0
_PANEL_GAP = 5  # characters

_INK, _SOFT = "#1b1b1b", "#5f5f5f"
_FOREGROUNDS = {"text": _INK, "space": "#777777", "escape": "#a3000b"}


def check_suffix(path: Path) -> str:
    """The suffix of an image that `save` can write; a ValueError for another."""
    suffix = path.suffix.lower()
    if suffix not in _METADATA:
        raise ValueError(
            f"{path}: an image is written as {', '.join(_METADATA)}, not as {suffix!r}."
        )
    return suffix


def save(panels: Sequence[Panel], path: Path, width: int = 100) -> None:
    """Draw panels side by side.

    Args:
      panels: what to show.
      path: its suffix says what to write: .png (300 dots per inch), .svg or .pdf.
      width: characters beside each other, all panels together; 100 are 6.8 inches.

    Raises:
      ImportError: matplotlib is not installed.
      ValueError: another suffix, or too many tokens for one PNG.
    """
    suffix = check_suffix(path)
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "an image needs the package matplotlib. Install it with: pip install 'equalinfo[viz]'"
        ) from error
    columns = (width - _PANEL_GAP * (len(panels) - 1)) // len(panels)
    drawn = [_Drawn(panel, columns) for panel in panels]
    across = sum(one.width for one in drawn) + _PANEL_GAP * _ADVANCE * (len(drawn) - 1)
    size = (across + 2 * _MARGIN, max(one.height for one in drawn) + 2 * _MARGIN)
    if suffix == ".png" and max(size) / 72 * DPI > _MAX_PIXELS:
        raise ValueError(
            f"{path}: {len(panels[0].tokens):,} tokens make an image of "
            f"{max(size) / 72 * DPI:,.0f} dots, a PNG holds {_MAX_PIXELS:,}. "
            "Write .svg or .pdf, or show less text."
        )
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's matplotlibrc says
        # Type 42: some journals take no Type 3 fonts.
        matplotlib.rcParams.update({"pdf.fonttype": 42, "svg.hashsalt": "equalinfo"})
        figure = Figure(figsize=(size[0] / 72, size[1] / 72), dpi=DPI, facecolor="white")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(0, size[0]), ylim=(size[1], 0))
        axes.set_axis_off()
        left = _MARGIN
        for one in drawn:
            one.draw(axes, left, _MARGIN)
            left += one.width + _PANEL_GAP * _ADVANCE
        content = io.BytesIO()
        figure.savefig(content, format=suffix[1:], metadata=_METADATA[suffix])
    with storage.create(os.fspath(path)) as file:
        file.write(content.getvalue())


class _Drawn:
    """A panel laid out: its size in points, and how to draw it."""

    def __init__(self, panel: Panel, columns: int) -> None:
        self._title, self._legend = panel.title, panel.legend
        self._rows = rows(panel, columns, lambda char: _font(char) is not None)
        fit = max(int(columns * _SIZE / _LABEL_SIZE), 20)
        self._summary = [
            line
            for sentence in panel.summary()
            for line in textwrap.wrap(sentence, fit, subsequent_indent="  ")
        ]
        self._labels = 2 if panel.has_bits else 1
        self._row_height = _LINE + self._labels * _LABEL_LINE + _ROW_GAP
        widths = [
            _ADVANCE * (sum(cell.width for cell in row) + GAP * (len(row) - 1))
            for row in self._rows
        ]
        widths += [_EM * _LABEL_SIZE * len(line) for line in self._summary]
        widths.append(_EM * _TITLE_SIZE * len(self._title))
        widths.append(_EM * _LABEL_SIZE * len(self._legend))
        self.width = max(widths)
        self.height = (
            _TITLE_LINE
            + len(self._rows) * self._row_height
            + _ROW_GAP
            + len(self._summary) * _SUMMARY_LINE
        )

    def draw(self, axes: "Axes", left: float, top: float) -> None:
        """With the upper left corner at a point of the axes."""
        _write(axes, left, top + 8, self._title, _TITLE_SIZE, _INK, weight="bold")
        _write(axes, left, top + 17, self._legend, _LABEL_SIZE, _SOFT)
        top += _TITLE_LINE
        for row in self._rows:
            x = left
            for cell in row:
                self._draw_cell(axes, x, top, cell)
                x += _ADVANCE * (cell.width + GAP)
            top += self._row_height
        top += _ROW_GAP
        for line in self._summary:
            _write(axes, left, top + 6, line, _LABEL_SIZE, _SOFT)
            top += _SUMMARY_LINE

    def _draw_cell(self, axes: "Axes", x: float, top: float, cell: Cell) -> None:
        from matplotlib.patches import FancyBboxPatch

        box = FancyBboxPatch(
            (x - _PAD, top),
            cell.text_width * _ADVANCE + 2 * _PAD,
            _BOX,
            boxstyle="round,pad=0,rounding_size=1.6",
            mutation_aspect=1,
            facecolor=LIGHT[cell.index % len(LIGHT)],
            edgecolor="none",
        )
        axes.add_patch(box)
        place = x
        for (kind, regular), run in groupby(
            cell.glyphs, lambda glyph: (glyph.kind, _regular(glyph))
        ):
            found = list(run)
            color = _FOREGROUNDS[kind]
            if regular:
                shown = "".join(glyph.shown for glyph in found)
                _write(axes, place, top + 7.9, shown, _SIZE, color)
                place += len(shown) * _ADVANCE
                continue
            for glyph in found:
                _write_alone(axes, place, top + 7.9, glyph, color)
                place += glyph.width * _ADVANCE
        for number, label in enumerate(cell.labels):
            baseline = top + _LINE + 5.5 + number * _LABEL_LINE
            _write(axes, x, baseline, label, _LABEL_SIZE, _SOFT)


def _write(
    axes: "Axes", x: float, baseline: float, text: str, size: float, color: str, **style: Any
) -> None:
    # parse_math: a text may hold dollars.
    axes.text(x, baseline, text, size=size, color=color, family=_MONO, parse_math=False, **style)


def _regular(glyph: Glyph) -> bool:
    """The font has it, with one advance a character: wide and combined ones are drawn alone."""
    return len(glyph.shown) == glyph.width and _font(glyph.shown) == _fonts()[0]


def _write_alone(axes: "Axes", x: float, baseline: float, glyph: Glyph, color: str) -> None:
    """A glyph of any font: centred in its columns, and not wider."""
    from matplotlib.font_manager import FontProperties, get_font

    width = glyph.width * _ADVANCE
    whole = _font(glyph.shown)
    # A mark that no font has together with its character is drawn over it.
    parts = [(glyph.shown, whole)] if whole else [(char, _font(char)) for char in glyph.shown]
    for text, name in parts:
        if name is None:
            raise ValueError(f"no font has the character U+{ord(text):04X}.")
        font = get_font(name)
        font.set_size(_SIZE, 72)
        font.set_text(text)
        advance = font.get_width_height()[0] / 64
        axes.text(
            x + width / 2,
            baseline,
            text,
            fontproperties=FontProperties(fname=name, size=_SIZE * min(1, width / (advance or 1))),
            ha="center",
            color=color,
            parse_math=False,
        )


@cache
def _fonts() -> list[str]:
    """Files of upright fonts of regular weight, DejaVu Sans Mono first, DejaVu Sans second."""
    from matplotlib import font_manager

    # TeX's fonts have codes of their own, "Last Resort" draws boxes, colours cannot be drawn.
    useless = ("cm", "Last Resort", "STIXNonUnicode", "STIXSize")
    found = {
        (entry.name != _MONO, entry.name != "DejaVu Sans", entry.name, entry.fname)
        for entry in font_manager.fontManager.ttflist
        if entry.style == "normal"
        and entry.weight in (400, "normal", "regular")
        and not entry.name.startswith(useless)
        and "Emoji" not in entry.name
    }
    return [name for *_, name in sorted(found)]


@cache
def _font(text: str) -> str | None:
    """The first font that has all characters of a text; None if there is none."""
    from matplotlib.font_manager import get_font

    for name in _fonts():
        font = get_font(name)
        if all(font.get_char_index(ord(char)) for char in text):
            return name
    return None
