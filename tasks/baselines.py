"""The paper's baselines, `bytes` (ByT5) and `sentencepiece` (T5), straight from text [paper 3.3].

Examples are those of `tasks.text`: every token is kept, and `num_bytes` is exact.

  source = text_files({"train": "c4-train.*.json.gz", "validation": "c4-validation.*.json.gz"})
  register_bytes(source)
  register_sentencepiece(source, "sp.model")
"""

import functools
from collections.abc import Callable

import numpy as np
import seqio

from equalinfo import alphabet, codecs
from equalinfo.codecs.base import Codec
from equalinfo.data.storage import exists, local_copy
from equalinfo.ids import EOS_ID
from tasks.sources import DOCUMENTS_PER_SEQUENCE
from tasks.text import Encode, Tokens, register_encoder


def register_bytes(
    source: seqio.DataSource,
    name: str = codecs.BytesCodec.method,
    documents_per_sequence: int = DOCUMENTS_PER_SEQUENCE,
) -> str:
    """Register the byte baseline: id = byte + 3, EOS = 1, `seqio.ByteVocabulary` (ByT5's).

    Args:
      source: see `tasks.sources`.
      name: of the task.
      documents_per_sequence: for sources that do not join documents themselves (`tfds_text`).

    Returns:
      `name`.
    """
    make_encoder = functools.partial(_encoder, codecs.BytesCodec)
    return register_encoder(
        name, source, seqio.ByteVocabulary(), make_encoder, documents_per_sequence
    )


def register_sentencepiece(
    source: seqio.DataSource,
    model: str,
    name: str = codecs.SentencePieceCodec.method,
    documents_per_sequence: int = DOCUMENTS_PER_SEQUENCE,
) -> str:
    """Register the SentencePiece baseline; each document is tokenised by itself.

    Args:
      source: see `tasks.sources`.
      model: a .model file with pad 0, eos 1, unk 2 (T5's); may be remote.
      name: of the task.
      documents_per_sequence: for sources that do not join documents themselves (`tfds_text`).

    Returns:
      `name`.
    """
    if not exists(model):
        raise FileNotFoundError(f"there is no SentencePiece model {model!r}.")
    make_encoder = functools.partial(_encoder, functools.partial(_sentencepiece, model))
    return register_encoder(
        name, source, seqio.SentencePieceVocabulary(model), make_encoder, documents_per_sequence
    )


def _sentencepiece(model: str) -> Codec:
    with local_copy(model) as path:
        return codecs.create(codecs.SentencePieceCodec.method, model=path)


def _encoder(make_codec: Callable[[], Codec]) -> Encode:
    codec = make_codec()

    def encode(documents: list[bytes]) -> Tokens:
        (encoded,) = codec.encode([alphabet.join(documents)])
        num_documents = (encoded.ids == EOS_ID).astype(np.int64)
        num_bytes = np.diff(encoded.ends, prepend=0) - num_documents
        return Tokens(encoded.ids, num_bytes, num_documents)

    return encode
