"""What is shown: one text as the tokens of one tokenizer, with ids, bits and a summary."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equalinfo.alphabet import EOS
from equalinfo.codebook.limits import UNIGRAM
from equalinfo.ids import ID_OFFSET

if TYPE_CHECKING:
    from equalinfo.tokenizer import Tokenizer


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
      id: token id.
      symbols: of the text it stands for: bytes, and EOS (256). They may begin or end inside a
        UTF-8 character, and be none.
      bits: its information, -log2 P, under the tokenizer's own model; None where that has none.
      name: what to show of a token that stands for no symbols.
    """

    id: int
    symbols: tuple[int, ...]
    bits: float | None = None
    name: str = ""

    @property
    def data(self) -> bytes:
        """The bytes it stands for; EOS is none."""
        return bytes(symbol for symbol in self.symbols if symbol != EOS)


@dataclass(frozen=True)
class Panel:
    """A text as the tokens of one tokenizer.

    Attributes:
      title: the tokenizer.
      tokens: in the order of the text; their bytes joined are the text.
      vocabulary: V, how many different tokens there are; each costs log2 V bits.
      model: whose information the bits are, as in "under M1".
      note: what else a reader must know; may be empty.
    """

    title: str
    tokens: Sequence[Token]
    vocabulary: int
    model: str
    note: str = ""

    @property
    def num_bytes(self) -> int:
        """Bytes of text; EOS is none."""
        return sum(len(token.data) for token in self.tokens)

    @property
    def cost(self) -> float:
        """Bits of one token where all are equally likely, log2 V."""
        return math.log2(self.vocabulary)

    @property
    def has_bits(self) -> bool:
        """Some token has information of its own."""
        return any(token.bits is not None for token in self.tokens)

    @property
    def legend(self) -> str:
        """What stands below each token."""
        return "below each token: id" + ", information in bits" * self.has_bits

    def summary(self) -> list[str]:
        """Sentences: bytes, tokens, bytes/token; bits/byte of cost and of information.

        Information is counted over the tokens that have one, and over their bytes.
        """
        size, count = self.num_bytes, len(self.tokens)
        lines = [
            f"{_count(size, 'byte')}, {_count(count, 'token')}, "
            f"{_ratio(size, count, 2)} bytes/token",
            f"cost {_ratio(count * self.cost, size, 3)} bits/byte "
            f"(log2 V = {self.cost:.2f} bits a token)",
        ]
        known = [token for token in self.tokens if token.bits is not None]
        if known:
            bits = sum(token.bits for token in known if token.bits is not None)
            line = (
                f"information {_ratio(bits, sum(len(token.data) for token in known), 3)} bits/byte "
                f"({bits / len(known):.2f} bits a token) {self.model}"
            )
            if len(known) < count:
                line += f"; {_count(count - len(known), 'token')} without"
            lines.append(line)
        if self.note:
            lines.append(self.note)
        return lines


def of_tokenizer(tokenizer: "Tokenizer", text: bytes, *, eos: bool = False) -> Panel:
    """The tokens of a text.

    Args:
      tokenizer: gives ids and bits.
      text: one document.
      eos: end it with EOS, as the pipelines do.
    """
    codebook = tokenizer.codebook
    ids = tokenizer.encode_documents([text]) if eos else tokenizer.encode(text)
    # Of the codebook and not of `token_bytes`, which leaves EOS out.
    symbols = codebook.decode(ids - ID_OFFSET).tolist()
    ends = codebook.lengths(ids - ID_OFFSET).cumsum().tolist()
    information = tokenizer.token_bits(ids).tolist()
    tokens = [
        Token(i, tuple(symbols[start:end]), bits)
        for i, start, end, bits in zip(ids.tolist(), [0, *ends], ends, information, strict=False)
    ]
    counted = codebook.info.plan == UNIGRAM
    name, model = ("equalinfo", "by its counts") if counted else ("Equal-Info", "under M1")
    title = f"{name}, {codebook.num_codes:,} codes ({codebook.info.plan}, {tokenizer.parse})"
    return Panel(title, tokens, codebook.num_codes, model)


def bits_label(token: Token) -> str:
    """The bits of a token with one decimal, a dash where it has none."""
    return "-" if token.bits is None else f"{token.bits:.1f}"


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" + "s" * (number != 1)


def _ratio(value: float, by: float, digits: int) -> str:
    return f"{value / by:.{digits}f}" if by else "-"
