"""The tokens of a SentencePiece model, of any type and with any special ids."""

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from equalinfo.alphabet import EOS
from equalinfo.codecs.sentencepiece import open_model
from equalinfo.show.panel import Panel, Token

# Of sentencepiece_model.proto.
_UNIGRAM, _NORMAL, _BYTE = 1, 1, 6
_TYPES = {1: "Unigram", 2: "BPE", 3: "word", 4: "character"}


def of_sentencepiece(model: Path, text: bytes, *, eos: bool = False) -> Panel:
    """The pieces of a text.

    A piece stands for the bytes of the text that it comes from, also where the model normalises:
    what it takes away belongs to the next piece, and at the end of the text to the last one. The
    bits are Unigram's scores; byte, unknown and user-defined pieces have none, nor have the pieces
    of other types of model.

    Args:
      model: a `.model` file.
      text: one document. Bytes that are not UTF-8 reach the model as U+FFFD.
      eos: end it with the model's end-of-sentence id.

    Raises:
      FileNotFoundError: there is no such file.
      ImportError: the package sentencepiece is not installed.
      ValueError: the file is no SentencePiece model, or has no eos id.
    """
    if not model.is_file():
        raise FileNotFoundError(f"SentencePiece model {model} does not exist.")
    proto, processor = open_model(model.read_bytes(), str(model))
    # Lone surrogates stand for bytes that are not UTF-8, one each: offsets stay true.
    characters = text.decode("utf-8", "surrogateescape")
    readable = "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in characters)
    pieces = processor.encode(readable, out_type="immutable_proto").pieces
    unigram = proto.trainer_spec.model_type == _UNIGRAM
    tokens = []
    for piece, span in zip(pieces, _spans(pieces, characters, text, proto), strict=True):
        scored = unigram and proto.pieces[piece.id].type == _NORMAL
        bits = -processor.get_score(piece.id) / math.log(2) if scored else None
        tokens.append(Token(piece.id, tuple(span), bits, piece.piece))
    restored = str(processor.decode([token.id for token in tokens])).encode("utf-8") == text
    if eos:
        if processor.eos_id() < 0:
            raise ValueError(f"{model} has no end-of-sentence piece. Leave out --eos.")
        tokens.append(Token(processor.eos_id(), (EOS,)))
    size = processor.get_piece_size()
    kind = _TYPES[proto.trainer_spec.model_type]
    note = "" if restored else "this model does not restore this text"
    return Panel(f"SentencePiece {kind}, {size:,} pieces", tokens, size, "under its scores", note)


def _spans(pieces: Sequence[Any], characters: str, text: bytes, proto: Any) -> list[bytes]:
    """The bytes of the text that each piece comes from; joined they are the text.

    Pieces count in characters, and of a character in several byte pieces only the last one owns it.
    """
    widths = (len(char.encode("utf-8", "surrogateescape")) for char in characters)
    offsets = list(accumulate(widths, initial=0))
    spans = []
    start = 0
    for index, piece in enumerate(pieces):
        end = max(start, offsets[piece.end])
        if proto.pieces[piece.id].type == _BYTE and piece.begin == piece.end:
            byte = bytes.fromhex(piece.piece[3:5])  # of "<0xE2>"
            end = start + text.startswith(byte, start)
        if index == len(pieces) - 1:
            end = len(text)
        spans.append(text[start:end])
        start = end
    return spans
