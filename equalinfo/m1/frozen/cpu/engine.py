"""The engine on a CPU: lanes in blocks, blocks on threads. See `kernels`."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.m1.frozen.arithmetic import norm_bits
from equalinfo.m1.frozen.cpu import kernels, tiles
from equalinfo.m1.frozen.file import START, FrozenM1, Shape
from equalinfo.m1.frozen.threads import num_threads, spread

Logits = npt.NDArray[np.int16]

_BLOCK = 96  # rows of a block: their activations stay in the second-level cache
_CHUNK = 192  # symbols of a text that pass a layer together


def misfit(shape: Shape) -> str:
    """Why the tiles do not fit a network; empty where they do."""
    if shape.head_dim % 32 or shape.embed_dim % 4 or shape.mlp_dim % 4:
        return (
            f"head_dim={shape.head_dim} must be a multiple of 32 on a CPU, embed_dim="
            f"{shape.embed_dim} and mlp_dim={shape.mlp_dim} of 4"
        )
    return ""


class CpuState:
    """Caches of some lanes.

    Attributes:
      context: symbols that a symbol sees, itself and the start marker included.
      positions: int64[lanes], where the next symbol goes; 0 is the start marker's.
      keys, values: bytes[layers][lanes, H, C D].
    """

    def __init__(self, model: FrozenM1, lanes: int, context: int) -> None:
        shape = model.shape
        self.context = context
        self.ring = -(-context // 16) * 16
        size = (lanes, shape.num_heads, self.ring * shape.head_dim)
        self.positions = np.zeros(lanes, np.int64)
        self.keys = [np.zeros(size, np.uint8) for _ in range(shape.num_layers)]
        self.values = [np.zeros(size, np.int8) for _ in range(shape.num_layers)]


class CpuEngine:
    """Runs a frozen M1 with numba; gives the integers of `reference`."""

    def __init__(self, model: FrozenM1, kernel: str | None = None, threads: int | None = None):
        """Pack the matrices.

        Args:
          model: the frozen M1.
          kernel: one of `tiles.KERNELS`; None: see `tiles.choose`.
          threads: None: as many as there are CPUs for this process.

        Raises:
          ValueError: a kernel that this CPU lacks, or a shape that the tiles do not fit.
        """
        shape = model.shape
        self.kernel = tiles.choose(kernel)
        if why := misfit(shape):
            raise ValueError(f"{why}. Use the JAX engine.")
        self.model = model
        self.threads = threads or num_threads()
        self._kernel = tiles.KERNELS[self.kernel]
        self._bits = norm_bits(shape.embed_dim)
        self._layers = [_pack_layer(model, layer) for layer in range(shape.num_layers)]
        self._logits = _pack(model.tensors["logits"])
        self._scratch = threading.local()
        self._biases: dict[int, list[npt.NDArray[np.int32]]] = {}
        self._marker: tuple[list[npt.NDArray[np.int8]], list[npt.NDArray[np.int8]]] | None = None

    @property
    def name(self) -> str:
        """The kernel and the threads, for people."""
        return f"{self.kernel}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def slow(self) -> str:
        """What to do about its speed; empty where it is as fast as a CPU gets."""
        if self.kernel != "portable":
            return ""
        return (
            "A CPU with AVX2 (x86 since 2013) or VNNI takes half the time or less, a GPU or TPU "
            "(EQUALINFO_BACKEND=jax) less again; windows of up to 20 bits need no M1 at all"
        )

    def start(self, lanes: int, context: int) -> CpuState:
        """Caches for `lanes` empty texts."""
        return CpuState(self.model, lanes, context)

    def step(
        self,
        state: CpuState,
        symbols: npt.NDArray[np.int32],
        reset: npt.NDArray[np.bool_],
        active: npt.NDArray[np.int64] | None = None,
    ) -> Logits:
        """Read one symbol a lane.

        Args:
          state: from `start`.
          symbols: int32[lanes].
          reset: bool[lanes]: the lane's text begins with this symbol.
          active: int64[n], lanes that read a symbol; None: all.

        Returns:
          int16[n, 257], a row for each active lane.
        """
        lanes = np.arange(len(symbols)) if active is None else np.asarray(active, np.int64)
        fresh = lanes[reset[lanes] | (state.positions[lanes] == 0)]
        state.positions[fresh] = 1
        self.put_marker(state, fresh)
        out = np.empty((len(lanes), NUM_SYMBOLS), np.int16)
        ids = np.asarray(symbols, np.int64)[lanes]

        def run(begin: int, end: int) -> None:
            self._step_block(state, lanes[begin:end], ids[begin:end], out[begin:end])

        spread(run, len(lanes), _BLOCK, self.threads)
        state.positions[lanes] += 1
        return out

    def sequences(
        self,
        texts: Sequence[npt.NDArray[np.integer]],
        context: int,
        take: Callable[[int, int, Logits], None],
    ) -> None:
        """Read whole texts, a thread each.

        Args:
          texts: symbols, int[n] each.
          context: symbols that a symbol sees, itself and the start marker included.
          take: called with (text, place, int16[k, 257]): logits after the first `place`, place + 1,
            ... symbols of that text; n + 1 rows in all. From several threads, each text in order.
        """

        def run(begin: int, end: int) -> None:
            for index in range(begin, end):
                self._sequence(index, texts[index], context, take)

        spread(run, len(texts), 1, self.threads)

    def _step_block(
        self,
        state: CpuState,
        lanes: npt.NDArray[np.int64],
        ids: npt.NDArray[np.int64],
        out: Logits,
    ) -> None:
        rows = len(lanes)
        work = self._work(rows, state.ring)
        positions = state.positions[lanes]
        bias = self._bias(state.context)
        kernels.embed(self.model.tensors["embedding"], ids, work.x, rows)
        for number, layer in enumerate(self._layers):
            kernels.layer_step(
                self._kernel, layer, work, self._bits, state.keys[number], state.values[number],
                lanes, positions, state.ring, bias[number], rows,
            )  # fmt: skip
        self._finish(work, out, rows)

    def _sequence(
        self,
        index: int,
        text: npt.NDArray[np.integer],
        context: int,
        take: Callable[[int, int, Logits], None],
    ) -> None:
        shape = self.model.shape
        ids = np.concatenate([[START], np.asarray(text, np.int64)]).astype(np.int64)
        slots = -(-(len(ids) + tiles.ROWS) // 64) * 64
        size = (shape.num_layers, shape.num_heads, slots * shape.head_dim)
        keys, values = np.zeros(size, np.uint8), np.zeros(size, np.int8)
        bias = self._bias(context)
        work = self._work(_CHUNK, min(slots, context + 2 * 64 + tiles.ROWS + 64))
        for first in range(0, len(ids), _CHUNK):
            rows = min(_CHUNK, len(ids) - first)
            kernels.embed(self.model.tensors["embedding"], ids[first : first + rows], work.x, rows)
            for number, layer in enumerate(self._layers):
                kernels.layer_sequence(
                    self._kernel, layer, work, self._bits, keys[number], values[number], first,
                    bias[number], rows,
                )  # fmt: skip
            out = np.empty((rows, NUM_SYMBOLS), np.int16)
            self._finish(work, out, rows)
            take(index, first, out)

    def _work(self, rows: int, slots: int) -> kernels.Work:
        """This thread's scratch memory, kept: new pages would cost a tenth of the time."""
        found: kernels.Work | None = getattr(self._scratch, "work", None)
        if found is not None:
            has_rows, has_slots = len(found.x), len(found.weights) // tiles.ROWS
            if rows <= has_rows and slots <= has_slots:
                return found
            rows, slots = max(rows, has_rows), max(slots, has_slots)
        self._scratch.work = made = _work(self.model, rows, slots)
        return made

    def _finish(self, work: kernels.Work, out: Logits, rows: int) -> None:
        model = self.model
        kernels.last_layer(
            self._kernel, model.tensors["final_norm"], model.shifts["final_norm"], *self._logits,
            model.tensors["logits_scale"], model.shifts["logits"], work, self._bits, NUM_SYMBOLS,
            out, rows,
        )  # fmt: skip

    def _bias(self, context: int) -> list[npt.NDArray[np.int32]]:
        """For each layer int32[H, context]: the bias at age context - 1, ..., 0."""
        if context not in self._biases:
            ages = np.minimum(np.arange(context)[::-1], self.model.shape.max_distance)
            self._biases[context] = [
                np.ascontiguousarray(self.model.tensors[f"{layer}.bias"][:, ages])
                for layer in range(self.model.shape.num_layers)
            ]
        return self._biases[context]

    def put_marker(self, state: CpuState, lanes: npt.NDArray[np.int64]) -> None:
        """Put the start marker's key and value into slot 0 of some lanes."""
        if not len(lanes):
            return
        if self._marker is None:
            one = CpuState(self.model, 1, 16)
            self._step_block(
                one, np.zeros(1, np.int64), np.array([START]), np.empty((1, NUM_SYMBOLS), np.int16)
            )
            self._marker = [x[0] for x in one.keys], [x[0] for x in one.values]
        width = self.model.shape.head_dim
        for layer in range(self.model.shape.num_layers):
            # Slot 0 lies in the first group of 16 keys, and in the first of 4 values.
            key, value = self._marker[0][layer], self._marker[1][layer]
            state.keys[layer][lanes, :, : 16 * width] = key[:, : 16 * width]
            state.values[layer][lanes, :, : 4 * width] = value[:, : 4 * width]


