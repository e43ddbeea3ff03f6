"""How figures look, and their files: PNG and SVG."""

import dataclasses
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

from experiments.part import Image

_DPI = 110
# The same results give the same file: names within an SVG by this, and no date.
STYLE = {**sns.axes_style("whitegrid"), "svg.hashsalt": "equalinfo"}


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A figure with its files' name, title and note, which says why where nothing was run."""

    key: str
    title: str
    figure: Figure | None
    note: str

    def save(self, folder: Path) -> Image:
        """Write PNG and SVG, and close the figure; nothing where nothing was run."""
        if self.figure is None:
            return Image(self.key, self.title, self.note, "")
        png, svg = (folder / f"{self.key}.{kind}" for kind in ("png", "svg"))
        self.figure.savefig(png, dpi=_DPI, bbox_inches="tight")
        self.figure.savefig(svg, bbox_inches="tight", metadata={"Date": None})
        plt.close(self.figure)
        return Image.of(png, self.title, self.note)
