"""What tokenizers are compared by, on the same text: density, predictability, use of their codes.

Density (bytes/token) alone misleads: tokens may be long and hard to predict. So each tokenizer also
gets the bits/byte of n-gram models of its tokens (`.ngram`), trained on one text and scored on
another. Bytes are those of the documents; tokens include what ends each of them.
"""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from equalinfo import score
from equalinfo.alphabet import EOS
from equalinfo.data import storage
from equalinfo.data.find import in_both
from equalinfo.data.options import TextOptions
from equalinfo.evaluation.ngram import KneserNey
from equalinfo.evaluation.vocabularies import Ids, Vocabulary

ORDERS = (2, 3)
SPLIT = 10  # without training files, each tenth document is scored
NUM_LONGEST = 5

_TWO_WORDS = re.compile(rb"\S\s+\S")


@dataclass(frozen=True)
class Texts:
    """What n-grams are trained on, and what is scored.

    Attributes:
      train, scored: documents.
      about: where they come from, in words.
    """

    train: list[bytes]
    scored: list[bytes]
    about: str

    @classmethod
    def load(
        cls,
        files: Sequence[str],
        train_files: Sequence[str] = (),
        options: TextOptions | None = None,
        *,
        max_bytes: int = 20_000_000,
        train_bytes: int = 60_000_000,
        given_with: tuple[str, str] = ("FILE", "--train"),
    ) -> "Texts":
        """Documents of files.

        Args:
          files: names or globs of what is scored.
          train_files: of what n-grams are trained on. Without any, each tenth document of `files`
            is scored, and the other nine are trained on.
          max_bytes: the first documents of `files` that hold so much are scored.
          train_bytes: the same, of what is trained on.
          options: how they are read; None: by default.
          given_with: the options that files and train_files were given with, for errors.

        Raises:
          OSError, ValueError: a file that cannot be read to the end, or too few documents.
        """
        options = options or TextOptions()
        if train_files:
            if both := in_both(files, train_files, given_with):
                raise ValueError(
                    f"{both} is to be trained on and scored: n-grams would know it by heart. "
                    "Leave it out of one."
                )
            scored = list(_first(options.documents(files, given_with[0]), max_bytes))
            train = list(_first(options.documents(train_files, given_with[1]), train_bytes))
            about = f"n-grams trained on {_size(train)} of other files, scored on {_size(scored)}"
        else:
            documents = list(_first(options.documents(files, given_with[0]), train_bytes))
            train = [text for place, text in enumerate(documents, 1) if place % SPLIT]
            scored = list(_first(documents[SPLIT - 1 :: SPLIT], max_bytes))
            about = (
                f"each tenth document scored ({_size(scored)}), n-grams trained on the other nine "
                f"({_size(train)}) of the same files"
            )
        if not sum(map(len, scored)) or not sum(map(len, train)):
            raise ValueError(
                f"{len(train)} documents to train n-grams on and {len(scored)} to score hold too "
                f"little text. Give --train; without, {SPLIT} documents are the least."
            )
        return cls(train, scored, about)


@dataclass(frozen=True)
class TokenScores:
    """One tokenizer's figures.

    Attributes:
      tokenizer: its name.
      codes: V, the end of a document included.
      num_bytes, num_documents, num_tokens: of the text that is scored.
      bytes_per_token: of it.
      entropy: of the frequencies of its own tokens, bits/byte. In sample: low on short text.
      ngram: bits/byte of interpolated Kneser-Ney models, by order.
      unused: codes that occur neither in the training text nor in the scored one.
      crossing: share of tokens that hold parts of two words, with white space between.
      restored: documents that come back exactly.
      longest: the longest texts of codes, longest first; a newline for the end of a document.
    """

    tokenizer: str
    codes: int
    num_bytes: int
    num_documents: int
    num_tokens: int
    bytes_per_token: float
    entropy: float
    ngram: dict[int, float]
    unused: int
    crossing: float
    restored: int
    longest: list[bytes]

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`; bytes that are not UTF-8 are written as backslashed hexadecimals."""
        fields = asdict(self)
        longest = [text.decode("utf-8", "backslashreplace") for text in self.longest]
        return {**fields, "longest": longest}


def evaluate(vocabulary: Vocabulary, texts: Texts, cache: Path | None = None) -> TokenScores:
    """A tokenizer's figures on some texts.

    Args:
      vocabulary: the tokenizer.
      texts: to train n-grams on, and to score.
      cache: directory that keeps ids of tokenizers that are slow, by their and the texts' sha256.
    """
    size = vocabulary.size
    train, ids = (_encode(vocabulary, part, cache) for part in (texts.train, texts.scored))
    num_bytes = sum(map(len, texts.scored))
    counts = np.bincount(ids, minlength=size)
    seen = (counts > 0) | (np.bincount(train, minlength=size) > 0)
    words = [
        np.where(text == EOS, ord("\n"), text).astype(np.uint8).tobytes()
        for text in vocabulary.texts
    ]
    crossing = np.array([_TWO_WORDS.search(text) is not None for text in words])
    ngram = {
        order: float(KneserNey(train, size, order).bits(ids).sum()) / num_bytes for order in ORDERS
    }
    return TokenScores(
        vocabulary.name,
        size,
        num_bytes,
        len(texts.scored),
        len(ids),
        score.bytes_per_token(num_bytes, len(ids)),
        score.unigram_entropy_bits_per_byte(counts, num_bytes),
        ngram,
        int(np.count_nonzero(~seen)),
        float(counts[crossing].sum() / len(ids)),
        sum(map(bytes.__eq__, vocabulary.decode(ids), texts.scored)),
        sorted(words, key=lambda text: (-len(text), text))[:NUM_LONGEST],
    )


def _encode(vocabulary: Vocabulary, documents: list[bytes], cache: Path | None) -> Ids:
    if cache is None or vocabulary.sha256 is None:
        return vocabulary.encode(documents)
    digest = hashlib.sha256(vocabulary.sha256.encode())
    for document in documents:
        digest.update(b"%d:" % len(document) + document)
    path = cache / f"{digest.hexdigest()[:32]}.npy"
    with contextlib.suppress(OSError, ValueError, EOFError):  # none, or cut off: made again
        found: Ids = np.load(path, allow_pickle=False)
        return found
    ids = vocabulary.encode(documents)
    with storage.create(os.fspath(path)) as file:
        np.save(file, ids)
    return ids


def _first(documents: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The first documents, up to the one that makes them `size` bytes or more."""
    if size < 1:
        raise ValueError(f"{size} bytes of text are none: give 1 or more.")
    held = 0
    for document in documents:
        yield document
        held += len(document)
        if held >= size:
            return


def _size(documents: list[bytes]) -> str:
    return f"{len(documents):,} documents, {sum(map(len, documents)):,} bytes"
