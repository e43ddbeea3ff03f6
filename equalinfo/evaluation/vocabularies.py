"""Tokenizers of any make behind one face, to compare them: ours, SentencePiece's, Hugging Face's.

Each turns documents into ids 0..V - 1, of which one, or a part of one, says that a document ends.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, Symbols
from equalinfo.codebook.shipped import resolve_codebook
from equalinfo.codecs.sentencepiece import open_model, piece_bytes
from equalinfo.hugging_face import byte_letters
from equalinfo.ids import ID_OFFSET
from equalinfo.streams import groups
from equalinfo.tokenizer import Tokenizer

Ids = npt.NDArray[np.int32]

_GROUP_BYTES = 1 << 20  # of text, encoded together
_METASPACE = "\u2581"


class Vocabulary(ABC):
    """A tokenizer to compare.

    Attributes:
      name: as printed.
      size: V, the end of a document included.
      texts: the symbols of each id, as far as they are known; none of ids that stand for nothing.
      sha256: of its file, where it is slow enough for its ids to be worth keeping.
    """

    name: str
    size: int
    sha256: str | None = None
    texts: Sequence[Symbols]

    @abstractmethod
    def encode(self, documents: Sequence[bytes]) -> Ids:
        """Ids of documents, with what ends each of them: int32[tokens] in 0..V - 1."""

    @abstractmethod
    def decode(self, ids: Ids) -> list[bytes]:
        """The documents of the ids of `encode`, as far as the tokenizer restores them."""


def token_symbols(tokenizer: Tokenizer) -> list[Symbols]:
    """The bytes and EOS that each code stands for; ids are codes + 3."""
    book = tokenizer.codebook
    return np.split(book.texts, book.offsets[1:-1])


def load(name: str, parse: str | None = None) -> Vocabulary:
    """The vocabulary that a file holds; its suffix says whose.

    Args:
      name: a `.eqi` file or a codebook of the package; SentencePiece's `.model`; Hugging Face's
        `tokenizer.json`, also .gz.
      parse: of codebooks, longest or fewest; None: the codebook's own.

    Raises:
      OSError, ValueError: it cannot be read.
      ModuleNotFoundError: its library is not installed.
    """
    if name.endswith(".model"):
        return SentencePiece(name)
    if name.endswith((".json", ".json.gz")):
        return HuggingFace(name)
    return EqualInfo(Tokenizer(resolve_codebook(name), parse), Path(name).name)


class EqualInfo(Vocabulary):
    """A codebook: ids are codes, and the end of a document is a symbol that windows hold.

    Args:
      tokenizer: of the codebook.
      name: as printed.
    """

    def __init__(self, tokenizer: Tokenizer, name: str) -> None:
        self.name, self.size = name, tokenizer.codebook.num_codes
        self.texts = token_symbols(tokenizer)
        self._tokenizer = tokenizer

    def encode(self, documents: Sequence[bytes]) -> Ids:
        ids = [self._tokenizer.encode_documents(group) for group in groups(documents, _GROUP_BYTES)]
        return np.concatenate(ids) - np.int32(ID_OFFSET) if ids else np.empty(0, np.int32)

    def decode(self, ids: Ids) -> list[bytes]:
        return self._tokenizer.decode_documents(ids + np.int32(ID_OFFSET))


class _WithEnd(Vocabulary):
    """What keeps documents apart by an id of its own, V - 1, after each."""

    def encode(self, documents: Sequence[bytes]) -> Ids:
        end = np.array([self.size - 1], np.int32)
        parts = [
            part
            for group in groups(documents, _GROUP_BYTES)
            for ids in self._encode_texts([text.decode("utf-8", "replace") for text in group])
            for part in (np.asarray(ids, np.int32), end)
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.int32)

    def decode(self, ids: Ids) -> list[bytes]:
        ends = np.flatnonzero(ids == self.size - 1)
        texts = [part[part != self.size - 1].tolist() for part in np.split(ids, ends + 1)[:-1]]
        return [text.encode("utf-8", "replace") for text in self._decode_texts(texts)]

    @abstractmethod
    def _encode_texts(self, texts: list[str]) -> Sequence[Any]: ...

    @abstractmethod
    def _decode_texts(self, batch: list[list[int]]) -> Sequence[str]: ...


class SentencePiece(_WithEnd):
    """A SentencePiece `.model`."""

    def __init__(self, path: str) -> None:
        proto, self._processor = open_model(Path(path).read_bytes(), path)
        self.name, self.size = Path(path).name, len(proto.pieces) + 1
        self.texts = _with_end(piece_bytes(p.piece, p.type) or b"" for p in proto.pieces)

    def _encode_texts(self, texts: list[str]) -> Sequence[Any]:
        return self._processor.encode(texts)

    def _decode_texts(self, batch: list[list[int]]) -> Sequence[str]:
        return self._processor.decode(batch)


class HuggingFace(_WithEnd):
    """A `tokenizer.json` of Hugging Face; special ids that it adds by itself are left out."""

    def __init__(self, path: str) -> None:
        import gzip

        import tokenizers

        try:
            with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
                content = file.read()
            self._tokenizer = tokenizers.Tokenizer.from_buffer(content)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
                raise
            raise ValueError(f"{path} is not a tokenizer.json: {error}") from error
        # As a model's window wants them; here they would cut documents off.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        pieces: dict[str, int] = self._tokenizer.get_vocab()
        self.name, self.sha256 = Path(path).name, hashlib.sha256(content).hexdigest()
        self.size = max(pieces.values(), default=-1) + 2
        byte_level = {letter: byte for byte, letter in enumerate(byte_letters())}
        texts = [b""] * (self.size - 1)
        # Byte-level vocabularies write bytes as letters; others mark spaces.
        parts = json.loads(content)
        added = {token["content"] for token in parts.get("added_tokens") or ()}
        is_bytes = any(
            '"ByteLevel"' in json.dumps(parts.get(name))
            for name in ("normalizer", "pre_tokenizer", "decoder")
        )
        for piece, id in pieces.items():
            if not is_bytes or piece in added:
                texts[id] = piece.replace(_METASPACE, " ").encode()
            elif byte_level.keys() >= set(piece):  # else a name that no text has
                texts[id] = bytes(byte_level[letter] for letter in piece)
        self.texts = _with_end(texts)
        # Tokens' bytes, also where the file names no decoder.
        self._bytes = [*texts, b""] if is_bytes else None

    def decode(self, ids: Ids) -> list[bytes]:
        if self._bytes is None:
            return super().decode(ids)
        ends = np.flatnonzero(ids == self.size - 1)
        documents = np.split(ids, ends + 1)[:-1]
        return [b"".join(map(self._bytes.__getitem__, part.tolist())) for part in documents]

    def _encode_texts(self, texts: list[str]) -> Sequence[Any]:
        # `_fast` leaves out the offsets into the text.
        encoded = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encoded]

    def _decode_texts(self, batch: list[list[int]]) -> Sequence[str]:
        return self._tokenizer.decode_batch(batch, skip_special_tokens=False)


def _with_end(texts: Iterable[bytes]) -> list[Symbols]:
    """Symbols of ids, and of one more that ends a document."""
    found = [np.frombuffer(text, np.uint8).astype(np.uint16) for text in texts]
    return [*found, np.array([EOS], np.uint16)]
