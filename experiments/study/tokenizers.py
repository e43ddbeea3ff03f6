"""The study's tokenizers: trained on its text, kept as files, and all used the same way."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from equalinfo import codecs
from equalinfo.alphabet import EOS, NUM_SYMBOLS, join
from equalinfo.codecs.base import Codec
from equalinfo.codecs.sentencepiece import train as train_sentencepiece
from equalinfo.cores import num_cores
from equalinfo.ids import EOS_ID, ID_OFFSET
from equalinfo.streams import groups
from experiments.study import superbpe
from experiments.study.config import Tokenizer

_CODEC = "codec"
_BPE = "bpe.json"
_EXAMPLE_BYTES = 10_240  # of a codec that is no table of texts [paper 3.1]
_GROUP = 1 << 22  # bytes of text encoded at a time


class Tokens(NamedTuple):
    """A text as tokens.

    Attributes:
      ids: int32[n].
      symbols: uint16[n], bytes and ends of documents that each stands for.
      num_bytes: uint16[n], the bytes among them.
    """

    ids: npt.NDArray[np.int32]
    symbols: npt.NDArray[np.uint16]
    num_bytes: npt.NDArray[np.uint16]

    @property
    def total_bytes(self) -> int:
        """Of text."""
        return int(self.num_bytes.sum(dtype=np.int64))


class _OfCodec:
    """A codec of the library. An example holds a multiple of `unit` tokens."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.vocab_size = codec.vocab_size
        self.unit = codec.tokens_per_unit or 1
        self.runs_model = codec.runs_model
        # Of a table of texts a document is an example, else the paper's pieces of joined text.
        one = codec.tokens_per_unit == 1 and not codec.runs_model
        self._by_document = one or not codec.is_bit_stream

    def encode(self, documents: Sequence[bytes]) -> Tokens:
        """The documents, each with its end, one after the other."""
        found = []
        for group in groups(documents, _GROUP):
            if self._by_document:
                examples = [join([document]) for document in group]
            else:
                text = join(group)
                examples = [
                    text[start : start + _EXAMPLE_BYTES]
                    for start in range(0, len(text), _EXAMPLE_BYTES)
                ]
            for symbols, encoded in zip(examples, self._codec.encode(examples), strict=True):
                read = np.concatenate(([0], np.cumsum(symbols != EOS)))[encoded.ends]
                spans = (np.diff(x, prepend=0).astype(np.uint16) for x in (encoded.ends, read))
                found.append(Tokens(encoded.ids, *spans))
        return _joined(found)


class _Bpe:
    """Byte-level BPE of Hugging Face's library: id of a token + 3; id 1 ends a document."""

    unit = 1
    runs_model = False

    def __init__(self, path: Path) -> None:
        import tokenizers

        self._tokenizer = tokenizers.Tokenizer.from_file(os.fspath(path))
        size = self._tokenizer.get_vocab_size()
        self.vocab_size = ID_OFFSET + size
        # In this library's alphabet one character stands for one byte.
        names = [str(self._tokenizer.id_to_token(i)) for i in range(size)]
        self._lengths = np.array([len(name) for name in names], np.uint16)

    def encode(self, documents: Sequence[bytes]) -> Tokens:
        """The documents, each with its end, one after the other."""
        end = Tokens(np.array([EOS_ID], np.int32), np.ones(1, np.uint16), np.zeros(1, np.uint16))
        tokens = []
        for group in groups(documents, _GROUP):
            texts = [document.decode("utf-8") for document in group]
            for encoded in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False):
                found = np.array(encoded.ids, np.int32)
                lengths = self._lengths[found]
                tokens += [Tokens(found + ID_OFFSET, lengths, lengths), end]
        return _joined(tokens)


def _joined(parts: Sequence[Tokens]) -> Tokens:
    return Tokens(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def train(entry: Tokenizer, documents: Sequence[bytes], folder: Path) -> None:
    """Train a tokenizer and write it into a folder.

    Options, by kind:
      codebook: max_words, token_cost.
      equal_info: plan (best_first or interval), token_bits.
      superbpe: transition, the share of V that plain BPE gives.
      codec: method, and the codec's own; model = "static": byte counts of the text.

    Args:
      entry: which.
      documents: UTF-8 text.
      folder: for its files.
    """
    options = dict(entry.options)
    if entry.kind in ("bpe", "superbpe"):
        made = superbpe.train(documents, entry.codes, **options)
        made.save(os.fspath(folder / _BPE))
        return
    _codec(entry, options, documents, folder).save(folder / _CODEC)


def _codec(
    entry: Tokenizer, options: dict[str, Any], documents: Sequence[bytes], folder: Path
) -> Codec:
    if entry.kind == "bytes":
        return codecs.create("bytes", **options)
    if entry.kind == "sentencepiece":
        path = folder / "sentencepiece.model"
        train_sentencepiece(documents, path, entry.codes)
        return codecs.create("sentencepiece", model=path, **options)
    if entry.kind == "codebook":
        from equalinfo.codebook.unigram import train_on_documents

        threads = num_cores()
        [book] = train_on_documents(
            documents, [entry.codes], threads=threads, progress=False, **options
        )
        return codecs.create("codebook", codebook=book)
    if entry.kind == "equal_info":
        from equalinfo.codebook.from_text import compile_from_text

        plan = options.pop("plan")
        book = compile_from_text(join(documents), entry.codes, plan=plan, progress=False)
        return codecs.create("equal_info", codebook=book, **options)
    if options.get("model") == "static":
        from equalinfo.m1.static import StaticModel

        counts = np.bincount(join(documents), minlength=NUM_SYMBOLS)
        options["model"] = StaticModel.from_counts(counts)
    return codecs.create(options.pop("method"), **options)


def load(folder: Path) -> "_OfCodec | _Bpe":
    """What `train` wrote."""
    if (folder / _BPE).exists():
        return _Bpe(folder / _BPE)
    return _OfCodec(codecs.load(folder / _CODEC))