def _work(model: FrozenM1, rows: int, slots: int) -> kernels.Work:
    shape = model.shape
    rows = -(-rows // tiles.ROWS) * tiles.ROWS
    hidden = -(-shape.mlp_dim // 64) * 64
    widest = -(-max(shape.embed_dim, shape.inner_dim, NUM_SYMBOLS) // 64) * 64
    slots = -(-slots // 64) * 64
    return kernels.Work(
        x=np.zeros((rows, shape.embed_dim), np.int32),
        small=np.zeros(rows * max(shape.embed_dim, shape.inner_dim), np.uint8),
        hidden=np.zeros(rows * shape.mlp_dim, np.uint8),
        wide=np.zeros(rows * max(shape.embed_dim, shape.inner_dim, shape.mlp_dim), np.int16),
        wide_weights=np.zeros(tiles.ROWS * slots, np.int16),
        sums=np.zeros((rows, widest), np.int32),
        gate=np.zeros((rows, hidden), np.int32),
        up=np.zeros((rows, hidden), np.int32),
        query=np.zeros((rows, shape.inner_dim), np.int8),
        key=np.zeros((rows, shape.inner_dim), np.int8),
        value=np.zeros((rows, shape.inner_dim), np.int8),
        exponents=np.zeros(rows, np.int32),
        scores=np.zeros(tiles.ROWS * slots, np.int32),
        weights=np.zeros(tiles.ROWS * slots, np.uint8),
        head=np.zeros(tiles.ROWS * (shape.head_dim + 1), np.int32),
    )


def _pack(matrix: npt.NDArray[np.int8]) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    """Bytes [N / 64, K / 4, 64, 4] with N padded, and what sums begin with: inputs are plus 128."""
    inputs, columns = matrix.shape
    padded = np.pad(matrix, ((0, 0), (0, -columns % 64)))
    start = -128 * padded.astype(np.int32).sum(axis=0)
    blocks = padded.reshape(inputs // 4, 4, -1, 64).transpose(2, 0, 3, 1)
    return np.ascontiguousarray(blocks).reshape(-1), start.astype(np.int32)


def _pack_layer(model: FrozenM1, layer: int) -> kernels.Layer:
    def tensor(name: str) -> npt.NDArray[np.int32]:
        return np.ascontiguousarray(model.tensors[f"{layer}.{name}"])

    packed: dict[str, object] = {}
    for name in ("query", "key", "value", "out", "gate", "up", "down"):
        packed[name], packed[f"{name}_start"] = _pack(model.tensors[f"{layer}.{name}"])
        packed[f"{name}_scale"] = tensor(f"{name}_scale")
        packed[f"{name}_shift"] = model.shifts[f"{layer}.{name}"]
    for name in ("attention_norm", "mlp_norm"):
        packed[name] = tensor(name)
        packed[f"{name}_shift"] = model.shifts[f"{layer}.{name}"]
    return kernels.Layer(
        score_scale=tensor("score_scale"),
        score_shift=model.shifts[f"{layer}.score"],
        attention_scale=tensor("attention_scale"),
        attention_shift=model.shifts[f"{layer}.attention"],
        **packed,  # type: ignore[arg-type]
    )
