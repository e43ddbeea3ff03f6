"""Method `codebook`: the texts of any codebook, one token each. Lossless for every text.

The tokenizer of `equalinfo.Tokenizer`, as a method: to train a model on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from equalinfo.alphabet import Symbols
from equalinfo.codebook import Codebook
from equalinfo.codebook.limits import PARSES, check_parse
from equalinfo.codebook.shipped import resolve_codebook
from equalinfo.codecs.base import (
    Codec,
    Described,
    Encoded,
    Ids,
    option,
    size_in_name,
)
from equalinfo.codecs.batch import JoinedTokens, join_examples, join_ids, parts
from equalinfo.ids import ID_OFFSET
from equalinfo.tokenizer import Tokenizer

CODEBOOK_ASSET = "codebook.eqi"


@dataclass(kw_only=True, eq=False)
class CodebookCodec(Codec):
    """A codebook and how it is parsed."""

    method: ClassVar[str] = "codebook"
    beginnings_decode: ClassVar[bool] = True

    codebook: Codebook = option(
        None,
        asset=CODEBOOK_ASSET,
        help="its .eqi file, or the name of one of the package, such as english-65536-v2 (default)",
    )
    parse: str = option(None, choices=PARSES, help="how text is cut (default: the codebook's own)")

    @classmethod
    def meaning(cls, options: Mapping[str, Any], assets: Mapping[str, str]) -> list[Any]:
        return meaning_of_tokens(assets, options["parse"])

    @classmethod
    def name_parts(cls, manifest: Described) -> tuple[str, ...]:
        """The codes, which need not be a power of two."""
        return (size_in_name(manifest.codec["options"]["num_codes"]),)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.codebook = resolve_codebook(self.codebook)
        self.parse = self.parse or self.codebook.info.parse
        check_parse(self.parse, int(self.codebook.symbol_lengths.max()))

    @property
    def token_bits(self) -> int:
        """N: bits that hold every code."""
        return self.codebook.window_bits

    @property
    def vocab_size(self) -> int:
        """Ids run from 0 to this, exclusive: 3 special ids and V codes."""
        return ID_OFFSET + self.codebook.num_codes

    @property
    def tokens_per_unit(self) -> int | None:
        """Every token decodes by itself."""
        return 1

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`. The arrays are views, of one array for all examples."""
        return encode_tokens(self.codebook, examples, self.parse, windows=False)

    def encode_bytes(self, texts: Sequence[bytes]) -> list[Ids]:
        """See `Codec.encode_bytes`: without a detour over symbols."""
        return Tokenizer(self.codebook, self.parse).encode_batch(texts)

    def _decode(self, ids: Sequence[Ids], lengths: Sequence[int] | None) -> list[Symbols]:
        """The arrays are views, of one array for all examples."""
        return decode_tokens(self.codebook, ids)

    def _facts(self) -> dict[str, Any]:
        return {
            "plan": self.codebook.info.plan,
            "num_codes": self.codebook.num_codes,
            "codebook_sha256": self.codebook.sha256,
        }


def meaning_of_tokens(assets: Mapping[str, str], parse: str) -> list[Any]:
    """`Codec.meaning` of codecs each of whose tokens is a text of a codebook."""
    return [CodebookCodec.method, assets[CODEBOOK_ASSET], parse]


def encode_tokens(
    book: Codebook, examples: Sequence[Symbols], parse: str, *, windows: bool
) -> list[Encoded]:
    """Encode many examples, a token for each code: views, of one array for all examples.

    Args:
      book: the codebook.
      examples: uint16[n] each.
      parse: how they are cut.
      windows: whether each code is a window.
    """
    ids, read, id_ends = book.encode_texts(*join_examples(examples), ID_OFFSET, parse)
    return JoinedTokens(ids, read, id_ends, windows=windows)


def decode_tokens(book: Codebook, ids: Sequence[Ids]) -> list[Symbols]:
    """Undo `encode_tokens`."""
    joined = join_ids(ids, ID_OFFSET + book.num_codes, ID_OFFSET)
    return parts(*book.decode_texts(*joined, ID_OFFSET))
