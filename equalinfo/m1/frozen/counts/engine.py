"""Counts as an engine of the frozen M1, alone or on top of one that runs the network."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.m1.frozen.counts import kernels
from equalinfo.m1.frozen.counts.tables import (
    MOST_SYMBOLS,
    NUM_HISTORIES,
    SLOT_BITS,
    START,
    TEXT_CONTEXT,
    FrozenCounts,
    Mixer,
    Trie,
)
from equalinfo.m1.frozen.threads import num_threads, spread

Logits = npt.NDArray[np.int16]
Take = Callable[[int, int, Logits], None]

_ROWS = 64  # lanes that a thread reads in a go, or symbols of a text
_NO_LOGITS = np.zeros((1, NUM_SYMBOLS), np.int16)


class CountsState:
    """Texts side by side.

    Attributes:
      counts: what the counts know of each.
      weights: how they are used: windows and texts differ.
      network: the state of the engine below; None where there is none.
    """

    def __init__(
        self, counts: FrozenCounts, lanes: int, context: int, weights: kernels.Weights, network: Any
    ) -> None:
        self.counts = new_state(counts.trie, lanes, history=context >= TEXT_CONTEXT)
        self.weights = weights
        self.network = network


class CountsEngine:
    """Mixes counts into the logits of another engine, or gives their own."""

    def __init__(self, counts: FrozenCounts, inner: Any = None) -> None:
        """Unpack the tables.

        Args:
          counts: the tables.
          inner: the engine of the network, see `model.Engine`; None: there is no network.
        """
        self.counts = counts
        self.inner = inner
        self._threads = num_threads()
        kind = "alone" if inner is None else "mixed"
        self._window, self._text = (
            flat_weights(counts.mixers[f"{kind}.{use}"]) for use in ("window", "text")
        )
        self._root = self._mix_root()

    @property
    def name(self) -> str:
        """What it runs on, for people."""
        return "counts" if self.inner is None else f"{self.inner.name}, with counts"

    @property
    def slow(self) -> str:
        """See `model.Engine`."""
        return "" if self.inner is None else str(self.inner.slow)

    def start(self, lanes: int, context: int) -> CountsState:
        """State of `lanes` empty texts."""
        network = None if self.inner is None else self.inner.start(lanes, context)
        return CountsState(self.counts, lanes, context, self._weights(context), network)

    def step(
        self, state: CountsState, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Logits:
        """Read one symbol a lane: int16[lanes, 257]."""
        if self.inner is None:
            out, logits = np.empty((len(symbols), NUM_SYMBOLS), np.int16), _NO_LOGITS
        else:
            out = logits = _own(self.inner.step(state.network, symbols, reset))
        read = np.asarray(symbols, np.int64)

        def run(begin: int, end: int) -> None:
            kernels.read_lanes(
                self.counts.trie, self.counts.pairs, state.weights, state.counts,
                self.counts.length, begin, end, read, reset, logits, self.inner is not None, out,
            )  # fmt: skip

        spread(run, len(read), _ROWS, self._threads)
        return out

    def sequences(self, texts: Sequence[npt.NDArray[np.integer]], context: int, take: Take) -> None:
        """Read whole texts; see `cpu.engine.CpuEngine.sequences`."""
        weights = self._weights(context)
        states: dict[int, kernels.State] = {}

        def mix(index: int, place: int, logits: Logits | None, rows: int) -> None:
            """Rows place .. place + rows - 1 of a text: each after one more symbol."""
            out = np.empty((rows, NUM_SYMBOLS), np.int16)
            if place == 0:
                states[index] = new_state(self.counts.trie, 1, history=context >= TEXT_CONTEXT)
                out[0] = self._root
            first = int(place == 0)
            symbols = np.asarray(texts[index][place + first - 1 : place + rows - 1], np.int64)
            kernels.read_text(
                self.counts.trie, self.counts.pairs, weights, states[index], self.counts.length,
                symbols, _NO_LOGITS if logits is None else _own(logits[first:]),
                logits is not None, out[first:],
            )  # fmt: skip
            if place + rows == len(texts[index]) + 1:
                del states[index]
            take(index, place, out)

        if self.inner is not None:
            self.inner.sequences(
                texts, context, lambda index, place, logits: mix(index, place, logits, len(logits))
            )
            return

        def run(begin: int, end: int) -> None:
            for index in range(begin, end):
                size = len(texts[index]) + 1
                for place in range(0, size, _ROWS):
                    mix(index, place, None, min(_ROWS, size - place))

        spread(run, len(texts), 1, self._threads)

    def _weights(self, context: int) -> kernels.Weights:
        return self._text if context >= TEXT_CONTEXT else self._window

    def _mix_root(self) -> Logits:
        """What follows the empty text, the same for windows and texts."""
        rows = [_NO_LOGITS]
        if self.inner is not None:
            empty = np.empty(0, np.int64)
            self.inner.sequences([empty], 16, lambda text, place, logits: rows.append(logits))
        out = np.empty(NUM_SYMBOLS, np.int16)
        state = new_state(self.counts.trie, 1, history=False)
        nothing = np.empty(0, np.int64)
        kernels.mix(
            *self.counts.trie, self.counts.pairs[START], self._window, state.nodes[0],
            self.counts.length, nothing, nothing, 0, _own(rows[-1])[0], self.inner is not None,
            np.empty(NUM_SYMBOLS, np.int32), out,
        )  # fmt: skip
        return out


def _own(logits: Logits) -> Logits:
    """An array that can be written to, as JAX's cannot: kernels are compiled for such ones."""
    return np.require(logits, requirements=["C", "W"])


def new_state(trie: Trie, lanes: int, history: bool) -> kernels.State:
    """Of empty texts."""
    size = (NUM_HISTORIES, 1 << SLOT_BITS, 3) if history else (0, 0, 0)
    begin = np.full(MOST_SYMBOLS, -1, np.int32)
    begin[0] = 0
    if trie.first[START + 1] < trie.first[START + 2]:
        begin[1] = START + 1
    return kernels.State(
        nodes=np.tile(begin, (lanes, 1)),
        begin=begin,
        size=np.zeros(lanes, np.int64),
        recent=np.zeros((lanes, 16), np.int16),
        words=np.zeros((lanes, 2), np.int64),
        slots=np.full((lanes, NUM_HISTORIES), -1, np.int64),
        checks=np.zeros((lanes, NUM_HISTORIES), np.int64),
        history=np.zeros((lanes, *size), np.uint16),
        used=np.zeros(lanes, np.bool_),
    )


def flat_weights(mixer: Mixer) -> kernels.Weights:
    """As kernels read them."""
    return kernels.Weights(*(np.ascontiguousarray(values).reshape(-1) for values in mixer))
