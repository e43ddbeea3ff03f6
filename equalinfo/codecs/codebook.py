"""Method `codebook`: the texts of any codebook, one token each. Lossless for every text.

The tokenizer of `equalinfo.Tokenizer`, as a method: to train a model on.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from equalinfo.alphabet import Symbols
from equalinfo.codebook import Codebook
from equalinfo.codecs.base import Codec, Encoded, Ids, check_lengths, check_number_of_lengths
from equalinfo.codecs.batch import join_examples, join_ids, parts
from equalinfo.ids import ID_OFFSET
from equalinfo.tokenizer import Tokenizer

CODEBOOK_ASSET = "codebook.eqi"


class CodebookCodec(Codec):
    """A codebook and how it is parsed."""

    method: ClassVar[str] = "codebook"

    def __init__(self, codebook: Codebook, parse: str | None = None) -> None:
        self._tokenizer = Tokenizer(codebook, parse)

    @classmethod
    def create(
        cls,
        *,
        codebook: Codebook | str | os.PathLike[str] | None = None,
        parse: str | None = None,
    ) -> Self:
        """Make the codec.

        Args:
          codebook: or its `.eqi` file; None: that which comes with the package.
          parse: longest or fewest; None: the codebook's own.
        """
        if codebook is None:
            codebook = Tokenizer.default().codebook
        return cls(codebook if isinstance(codebook, Codebook) else Codebook.load(codebook), parse)

    @property
    def lossless(self) -> bool:
        """Always."""
        return True

    @property
    def codebook(self) -> Codebook:
        """Its texts."""
        return self._tokenizer.codebook

    @property
    def token_bits(self) -> int:
        """N: bits that hold every code."""
        return self.codebook.window_bits

    @property
    def vocab_size(self) -> int:
        """Ids run from 0 to this, exclusive: 3 special ids and V codes."""
        return self._tokenizer.vocab_size

    @property
    def tokens_per_unit(self) -> int | None:
        """Every token decodes by itself."""
        return 1

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`. The arrays are views, of one array for all examples."""
        return encode_tokens(self.codebook, examples, self._tokenizer.parse, windows=False)

    def decode(
        self,
        ids: Sequence[Ids],
        lengths: Sequence[int] | None = None,
        *,
        allow_errors: bool = False,
    ) -> list[Symbols]:
        """See `Codec.decode`. The arrays are views, of one array for all examples."""
        return decode_tokens(self.codebook, ids, lengths)

    def options(self) -> dict[str, Any]:
        """Plan, number of codes, parse, and the codebook's sha256."""
        info = self.codebook.info
        return {
            "plan": info.plan,
            "num_codes": info.num_codes,
            "parse": self._tokenizer.parse,
            "codebook_sha256": self.codebook.sha256,
        }

    def _save_assets(self, directory: Path) -> list[str]:
        self.codebook.save(directory / CODEBOOK_ASSET)
        return [CODEBOOK_ASSET]

    @classmethod
    def _load(cls, assets: Mapping[str, Path], options: Mapping[str, Any]) -> Self:
        return cls.create(codebook=assets[CODEBOOK_ASSET], parse=options["parse"])


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
    return [
        Encoded(ids_of_one, read_of_one, len(ids_of_one) if windows else 0)
        for ids_of_one, read_of_one in zip(parts(ids, id_ends), parts(read, id_ends), strict=True)
    ]


def decode_tokens(
    book: Codebook, ids: Sequence[Ids], lengths: Sequence[int] | None
) -> list[Symbols]:
    """Undo `encode_tokens`, and check the lengths if there are any."""
    check_number_of_lengths(ids, lengths)
    joined = join_ids(ids, ID_OFFSET + book.num_codes, ID_OFFSET)
    decoded = parts(*book.decode_texts(*joined, ID_OFFSET))
    check_lengths(decoded, lengths)
    return decoded
