"""Method `sentencepiece`: a trained SentencePiece model, each document by itself [paper 3.3].

The usual models (T5's) normalise text and cannot restore it. A model trained with
`normalization_rule_name=identity, byte_fallback=true, add_dummy_prefix=false,
remove_extra_whitespaces=false` can, and is lossless here for every byte string: what SentencePiece
itself would change (invalid UTF-8, the character U+2581 that stands for a space inside it) is
written in byte pieces.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from equalinfo.alphabet import EOS, Symbols
from equalinfo.codecs.base import (
    EOS_ID,
    PAD_ID,
    UNK_ID,
    Codec,
    Described,
    Encoded,
    Ids,
    check_examples,
    check_ids,
    option,
    size_in_name,
)
from equalinfo.data import storage

ASSET = "sentencepiece.model"
_SPACE = "\u2581"
# Lone surrogates stand for bytes that are not UTF-8 (surrogateescape).
_SURROGATES = re.compile("[\udc80-\udcff]")
_ODD = re.compile(f"([\udc80-\udcff{_SPACE}]+)")
_NORMAL, _USER_DEFINED, _BYTE = 1, 4, 6

Pieces = tuple[list[int], list[int]]
"""Ids, and for each the number of bytes of text it stands for."""


def open_model(content: bytes, name: str) -> tuple[Any, Any]:
    """ModelProto and SentencePieceProcessor of the content of a `.model` file, `name` in errors.

    Raises:
      ImportError: the package sentencepiece is not installed.
      ValueError: it is no such file.
    """
    try:
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        raise ImportError(
            "a SentencePiece model needs the packages sentencepiece and protobuf. "
            "Install them with: pip install 'equalinfo[seqio]'"
        ) from error
    try:
        proto = sentencepiece_model_pb2.ModelProto.FromString(content)
        return proto, sentencepiece.SentencePieceProcessor(model_proto=content)
    except Exception as error:  # protobuf's and SentencePiece's own errors
        raise ValueError(f"{name} is not a SentencePiece model: {error}") from error


@dataclass(frozen=True)
class ModelFile:
    """A `.model` file in memory."""

    content: bytes

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file."""
        with storage.create(os.fspath(path)) as file:
            file.write(self.content)


