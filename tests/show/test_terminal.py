"""Ids and bits under their tokens, whatever these hold; no escape sequence of theirs."""

import re
import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equalinfo.alphabet import EOS
from equalinfo.show.layout import MIN_WIDTH
from equalinfo.show.panel import Panel, Token, of_tokenizer
from equalinfo.show.terminal import render

COLOR = re.compile(r"\x1b\[(?:0|1|2|[34]8;5;\d+)m")
NASTY = (
    "the quick 日本 fox\n\x1b[31mred\x1b[0m été e\u0301 \u202e\u200b 😀 ".encode()
    + b"\xff\xe2\x82 \x00 \x9b world"
)


def columns(line):
    """Place on the screen -> what stands there; blanks separate."""
    found, place, last = {}, 0, " "
    for char in line:
        if char != " " and last == " ":
            start = place
            found[start] = ""
        if char != " ":
            found[start] += char
        wide = unicodedata.east_asian_width(char) in "WF"
        place += 0 if unicodedata.category(char) in ("Mn", "Me") else 1 + wide
        last = char
    return found, place


def blocks(text):
    """Rows of a panel: lists of the columns of their lines."""
    body = text.split("\n\n")[1:-1]
    return [[columns(line)[0] for line in block.split("\n")] for block in body]


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)), st.booleans())
def test_ids_and_bits_stand_under_their_tokens(tokenizer, text, eos):
    panel = of_tokenizer(tokenizer, text, eos=eos)
    ids, bits = [], []
    for row, id_line, bits_line in (
        block for block in blocks(render(panel, 60)) if block[0] != {0: "(no", 4: "tokens)"}
    ):
        assert list(id_line) == list(bits_line) == list(row)
        ids += id_line.values()
        bits += bits_line.values()
    expected = tokenizer.encode_documents([text]) if eos else tokenizer.encode(text)
    assert ids == [str(i) for i in expected]
    assert bits == [f"{x:.1f}" for x in tokenizer.token_bits(expected)]
    assert b"".join(token.data for token in panel.tokens) == text


@given(st.binary(max_size=80))
def test_colours_are_the_only_escape_sequences(tokenizer, text):
    panel = of_tokenizer(tokenizer, text + NASTY, eos=True)
    plain = render(panel, 50)
    assert all(char.isprintable() or char == "\n" for char in plain)
    colored = render(panel, 50, color=True)
    assert colored != plain
    assert COLOR.sub("", colored) == plain
    assert all(line.endswith("\x1b[0m") for line in colored.split("\n") if "\x1b" in line)


@given(st.integers(MIN_WIDTH, 90))
def test_no_line_is_wider_than_the_terminal(tokenizer, width):
    panel = of_tokenizer(tokenizer, NASTY * 2, eos=True)
    rows = render(panel, width).split("\n\n")[1:-1]
    assert max(columns(line)[1] for row in rows for line in row.split("\n")) <= width


def test_a_token_wider_than_the_terminal_goes_on_below():
    letters = "日" * 4 + "x" * 200
    panel = Panel("t", [Token(7, tuple(letters.encode()), 3.25)], 512, "under M1")
    rows = blocks(render(panel, 20))
    assert "".join(row[0][0] for row in rows) == letters
    # The labels stand once, under the first part.
    assert [row[1:] for row in rows] == [[{0: "7"}, {0: "3.2"}], *[[]] * (len(rows) - 1)]


def test_neighbours_differ_in_colour(tokenizer):
    colored = render(of_tokenizer(tokenizer, b"the quick brown fox"), 200, color=True)
    backgrounds = re.findall(r"\x1b\[48;5;(\d+)m", colored)
    assert len(backgrounds) > 3
    assert all(a != b for a, b in pairwise(backgrounds))


def test_a_newline_ends_the_row(tokenizer):
    rows = blocks(render(of_tokenizer(tokenizer, b"the\n\nfox", eos=True), 200))
    assert [list(row[0].values())[-1][-1] for row in rows] == ["↵", "↵", "\u203a"]


@pytest.mark.parametrize("color", [False, True])
def test_empty_text(tokenizer, color):
    plain = COLOR.sub("", render(of_tokenizer(tokenizer, b""), 80, color=color))
    assert "(no tokens)" in plain
    assert "0 bytes, 0 tokens, - bytes/token\ncost - bits/byte" in plain


def test_summary():
    text = "a€b".encode()
    tokens = [
        Token(5, tuple(text[:2]), 4.5),
        Token(6, (*text[2:], EOS), 7.5),
        Token(9, (), None, "<0x20>"),
    ]
    assert Panel("t", tokens, 1024, "under M1").summary() == [
        "5 bytes, 3 tokens, 1.67 bytes/token",
        "cost 6.000 bits/byte (log2 V = 10.00 bits a token)",
        "information 2.400 bits/byte (6.00 bits a token) under M1; 1 token without",
    ]
    # Of what has no information none is counted, nor are its bytes.
    assert (
        Panel("t", [tokens[0], Token(1, (97, 97))], 1024, "")
        .summary()[2]
        .startswith("information 2.250 bits/byte (4.50 bits a token)")
    )
    assert len(Panel("t", tokens[2:], 1024, "", "note").summary()) == 3


def test_panel_of_tokenizer(tokenizer):
    panel = of_tokenizer(tokenizer, NASTY, eos=True)
    assert panel.num_bytes == len(NASTY)
    assert panel.cost == np.log2(1000)
    assert panel.tokens[-1].symbols[-1] == EOS
    assert "1,000" in panel.title
