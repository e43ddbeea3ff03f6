"""What a page shows of an experiment: findings, tables and figures."""

import base64
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from experiments.table import Table

FILE = "part.json"


@dataclasses.dataclass(frozen=True)
class Finding:
    """A statement, and whether it holds here.

    Attributes:
      claim: of the paper, or of this project.
      source: where it is made.
      holds: None: what it needs was not run, or does not decide it: then there is a reason.
      evidence: numbers; empty: not run.
      reason: why it does not hold or is not decided, as far as we can tell; empty where it holds.
    """

    claim: str
    source: str
    holds: bool | None
    evidence: str
    reason: str = ""

    @property
    def verdict(self) -> str:
        """In words; a claim without numbers was not run."""
        undecided = "undecided" if self.evidence else "not run"
        return {True: "holds", False: "does not hold here", None: undecided}[self.holds]

    @property
    def numbers(self) -> str:
        """With their reason, for people."""
        if self.evidence and self.reason:
            return f"{self.evidence} ({self.reason})"
        return self.evidence or self.reason


@dataclasses.dataclass(frozen=True)
class Image:
    """A figure.

    Attributes:
      key: of its files.
      title, note: around it; the note says why where there is none.
      png: base64; empty: nothing was run that it shows.
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
      about: what was done; paragraphs.
      findings, tables, images: in order.
    """

    title: str
    about: Sequence[str]
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
