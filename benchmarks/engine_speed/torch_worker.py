"""The float model in PyTorch, in a process of its own: needs PyTorch and NumPy, nothing of ours.

Started as a file; reads one JSON command a line and answers with one JSON line: `torch_peer` is the
other end.

Letters in shapes: B lanes or texts, L symbols, C slots, E, H, D as in `equalinfo.lm.model`.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

torch: Any = importlib.import_module("torch")
functional: Any = torch.nn.functional

_QUERIES = 256  # of a text that attend together: keys that none of them sees are left out


class Network:
    """Parameters in one type. Matrices that read the same input are one matrix."""

    def __init__(self, file: str, heads: int, dtype: str) -> None:
        kind = getattr(torch, dtype)
        with np.load(file) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays}
        self.kind, self.heads = kind, heads
        self.bias = [b.to(kind) for b in tensors.pop("bias")]  # [H, distances] a layer
        cast = {name: value.to(kind).contiguous() for name, value in tensors.items()}
        self.embedding, self.final_norm = cast["embedding"], cast["final_norm"]
        self.logits = cast["logits"]
        self.layers = [
            {name.partition(".")[2]: value for name, value in cast.items() if name[0] == str(i)}
            for i in range(len(self.bias))
        ]
        self.head_dim = self.layers[0]["out"].shape[1] // heads

    def read(self, ids: Any, attend: Callable[[int, Any, Any, Any], Any]) -> Any:
        """[..., 257] logits of ids[...]; `attend` gets a layer's number and [..., H, D] each."""
        x = self.embedding[ids]
        for number, layer in enumerate(self.layers):
            y = _norm(x, layer["attention_norm"])
            parts = functional.linear(y, layer["query_key_value"])
            parts = parts.view(*ids.shape, 3, self.heads, self.head_dim).unbind(-3)
            x = x + functional.linear(attend(number, *parts).flatten(-2), layer["out"])
            y = _norm(x, layer["mlp_norm"])
            gate, up = functional.linear(y, layer["gate_up"]).chunk(2, -1)
            x = x + functional.linear(functional.relu(gate).mul_(up), layer["down"])
        return functional.linear(_norm(x, self.final_norm), self.logits)

    def bias_of(self, layer: int, distance: Any) -> Any:
        """[H, *distance]; what lies ahead is out of sight."""
        table = self.bias[layer]
        bias = table[:, distance.clamp(0, table.shape[1] - 1)]
        return bias.masked_fill_(distance < 0, float("-inf"))


class Steps:
    """Lanes that read a symbol a call, each at its own place: caches [B, H, C, D] are rings."""

    def __init__(self, net: Network, lanes: int, context: int) -> None:
        size = (lanes, net.heads, context, net.head_dim)
        self.net, self.context = net, context
        self.keys = [torch.zeros(size, dtype=net.kind) for _ in net.layers]
        self.values = [torch.zeros(size, dtype=net.kind) for _ in net.layers]
        self.positions = torch.ones(lanes, dtype=torch.int64)
        self.lanes = torch.arange(lanes)
        # A row for each position before the ring is full, and one for each place of a full ring.
        place, slot = torch.arange(context)[:, None], torch.arange(context)[None]
        distance = torch.cat([place - slot, (place - slot) % context])
        self.bias = [
            net.bias_of(layer, distance).transpose(0, 1).contiguous()
            for layer in range(len(net.layers))
        ]  # [2 C, H, C]
        self._put_marker(self.lanes)

    def step(self, ids: Any, reset: Any) -> Any:
        """[B, 257] after ids int64[B]; where reset bool[B], the lane's text begins with it."""
        fresh = reset.nonzero()[:, 0]
        if len(fresh):
            self.positions[fresh] = 1
            self._put_marker(fresh)
        slot = self.positions % self.context
        full = self.positions >= self.context
        row = torch.where(full, slot + self.context, slot)
        used = min(self.context, int(self.positions.max()) + 1)

        def attend(layer: int, query: Any, key: Any, value: Any) -> Any:
            self.keys[layer][self.lanes, :, slot] = key
            self.values[layer][self.lanes, :, slot] = value
            # For one query a lane, faster than scaled_dot_product_attention.
            scores = query[:, :, None] @ self.keys[layer][:, :, :used].transpose(2, 3)
            scores += self.bias[layer][row, :, None, :used]
            return (torch.softmax(scores, -1) @ self.values[layer][:, :, :used])[:, :, 0]

        logits = self.net.read(ids, attend)
        self.positions += 1
        return logits

    def _put_marker(self, lanes: Any) -> None:
        """The start marker, whose row comes after the symbols', into slot 0."""
        if not hasattr(self, "marker"):
            found = []

            def attend(layer: int, query: Any, key: Any, value: Any) -> Any:
                found.append((key, value))
                return value

            self.net.read(torch.tensor([self.net.embedding.shape[0] - 1]), attend)
            self.marker = found
        for keys, values, (key, value) in zip(self.keys, self.values, self.marker, strict=True):
            keys[lanes, :, 0], values[lanes, :, 0] = key, value


