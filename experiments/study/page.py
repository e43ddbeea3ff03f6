"""`study.md`: tables, claims and figures of a study."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.study import claims, figures
from experiments.study.config import Job
from experiments.study.results import Results, Run
from experiments.study.steps import Plan

_VERDICTS = {True: "holds", False: "does not hold", None: "undecided"}


def write(results: Results, out: Path) -> Path:
    """Write the page and its figures."""
    drawn = figures.draw(results, out / "figures")
    sections = [
        f"# Study: {results.study.title}",
        results.study.about,
        protocol(results),
        "## Models",
        models(results),
        *(f"![{path.stem}](figures/{path.name})" for path in drawn if path.suffix == ".png"),
        "## Tokenizers",
        tokenizers(results),
        "## Claims",
        statements(results),
    ]
    for title, labels in (("Not run yet", results.missing), ("Diverged", results.diverged)):
        if labels:
            sections += [f"## {title}", "\n".join(f"- {label}" for label in labels)]
    path = out / "study.md"
    path.write_text("\n\n".join(sections) + "\n")
    return path


def protocol(results: Results) -> str:
    """What was done, from the config."""
    study, of_all = results.study, results.study.training
    rates = "; ".join(
        f"{size}: {rate:g} of "
        + ", ".join(f"{tried:g} ({_number(bits)})" for tried, bits in all_tried)
        for size, (rate, all_tried) in results.rates.items()
    )
    spread = results.spread
    error = (
        f"Errors are 95% intervals from the spread of seeds, pooled over all models that have "
        f"several: standard deviation {spread.std:.4f}, {spread.freedom} degrees of freedom."
        if spread.freedom
        else "No model has a second seed yet: there are no errors."
    )
    return (
        f"Each text is seen once. An example holds {of_all.context_bytes:,} bytes on average, a "
        f"step {of_all.batch_rows} of them. Tokenizers and n-grams are trained on the first "
        f"{study.tokenizer_bytes:,} bytes of the training text. Optimizer {of_all.optimizer}, "
        f"constant, then falling to 0 over the last {of_all.cooldown:.0%}; its rate is chosen for "
        f"each size on {study.learning_rate.tokenizer}, {study.learning_rate.train_bytes:,} bytes"
        f"{f' ({rates})' if rates else ''}, then the same for all. Scored on the whole validation "
        f"text, curves on every {of_all.evaluated_rows}th example of it. {error}"
    )


def models(results: Results) -> str:
    """A row for each model; seeds together."""
    lines = [
        "| tokenizer | size | text, MB | parameters | with embedding and logits | bytes/token "
        "| bits/byte | seeds | training, FLOPs | inference, FLOPs/byte "
        "| 2 × parameters, FLOPs/byte |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for runs in _groups(results):
        run = runs[0]
        mean = float(np.mean([x.bits_per_byte for x in runs]))
        error = results.spread.error(len(runs))
        shown = f"{mean:.4f}" + ("" if math.isnan(error) else f" ± {error:.4f}")
        lines.append(
            f"| {run.tokenizer} | {run.size} | {run.train_bytes / 1e6:g} | {run.parameters:,} "
            f"| {run.all_parameters:,} | {run.bytes_per_token:.3f} | {shown} | {len(runs)} "
            f"| {run.training_flops:.2e} | {run.flops_per_byte:.2e} "
            f"| {run.paper_flops_per_byte:.2e} |"
        )
    return "\n".join(lines)


def tokenizers(results: Results) -> str:
    """A row for each tokenizer: density and n-grams."""
    orders = max((len(one.ngrams) for one in results.tokenizers.values()), default=0)
    lines = [
        "| tokenizer | ids | bytes/token | uniform | "
        + " | ".join(f"KN-{n}" for n in range(1, orders + 1))
        + " |",
        "|---|--:|--:|--:|" + "--:|" * orders,
    ]
    for one in results.tokenizers.values():
        cells = [_number(x) for x in one.ngrams] + [""] * (orders - len(one.ngrams))
        lines.append(
            f"| {one.name} | {one.vocab_size:,} | {one.bytes_per_token:.3f} | {one.uniform:.3f} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines) + "\n\nKN-n: bits/byte of Kneser-Ney models of order n."


def statements(results: Results) -> str:
    """A row for each claim."""
    lines = ["| claim | | numbers | why |", "|---|---|---|---|"]
    for found in claims.all_claims(results):
        lines.append(
            f"| {found.claim} ({found.source}) | **{_VERDICTS[found.holds]}** | {found.evidence} "
            f"| {found.reason} |"
        )
    return "\n".join(lines)


def estimate(planned: Sequence[tuple[Job, Plan]], rate: float) -> str:
    """What each model takes.

    Args:
      planned: of all models.
      rate: FLOP/s.
    """
    lines = []
    total = 0.0
    for job, plan in planned:
        seconds = plan.training_flops / rate
        total += seconds
        lines.append(
            f"{job.label}: {plan.steps:,} steps of {plan.length} tokens a row, "
            f"{plan.training_flops:.2e} FLOPs, {seconds / 60:,.0f} min; "
            f"so far {total / 3600:.1f} h"
        )
    return "\n".join(lines)


def _groups(results: Results) -> list[list[Run]]:
    """Runs that differ in the seed only, in the order of the config's tokenizers."""
    groups: dict[tuple[str, int, str], list[Run]] = {}
    for run in results.runs:
        groups.setdefault((run.size, run.train_bytes, run.tokenizer), []).append(run)
    order = list(results.study.tokenizers)
    return [
        groups[key]
        for key in sorted(
            groups, key=lambda key: (results.sizes.index(key[0]), key[1], order.index(key[2]))
        )
    ]


def _number(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.4f}"
