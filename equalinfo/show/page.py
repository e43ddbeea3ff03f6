"""Panels as one HTML page that needs no other file."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from equalinfo.show.colors import DARK, LIGHT
from equalinfo.show.glyphs import SPACE, ends_line
from equalinfo.show.layout import token_glyphs
from equalinfo.show.panel import Panel, Token, bits_label

# All rules are bound to .equalinfo: the <main> element and this style may be copied into another
# page.
_STYLE = """
.equalinfo{color-scheme:light dark;--paper:#fff;--ink:#1b1b1b;--soft:#5f5f5f;--odd:#a3000b;
--dot:#777;background:var(--paper);color:var(--ink);font:15px/1.4 system-ui,sans-serif;
padding:1.5rem;display:grid;gap:2rem 2.5rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr))}
@media(prefers-color-scheme:dark){.equalinfo{--paper:#16181b;--ink:#ececec;--soft:#a2a6ab;
--odd:#ffb3a3;--dot:#a9b0b8}}
.equalinfo h2{font-size:1.1rem;font-weight:600;margin:0}
.equalinfo .tokens{margin:.9rem 0;line-height:1.25;
font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
.equalinfo .token{display:inline-grid;justify-items:start;margin:0 .35em .6em 0;max-width:100%;
vertical-align:top}
.equalinfo .text{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;
padding:.1em .1em;border-radius:.2em;background:var(--c);print-color-adjust:exact;
-webkit-print-color-adjust:exact}
.equalinfo .label{color:var(--soft);font-size:.72em;user-select:none;-webkit-user-select:none}
.equalinfo .space{color:var(--dot)}
.equalinfo .blank::before{content:"·";position:absolute;color:var(--dot)}
.equalinfo .escape{color:var(--odd)}
.equalinfo p{margin:0 0 .15rem;color:var(--soft);font-variant-numeric:tabular-nums}
"""
_PAGE_STYLE = """
body{margin:0}
body>.equalinfo{min-height:100vh;box-sizing:border-box;align-content:start}
"""

# A space stays one where the text is copied; the style draws the dot.
_BLANK = '<span class="blank"> </span>'


def _colors(colors: Sequence[str]) -> str:
    return "".join(f".equalinfo .c{i}{{--c:{color}}}\n" for i, color in enumerate(colors))


_STYLE += f"{_colors(LIGHT)}@media(prefers-color-scheme:dark){{\n{_colors(DARK)}}}\n"


def render(panels: Sequence[Panel]) -> str:
    """A page with the panels side by side, or one below the other where the window is narrow.

    Each token has its id, bytes and bits in its title (what a pointer resting on it shows), and its
    bytes, hexadecimal, in `data-bytes`. Spaces are copied as spaces; ids and bits are not copied.

    Args:
      panels: what to show.
    """
    sections = "\n".join(_section(panel) for panel in panels)
    title = escape("; ".join(panel.title for panel in panels))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n"
        f"<style>{_PAGE_STYLE}{_STYLE}</style>\n</head>\n<body>\n"
        f'<main class="equalinfo">\n{sections}\n</main>\n</body>\n</html>\n'
    )


def _section(panel: Panel) -> str:
    tokens = "\n".join(
        _token(index, token, panel.has_bits) for index, token in enumerate(panel.tokens)
    )
    summary = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in panel.summary())
    title = escape(panel.title)
    return (
        f'<section aria-label="{title}">\n<h2>{title}</h2>\n<p>{panel.legend}</p>\n'
        f'<div class="tokens" role="list">\n{tokens}\n</div>\n{summary}\n</section>'
    )


def _token(index: int, token: Token, with_bits: bool) -> str:
    labels = [str(token.id), bits_label(token)] if with_bits else [str(token.id)]
    data = token.data
    about = f"id {token.id}; {len(data)} bytes: {data.hex(' ') or 'none'}"
    if token.bits is not None:
        about += f"; {token.bits:.2f} bits"
    return (
        f'<span class="token c{index % len(LIGHT)}" role="listitem" title="{about}" '
        f'data-id="{token.id}" data-bytes="{data.hex()}"><span class="text">{_text(token)}</span>'
        + "".join(f'<span class="label">{label}</span>' for label in labels)
        + "</span>"
        + "<br>" * ends_line(token.symbols)
    )


def _text(token: Token) -> str:
    out = ""
    for kind, run in groupby(token_glyphs(token), lambda glyph: glyph.kind):
        shown = [glyph.shown for glyph in run]
        if kind == "text":
            out += escape("".join(shown))
        elif kind == "escape":
            out += f'<span class="escape">{escape("".join(shown))}</span>'
        else:
            out += "".join(
                _BLANK if char == SPACE else f'<span class="space">{char}</span>' for char in shown
            )
    return out
