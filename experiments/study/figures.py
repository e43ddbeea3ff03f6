"""Two figures: bits/byte against training FLOPs, and against inference FLOPs/byte."""

from collections.abc import Callable, Iterator

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from experiments.drawing import STYLE, Drawn
from experiments.study.results import INFERENCE, TRAINING, Results, Run, mean

_NOTE = (
    "FLOPs are those of all products of matrices. Points are ends of runs, a line joins the sizes "
    "of one tokenizer; pale lines are runs on their way, whose learning rate had not fallen yet. "
    "Hollow points saw another amount of text."
)
_MARKERS = "os^DvP*Xh"
_TALLEST = 1.25  # times the fewest bits/byte; what has more is named at the edge


def all_figures(results: Results) -> Iterator[Drawn]:
    """`training` and `inference`; empty where nothing was run."""
    for key, of_run, label, with_curves in (
        ("training", TRAINING, "FLOPs of training", True),
        ("inference", INFERENCE, "FLOPs of inference per byte", False),
    ):
        with plt.rc_context(STYLE):
            drawn = _figure(results, of_run, label, with_curves) if results.runs else None
            yield Drawn(key, f"bits/byte against {label}", drawn, _NOTE)


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
                error = results.spread.error(len(runs))
                usual = train_bytes == results.usual_bytes
                axes.errorbar(
                    of_run(runs[0]),
                    mean(runs),
                    yerr=None if np.isnan(error) else error,
                    markerfacecolor=colors[number] if usual else "none",
                    capsize=2,
                    linestyle="none",
                    **style,
                )
                if usual:
                    points.append((of_run(runs[0]), mean(runs)))
        if points:
            axes.plot(*zip(*points, strict=True), label=name, **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    finals = [run.bits_per_byte for run in results.runs]
    error = results.spread.error(1)
    low = min(finals) - (0 if np.isnan(error) else error)
    top = min(max(finals) * (1.15 if with_curves else 1.02), _TALLEST * min(finals))
    axes.set_ylim(low - 0.03, top)
    above = [run for run in results.runs if run.bits_per_byte > top]
    for number, run in enumerate(sorted(above, key=of_run)):
        note = f"{run.tokenizer} {run.size}: {run.bits_per_byte:.2f} ↑"
        place = (0, -10 - 10 * number)
        across = axes.transAxes.inverted().transform(axes.transData.transform((of_run(run), top)))
        side = "left" if across[0] < 0.3 else "right" if across[0] > 0.7 else "center"
        axes.annotate(
            note, (of_run(run), top), place, textcoords="offset points", ha=side, fontsize=8
        )
    axes.set_xlabel(f"{label} (all products of matrices)")
    axes.set_ylabel("bits/byte, validation")
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