@dataclass(kw_only=True, eq=False)
class SentencePieceCodec(Codec):
    """Ids are those of the model; EOS is its eos id, which must be 1 (pad 0 and unk 2 likewise)."""

    method: ClassVar[str] = "sentencepiece"
    why_lossy: ClassVar[str] = (
        "the model normalises text (T5's changes spaces, newlines and many characters) or lacks "
        "byte fallback."
    )
    library: ClassVar[str] = "sentencepiece"
    eos_is_id: ClassVar[bool] = True
    beginnings_decode: ClassVar[bool] = True

    model: ModelFile = option(asset=ASSET, flag="sentencepiece", help=".model file")

    @classmethod
    def name_parts(cls, manifest: Described) -> tuple[str, ...]:
        """The pieces."""
        return (size_in_name(manifest.vocab_size),)

    def __post_init__(self) -> None:
        super().__post_init__()
        name = "model"
        if isinstance(self.model, str | os.PathLike):
            name = os.fspath(self.model)
            self.model = ModelFile(Path(name).read_bytes())
        proto, self._processor = open_model(self.model.content, name)
        found = (self._processor.pad_id(), self._processor.eos_id(), self._processor.unk_id())
        if found != (PAD_ID, EOS_ID, UNK_ID):
            raise ValueError(
                f"{name}: pad, eos and unk have ids {found}, expected {(PAD_ID, EOS_ID, UNK_ID)}. "
                "Train the model with pad_id=0, eos_id=1, unk_id=2, as T5's."
            )
        normalizer, trainer = proto.normalizer_spec, proto.trainer_spec
        self._lossless = bool(
            trainer.byte_fallback
            and not normalizer.precompiled_charsmap
            and not normalizer.normalization_rule_tsv
            and not normalizer.add_dummy_prefix
            and not normalizer.remove_extra_whitespaces
            and normalizer.escape_whitespaces
        )
        self._texts = [piece_bytes(piece.piece, piece.type) for piece in proto.pieces]
        self._byte_ids = {
            text[0]: index
            for index, (piece, text) in enumerate(zip(proto.pieces, self._texts, strict=True))
            if piece.type == _BYTE and text is not None
        }
        self._lossless &= len(self._byte_ids) == 256

    @property
    def lossless(self) -> bool:
        """True for a model with identity normalisation and byte fallback (see the module)."""
        return self._lossless

    @property
    def vocab_size(self) -> int:
        """Pieces of the model, special ones included."""
        return int(self._processor.get_piece_size())

    @property
    def token_bits(self) -> int:
        """Bits that hold every id: ceil(log2(vocab_size))."""
        return (self.vocab_size - 1).bit_length()

    def encode(self, examples: Sequence[Symbols]) -> list[Encoded]:
        """See `Codec.encode`. Each document of an example is encoded by itself."""
        return [self._encode_one(symbols) for symbols in check_examples(examples)]

    def _encode_one(self, symbols: Symbols) -> Encoded:
        ids: list[int] = []
        spans: list[int] = []
        owed = 0  # symbols that no piece stands for: normalisation took them away
        for document, ended in _documents(symbols):
            if self._lossless:
                document_ids, document_spans = self._pieces(document)
            else:
                document_ids, document_spans = self._normalised_pieces(document)
            owed += len(document) - sum(document_spans)
            if document_spans:
                document_spans[-1] += owed
                owed = 0
            ids += document_ids
            spans += document_spans
            if ended:
                ids.append(EOS_ID)
                spans.append(1 + owed)
                owed = 0
        if owed:
            if spans:
                spans[-1] += owed
            else:  # a text of which nothing is left; some token has to stand for it
                ids.append(UNK_ID)
                spans.append(owed)
        ends = np.cumsum(np.array(spans, np.int64), dtype=np.int64)
        return Encoded(np.array(ids, np.int32), ends, 0)

    def _pieces(self, document: bytes) -> Pieces:
        """Pieces whose bytes joined are the document, whatever it holds."""
        ids: list[int] = []
        for index, segment in enumerate(_ODD.split(document.decode("utf-8", "surrogateescape"))):
            data = segment.encode("utf-8", "surrogateescape")
            odd = index % 2 == 1
            segment_ids = [] if odd else self._processor.encode(segment, out_type=int)
            # Compared, not trusted: user-defined pieces can do unforeseen things.
            if odd or b"".join(self._texts[i] or b"" for i in segment_ids) != data:
                segment_ids = [self._byte_ids[byte] for byte in data]
            ids += segment_ids
        return ids, [len(self._texts[i] or b"") for i in ids]

    def _normalised_pieces(self, document: bytes) -> Pieces:
        """What SentencePiece makes of the document, bytes that are not UTF-8 read as U+FFFD."""
        text = document.decode("utf-8", "surrogateescape")
        widths = [len(char.encode("utf-8", "surrogateescape")) for char in text]
        offsets = [0, *np.cumsum(widths, dtype=np.int64).tolist()]
        text = _SURROGATES.sub("\ufffd", text)
        pieces = self._processor.encode(text, out_type="immutable_proto").pieces
        ids, spans, done = [], [], 0
        for piece in pieces:  # begin and end count characters; a gap goes to the piece after it
            end = max(done, offsets[piece.end])
            ids.append(int(piece.id))
            spans.append(end - done)
            done = end
        return ids, spans

    def _decode(self, ids: Sequence[Ids], lengths: Sequence[int] | None) -> list[Symbols]:
        decoded = []
        for index, example in enumerate(check_ids(ids, self.vocab_size, lowest=EOS_ID)):
            parts = []
            start = 0
            for end in [*np.flatnonzero(example == EOS_ID).tolist(), len(example)]:
                document = self._decode_document(example[start:end].tolist(), index)
                parts.append(np.frombuffer(document, np.uint8).astype(np.uint16))
                if end < len(example):
                    parts.append(np.array([EOS], np.uint16))
                start = end + 1
            decoded.append(np.concatenate(parts))
        return decoded

    def _decode_document(self, ids: list[int], index: int) -> bytes:
        if not self._lossless:
            return str(self._processor.decode(ids)).encode("utf-8")
        texts = [self._texts[i] for i in ids]
        if None in texts:
            raise ValueError(
                f"example {index}: id {ids[texts.index(None)]} stands for no text. "
                "This codec never produces it."
            )
        return b"".join(text for text in texts if text is not None)


def train(documents: Iterable[bytes], path: str | os.PathLike[str], vocab_size: int) -> None:
    """Train a Unigram model that this codec takes: T5's ids, byte fallback, text left as it is.

    Args:
      documents: UTF-8 text.
      path: `.model` file to write; a `.vocab` file comes to lie beside it.
      vocab_size: pieces, pad, eos, unk and bytes among them.

    Raises:
      RuntimeError: of SentencePiece, where the text is too short for so many pieces.
    """
    import sentencepiece

    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(document.decode("utf-8") for document in documents),
        model_prefix=os.fspath(path).removesuffix(".model"),
        vocab_size=vocab_size,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        max_sentence_length=1 << 20,
        minloglevel=2,
    )


def _documents(symbols: Symbols) -> Iterator[tuple[bytes, bool]]:
    """Runs between EOS symbols, and whether EOS follows."""
    start = 0
    for end in np.flatnonzero(symbols == EOS).tolist():
        yield symbols[start:end].astype(np.uint8).tobytes(), True
        start = end + 1
    if start < len(symbols):
        yield symbols[start:].astype(np.uint8).tobytes(), False


def piece_bytes(piece: str, kind: int) -> bytes | None:
    """The bytes that a piece stands for; None for pieces that stand for no text."""
    if kind == _BYTE:
        return bytes([int(piece[3:5], 16)])  # "<0x0A>"
    if kind in (_NORMAL, _USER_DEFINED):
        return piece.replace(_SPACE, " ").encode("utf-8")
    return None
