"""Draw training curves from the metrics of runs."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from equalinfo.lm import metrics


def draw(
    runs: Sequence[Path], output: Path, levels: Mapping[str, float] | None = None, smooth: int = 8
) -> None:
    """Bits/byte against steps: training (averaged) and evaluation of each run.

    Args:
      runs: run directories; their names become labels.
      output: .png or .svg file.
      levels: horizontal lines, name -> bits/byte, such as uniform and unigram.
      smooth: lines of training metrics averaged into one point.

    Raises:
      FileNotFoundError: a directory has no metrics.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for run in runs:
        lines, name = metrics.read(run), Path(run).name
        train, scored = (
            np.array([(x["step"], x[key]) for x in lines if key in x]).reshape(-1, 2)
            for key in ("train/bits_per_byte", "eval/bits_per_byte")
        )
        means = train[: len(train) // smooth * smooth].reshape(-1, smooth, 2).mean(axis=1)
        (curve,) = axes.plot(*means.T, alpha=0.5, label=f"{name}: train")
        if len(scored):
            axes.plot(*scored.T, "o-", color=curve.get_color(), label=f"{name}: validation")
    styles = itertools.cycle(("--", ":", "-.", (0, (5, 1, 1, 1, 1, 1))))
    for style, (name, value) in zip(styles, (levels or {}).items(), strict=False):
        axes.axhline(value, color="black", linestyle=style, linewidth=1, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("bits/byte")
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(output, dpi=150)
    plt.close(figure)
