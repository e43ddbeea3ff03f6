"""Nothing invisible, nothing that acts on a screen, and nothing lost."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from equalinfo.alphabet import EOS
from equalinfo.show.glyphs import glyphs

SYMBOLS = st.one_of(
    st.lists(st.integers(0, EOS), max_size=40),
    st.text(max_size=40).map(lambda text: list(text.encode("utf-8", "replace"))),
)
ESCAPE = re.compile("\u2039(.*?)\u203a")


def mark(name):
    """As a token shows what it cannot show as it is."""
    return f"\u2039{name}\u203a"


def shown(text, **options):
    data = text.encode() if isinstance(text, str) else text
    return "".join(glyph.shown for glyph in glyphs(data, **options))


def restore(text):
    """Read symbols back from what is shown."""
    out = []
    for index, part in enumerate(ESCAPE.split(text)):
        if index % 2 == 0:
            plain = part.replace("\u25cc", "").translate({0xB7: " ", 0x21B5: "\n", 0x21E5: "\t"})
            out += plain.encode()
        elif part == "EOS":
            out.append(EOS)
        elif part.startswith("U+"):
            out += chr(int(part[2:], 16)).encode()
        else:
            out.append(int(part, 16))
    return out


@given(SYMBOLS)
@example(list("· ↵\n⇥\t\u2039EOS\u203a ◌\u0301 a\u0301".encode()))
@example([0xE2, 0x80, EOS, 0x8B])
def test_what_is_shown_tells_what_it_stands_for(symbols):
    assert restore("".join(glyph.shown for glyph in glyphs(symbols))) == symbols


@given(SYMBOLS)
@example(list(range(EOS + 1)))
def test_nothing_acts_or_hides(symbols):
    for glyph in glyphs(symbols):
        assert glyph.shown.isprintable() and " " not in glyph.shown
        assert not [char for char in glyph.shown if unicodedata.category(char)[0] in "CZ"]
        assert glyph.width >= 1
        # Only marks that combine with a character share its columns.
        width = 0
        for char in glyph.shown:
            wide = unicodedata.east_asian_width(char) in "WF"
            width += 0 if unicodedata.category(char) in ("Mn", "Me") else 1 + wide
        assert glyph.width == width


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b\n\tc", "a·b↵⇥c"),
        ("\x1b[31mred\x00\x7f\r", f"{mark('1B')}[31mred{mark('00')}{mark('7F')}{mark('0D')}"),
        ("\x9b31m", mark("U+009B") + "31m"),  # an escape sequence in one character
        ("a\u202eb\u200b\u2066", f"a{mark('U+202E')}b{mark('U+200B')}{mark('U+2066')}"),
        ("👩\u200d👧", f"👩{mark('U+200D')}👧"),
        ("❤\ufe0f", "❤" + mark("U+FE0F")),
        ("👍\U0001f3fd", "👍" + mark("U+1F3FD")),
        ("\xa0\u3000\u2028", mark("U+00A0") + mark("U+3000") + mark("U+2028")),
        ("·", mark("U+00B7")),
        ("日本", "日本"),
    ],
)
def test_examples(text, expected):
    assert shown(text) == expected


def test_a_token_may_end_in_the_middle_of_a_character():
    euro = "€".encode()
    assert shown(b"of " + euro[:2]) == f"of·{mark('E2')}{mark('82')}"
    assert shown(euro[2:] + b"1") == mark("AC") + "1"
    # EOS in the middle does not make a character of what is around it.
    assert len(glyphs([*euro[:2], EOS, *euro[2:]])) == 4


def test_widths():
    widths = [(glyph.shown, glyph.width) for glyph in glyphs("日é e\u0301\u0304".encode())]
    assert widths == [("日", 2), ("é", 1), ("·", 1), ("e\u0301\u0304", 1)]
    # A mark with nothing to combine with, here because the token begins with it.
    assert [(glyph.shown, glyph.width) for glyph in glyphs("\u0301a".encode())] == [
        ("◌\u0301", 1),
        ("a", 1),
    ]
    assert shown(" \u0301") == "·◌\u0301"


def test_characters_that_a_font_lacks_are_code_points():
    assert shown("a日", drawable=str.isascii) == "a" + mark("U+65E5")
