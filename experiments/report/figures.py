"""Figures of the report, drawn by matplotlib and seaborn from `Results`."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.figure import Figure

from experiments.analysis.windows import beyond_trivial
from experiments.drawing import STYLE, Drawn
from experiments.report import measures, paper
from experiments.report.results import Results

_PALETTE = "colorblind"
_MAP_BITS = 128
_SHOWN_WORDS = 100


Shown = tuple[Figure | None, str]
"""A figure, if there is one, and its note."""

_FIGURES: list[Callable[[Results], Drawn]] = []


def all_figures(results: Results) -> Iterator[Drawn]:
    """In the order of the report; one at a time, so that few are in memory."""
    with plt.rc_context(STYLE):
        for draw in _FIGURES:
            yield draw(results)


def _figure(
    key: str, title: str
) -> Callable[[Callable[[Results], Shown]], Callable[[Results], Shown]]:
    """Make a function that draws a figure of the report."""

    def of(draw: Callable[[Results], Shown]) -> Callable[[Results], Shown]:
        _FIGURES.append(lambda results: Drawn(key, title, *draw(results)))
        return draw

    return of


def _axes(columns: int, width: float, height: float, rows: int = 1) -> tuple[Figure, Any]:
    """A figure and its panels [rows, columns], each of this size in inches."""
    size = (width * columns, height * rows)
    return plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")


def _colors(names: list[str]) -> dict[str, Any]:
    """One colour a family of methods, the same in both halves of a figure."""
    families = list(dict.fromkeys(_family(name) for name in names))
    palette = sns.color_palette(_PALETTE, len(families))
    return {name: palette[families.index(_family(name))] for name in names}


def _family(name: str) -> str:
    family = name.partition("[")[0]
    return "EqualInfo" if family.startswith("EqualInfo") else family


@_figure("figure-03-04-12-14-flops", "Figures 3, 4, 12, 14: bits/byte against FLOPs/byte")
def cost(results: Results) -> Shown:
    """Bits/byte against FLOPs/byte [Figs 3, 4, 12, 14]."""
    return _against(
        results,
        "million FLOPs/byte (log)",
        lambda scores: (scores["flops_per_byte"] or 0) / 1e6,
        lambda name: list(paper.MFLOPS_PER_BYTE[name]),
    )


@_figure("figure-05-06-15-bytes-per-step", "Figures 5, 6, 15: bits/byte against bytes/step")
def length(results: Results) -> Shown:
    """Bits/byte against bytes/step [Figs 5, 6, 15]."""
    return _against(
        results,
        "bytes/step (log)",
        lambda scores: scores["bytes_per_token"],
        lambda name: [paper.TOKEN_RATIO[name]] * len(paper.SIZES),
    )


def _against(
    results: Results,
    label: str,
    ours: Callable[[dict[str, Any]], float],
    theirs: Callable[[str], list[float]],
) -> Shown:
    figure, ((left, right),) = _axes(2, 6.4, 5.0)
    names = [one.name for one in results.methods if one.models]
    colors = _colors([*paper.BITS_PER_BYTE, *names])
    markers = {"12": "P", "16": "o", "32": "s", "64": "^", "128": "D", "24": "v"}

    def marker(name: str) -> str:  # of the window's width
        return markers.get(name.partition("[")[2].partition(",")[0], "o")

    for one in results.methods:
        points = []
        for size in one.method.m2:
            score = one.bits_per_byte(size)
            if score is not None:
                scores = next(iter(one.models[size].values()))["scores"]
                points.append((ours(scores), score, size))
        if points:
            points.sort(key=lambda point: point[0])
            left.errorbar(
                [x for x, _, _ in points],
                [score.mean for _, score, _ in points],
                yerr=[0 if score.n == 1 else score.std for _, score, _ in points],
                marker=marker(one.name),
                linestyle="--" if "65k" in one.name else "-",
                color=colors[one.name],
                label=one.name,
            )
    for name, bits in paper.BITS_PER_BYTE.items():
        style = "--" if "65k" in name else "-"
        right.plot(theirs(name), bits, style, marker=marker(name), color=colors[name], label=name)
    for axes, head in ((left, f"here ({results.config.title})"), (right, "the paper, 25m to 2b")):
        axes.set(xscale="log", xlabel=label, ylabel="bits/byte", title=head)
        axes.legend(fontsize=6, ncols=2)
    if not names:
        return figure, "No M2 was trained here: only the paper's are shown."
    return figure, "Vertical bars: standard deviation over seeds."


@_figure("training", "Not in the paper as such: loss over training, from uniform")
def training(results: Results) -> Shown:
    """Loss along training, from uniform."""
    trained = [one for one in results.methods if one.models]
    if not trained:
        return None, "No M2 was trained."
    sizes = list(dict.fromkeys(size for one in trained for size in one.models))
    figure, axes = _axes(len(sizes), 6.4, 4.6)
    palette = sns.color_palette("husl", len(trained))
    for panel, size in zip(axes[0], sizes, strict=True):
        for one, color, marker in zip(trained, palette, itertools.cycle("osv^DPX*"), strict=False):
            for number, (seed, run) in enumerate(sorted(one.models.get(size, {}).items())):
                lines = [x for x in run["curve"] if "eval/bits_per_byte" in x]
                scores = run["scores"]
                uniform = math.log(2) * scores["uniform"] * scores["bytes_per_token"]
                panel.plot(
                    [x["step"] for x in lines],
                    [100 * (x["eval/loss"] / uniform - 1) for x in lines],
                    color=color,
                    marker=marker,
                    markersize=4,
                    alpha=1 if number == 0 else 0.5,
                    label=one.name if number == 0 else f"_{seed}",
                )
        panel.axhline(0, color="black", linewidth=0.8)
        panel.set(title=f"M2 {size}", xlabel="steps", ylabel="% above uniform, loss per token")
        panel.set_yscale("symlog", linthresh=1)
        panel.legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure, "On validation text; symmetric log axis below 1%."


@_figure("ratios-by-window", "Table 2 as a figure: bytes/token over window bits")
def ratio_by_window(results: Results) -> Shown:
    """Bytes/token over W, ours and the paper's [Table 2 as a figure]."""
    figure, ((axes,),) = _axes(1, 6.0, 4.2)
    widths = (16, 24, 32, 64, 128)
    for vocabulary, marker in (("256", "o"), ("65k", "s")):
        for family, style in (("EqualInfo", "-"), ("EqualInfoAC", ":")):
            found = [(w, results[f"{family}[{w}, {vocabulary}]"]) for w in widths]
            ratios = [(w, one.measure("scores", "bytes_per_token")) for w, one in found if one]
            points = [(w, ratio) for w, ratio in ratios if ratio]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    style,
                    marker=marker,
                    label=f"{family}, v={vocabulary}",
                )
        theirs = [paper.TOKEN_RATIO[f"EqualInfoAC[{w}, {vocabulary}]"] for w in widths]
        axes.plot(widths, theirs, "--", color="grey", marker=marker, label=f"paper, v={vocabulary}")
    axes.set(xscale="log", xlabel="W, bits of a window", ylabel="bytes/token")
    axes.set_xticks(widths, [str(w) for w in widths])
    axes.minorticks_off()
    axes.legend(fontsize=7)
    return figure, "The same order as the paper's; the level is that of M1."


