"""A SeqIO vocabulary over the compiled tokenizer: fast enough to train straight from text."""

import os
from collections.abc import Sequence

import numpy as np

from equalinfo import alphabet
from equalinfo.data.storage import local_copy
from equalinfo.ids import EOS_ID, ID_OFFSET
from equalinfo.tokenizer import Tokenizer
from tasks.base_vocabulary import BaseVocabulary, Ids


class TokenizerVocabulary(BaseVocabulary[Tokenizer]):
    """Ids of `equalinfo.Tokenizer`: 0 pad, 1 eos, 2 unk, then the V codes of the codebook.

    Every byte string has ids of its own (SeqIO's text need not be valid UTF-8), and unk never
    occurs. Pickles are small: they hold the path and the sha256, and where they are read the same
    codebook must be.
    """

    def __init__(
        self,
        codebook: str | os.PathLike[str] | None = None,
        extra_ids: int = 0,
        document_separator: str = "\n",
    ) -> None:
        """Load the codebook.

        Args:
          codebook: a `.eqi` file, may be remote (gs://...); None takes the one that the package
            ships, which another version of the package may replace: name a file in configurations
            that must last.
          extra_ids: ids added after the codebook's, for sentinels.
          document_separator: what `decode` writes where a code holds an EOS symbol.
        """
        self._codebook = None if codebook is None else os.fspath(codebook)
        tokenizer = self._read()
        super().__init__(tokenizer.codebook.sha256, extra_ids, document_separator)
        self._size = tokenizer.vocab_size
        self._coder = tokenizer

    @property
    def tokenizer(self) -> Tokenizer:
        """What does the work."""
        return self._loaded()

    @property
    def _base_vocab_size(self) -> int:
        return self._size

    def documents(self, ids: Sequence[int] | Ids) -> list[bytes]:
        """See `BaseVocabulary.documents`. Id 1 ends a document as an EOS symbol in a code does."""
        array = np.asarray(ids).reshape(-1)
        array = array[(array >= EOS_ID) & (array < self._size)]
        codes = array[array >= ID_OFFSET] - ID_OFFSET
        symbols = self.tokenizer.codebook.decode(codes)
        ends = np.cumsum(array >= ID_OFFSET)[array == EOS_ID]  # codes before each id 1
        places = np.concatenate([[0], np.cumsum(self.tokenizer.codebook.lengths(codes))])[ends]
        return alphabet.split(np.insert(symbols, places, alphabet.EOS))

    def _read(self) -> Tokenizer:
        if self._codebook is None:
            return Tokenizer.default()
        with local_copy(self._codebook) as path:
            return Tokenizer.load(path)

    def _load(self) -> Tokenizer:
        tokenizer = self._read()
        if tokenizer.codebook.sha256 != self.sha256:
            raise ValueError(
                f"codebook {self._codebook or 'of the package'} was sha256:{self.sha256[:12]}.. "
                f"where this vocabulary was made, and is sha256:{tokenizer.codebook.sha256[:12]}.. "
                "here. Its tokens mean something else. Use the same file, or the same version of "
                "equalinfo, in every process."
            )
        return tokenizer

    def _encode_documents(self, documents: list[bytes]) -> list[Ids]:
        return self.tokenizer.encode_batch(documents)

    def __str__(self) -> str:
        return (
            f"TokenizerVocabulary(sha256={self.sha256[:12]}, vocab_size={self.vocab_size}, "
            f"extra_ids={self.extra_ids})"
        )
