"""Random splits of tokens in training, as StochasTok does it (arXiv 2506.01687).

A token becomes two others that spell the same, at a place drawn at random among those where both
halves are tokens. Models see how their tokens are written; validation text stays as it is.
"""

from collections import defaultdict

import numpy as np

from equalinfo.alphabet import Symbols
from experiments.study.tokenizers import Tokens


def halves(tokens: Tokens, text: Symbols) -> dict[int, list[tuple[int, int]]]:
    """The pairs of tokens that spell each token, of those that occur in a text.

    Args:
      tokens: of the text, one for each piece of it.
      text: uint16[n], what they stand for.
    """
    ends = np.cumsum(tokens.symbols, dtype=np.int64)
    ids, places = np.unique(tokens.ids, return_index=True)
    spelled = {
        text[ends[place] - tokens.symbols[place] : ends[place]].tobytes(): int(i)
        for i, place in zip(ids, places, strict=True)
    }
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for symbols, i in spelled.items():
        for cut in range(2, len(symbols), 2):
            left, right = spelled.get(symbols[:cut]), spelled.get(symbols[cut:])
            if left is not None and right is not None:
                found[i].append((left, right))
    return dict(found)


def split(tokens: Tokens, text: Symbols, probability: float, seed: int) -> Tokens:
    """Each token that can be split is, with this probability.

    Args:
      tokens: of the text, one for each piece of it.
      text: uint16[n], what they stand for.
      probability: of a split.
      seed: of what is drawn.
    """
    pairs = halves(tokens, text)
    size = int(tokens.ids.max()) + 1
    ways = np.array([len(pairs.get(i, ())) for i in range(size)])
    starts = np.cumsum(ways) - ways
    flat = np.array([way for i in sorted(pairs) for way in pairs[i]], np.int32).reshape(-1, 2)
    rng = np.random.default_rng(seed)
    chosen = (rng.random(len(tokens.ids)) < probability) & (ways[tokens.ids] > 0)
    which = tokens.ids[chosen]
    drawn = flat[starts[which] + rng.integers(ways[which])]
    first = (np.arange(len(tokens.ids)) + np.cumsum(chosen) - chosen)[chosen]

    def both(values: np.ndarray, of_id: np.ndarray) -> np.ndarray:
        """The values, and in place of a chosen one those of its halves."""
        found = np.repeat(values, chosen + 1)
        found[first], found[first + 1] = of_id[drawn[:, 0]], of_id[drawn[:, 1]]
        return found

    def by_id(values: np.ndarray) -> np.ndarray:
        found = np.zeros(size, values.dtype)
        found[tokens.ids] = values
        return found

    return Tokens(*(both(values, by_id(values)) for values in tokens))
