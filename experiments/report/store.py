"""Results of steps, found again by what went into them.

A step is a folder `KIND-LABEL-KEY`, KEY being the sha256 of all that determines it: options,
contents of files they name, and the keys of the steps it reads. LABEL is for people: a step is
found whatever it is called. `step.json` comes last, so a folder that has one is complete; a step
that was cut off is done again (a training run is continued).
"""

import hashlib
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DONE = "step.json"


class NotRunError(Exception):
    """A step that is not there, in a store that runs nothing."""


class Store:
    """Steps below a directory; `read_only`: those that were run, and nothing is."""

    def __init__(self, directory: Path, read_only: bool = False) -> None:
        self.directory = directory
        self._read_only = read_only

    def path(self, kind: str, label: str, inputs: dict[str, Any]) -> Path:
        """The folder of a step, whether or not it was run."""
        key = hashlib.sha256(json.dumps([kind, inputs], sort_keys=True).encode()).hexdigest()[:12]
        named = self.directory / f"{kind}-{slug(label)}-{key}"
        others = sorted(self.directory.glob(f"{kind}-*-{key}"))
        return named if named in others or not others else others[0]

    def run(
        self, kind: str, label: str, inputs: dict[str, Any], make: Callable[[Path], Any]
    ) -> Path:
        """The folder of a step; it is run if it was not, or not to its end.

        Args:
          kind: of step.
          label: for people.
          inputs: JSON values that determine the result.
          make: writes the result into the folder, which may hold what an attempt left; what it
            returns (JSON) is kept as "result".

        Raises:
          NotRunError: it was not, and the store is `read_only`.
        """
        path = self.path(kind, label, inputs)
        if is_done(path):
            return path
        if self._read_only:
            raise NotRunError(path.name)
        path.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        result = make(path)
        seconds = round(time.monotonic() - start, 1)
        step = {"kind": kind, "label": label, "inputs": inputs, "seconds": seconds}
        unfinished = path / f".{DONE}"
        unfinished.write_text(json.dumps({**step, "result": result}, indent=1, sort_keys=True))
        unfinished.replace(path / DONE)
        return path


def slug(label: str) -> str:
    """A label as a name of folders and tasks."""
    return re.sub(r"[^\w.]+", "_", label).strip("_").lower()


def key_of(path: Path) -> str:
    """KEY of a step's folder: what goes into the inputs of steps that read it."""
    return path.name.rpartition("-")[2]


def is_done(path: Path) -> bool:
    """True where the step was run to its end."""
    return (path / DONE).exists()


def result(path: Path) -> Any:
    """What a step's function returned."""
    return json.loads((path / DONE).read_text())["result"]
