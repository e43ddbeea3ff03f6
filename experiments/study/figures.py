"""Two figures: bits/byte against training FLOPs, and against inference FLOPs/byte."""

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from experiments.study.results import Results, Run

TITLES = {
    "training": "bits/byte against FLOPs of training",
    "inference": "bits/byte against FLOPs of inference per byte",
}
NOTE = (
    "FLOPs are those of all products of matrices. Points are ends of runs, a line joins the sizes "
    "of one tokenizer; pale lines are runs on their way, whose learning rate had not fallen yet. "
    "Hollow points saw another amount of text."
)
_DPI = 120
_MARKERS = "os^DvP*Xh"
_TALLEST = 1.25  # times the fewest bits/byte; what has more is named at the edge


def draw(results: Results, folder: Path) -> list[Path]:
    """Write `training.png` and `inference.png` (and .svg); nothing where nothing was run."""
    if not results.runs:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, of_run, label, with_curves in (
        ("training", _training, "FLOPs of training (all products of matrices)", True),
        ("inference", _inference, "FLOPs of inference per byte (all products of matrices)", False),
    ):
        with plt.rc_context({**sns.axes_style("whitegrid"), "svg.hashsalt": "equalinfo"}):
            figure = _figure(results, of_run, label, with_curves)
        for kind in ("png", "svg"):
            path = folder / f"{name}.{kind}"
            metadata = {"Date": None} if kind == "svg" else None
            figure.savefig(path, dpi=_DPI, bbox_inches="tight", metadata=metadata)
            paths.append(path)
        plt.close(figure)
    return paths


def _figure(
    results: Results, of_run: Callable[[Run], float], label: str, with_curves: bool
) -> Figure:
    run_names = {run.tokenizer for run in results.runs}
    names = [name for name in results.study.tokenizers if name in run_names]
    palette = "colorblind" if len(names) <= 10 else "husl"
    colors = sns.color_palette(palette, len(names))
    figure, axes = plt.subplots(figsize=(8.5, 5))
    others = sorted({run.train_bytes for run in results.runs} - {results.usual_bytes})
    for number, name in enumerate(names):
        style = {"color": colors[number], "marker": _MARKERS[number % len(_MARKERS)]}
        points = []
        for size in results.sizes:
            for train_bytes in (results.usual_bytes, *others):
                runs = results.of(name, size, train_bytes)
                if not runs:
                    continue
                if with_curves:
                    _, spent, bits = zip(*runs[0].curve, strict=True)
                    axes.plot(spent, bits, color=colors[number], alpha=0.35, linewidth=1)
                mean = float(np.mean([run.bits_per_byte for run in runs]))
                error = results.spread.error(len(runs))
                usual = train_bytes == results.usual_bytes
                axes.errorbar(
                    of_run(runs[0]),
                    mean,
                    yerr=None if np.isnan(error) else error,
                    markerfacecolor=colors[number] if usual else "none",
                    capsize=2,
                    linestyle="none",
                    **style,
                )
                if usual:
                    points.append((of_run(runs[0]), mean))
        if points:
            axes.plot(*zip(*points, strict=True), label=name, **style)
    axes.set_xscale("log")
    finals = [run.bits_per_byte for run in results.runs]
    error = results.spread.error(1)
    low = min(finals) - (0 if np.isnan(error) else error)
    top = min(max(finals) * (1.15 if with_curves else 1.02), _TALLEST * min(finals))
    axes.set_ylim(low - 0.03, top)
    for run in results.runs:
        if run.bits_per_byte > top:
            note = f"{run.tokenizer} {run.size}: {run.bits_per_byte:.2f} ↑"
            axes.annotate(
                note, (of_run(run), top), (0, -10), textcoords="offset points", ha="center"
            )
    axes.set_xlabel(label)
    axes.set_ylabel("bits/byte, validation")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _training(run: Run) -> float:
    return run.training_flops


def _inference(run: Run) -> float:
    return run.flops_per_byte
