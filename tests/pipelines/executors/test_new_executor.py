"""An executor is one file and one line: its options, and the bytes that all write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from equalinfo.flags import flag
from pipelines import compress, options
from pipelines.executors.work import Executor, Work


@dataclass(frozen=True)
class Backwards(Executor):
    """The last file first."""

    backwards: bool = flag(False, help="do the last file first")

    def run(self, work: Work[Any, Any], tasks: Sequence[Any], spread: bool = False) -> Any:
        """See `Executor.run`."""
        done.extend(tasks[::-1])
        return work.finish_all([work.do(task) for task in tasks[::-1]], len(tasks))


done: list[Any] = []


def test_it_is_an_option_and_writes_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "EXECUTORS", (*options.EXECUTORS, Backwards))
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(f"text {name}\n" * 50)
    files = [str(tmp_path / f"{name}.txt") for name in "abc"]
    for out, more in (("usual", []), ("other", ["--backwards"])):
        flags = ["--method=bytes", "--quiet", "--input", *files, f"--output={tmp_path / out}"]
        assert compress.main([*flags, *more]) == 0
    assert len(done) == 3
    usual, other = (
        {path.name: path.read_bytes() for path in (tmp_path / out).rglob("*") if path.is_file()}
        for out in ("usual", "other")
    )
    assert usual == other
