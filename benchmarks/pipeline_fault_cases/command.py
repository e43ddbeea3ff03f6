"""The pipeline's command lines as subprocesses, and what became of them."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.pipeline_identity import directory_sha256

ROOT = Path(__file__).resolve().parents[2]
LONGEST_SECONDS = 180
"""More than any command here needs on a busy machine: it hangs."""

_LAST_LINES = 3


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status (None: it had to be killed), and what it printed."""

    status: int | None
    text: str

    def says(self, pattern: str) -> str:
        """Why this is not a clear failure: status 1, and last of all a message; else empty."""
        last = self.text.rstrip().splitlines()[-_LAST_LINES:]
        if self.status is None:
            return f"hangs: {last}"
        if self.status != 1:
            return f"exit status {self.status}, expected 1: {last}"
        if not re.search(pattern, "\n".join(last)):
            return f"does not say {pattern!r}: {last}"
        if any(line.startswith(("Traceback", "  File ")) for line in last):
            return f"ends in a stack: {last}"
        return ""


class Command:
    """`python -m MODULE ARGUMENTS`, started."""

    def __init__(self, module: str, *arguments: object) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def workers(self) -> list[psutil.Process]:
        """Its local worker processes."""
        found = []
        try:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
        except psutil.NoSuchProcess:
            return []
        return found

    def wait_for_workers(self, number: int) -> list[psutil.Process]:
        """The workers, once there are so many; fewer where the command ended before."""
        while self.process.poll() is None and len(found := self.workers()) < number:
            time.sleep(0.02)
        return found if self.process.poll() is None else []

    def wait(self) -> Ended:
        """Wait until it ends; kill it where it hangs."""
        workers = []
        try:
            status: int | None = self.process.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            status, workers = None, self.workers()
            self.process.kill()
            self.process.wait()
        psutil.wait_procs(workers, LONGEST_SECONDS)
        self._log.seek(0)
        text = self._log.read()
        self._log.close()
        return Ended(status, text)


@dataclass(frozen=True)
class Job:
    """A run of `pipelines.compress`, that can be run again."""

    inputs: Sequence[object]
    output: Path
    more: Sequence[str]

    def start(self) -> Command:
        """Start the command."""
        arguments = ("--input", *self.inputs, "--output", self.output, "--quiet", *self.more)
        return Command("pipelines.compress", *arguments)

    def run(self) -> Ended:
        """Run the command to its end."""
        return self.start().wait()


@dataclass
class Tally:
    """A case's count.

    Attributes:
      case: what was done.
      tries: how often.
      failed: with a message that names the cause, exit status 1.
      identical: the sha256 of the (next) run is that of the undisturbed one.
      wrong: what else happened.
      more: figures of the case.
    """

    case: str
    tries: int = 0
    failed: int = 0
    identical: int = 0
    wrong: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    def must_fail(self, ended: Ended, pattern: str) -> None:
        """Count a failure that must be clear."""
        if reason := ended.says(pattern):
            self.wrong.append(f"try {self.tries}: {reason}")
        else:
            self.failed += 1
            self.more.setdefault("message", ended.text.rstrip().splitlines()[-2:][0])

    def must_succeed(self, ended: Ended, output: Path, expected: str) -> None:
        """Count a run that must give what the undisturbed one gave."""
        if ended.status != 0:
            self.wrong.append(
                f"try {self.tries}: the next run ended with {ended.status}: "
                f"{ended.text.rstrip().splitlines()[-2:]}"
            )
        elif (found := directory_sha256(output)) != expected:
            names = sorted(str(path.relative_to(output)) for path in output.rglob("*"))
            self.wrong.append(f"try {self.tries}: sha256 {found}, expected {expected}: {names}")
        else:
            self.identical += 1

    def line(self) -> str:
        """As JSON."""
        return json.dumps(
            {
                "case": self.case,
                "tries": self.tries,
                "failed_clearly": self.failed,
                "identical": self.identical,
                "wrong": self.wrong,
                **self.more,
            }
        )
