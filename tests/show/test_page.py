"""The page parses, nothing in the text becomes markup, and everything is in it."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from equalinfo.show.page import render
from equalinfo.show.panel import Panel, Token, of_tokenizer

VOID = {"br", "meta"}
NASTY = (
    "<script>alert('x')</script> & &amp; \" ' --> été 日本 \x1b[31m \u202e\n".encode() + b"\xff\xe2"
)


class Page(HTMLParser):
    """Tokens of each panel, the tags there are, and the visible text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.panels, self.words = [], set(), [], {}
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        fields = dict(attributes)
        assert len(fields) == len(attributes)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append((tag, (fields.get("class") or "").split(" ")[0]))
        if tag == "section":
            self.panels.append([])
        if "data-bytes" in fields:
            self.panels[-1].append(fields | {"text": "", "label": []})

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        classes = [name for _, name in self.open]
        if "text" in classes:
            self.panels[-1][-1]["text"] += data
        elif "label" in classes:
            self.panels[-1][-1]["label"].append(data)
        elif self.open:
            self.words.setdefault(self.open[-1][0], []).append(data)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_every_token_is_there(tokenizer, text):
    text = NASTY + text
    page = Page(render([of_tokenizer(tokenizer, text)]))
    assert page.tags == {
        *("html", "head", "meta", "title", "style", "body", "main", "section", "h2", "p", "div"),
        *("span", "br"),
    }
    (tokens,) = page.panels
    ids = tokenizer.encode(text).tolist()
    bits = tokenizer.token_bits(ids).tolist()
    assert [int(token["data-id"]) for token in tokens] == ids
    assert [token["label"] for token in tokens] == [
        [str(i), f"{x:.1f}"] for i, x in zip(ids, bits, strict=True)
    ]
    assert b"".join(bytes.fromhex(token["data-bytes"]) for token in tokens) == text
    for token, i, x in zip(tokens, ids, bits, strict=True):
        data = bytes.fromhex(token["data-bytes"])
        assert token["title"] == f"id {i}; {len(data)} bytes: {data.hex(' ')}; {x:.2f} bits"
        assert token["text"].isprintable()


def test_text_is_text(tokenizer):
    (tokens,) = Page(render([of_tokenizer(tokenizer, NASTY)])).panels
    joined = "".join(token["text"] for token in tokens)
    # Spaces are spaces, so that the text can be copied.
    assert joined.startswith(
        "<script>alert('x')</script> & &amp; \" ' --> été 日本 \u20391B\u203a[31m"
    )


def test_panels_side_by_side(tokenizer):
    other = Panel("<b>Other & co</b>", [Token(3, (60,)), Token(4, (), None, "<0x20>")], 10, "")
    page = Page(render([of_tokenizer(tokenizer, b"the fox"), other]))
    assert page.words["h2"][1:] == ["<b>Other & co</b>"]
    # No bits: no line for them.
    assert [(token["text"], token["label"]) for token in page.panels[1]] == [
        ("<", ["3"]),
        ("<0x20>", ["4"]),
    ]
    assert page.panels[1][1]["title"] == "id 4; 0 bytes: none"
    assert "8 bytes" not in page.words["p"]


def test_page_needs_no_other_file(tokenizer):
    text = render([of_tokenizer(tokenizer, b"")])
    assert not [word for word in ("http", "src=", "href=", "url(", "@import") if word in text]
    assert "prefers-color-scheme:dark" in text
    assert "0 bytes, 0 tokens" in text
