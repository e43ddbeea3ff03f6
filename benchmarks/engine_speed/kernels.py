"""One kernel of the frozen M1 in its own process, compiled for no more than the kernel needs."""

import pickle
import sys
from pathlib import Path
from typing import Any

from benchmarks.engine_speed.measure import Speed, Turn
from benchmarks.engine_speed.ours import Ours
from benchmarks.engine_speed.worker import Worker, serve
from benchmarks.instructions import environment
from equalinfo.m1.frozen.file import FrozenM1


class Kernel(Worker):
    """The near end."""

    def __init__(self, kernel: str, m1: str, threads: int, scratch: Path) -> None:
        """Start the process.

        Args:
          kernel: one of `tiles.KERNELS`.
          m1: file of the frozen M1.
          threads: of the engine.
          scratch: folder for what goes to the process.
        """
        variables = {"EQUALINFO_KERNEL": kernel, **environment(kernel)}
        command = [sys.executable, "-m", "benchmarks.engine_speed.kernels", m1, str(threads)]
        super().__init__(command, scratch, variables)
        self.name = kernel

    def turns(self, method: str, *arguments: Any) -> dict[str, Turn]:
        """What a method of `Ours` gives there, with the kernel's name for the engine's."""
        file = self.path("pickle")
        Path(file).write_bytes(pickle.dumps(arguments))
        made: list[str] = self.call("make", method, file)
        return {
            self.name + name.removeprefix("cpu"): self.turn(f"{method} {name}") for name in made
        }


class _Bench:
    """The far end."""

    def __init__(self, m1: str, threads: int) -> None:
        self._ours = Ours(FrozenM1.load(m1), threads)
        self._turns: dict[str, Turn] = {}

    def make(self, method: str, file: str) -> list[str]:
        made = getattr(self._ours, method)(*pickle.loads(Path(file).read_bytes()))
        turns = {name: turn for name, turn in made.items() if name.startswith("cpu")}
        self._turns |= {f"{method} {name}": turn for name, turn in turns.items()}
        return list(turns)

    def time(self, name: str, seconds: float) -> Speed:
        return self._turns[name](seconds)

    def drop(self) -> None:
        self._turns.clear()


if __name__ == "__main__":
    serve(_Bench(sys.argv[1], int(sys.argv[2])))
