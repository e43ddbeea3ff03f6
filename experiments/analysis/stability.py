"""How far a word put before a sentence moves the sentence's tokens [paper 6.1, Fig 8].

A stable tokenizer gives the sentence the same tokens whatever stands before it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

Encode = Callable[[Sequence[bytes]], Sequence[npt.NDArray[np.int32]]]
"""Texts -> token ids of each, int32[tokens]."""

_WORD = re.compile(r"[^\W\d_]+")


def prefix_distances(
    encode: Encode, prefixes: Sequence[str], sentence: str
) -> npt.NDArray[np.int64]:
    """Levenshtein distances between the token sequences of `prefix + " " + sentence`.

    Args:
      encode: the tokenizer; asked once, for all texts.
      prefixes: k words.
      sentence: what follows each.

    Returns:
      int64[k, k], tokens inserted, deleted or replaced; symmetric, 0 on the diagonal.
    """
    texts = [f"{prefix} {sentence}".encode() for prefix in prefixes]
    sequences = [np.asarray(ids).tolist() for ids in encode(texts)]
    return process.cdist(sequences, sequences, scorer=Levenshtein.distance, dtype=np.int64)


def common_words(texts: Iterable[str], number: int = 500) -> list[str]:
    """The most frequent words, in lower case: runs of letters.

    Args:
      texts: documents.
      number: words wanted; 500 in the paper.

    Returns:
      Most frequent first; equally frequent ones in the order of their code points.

    Raises:
      ValueError: the texts have fewer different words.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_WORD.findall(text.lower()))
    if len(counts) < number:
        raise ValueError(
            f"the texts have {len(counts)} different words, fewer than number={number}. "
            "Give more text, or ask for fewer words."
        )
    return sorted(counts, key=lambda word: (-counts[word], word))[:number]
