"""Results of steps, found again by what went into them.

A step is a folder `KIND-LABEL-KEY`, KEY being the sha256 of all that determines it: options,
contents of files they name, and the keys of the steps it reads. LABEL is for people: a step is
found whatever it is called. `step.json` comes last, so a folder that has one is complete; a step
that was cut off is done again (a training run is continued).

What another machine found comes as a file of results, a line each: a step that is in it need not
be run, where nobody wants its files.
"""

import copy
import hashlib
import json
import re
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any, TypeVar

DONE = "step.json"
T = TypeVar("T")


class NotRunError(Exception):
    """A step that is not there, in a store that runs nothing."""


class Store:
    """Steps below a directory.

    `known` is a file that another store's `save` wrote.
    """

    def __init__(self, directory: Path, known: Path | None = None) -> None:
        self.directory = directory
        self._read_only = False
        lines = known.read_text().splitlines() if known and known.exists() else []
        steps = (json.loads(line) for line in lines)
        self._known = {_key(step["kind"], step["inputs"]): step for step in steps}

    def save(self, file: Path, kinds: Container[str]) -> None:
        """Write the results of all steps of some kinds, as far as they are known."""
        paths = self.directory.glob(f"*/{DONE}")
        found = [json.loads(path.read_text()) for path in paths]
        steps = self._known | {_key(step["kind"], step["inputs"]): step for step in found}
        ordered = sorted(steps.values(), key=lambda step: (step["kind"], step["label"]))
        lines = [json.dumps(step, sort_keys=True) for step in ordered if step["kind"] in kinds]
        file.write_text("".join(f"{line}\n" for line in lines))

    def read_only(self) -> "Store":
        """The steps that were run; others raise `NotRunError`."""
        store = copy.copy(self)
        store._read_only = True
        return store

    def path(self, kind: str, label: str, inputs: dict[str, Any]) -> Path:
        """The folder of a step, whether or not it was run."""
        key = _key(kind, inputs)
        named = self.directory / f"{kind}-{slug(label)}-{key}"
        others = sorted(self.directory.glob(f"{kind}-*-{key}"))
        return named if named in others or not others else others[0]

    def run(
        self,
        kind: str,
        label: str,
        inputs: dict[str, Any],
        make: Callable[[Path], Any],
        files: bool = True,
    ) -> Path:
        """The folder of a step; it is run if it was not, or not to its end.

        Args:
          kind: of step.
          label: for people.
          inputs: JSON values that determine the result.
          make: writes the result into the folder, which may hold what an attempt left; what it
            returns (JSON) is kept as "result".
          files: wanted, too; else a known result will do.

        Raises:
          NotRunError: it was not, and the store is a `read_only` one.
          RuntimeError: it was known, and gives another result here.
        """
        path = self.path(kind, label, inputs)
        if is_done(path) and not (files and _read(path).get("known")):
            return path
        known = self._known.get(key_of(path))
        if known and not files:
            _write(path, {**known, "known": True})
            return path
        if self._read_only:
            raise NotRunError(path.name)
        path.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        result = make(path)
        if known and result != known["result"]:
            raise RuntimeError(
                f"{path.name} was {known['result']} where its results were found, and is {result} "
                "here: another version of a library makes something else of the same text. Use "
                "the versions of constraints.txt, or leave the known results out."
            )
        seconds = round(time.monotonic() - start, 1)
        step = {"kind": kind, "label": label, "inputs": inputs, "seconds": seconds}
        _write(path, {**step, "result": result})
        return path


def found(read: Callable[..., T], *arguments: Any) -> T | None:
    """What a function returns that reads steps of a `read_only` store; None: one was not run."""
    try:
        return read(*arguments)
    except NotRunError:
        return None


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
    return _read(path)["result"]


def _key(kind: str, inputs: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([kind, inputs], sort_keys=True).encode()).hexdigest()[:12]


def _read(path: Path) -> Any:
    return json.loads((path / DONE).read_text())


def _write(path: Path, step: dict[str, Any]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    unfinished = path / f".{DONE}"
    unfinished.write_text(json.dumps(step, indent=1, sort_keys=True))
    unfinished.replace(path / DONE)
