"""The definition of what counts say: one text at a time, in plain Python and int64.

The logit of symbol c is, in 1/1,024 bit,

    (network[row] logits[c] + base[row] pairs[last symbol, c]) / 2^12, rounded,
    + for each suffix of the text, of two symbols or more, that is followed by c in a kept n-gram:
      grams[length of the n-gram, length of the longest counted suffix, the n-gram's code]
    + for each history that remembers c after the context now:
      histories[which, the longest that remembers anything, times c, times the other symbol]

less the largest, and at least -LOGIT_LIMIT. `row` is of the longest counted suffix (its length, how
many symbols follow it) and the longest history that remembers anything. START stands before the
text, and suffixes may begin with it. A suffix is *counted* if it begins kept n-grams.

Bounds: |weights| <= 2^14 and |logits|, |pairs| <= 2^15, so the first line stays below 2^30 before
it is divided, 2^18 after; at most 14 + 9 terms below 2^15 follow: below 2^20 in all.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.m1.frozen.arithmetic import LOGIT_LIMIT
from equalinfo.m1.frozen.counts.tables import (
    HISTORY_ORDERS,
    NUM_HISTORIES,
    SLOT_BITS,
    START,
    TEXT_CONTEXT,
    WEIGHT_BITS,
    FrozenCounts,
    Mixer,
)

_FACTOR, _WORD_FACTOR = 0x5851F42D, 0x2545F491
_LETTERS = {*range(65, 91), *range(97, 123), *range(128, 256)}

Array = npt.NDArray[np.int64]


def reference_counts(
    counts: FrozenCounts, text: npt.ArrayLike, context: int, network: Array | None
) -> Array:
    """Logits of the next symbol after each beginning of a text.

    Args:
      counts: the tables.
      text: symbols 0..256, int[n].
      context: as M1 is given; from TEXT_CONTEXT on, the text has a history.
      network: int64[n + 1, 257] logits of the network; None: there is none.

    Returns:
      int64[n + 1, 257], the first row for the empty text.
    """
    symbols = [int(symbol) for symbol in np.asarray(text)]
    kind = "alone" if network is None else "mixed"
    with_history = context >= TEXT_CONTEXT
    mixer = counts.mixers[f"{kind}.{'text' if with_history else 'window'}"]
    history: dict[tuple[int, int], _Slot] = {}
    found: dict[int, tuple[int, int]] = {}  # of the context now: {which: (place, check)}
    rows = np.empty((len(symbols) + 1, NUM_SYMBOLS), np.int64)
    for place in range(len(symbols) + 1):
        for which, (slot, check) in found.items():
            history.setdefault((which, slot), _Slot()).count(check, symbols[place - 1])
        found = _contexts(symbols[:place]) if with_history and place else {}
        here = counts.mixers[f"{kind}.window"] if place == 0 else mixer
        seen = {
            which: history[which, slot].symbols
            for which, (slot, check) in found.items()
            if (which, slot) in history and history[which, slot].check == check
        }
        rows[place] = _mix(
            counts,
            here,
            [START, *symbols[:place]],
            seen,
            None if network is None else network[place],
        )
    return rows


class _Slot:
    """The last two symbols after a context, the more frequent first, and how often they came."""

    def __init__(self) -> None:
        self.check = 0
        self.symbols: list[tuple[int, int]] = []

    def count(self, check: int, symbol: int) -> None:
        """One more: others than it are halved, and the rarer of two makes place."""
        if check != self.check:
            self.check, self.symbols = check, []
        times = dict(self.symbols).get(symbol, 0)
        others = [(s, n - (n >> 1) if n > 2 else n) for s, n in self.symbols if s != symbol][:1]
        if times and self.symbols[0][0] == symbol:
            self.symbols = [(symbol, min(times + 1, 31)), *others]
            return
        new = (symbol, min(times + 1, 31))
        first = others and others[0][1] > new[1]
        self.symbols = [*others, new] if first else [new, *others]


def _contexts(text: list[int]) -> dict[int, tuple[int, int]]:
    """Place and check of each history's context at the end of a text that is not empty."""
    codes = {}
    code = 0
    for length in range(1, min(len(text), HISTORY_ORDERS[-1]) + 1):
        code = (code ^ (text[-length] + 1)) * _FACTOR % 2**32
        if length in HISTORY_ORDERS:
            codes[HISTORY_ORDERS.index(length)] = code
    word = before = 0
    for symbol in text:
        if symbol in _LETTERS:
            word = (word ^ ((symbol | 32) + 1)) * _FACTOR % 2**32
        elif word:
            word, before = 0, word
    codes[NUM_HISTORIES - 2] = (word ^ 77) * _FACTOR % 2**32
    codes[NUM_HISTORIES - 1] = (word ^ before * _WORD_FACTOR % 2**32) * _FACTOR % 2**32
    return {which: (code >> 32 - SLOT_BITS, code % 2**16) for which, code in codes.items()}


def _mix(
    counts: FrozenCounts,
    mixer: Mixer,
    text: list[int],
    seen: dict[int, list[tuple[int, int]]],
    network: Array | None,
) -> Array:
    suffixes = {size: _node(counts, text, size) for size in range(counts.length)}
    counted = [
        (size, node)
        for size, node in suffixes.items()
        if node is not None and _followers(counts, node)
    ]
    depth, node = counted[-1]
    followers = len(_followers(counts, node))
    width = 0 if followers == 1 else 1 if followers == 2 else 2 if followers < 6 else 3
    longest = max((which + 1 for which in seen if which < len(HISTORY_ORDERS)), default=0)
    row = depth, width, longest
    products = int(mixer.base[row]) * counts.pairs[text[-1]].astype(np.int64)
    if network is not None:
        products = products + int(mixer.network[row]) * network
    logits = products + (1 << WEIGHT_BITS - 1) >> WEIGHT_BITS
    for size, node in counted:
        if size >= 2:
            for symbol, code in _followers(counts, node).items():
                logits[symbol] += mixer.grams[size - 2, depth, code]
    for which, symbols in seen.items():
        for index, (symbol, times) in enumerate(symbols):
            other = symbols[1 - index][1] if len(symbols) > 1 else 0
            logits[symbol] += mixer.histories[which, longest, min(times, 5) - 1, min(other, 4)]
    return np.maximum(logits - logits.max(), -LOGIT_LIMIT)


def _node(counts: FrozenCounts, text: list[int], size: int) -> int | None:
    """The node of the text's last `size` symbols, if they are one."""
    node = 0
    for symbol in text[len(text) - size :] if size <= len(text) else [-1]:
        children = range(int(counts.first[node]), int(counts.first[node + 1]))
        found = [child for child in children if _symbol(counts, child) == symbol]
        if not found:
            return None
        node = found[0]
    return node


def _symbol(counts: FrozenCounts, node: int) -> int:
    """The last symbol of a node; those of one symbol come first, START last, 255 stands for EOS."""
    if node <= START + 1:
        return node - 1
    symbol = int(counts.symbols[node - START - 2])
    return 256 if symbol == 255 else symbol


def _followers(counts: FrozenCounts, node: int) -> dict[int, int]:
    """{symbol: code} of the n-grams that a node begins; those of one symbol have no code."""
    children: Any = range(int(counts.first[node]), int(counts.first[node + 1]))
    return {
        _symbol(counts, child): int(counts.codes[child - START - 2]) if node else 0
        for child in children
    }
