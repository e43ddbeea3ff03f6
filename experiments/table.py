"""A table: values, and how they are written."""

import csv
import dataclasses
import io

from experiments.analysis.significance import Sample

NOT_RUN = "not run"

Cell = str | int | float | bool | Sample | None
"""None: not run here."""


@dataclasses.dataclass(frozen=True)
class Table:
    """What a reader sees as a table.

    Attributes:
      key: of its files.
      title: with the numbers it has in the paper.
      columns: heads.
      rows: cells, as many as heads.
      note: what to know about it.
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    note: str = ""

    def to_csv(self) -> str:
        """Values in full; a mean and its spread as "mean (std, n)"."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow([_exact(cell) for cell in row])
        return out.getvalue()

    def to_markdown(self) -> str:
        """With numbers aligned right, rounded for people."""
        numbers = [
            all(not isinstance(row[i], str | bool) for row in self.rows)
            for i in range(len(self.columns))
        ]
        lines = ["| " + " | ".join(self.columns) + " |"]
        lines.append("|" + "|".join("--:" if right else "---" for right in numbers) + "|")
        for row in self.rows:
            cells = [show(cell).replace("|", "\\|").replace("\n", "⏎") for cell in row]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def show(cell: Cell) -> str:
    """A cell for people."""
    if cell is None:
        return NOT_RUN
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, Sample):
        spread = "" if cell.n == 1 else f" ± {cell.std:.4f}"
        return f"{cell.mean:.4f}{spread} (n={cell.n})"
    if isinstance(cell, float):
        return f"{cell:.4g}" if abs(cell) < 0.1 or abs(cell) >= 1000 else f"{cell:.3f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _exact(cell: Cell) -> str:
    if isinstance(cell, Sample):
        return f"{cell.mean!r} (std {cell.std!r}, n={cell.n})"
    if isinstance(cell, float):
        return repr(cell)
    return str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else show(cell)
