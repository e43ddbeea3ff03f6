"""Byte-level BPE, and SuperBPE: BPE that goes on across words (Liu and others, arXiv 2503.13423).

SuperBPE is trained twice: first as BPE, within what GPT-2's pattern splits a text into; then, from
so many tokens on, pairs are merged wherever they stand, as long as a token has at most four words.
No library at hand goes on from given merges, so that half is here. Both are used by Hugging Face's
`tokenizers`.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.jit import njit

_BORDER = -1  # between documents
_MOST_CODES = 1 << 14  # counts of all pairs: int32[V, V]


def train(
    documents: Sequence[bytes], codes: int, transition: float | None = None, max_words: int = 4
) -> Any:
    """Train a tokenizer.

    Args:
      documents: UTF-8 text.
      codes: V, the 256 bytes among them.
      transition: share of V that plain BPE gives; None: all of it.
      max_words: spaces in a token at most, where pairs merge across words.

    Returns:
      A `tokenizers.Tokenizer`.

    Raises:
      ValueError: the text is too short for so many codes, or V too large for SuperBPE.
    """
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, trainers

    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=codes if transition is None else round(transition * codes),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = [document.decode("utf-8") for document in documents]
    bpe.train_from_iterator(texts, trainer, len(texts))
    if transition is not None:
        if codes > _MOST_CODES:
            raise ValueError(f"codes={codes}: SuperBPE is trained here up to {_MOST_CODES}.")
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        bpe.model = _superwords(bpe, texts, codes, max_words)
    if bpe.get_vocab_size() != codes:
        raise ValueError(
            f"the text gives {bpe.get_vocab_size()} codes, expected {codes}. Give more text."
        )
    return bpe


def _superwords(bpe: Any, texts: Sequence[str], codes: int, max_words: int) -> Any:
    """The model of a BPE tokenizer, with pairs merged across words until it has `codes` tokens."""
    from tokenizers import models

    merges = [tuple(pair) for pair in json.loads(bpe.to_str())["model"]["merges"]]
    vocabulary: dict[str, int] = bpe.get_vocab()
    names = sorted(vocabulary, key=lambda name: vocabulary[name])
    border = np.array([_BORDER], np.int32)
    pieces = [border]
    for encoded in bpe.encode_batch_fast(texts, add_special_tokens=False):
        pieces += [np.array(encoded.ids, np.int32), border]
    tokens = np.concatenate(pieces)
    # "Ġ" is the space, in the alphabet of byte-level BPE.
    words = np.zeros(codes, np.int32)
    words[: len(names)] = [name.count("Ġ") for name in names]
    counts = np.zeros((codes, codes), np.int32)
    _count(tokens, counts, words, max_words)
    while len(names) < codes:
        left, right, count = _most_frequent(counts, len(names))
        if count < 2:
            raise ValueError(
                f"no pair of tokens occurs twice after {len(names)} codes of {codes}. "
                "Give more text, or fewer codes."
            )
        name = names[left] + names[right]
        if name not in vocabulary:  # it may have come of another pair
            vocabulary[name] = len(names)
            names.append(name)
            words[vocabulary[name]] = name.count("Ġ")
        merges.append((names[left], names[right]))
        number = _merge(tokens, left, right, vocabulary[name], counts, words, max_words)
        tokens = tokens[:number]
    return models.BPE(vocab=vocabulary, merges=merges)


@njit(cache=True)
def _add(
    counts: npt.NDArray[np.int32],
    left: int,
    right: int,
    number: int,
    words: npt.NDArray[np.int32],
    max_words: int,
) -> None:
    """Count a pair, unless it may not merge."""
    if left >= 0 and right >= 0 and words[left] + words[right] <= max_words:
        counts[left, right] += number


@njit(cache=True)
def _count(
    tokens: npt.NDArray[np.int32],
    counts: npt.NDArray[np.int32],
    words: npt.NDArray[np.int32],
    max_words: int,
) -> None:
    for i in range(len(tokens) - 1):
        _add(counts, tokens[i], tokens[i + 1], 1, words, max_words)


@njit(cache=True)
def _most_frequent(counts: npt.NDArray[np.int32], size: int) -> tuple[int, int, int]:
    """(left, right, count), of equal ones the first."""
    best, left, right = 0, 0, 0
    for i in range(size):
        for j in range(size):
            if counts[i, j] > best:
                best, left, right = counts[i, j], i, j
    return left, right, best


@njit(cache=True)
def _merge(
    tokens: npt.NDArray[np.int32],
    left: int,
    right: int,
    new: int,
    counts: npt.NDArray[np.int32],
    words: npt.NDArray[np.int32],
    max_words: int,
) -> int:
    """Put `new` in place of every pair, from left to right; returns how many tokens are left.

    The text begins and ends with a border.
    """
    out = 0
    i = 0
    while i < len(tokens):
        if tokens[i] == left and i + 1 < len(tokens) and tokens[i + 1] == right:
            before, after = tokens[out - 1], tokens[i + 2]
            _add(counts, before, left, -1, words, max_words)
            _add(counts, left, right, -1, words, max_words)
            _add(counts, right, after, -1, words, max_words)
            _add(counts, before, new, 1, words, max_words)
            _add(counts, new, after, 1, words, max_words)
            tokens[out] = new
            i += 2
        else:
            tokens[out] = tokens[i]
            i += 1
        out += 1
    return out
