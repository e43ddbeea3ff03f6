"""Bits of tokens under interpolated Kneser-Ney n-gram models.

A first look at how well a tokenizer's tokens can be predicted: in seconds, and without a network.

Kneser and Ney (1995), interpolated as in Chen and Goodman (1999, section 4.1.6), with one discount
an order. For a model of order N, h the n - 1 tokens before w, and h' the same without its first:

    p_n(w | h) = max(c_n(h w) - D_n, 0) / c_n(h) + D_n types_n(h) / c_n(h) p_{n-1}(w | h')
    p_0(w)     = 1 / V

c_N counts n-grams; c_n for n < N counts the different tokens that stand before an n-gram.
c_n(h) is the sum of c_n(h w) over all w, types_n(h) is how many different w follow h. Where h was
never seen, p_n = p_{n-1}. D_n = n1 / (n1 + 2 n2), where n1 and n2 n-grams have c_n of 1 and 2
(Ney, Essen and Kneser 1994). Probabilities of all w after any h sum to 1, and none is 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.integer]
Ints = npt.NDArray[np.int64]

_BLOCK = 1 << 20  # tokens scored at a time
_DISCOUNT = 0.5  # where no n-gram has a count of 1, or none at all


@dataclass(frozen=True)
class _Order:
    """n-grams of one order, as numbers in base V, and what of p_n depends on the text.

    Attributes:
      grams: int64[G], ascending.
      seen: float64[G], max(c - D, 0) / c(h).
      contexts: int64[H], all h, ascending.
      unseen: float64[H], D types(h) / c(h).
    """

    grams: Ints
    seen: npt.NDArray[np.float64]
    contexts: Ints
    unseen: npt.NDArray[np.float64]

    @classmethod
    def of(cls, grams: Ints, counts: Ints, vocab_size: int) -> "_Order":
        once, twice = (int(np.count_nonzero(counts == count)) for count in (1, 2))
        discount = once / (once + 2 * twice) if once else _DISCOUNT
        contexts = grams // vocab_size
        starts = np.flatnonzero(np.diff(contexts, prepend=-1))
        types = np.diff(starts, append=len(grams))
        totals = np.add.reduceat(counts, starts)
        return cls(
            grams,
            np.maximum(counts - discount, 0) / np.repeat(totals, types),
            contexts[starts],
            discount * types / totals,
        )

    def probabilities(
        self, grams: Ints, lower: npt.NDArray[np.float64], vocab_size: int
    ) -> npt.NDArray[np.float64]:
        """p_n of n-grams, from p_{n-1} of the same tokens: float64[n]."""
        place, known = _find(self.contexts, grams // vocab_size)
        result = np.where(known, self.unseen[place] * lower, lower)
        place, known = _find(self.grams, grams)
        result[known] += self.seen[place[known]]
        return result


class KneserNey:
    """An n-gram model of token ids; what it is, is above.

    Memory at its peak is about 40 bytes a training token (order 3).

    Args:
      ids: integers[tokens] of the training text, in 0..vocab_size - 1.
      vocab_size: V.
      order: N, 1 or more; 1 is a model of frequencies.

    Raises:
      ValueError: no token, one out of range, or an order for which n-grams do not fit 63 bits
        (order 3: V up to 2^21).
    """

    def __init__(self, ids: npt.ArrayLike, vocab_size: int, order: int = 3) -> None:
        if order < 1 or vocab_size < 1 or vocab_size**order >= 1 << 63:
            raise ValueError(
                f"order={order} at vocab_size={vocab_size}: expected an order of 1 or more, and "
                "vocab_size**order below 2^63. Use a lower order."
            )
        self.vocab_size, self.order = vocab_size, order
        tokens = self._checked(ids)
        if not tokens.size:
            raise ValueError("the training text has no tokens: there is nothing to count.")
        # Shorter than an n-gram: the orders above have none.
        top = min(order, len(tokens))
        found: list[_Order] = []
        grams, counts = _distinct(np.sort(self._grams(tokens, top)))
        for n in range(top, 0, -1):
            found.append(_Order.of(grams, counts, vocab_size))
            if n > 1:
                suffixes = np.sort(grams % vocab_size ** (n - 1))
                # The text's first one has no token before it: counted as if it had.
                first = self._grams(tokens[: n - 1], n - 1)
                grams, counts = _distinct(suffixes)
                place, known = _find(grams, first)
                if not known[0]:
                    place = np.searchsorted(grams, first)
                    grams, counts = np.insert(grams, place, first), np.insert(counts, place, 1)
        self._orders = found[::-1]

    def bits(self, ids: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """-log2 p of each token given those before it: float64[tokens] bits.

        Contexts begin with the first id: the first token has none, the second one token, ...

        Args:
          ids: integers[tokens], in 0..vocab_size - 1; they need not occur in the training text.
        """
        tokens = self._checked(ids)
        result = np.empty(len(tokens))
        for start in range(0, len(tokens), _BLOCK):
            before = min(start, self.order - 1)
            block = tokens[start - before : start + _BLOCK]
            p = np.full(len(block), 1 / self.vocab_size)
            for n, order in enumerate(self._orders, 1):
                if len(block) >= n:
                    grams = self._grams(block, n)
                    p[n - 1 :] = order.probabilities(grams, p[n - 1 :], self.vocab_size)
            result[start : start + _BLOCK] = -np.log2(p[before:])
        return result

    def _checked(self, ids: npt.ArrayLike) -> Ids:
        tokens = np.asarray(ids)
        if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
            raise ValueError(
                f"ids are {tokens.dtype}{list(tokens.shape)}, expected integers[tokens]."
            )
        if tokens.size and not 0 <= int(tokens.min()) <= int(tokens.max()) < self.vocab_size:
            wrong = tokens.min() if tokens.min() < 0 else tokens.max()
            raise ValueError(f"id {wrong} is not in 0..{self.vocab_size - 1}.")
        return tokens

    def _grams(self, tokens: Ids, n: int) -> Ints:
        """All n-grams as numbers in base V, int64[tokens - n + 1]."""
        size = len(tokens) - n + 1
        grams = tokens[:size].astype(np.int64)
        for place in range(1, n):
            grams *= self.vocab_size
            grams += tokens[place : place + size]
        return grams


def _distinct(values: Ints) -> tuple[Ints, Ints]:
    """Different ones of sorted values, and how often each occurs."""
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    return values[starts], np.diff(starts, append=len(values))


def _find(values: Ints, wanted: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Places in sorted values, and whether each is there; the place of an absent one is any."""
    place = np.searchsorted(values, wanted)
    place[place == len(values)] = 0
    return place, values[place] == wanted
