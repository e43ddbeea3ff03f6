"""One interface over all tokenizers: str in, ids out, each through its own fastest public call.

Ids stay in the form that the library returns; nothing is converted inside a timed loop but what is
needed to get at the ids. Libraries are imported where they are used: a process measures one.
"""

import gzip
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

# The pattern of GPT-2, as tiktoken itself writes it: the same words as Hugging Face's ByteLevel.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


class Adapter(Protocol):
    """What is measured. `threads` is 1 or more; `Any` stands for the library's own ids."""

    def encode(self, text: str) -> Any:
        """Ids of one text."""

    def encode_batch(self, texts: list[str], threads: int) -> Sequence[Any]:
        """Ids of many texts."""

    def decode(self, ids: Any) -> str:
        """The text of ids."""

    def decode_batch(self, batch: Sequence[Any], threads: int) -> list[str]:
        """The texts of many."""


class EqualInfo:
    """This package."""

    def __init__(self, path: Path) -> None:
        from equalinfo import Tokenizer

        self._tokenizer = Tokenizer.load(path)
        self.encode = self._tokenizer.encode
        self.decode = self._tokenizer.decode
        self.decode_bytes = self._tokenizer.decode_bytes

    def encode_batch(self, texts: list[str], threads: int) -> Sequence[Any]:
        return self._tokenizer.encode_batch(texts, num_threads=threads)

    def decode_batch(self, batch: Sequence[Any], threads: int) -> list[str]:
        return self._tokenizer.decode_batch(batch, num_threads=threads)


class Tiktoken:
    """Byte-level BPE; ids are lists."""

    def __init__(self, path: Path) -> None:
        # Else tiktoken keeps a copy by path, and would go on loading it after a new training.
        os.environ["TIKTOKEN_CACHE_DIR"] = ""
        from tiktoken import Encoding
        from tiktoken.load import load_tiktoken_bpe

        self._encoding = Encoding(
            path.stem,
            pat_str=GPT2_PATTERN,
            mergeable_ranks=load_tiktoken_bpe(str(path)),
            special_tokens={},
        )
        self.encode = self._encoding.encode_ordinary
        self.decode = self._encoding.decode
        self.decode_bytes = self._encoding.decode_bytes

    def encode_batch(self, texts: list[str], threads: int) -> Sequence[Any]:
        return self._encoding.encode_ordinary_batch(texts, num_threads=threads)

    def decode_batch(self, batch: Sequence[Any], threads: int) -> list[str]:
        return self._encoding.decode_batch(batch, num_threads=threads)


class HuggingFace:
    """Byte-level BPE or Unigram of the `tokenizers` package; ids are lists."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer, decoders

        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        self._tokenizer = Tokenizer.from_buffer(content)
        if self._tokenizer.decoder is None:  # of SuperBPE's vocabularies; it would put spaces
            self._tokenizer.decoder = decoders.ByteLevel()
        self.decode = self._tokenizer.decode

    def encode(self, text: str) -> Any:
        return self._tokenizer.encode(text).ids

    def encode_batch(self, texts: list[str], threads: int) -> Sequence[Any]:
        _allow_threads(threads)
        # `_fast` leaves out the offsets into the text.
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    def decode_batch(self, batch: Sequence[Any], threads: int) -> list[str]:
        _allow_threads(threads)
        return self._tokenizer.decode_batch(batch)


class Gigatoken:
    """Byte-level BPE; ids of one text are a NumPy array, of many an Awkward array."""

    def __init__(self, path: Path) -> None:
        from gigatoken import Tokenizer

        self._tokenizer = Tokenizer(path)
        self.encode = self._tokenizer.encode
        self.decode_bytes = self._tokenizer.decode

    def encode_batch(self, texts: list[str], threads: int) -> Sequence[Any]:
        return self._tokenizer.encode_batch(texts, parallel=threads > 1)

    def decode(self, ids: Any) -> str:
        return self._tokenizer.decode(ids).decode("utf-8", "replace")

    def decode_batch(self, batch: Sequence[Any], threads: int) -> list[str]:
        return [self.decode(ids) for ids in batch]


class Iree:
    """Byte-level BPE; ids of one text are a NumPy array, of many lists. It has no threads."""

    def __init__(self, path: Path) -> None:
        from iree.tokenizer import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        self.encode = self._tokenizer.encode_to_array

    def encode_batch(self, texts: list[str], threads: int) -> Sequence[Any]:
        return self._tokenizer.encode_batch(texts)

    def decode(self, ids: Any) -> str:
        return self._tokenizer.decode(ids)

    def decode_batch(self, batch: Sequence[Any], threads: int) -> list[str]:
        return self._tokenizer.decode_batch(batch)


class SentencePiece:
    """Unigram or BPE; ids are NumPy arrays where the installed version makes them: less work."""

    def __init__(self, path: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        processor = SentencePieceProcessor(model_file=str(path))
        self.encode = getattr(processor, "EncodeAsNumpy", processor.EncodeAsIds)
        self.decode = processor.Decode

    def encode_batch(self, texts: list[str], threads: int) -> Sequence[Any]:
        return self.encode(texts, num_threads=threads)

    def decode_batch(self, batch: Sequence[Any], threads: int) -> list[str]:
        return self.decode(batch, num_threads=threads)


def _allow_threads(threads: int) -> None:
    """Hugging Face reads the first on every call, the second once in a process."""
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    os.environ.setdefault("RAYON_NUM_THREADS", str(max(threads, 2)))


# kind: (module whose import comes before loading, adapter)
ADAPTERS: dict[str, tuple[str, type[Any]]] = {
    "equalinfo": ("equalinfo.tokenizer", EqualInfo),  # `import equalinfo` alone loads nothing
    "tiktoken BPE": ("tiktoken", Tiktoken),
    "Hugging Face BPE": ("tokenizers", HuggingFace),
    "Gigatoken BPE": ("gigatoken", Gigatoken),
    "IREE BPE": ("iree.tokenizer", Iree),
    "BPE across spaces": ("tokenizers", HuggingFace),
    "SuperBPE": ("tokenizers", HuggingFace),
    "Hugging Face Unigram": ("tokenizers", HuggingFace),
    "SentencePiece Unigram": ("sentencepiece", SentencePiece),
    "SentencePiece BPE": ("sentencepiece", SentencePiece),
    "SentencePiece lossless": ("sentencepiece", SentencePiece),
    "SentencePiece across spaces": ("sentencepiece", SentencePiece),
}
