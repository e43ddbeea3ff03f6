"""Metrics of a run: one JSON object a line, and the same for TensorBoard."""

import json
from pathlib import Path

from tensorboardX import SummaryWriter

from equalinfo.data import storage


class MetricsWriter:
    """Writes `metrics.jsonl` and TensorBoard events into a directory."""

    def __init__(self, directory: Path, first_step: int = 0) -> None:
        """Open the files.

        Args:
          directory: of the run.
          first_step: a run that continues here drops lines of later steps, which it writes again.
        """
        path = Path(directory) / "metrics.jsonl"
        if path.exists():
            kept = []
            for line in path.read_text().splitlines(keepends=True):
                # A killed run may leave half a line at the end.
                if line.endswith("\n") and json.loads(line)["step"] <= first_step:
                    kept.append(line)
            storage.write_text(str(path), "".join(kept))
        self._file = path.open("a")
        self._board = SummaryWriter(str(directory), purge_step=first_step + 1)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Add a line."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        self._board.close()


def read(directory: Path) -> list[dict[str, float]]:
    """The lines of a run's `metrics.jsonl`, as dictionaries with `step`."""
    path = Path(directory) / "metrics.jsonl"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: {directory} is no run of equalinfo train.")
    lines = path.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]  # half of one: killed
