"""Beginnings of windows that were read before: their frequencies and caches are kept.

Most windows begin like earlier ones ("the ", " of the"), and a frozen M1 gives the same integers
for the same text. So what follows such a beginning is looked up, and the network runs only where
a window leaves the known ones. The memo is a trie of texts, filled as they come until it is full;
results do not depend on it.
"""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.jit import njit
from equalinfo.m1.frozen.cpu import attention
from equalinfo.m1.frozen.cpu.engine import CpuEngine, CpuState, Logits
from equalinfo.m1.frozen.file import FrozenM1

_Lanes = npt.NDArray[np.int64]

OFF = -1
"""Node of a lane whose text is not in the memo."""

DEFAULT_NODES = 1 << 16


class MemoState:
    """Lanes of an engine, and where each stands in the memo.

    Attributes:
      inner: the engine's own state.
      node: int64[lanes], the memo's node of the lane's text; OFF where it has none.
      depth: int64[lanes], symbols of the lane's text, while it is in the memo.
      filled: int64[lanes], how many of them the engine's cache holds.
    """

    def __init__(self, inner: CpuState, lanes: int) -> None:
        self.inner = inner
        self.node = np.zeros(lanes, np.int64)
        self.depth = np.zeros(lanes, np.int64)
        self.filled = np.zeros(lanes, np.int64)


class MemoEngine:
    """A `CpuEngine` with a memo for its steps."""

    def __init__(self, engine: CpuEngine, nodes: int = DEFAULT_NODES) -> None:
        """Make an empty memo.

        Args:
          engine: runs the network.
          nodes: most texts kept, of 514 bytes and 2 H D bytes a layer each: 2 KB for the size 3m.
        """
        shape = engine.model.shape
        self.engine = engine
        self.hits = self.steps = 0
        self._nodes = nodes
        self._size = 1  # node 0 is the empty text
        self._parents = np.zeros(nodes, np.int32)
        self._logits = np.empty((nodes, NUM_SYMBOLS), np.int16)
        kv = (nodes, shape.num_layers, shape.inner_dim)
        self._keys, self._values = np.empty(kv, np.int8), np.empty(kv, np.int8)
        # Open addressing: node * 257 + symbol -> child.
        slots = 1 << (2 * nodes - 1).bit_length()
        self._table = np.full(slots, -1, np.int64), np.zeros(slots, np.int32)
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.name

    @property
    def slow(self) -> str:
        """The engine's."""
        return self.engine.slow

    @property
    def model(self) -> FrozenM1:
        """The engine's."""
        return self.engine.model

    def start(self, lanes: int, context: int) -> MemoState:
        """See `CpuEngine.start`."""
        return MemoState(self.engine.start(lanes, context), lanes)

    def sequences(self, texts: Any, context: int, take: Any) -> None:
        """See `CpuEngine.sequences`; whole texts do not use the memo."""
        self.engine.sequences(texts, context, take)

    def step(
        self, state: MemoState, symbols: npt.NDArray[np.int32], reset: npt.NDArray[np.bool_]
    ) -> Logits:
        """See `CpuEngine.step`."""
        symbols = np.asarray(symbols, np.int32)
        with self._lock:
            found = np.empty(len(symbols), np.int64)
            state.node[reset] = state.depth[reset] = state.filled[reset] = 0
            _find(*self._table, state.node, symbols, found)
            # Beyond the context a text is more than what is seen of it.
            found[state.depth + 2 >= state.inner.context] = OFF
            missed = np.flatnonzero(found < 0)
            out = np.empty((len(symbols), NUM_SYMBOLS), np.int16)
            self.steps += len(symbols)
            self.hits += len(symbols) - len(missed)
            if len(missed) < len(symbols):
                hit = np.flatnonzero(found >= 0)
                out[hit] = self._logits[found[hit]]
                state.node[hit] = found[hit]
                state.depth[hit] += 1
            if len(missed):
                out[missed] = self._run(state, symbols, missed)
        return out

    def _run(self, state: MemoState, symbols: npt.NDArray[np.int32], missed: _Lanes) -> Logits:
        inner = state.inner
        known = missed[state.node[missed] >= 0]
        self._fill(state, known)
        no_reset = np.zeros(len(symbols), np.bool_)
        logits = self.engine.step(inner, symbols, no_reset, missed)
        # New nodes, while there is room, for texts that were in the memo so far.
        kept = (state.node[missed] >= 0) & (state.depth[missed] + 2 < inner.context)
        before = self._size
        added = np.full(len(missed), OFF, np.int64)
        self._size = _insert(
            *self._table, self._parents, self._size, self._nodes, state.node[missed],
            symbols[missed], kept, added,
        )  # fmt: skip
        rows = np.flatnonzero(added >= before)
        lanes, nodes = missed[rows], added[rows]
        self._logits[nodes] = logits[rows]
        slots = state.depth[lanes] + 1
        head_dim = self.model.shape.head_dim
        for layer in range(self.model.shape.num_layers):
            attention.fetch(
                inner.keys[layer], inner.values[layer], lanes, slots, head_dim,
                self._keys, self._values, nodes, layer,
            )  # fmt: skip
        state.node[missed] = added
        state.depth[missed] += 1
        state.filled[missed] = state.depth[missed]
        return logits

    def _fill(self, state: MemoState, lanes: _Lanes) -> None:
        """Put what the lanes' texts left in the memo into the engine's cache."""
        inner = state.inner
        self.engine.put_marker(inner, lanes[state.filled[lanes] == 0])
        head_dim = self.model.shape.head_dim
        for layer in range(self.model.shape.num_layers):
            attention.fill(
                inner.keys[layer], inner.values[layer], lanes, state.node[lanes],
                state.depth[lanes], state.filled[lanes], head_dim, self._parents, self._keys,
                self._values, layer,
            )  # fmt: skip
        inner.positions[lanes] = state.depth[lanes] + 1


@njit(nogil=True, cache=True)
def _slot_of(keys: Any, key: int) -> int:
    """Where `key` is, or where it would go."""
    mask = np.uint64(keys.shape[0] - 1)
    slot = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(20) & mask
    while keys[slot] != -1 and keys[slot] != key:
        slot = slot + np.uint64(1) & mask
    return int(slot)


@njit(nogil=True, cache=True)
def _find(keys: Any, children: Any, nodes: Any, symbols: Any, out: Any) -> None:
    for lane in range(len(nodes)):
        out[lane] = OFF
        if nodes[lane] >= 0:
            key = nodes[lane] * NUM_SYMBOLS + symbols[lane]
            slot = _slot_of(keys, key)
            if keys[slot] == key:
                out[lane] = children[slot]


@njit(nogil=True, cache=True)
def _insert(
    keys: Any, children: Any, parents: Any, size: int, most: int, nodes: Any, symbols: Any,
    kept: Any, out: Any,
) -> int:  # fmt: skip
    """Add texts; two lanes with the same one share its node. Returns the new size."""
    for i in range(len(nodes)):
        if not kept[i]:
            continue
        key = nodes[i] * NUM_SYMBOLS + symbols[i]
        slot = _slot_of(keys, key)
        if keys[slot] == -1:
            if size == most:
                continue
            keys[slot], children[slot] = key, size
            parents[size] = nodes[i]
            size += 1
        out[i] = children[slot]
    return size
