"""The other end of `torch_worker`: PyTorch in a process and with an interpreter of its own."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.engine_speed.measure import Turn
from benchmarks.engine_speed.windows import Pattern
from benchmarks.engine_speed.worker import Worker

_WORKER = Path(__file__).with_name("torch_worker.py")


class TorchPeer(Worker):
    """Times the float model in PyTorch."""

    def __init__(
        self,
        python: str,
        parameters: dict[str, npt.NDArray[np.float32]],
        heads: int,
        threads: int,
        scratch: Path,
        kinds: tuple[str, ...] = ("float32", "bfloat16"),
    ) -> None:
        """Start the process.

        Args:
          python: an interpreter that has PyTorch and NumPy.
          parameters: see `floats.for_torch`.
          heads: H.
          threads: of PyTorch.
          scratch: folder for what goes to the process.
          kinds: of numbers.
        """
        super().__init__([python, str(_WORKER)], scratch, {})
        self._kinds = kinds
        file = self.path("npz")
        np.savez(file, **parameters)  # type: ignore[arg-type]
        self.about: dict[str, Any] = self.call("load", file, heads, threads)

    def steps(self, pattern: Pattern) -> dict[str, Turn]:
        """Steps with each kind."""
        file = self.path("npz")
        symbols = pattern.cycle().astype(np.uint16)
        np.savez(file, symbols=symbols, resets=pattern.resets, first=pattern.first)
        return self._turns("steps", file, pattern.context)

    def whole(self, ids: npt.NDArray[np.int64]) -> dict[str, Turn]:
        """Whole texts int64[B, L] with each kind; the start marker is 257."""
        file = self.path("npy")
        np.save(file, ids)
        return self._turns("whole", file)

    def logits(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """float32[2, B, L - 1, 257]: what follows ids[:, 1:], in one pass and by steps."""
        file, out = self.path("npy"), self.path("npy")
        np.save(file, ids)
        self.call("logits", "float32", file, out)
        found: npt.NDArray[np.float32] = np.load(out)
        return found

    def _turns(self, method: str, *arguments: Any) -> dict[str, Turn]:
        found: dict[str, Turn] = {}
        for kind in self._kinds:
            name = f"{method} {kind} {self._files}"
            self.call(method, name, kind, *arguments)
            found[f"PyTorch {kind}"] = self.turn(name)
        return found
