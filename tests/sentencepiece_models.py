"""SentencePiece models as they usually are: they normalise text, and cannot restore it."""

from collections.abc import Iterable
from pathlib import Path

import pytest


def train_usual(sentences: Iterable[str], prefix: Path, vocab_size: int) -> str:
    """Train a Unigram model with T5's special ids; gives its `.model` file."""
    sentencepiece = pytest.importorskip("sentencepiece")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_prefix=str(prefix),
        vocab_size=vocab_size,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    return f"{prefix}.model"
