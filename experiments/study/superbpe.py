"""Byte-level BPE, and SuperBPE: BPE that goes on across words (Liu and others, arXiv 2503.13423).

SuperBPE is trained twice: first as BPE, within what GPT-2's pattern splits a text into; then, from
so many tokens on, pairs are merged wherever they stand, as long as a token has at most four words.
No library at hand goes on from given merges, so that half is here. Both are used by Hugging Face's
`tokenizers`.
"""

import heapq
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import typed, types

from equalinfo.jit import njit

_BORDER = -1  # between documents
_SPACE = "Ġ"  # in the alphabet of byte-level BPE
_SHIFT = 32  # a pair is left << _SHIFT | right


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
      ValueError: the text is too short for so many codes.
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
    border = np.array([_BORDER], np.int32)
    pieces = [border]
    for encoded in bpe.encode_batch_fast(texts, add_special_tokens=False):
        pieces += [np.array(encoded.ids, np.int32), border]
    merges += _merge_pairs(np.concatenate(pieces), vocabulary, codes, max_words)
    return models.BPE(vocab=vocabulary, merges=merges)


def _merge_pairs(
    tokens: npt.NDArray[np.int32], vocabulary: dict[str, int], codes: int, max_words: int
) -> list[tuple[str, str]]:
    """Merge the most frequent pair, of equal ones that of the lowest ids, until V is reached.

    Args:
      tokens: documents, `_BORDER` before each and behind the last; overwritten.
      vocabulary: name -> id 0, 1, ..; gets the new ones.
      codes: V.
      max_words: most spaces in a new token.

    Raises:
      ValueError: no pair occurs twice.
    """
    names = sorted(vocabulary, key=lambda name: vocabulary[name])
    words = np.zeros(codes, np.int64)
    words[: len(names)] = [name.count(_SPACE) for name in names]
    counts = typed.Dict.empty(types.int64, types.int64)
    _count(tokens, counts, words, max_words)
    # Pairs and what they counted when they were put here. Counts of old tokens' pairs only fall, so
    # the first whose count still holds is the most frequent of all.
    candidates = [(-count, pair) for pair, count in counts.items() if count > 1]
    heapq.heapify(candidates)
    merges = []
    while len(names) < codes:
        if not candidates:
            raise ValueError(
                f"no pair of tokens occurs twice after {len(names)} codes of {codes}. "
                "Give more text, or fewer codes."
            )
        negative, pair = heapq.heappop(candidates)
        count = counts[pair]
        if count != -negative:
            if count > 1:
                heapq.heappush(candidates, (-count, pair))
            continue
        left, right = pair >> _SHIFT, pair & (1 << _SHIFT) - 1
        name = names[left] + names[right]
        if name not in vocabulary:  # it may have come of another pair
            vocabulary[name] = len(names)
            names.append(name)
            words[vocabulary[name]] = name.count(_SPACE)
        merges.append((names[left], names[right]))
        new = vocabulary[name]
        tokens = tokens[: _merge(tokens, left, right, new, counts, words, max_words)]
        places = np.flatnonzero(tokens == new)
        near = np.concatenate(
            [_pair(tokens[places - 1], new), _pair(np.full_like(places, new), tokens[places + 1])]
        )
        for pair in np.unique(near).tolist():
            if (count := counts.get(pair, 0)) > 1:
                heapq.heappush(candidates, (-count, pair))
    return merges


def _pair(left: npt.NDArray[np.integer], right: Any) -> npt.NDArray[np.int64]:
    """Keys of `counts`; where there is a border, they are of none."""
    return left.astype(np.int64) << _SHIFT | right


@njit(cache=True)
def _add(
    counts: Any, left: int, right: int, number: int, words: npt.NDArray[np.int64], max_words: int
) -> None:
    """Count a pair, unless it may not merge."""
    if left >= 0 and right >= 0 and words[left] + words[right] <= max_words:
        pair = np.int64(left) << _SHIFT | np.int64(right)
        counts[pair] = counts.get(pair, 0) + number


@njit(cache=True)
def _count(
    tokens: npt.NDArray[np.int32], counts: Any, words: npt.NDArray[np.int64], max_words: int
) -> None:
    for i in range(len(tokens) - 1):
        _add(counts, tokens[i], tokens[i + 1], 1, words, max_words)


@njit(cache=True)
def _merge(
    tokens: npt.NDArray[np.int32],
    left: int,
    right: int,
    new: int,
    counts: Any,
    words: npt.NDArray[np.int64],
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
