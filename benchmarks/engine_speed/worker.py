"""A process of its own that is told by JSON lines what to time, and the turns it takes."""

import functools
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engine_speed.measure import Speed, Turn


class Worker:
    """Answers [method, arguments] with {"result": ...} or {"error": ...}; has `time` and `drop`."""

    def __init__(self, command: Sequence[str], scratch: Path, variables: Mapping[str, str]) -> None:
        """Start the process.

        Args:
          command: to run.
          scratch: folder for what goes to the process.
          variables: of its environment, beside those of this one.
        """
        self._scratch = scratch
        self._files = 0
        self._command = command
        self._process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def drop(self) -> None:
        """Free what was timed."""
        self.call("drop")

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def turn(self, name: str) -> Turn:
        """Of what the process has under this name."""
        return functools.partial(self._time, name)

    def path(self, kind: str) -> str:
        """A new file for the process."""
        self._files += 1
        return str(self._scratch / f"{id(self)}-{self._files}.{kind}")

    def call(self, method: str, *arguments: Any) -> Any:
        """What a method of the process returns.

        Raises:
          RuntimeError: it failed, or the process has ended.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} ended with {self._process.wait()}.")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{' '.join(self._command)}, {method}: {answer['error']}")
        return answer["result"]

    def _time(self, name: str, seconds: float) -> Speed:
        return Speed(*self.call("time", name, seconds))


def serve(bench: Any) -> None:
    """Be the process: call methods of `bench` until the input ends."""
    import sys

    for line in sys.stdin:
        method, arguments = json.loads(line)
        try:
            answer = {"result": getattr(bench, method)(*arguments)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
