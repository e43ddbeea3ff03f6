"""Draw training curves from the metrics of runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

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
        lines = metrics.read(run)
        train = [
            (line["step"], line["train/bits_per_byte"])
            for line in lines
            if "train/bits_per_byte" in line
        ]
        steps, means = [], []
        for start in range(0, len(train) - smooth + 1, smooth):
            part = train[start : start + smooth]
            steps.append(sum(step for step, _ in part) / smooth)
            means.append(sum(value for _, value in part) / smooth)
        (curve,) = axes.plot(steps, means, alpha=0.5, label=f"{Path(run).name}: train")
        scored = [
            (line["step"], line["eval/bits_per_byte"])
            for line in lines
            if "eval/bits_per_byte" in line
        ]
        if scored:
            axes.plot(
                *zip(*scored, strict=True),
                "o-",
                color=curve.get_color(),
                label=f"{Path(run).name}: validation",
            )
    for style, (name, value) in zip(("--", ":", "-."), (levels or {}).items(), strict=False):
        axes.axhline(value, color="black", linestyle=style, linewidth=1, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("bits/byte")
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(output, dpi=150)
    plt.close(figure)
