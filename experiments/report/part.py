"""A part of a page that another experiment made: findings, tables and images, kept as JSON."""

import base64
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from experiments.report.findings import Finding
from experiments.report.table import Table

FILE = "part.json"


@dataclasses.dataclass(frozen=True)
class Image:
    """A figure.

    Attributes:
      key: of its files.
      title, note: around it.
      png: base64.
    """

    key: str
    title: str
    note: str
    png: str

    @classmethod
    def of(cls, path: Path, title: str, note: str) -> "Image":
        """Of a PNG file."""
        return cls(path.stem, title, note, base64.b64encode(path.read_bytes()).decode())


@dataclasses.dataclass(frozen=True)
class Part:
    """What a page shows of an experiment.

    Attributes:
      title: of the experiment.
      about: what was done.
      findings, tables, images: in order.
    """

    title: str
    about: str
    findings: Sequence[Finding]
    tables: Sequence[Table]
    images: Sequence[Image]

    def save(self, folder: Path) -> None:
        """Write `part.json`."""
        (folder / FILE).write_text(json.dumps(dataclasses.asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> "Part":
        """Of a folder that holds one.

        Raises:
          FileNotFoundError: it does not.
        """
        path = folder / FILE
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist: {folder} holds no finished page.")
        values = json.loads(path.read_text())
        tables = [
            Table(
                **{**one, "columns": tuple(one["columns"]), "rows": list(map(tuple, one["rows"]))}
            )
            for one in values.pop("tables")
        ]
        findings = [Finding(**one) for one in values.pop("findings")]
        images = [Image(**one) for one in values.pop("images")]
        return cls(**values, findings=findings, tables=tables, images=images)