@_figure("figure-08-stability", "Figure 8: does a word before a sentence change its tokens?")
def stability(results: Results) -> Shown:
    """Distances between prefixed sentences [Fig 8]."""
    found = [one for one in results.methods if one.measures_folder]
    if not found:
        return None, "No data set was measured."
    figure, axes = _axes(4, 3.4, 2.9, rows=-(-len(found) // 4))
    for panel, one in zip(axes.flat, found, strict=False):
        assert one.measures_folder is not None and one.measures is not None
        distances = measures.distances(one.measures_folder)
        tokens = max(1.0, one.measures["stability"]["tokens"])
        every = -(-len(distances) // _SHOWN_WORDS)
        shown = distances[::every, ::every] / tokens
        image = panel.imshow(shown, vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
        panel.set_title(one.name, fontsize=8)
        panel.set_axis_off()
    for panel in list(axes.flat)[len(found) :]:
        panel.set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.6, label="distance / tokens of the sentence")
    return figure, "Each pixel is a pair of words; dark: the sentence kept its tokens."


@_figure("figure-09-map", "Figure 9: characters, bits and tokens of the same text")
def character_map(results: Results) -> Shown:
    """Characters over bits over tokens [Fig 9]."""
    names = ("StaticAC[256]", "AC[256]", "EqualInfo[16, 256]", "EqualInfo[16, 65k]")
    found = [one for one in results.methods if one.name in names and one.measures]
    if not found:
        return None, "No data set was measured."
    figure, axes = _axes(1, 12, 1.5, rows=len(found))
    shades = sns.color_palette("pastel")
    for panel, one in zip(axes[:, 0], found, strict=True):
        assert one.measures is not None
        width, sentence = one.measures["token_bits"], one.measures["sentence"]
        for number, (text, start, end) in enumerate(_with_implied(sentence["bits"])):
            shade = shades[number % len(shades)]
            panel.barh(1, end - start, left=start, color=shade, edgecolor="white", height=0.9)
            if end <= _MAP_BITS:
                label = text.replace(" ", "␣")
                panel.text((start + end) / 2, 1, label, ha="center", va="center", fontsize=7)
        for place, id_ in enumerate(sentence["ids"][: _MAP_BITS // width]):
            left = place * width
            panel.barh(0, width, left=left, color="lightgrey", edgecolor="white", height=0.9)
            panel.text(left + width / 2, 0, str(id_), ha="center", va="center", fontsize=7)
        panel.set(
            xlim=(0, _MAP_BITS), yticks=[0, 1], yticklabels=["tokens", "text"], title=one.name
        )
        panel.set_xticks(range(0, _MAP_BITS + 1, 16))
        panel.grid(visible=False)
    axes[-1, 0].set_xlabel("bits")
    note = (
        "Which bits characters decide; one that decides none stands with those before it. "
        "Where M1 runs, only what whole tokens complete is known."
    )
    return figure, note


def _with_implied(bits: list[list[Any]]) -> list[tuple[str, int, int]]:
    """(text, first bit, end): characters without a bit of their own join those before."""
    joined: list[tuple[str, int, int]] = []
    for text, start, end in bits:
        if joined and start == end:
            before, first, last = joined[-1]
            joined[-1] = before + text, first, last
        else:
            joined.append((text, start, end))
    return joined


@_figure("figure-10-accuracy", "Figure 10: accuracy by position in a window, over training")
def accuracy(results: Results) -> Shown:
    """Accuracy by position in the window over training, raw and beyond trivial [Fig 10]."""
    wanted = []
    for one in results.methods:
        for size, found in one.models.items():
            steps, positions = one.accuracy_by_position(size, min(found))
            if steps:
                wanted.append((f"{one.name} {size}", steps, np.array(positions)))
    if not wanted:
        return None, "No M2 was trained on windows of several tokens."
    figure, axes = _axes(len(wanted), 3.6, 3, rows=2)
    for column, (name, steps, rows) in enumerate(wanted):
        palette = sns.color_palette("viridis", rows.shape[1])
        trivial = steps[max(0, len(steps) // 5 - 1)]
        above = beyond_trivial(np.array(steps), rows, trivial)
        for position, color in enumerate(palette):
            for panel, values in ((axes[0, column], rows), (axes[1, column], above)):
                panel.plot(steps, 100 * values[:, position], color=color, label=position + 1)
        axes[0, column].set(title=name, ylabel="accuracy, %")
        axes[1, column].set(xlabel="steps", ylabel=f"minus the best until step {trivial}")
        axes[0, column].legend(title="token", fontsize=6, title_fontsize=6)
    return figure, "Seed of the lowest number; 'trivial' is the first fifth here."


@_figure(
    "figure-11-16-17-divergence",
    "Figures 11, 16, 17: KL divergence of n-grams and tokens of bits from uniform",
)
def divergence(results: Results) -> Shown:
    """KL from uniform by n [Figs 11, 16, 17]."""
    found = [
        (one.name, one.measure("divergence"))
        for one in results.methods
        if one.measure("divergence")
    ]
    if not found or results.random is None:
        return None, "No bitstream was measured."
    figure, axes = _axes(2, 6, 4, rows=2)
    palette = sns.color_palette("husl", len(found))
    for row, kind in enumerate(("ngrams", "tokens")):
        for column, estimator in enumerate(("plug_in", "miller_madow")):
            panel = axes[row, column]
            for (name, values), color in zip(
                [*found, ("random bits", results.random)], [*palette, "black"], strict=True
            ):
                low, middle, high = np.array(values[f"{kind}_{estimator}"]).T
                panel.plot(values["n"], middle, color=color, label=name, linewidth=1.2)
                panel.fill_between(values["n"], low, high, color=color, alpha=0.15)
            label = "bit n-grams" if kind == "ngrams" else "n-bit tokens"
            panel.set(
                title=f"{label}, {estimator.replace('_', '-')}", xlabel="n", ylabel="KL, bits"
            )
            panel.set_yscale("symlog", linthresh=1e-4)
    axes[0, 0].legend(fontsize=7)
    note = (
        f"5th, 50th and 95th percentile over {results.config.samples} disjoint samples of "
        f"{results.random['bits'] // results.config.samples:,} bits; what lies above random bits "
        "is structure."
    )
    return figure, note
