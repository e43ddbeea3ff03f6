"""The other end of `torch_worker`: PyTorch in a process and with an interpreter of its own."""

import functools
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.engine_speed.measure import Speed, Turn
from benchmarks.engine_speed.windows import Pattern

_WORKER = Path(__file__).with_name("torch_worker.py")
KINDS = ("float32", "bfloat16")


class TorchPeer:
    """Times the float model in PyTorch."""

    def __init__(
        self,
        python: str,
        parameters: dict[str, npt.NDArray[np.float32]],
        heads: int,
        threads: int,
        scratch: Path,
    ) -> None:
        """Start the process.

        Args:
          python: an interpreter that has PyTorch and NumPy.
          parameters: see `floats.for_torch`.
          heads: H.
          threads: of PyTorch.
          scratch: folder for what goes to the process.
        """
        self._scratch = scratch
        self._files = 0
        self._process = subprocess.Popen(
            [python, str(_WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        file = self._path("npz")
        np.savez(file, **parameters)  # type: ignore[arg-type]
        self.about: dict[str, Any] = self._call("load", file, heads, threads)

    def steps(self, pattern: Pattern) -> dict[str, Turn]:
        """Steps of both types."""
        file = self._path("npz")
        symbols = pattern.cycle().astype(np.uint16)
        np.savez(file, symbols=symbols, resets=pattern.resets, first=pattern.first)
        return self._turns("steps", file, pattern.context)

    def whole(self, ids: npt.NDArray[np.int64]) -> dict[str, Turn]:
        """Whole texts int64[B, L] in both types; the start marker is 257."""
        file = self._path("npy")
        np.save(file, ids)
        return self._turns("whole", file)

    def logits(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """float32[2, B, L - 1, 257]: what follows ids[:, 1:], in one pass and by steps."""
        file, out = self._path("npy"), self._path("npy")
        np.save(file, ids)
        self._call("logits", "float32", file, out)
        found: npt.NDArray[np.float32] = np.load(out)
        return found

    def drop(self) -> None:
        """Free what was timed."""
        self._call("drop")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _turns(self, method: str, *arguments: Any) -> dict[str, Turn]:
        found: dict[str, Turn] = {}
        for kind in KINDS:
            name = f"{method} {kind} {self._files}"
            self._call(method, name, kind, *arguments)
            found[f"PyTorch {kind}"] = functools.partial(self._time, name)
        return found

    def _time(self, name: str, seconds: float) -> Speed:
        return Speed(*self._call("time", name, seconds))

    def _path(self, kind: str) -> str:
        self._files += 1
        return str(self._scratch / f"{self._files}.{kind}")

    def _call(self, method: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the process of --torch_python ended with {self._process.wait()}. Name an "
                "interpreter that has PyTorch and NumPy."
            )
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"PyTorch, {method}: {answer['error']}")
        return answer["result"]