class Whole:
    """Texts in one pass."""

    def __init__(self, net: Network, length: int) -> None:
        self.net = net
        # The last block's bias; those before are its right ends.
        self.block = min(_QUERIES, length)
        distance = torch.arange(length - self.block, length)[:, None] - torch.arange(length)[None]
        self.bias = [net.bias_of(layer, distance) for layer in range(len(net.layers))]

    def read(self, ids: Any) -> Any:
        """[B, L, 257] of ids [B, L]."""
        length = ids.shape[1]

        def attend(layer: int, *parts: Any) -> Any:
            query, key, value = (part.transpose(1, 2) for part in parts)
            out = []
            for begin in range(0, length, self.block):
                end = min(begin + self.block, length)
                mask = self.bias[layer][:, : end - begin, length - self.block - begin :]
                out.append(
                    functional.scaled_dot_product_attention(
                        query[:, :, begin:end],
                        key[:, :, :end],
                        value[:, :, :end],
                        attn_mask=mask[None, :, :, :end],
                        scale=1.0,
                    )
                )
            return torch.cat(out, 2).transpose(1, 2)

        return self.net.read(ids, attend)


def _norm(x: Any, scale: Any) -> Any:
    return functional.rms_norm(x, scale.shape, scale, 1e-6)


class Bench:
    """What the commands call: things to time have names."""

    def __init__(self) -> None:
        self._passes: dict[str, Callable[[], int]] = {}
        self._nets: dict[str, Network] = {}

    def load(self, file: str, heads: int, threads: int) -> dict[str, Any]:
        """Parameters of both types."""
        torch.set_num_threads(threads)
        self._nets = {kind: Network(file, heads, kind) for kind in ("float32", "bfloat16")}
        return {"torch": torch.__version__, "threads": torch.get_num_threads()}

    def steps(self, name: str, dtype: str, file: str, context: int) -> None:
        """Steps over a pattern of symbols, resets and first places; see `windows.Pattern`."""
        with np.load(file) as arrays:
            symbols = torch.from_numpy(arrays["symbols"].astype(np.int64))
            resets = torch.from_numpy(arrays["resets"])
            first = torch.from_numpy(arrays["first"])
        lanes = Steps(self._nets[dtype], symbols.shape[1], context)
        lanes.positions.copy_(first)
        turn = 0

        def run() -> int:
            nonlocal turn
            lanes.step(symbols[turn], resets[turn])
            turn = (turn + 1) % len(symbols)
            return int(symbols.shape[1])

        self._passes[name] = run

    def whole(self, name: str, dtype: str, file: str) -> None:
        """Texts of ids int64[B, L] in one pass."""
        ids = torch.from_numpy(np.load(file))
        reader = Whole(self._nets[dtype], ids.shape[1])

        def run() -> int:
            reader.read(ids)
            return int(ids.numel())

        self._passes[name] = run

    def logits(self, dtype: str, file: str, out: str) -> None:
        """Of ids int64[B, L], in one pass and by steps: float32[2, B, L - 1, 257] into a file."""
        ids = torch.from_numpy(np.load(file))
        net = self._nets[dtype]
        lanes = Steps(net, len(ids), ids.shape[1])
        none = torch.zeros(len(ids), dtype=torch.bool)
        steps = [lanes.step(ids[:, place], none) for place in range(1, ids.shape[1])]
        whole = Whole(net, ids.shape[1]).read(ids)[:, 1:]
        np.save(out, torch.stack([whole, torch.stack(steps, 1)]).float().numpy())

    def time(self, name: str, seconds: float) -> tuple[float, float]:
        """Over at least `seconds`: symbols a second, and cores kept busy."""
        run, symbols = self._passes[name], 0
        used, start = time.process_time(), time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds or not symbols:
            symbols += run()
        return symbols / elapsed, (time.process_time() - used) / elapsed

    def drop(self) -> None:
        """Forget what was timed."""
        self._passes.clear()


def main() -> None:
    """Serve commands until the input ends."""
    bench = Bench()
    with torch.inference_mode():
        for line in sys.stdin:
            method, arguments = json.loads(line)
            try:
                answer = {"result": getattr(bench, method)(*arguments)}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
