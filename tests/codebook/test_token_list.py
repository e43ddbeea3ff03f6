"""The list of tokens: one line an id, from which texts and costs can be read back."""

import re
from pathlib import Path

import pytest

from equalinfo.alphabet import EOS
from equalinfo.codebook import token_list
from tests.codebook.books import codebook_of

TEXTS = {
    b" the \xc3\xa9": " the \u00e9",
    b"\x9f\x98\x80 a": "<0x9F><0x98><0x80> a",  # the end of a character
    b"a\t\n": "a<0x09><0x0A>",
    b"\xe2\x80\xa8|": "<0xE2><0x80><0xA8>|",  # a line separator
    b"<0x41>": "<0x3C>0x41>",
    (97, EOS, 98): "a<eos>b",
    (0xC3, EOS, 0xA9): "<0xC3><eos><0xA9>",
}


def test_lines_are_ids(tmp_path: Path) -> None:
    book = codebook_of(TEXTS, information={b" the \xc3\xa9": 3, b"<0x41>": 65535}, token_cost=256)
    token_list.write(book, tmp_path / "list")
    content = (tmp_path / "list").read_bytes().decode()
    lines = [line.split("\t") for line in content.splitlines()]
    assert lines[:3] == [["<pad>", "0"], ["</s>", "0"], ["<unk>", "0"]]
    tokens = [token for token, _ in lines[3:]]
    assert set(TEXTS.values()) < set(tokens)
    for code, token in enumerate(tokens):
        parts = re.findall("<0x(..)>|(<eos>)|([^<])", token)
        symbols = [
            symbol
            for byte, eos, letter in parts
            for symbol in ([int(byte, 16)] if byte else [EOS] if eos else letter.encode())
        ]
        assert symbols == book.text(code).tolist()
    assert [float(score) * -256 for _, score in lines[3:]] == book.costs.tolist()
    assert {"-1.01171875", "-255.99609375"} < {score for _, score in lines}


def test_a_file_of_the_user_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("mine")
    with pytest.raises(FileExistsError):
        token_list.write(codebook_of([]), tmp_path / "list")
    assert (tmp_path / "list").read_text() == "mine"
