"""What a study's page shows: claims, tables and figures."""

import math
from collections.abc import Iterable
from pathlib import Path

from experiments.part import Part
from experiments.study import claims, figures
from experiments.study.config import Job, Tokenizer
from experiments.study.results import Results, Run, mean
from experiments.study.steps import Plan
from experiments.table import Cell, Table


def part(results: Results, folder: Path) -> Part:
    """Of what was run; the folder gets its figures."""
    study = results.study
    tables = [models(results), best_codes(results), tokenizers(results)]
    for key, title, labels in (
        ("missing", "Not run yet", results.missing),
        ("diverged", "Diverged", results.diverged),
    ):
        if labels:
            tables.append(Table(key, title, ("model",), [(label,) for label in labels]))
    return Part(
        f"Study: {study.title}",
        [study.about, protocol(results)],
        claims.all_claims(results),
        tables,
        [drawn.save(folder) for drawn in figures.all_figures(results)],
    )


def protocol(results: Results) -> str:
    """What was done, from the config."""
    study, of_all = results.study, results.study.training
    chosen = study.learning_rate
    rates = "; ".join(
        f"{size}: {rate:g}, the best of "
        + ", ".join(f"{tried:g} ({_number(bits)} bits/byte)" for tried, bits in all_tried)
        for size, (rate, all_tried) in results.rates.items()
    )
    spread, paired = results.spread, results.paired_spread
    error = (
        "Errors are 95% intervals from the spread of seeds, pooled over all models that have "
        f"several: standard deviation {spread.std:.4f}, {spread.freedom} degrees of freedom; of "
        f"differences between models of the same seeds {paired.std:.4f} each, {paired.freedom}."
        if spread.freedom
        else "No model has a second seed yet: there are no errors."
    )
    return (
        f"Each text is seen once. An example holds {of_all.context_bytes:,} bytes on average, a "
        f"step {of_all.batch_rows} of them. Tokenizers and n-grams are trained on the first "
        f"{study.tokenizer_bytes:,} bytes of the training text. Optimizer {of_all.optimizer}, "
        f"rising over {of_all.warmup_steps} steps, constant, then falling to 0 over the last "
        f"{of_all.cooldown:.0%}; its rate is chosen for "
        f"each size on {chosen.tokenizer}, {chosen.train_bytes:,} bytes"
        f"{f' ({rates})' if rates else ''}, then the same for all. Scored on the whole validation "
        f"text, curves on one in {of_all.evaluated_rows} of its examples. {error}"
    )


def models(results: Results) -> Table:
    """A row for each model; seeds together."""
    rows = []
    for runs in _groups(results):
        run = runs[0]
        error = results.spread.error(len(runs))
        bits = f"{mean(runs):.4f}" + ("" if math.isnan(error) else f" ± {error:.4f}")
        rows.append(
            (
                run.tokenizer,
                run.size,
                f"{run.train_bytes / 1e6:g}",
                run.bytes_per_token,
                bits,
                len(runs),
                f"{run.training_flops:.2e}",
                run.flops_per_byte / 1e6,
                run.paper_flops_per_byte / 1e6,
                run.parameters,
                run.all_parameters,
            )
        )
    columns = (
        *("tokenizer", "size", "text, MB", "bytes/token", "bits/byte", "seeds"),
        *("training, FLOPs", "inference, MFLOPs/byte", "2 × parameters, MFLOPs/byte"),
        *("parameters", "with embedding and logits"),
    )
    note = (
        "FLOPs are those of all products of matrices, logits among them; 2 × parameters is the "
        "paper's count, without. Where an M1 runs, both have its 2 × parameters a byte."
    )
    return Table("models", "Models", columns, list(rows), note)


def best_codes(results: Results) -> Table:
    """Of tokenizers that differ in V only: which of those run is best for each size."""
    families: dict[str, list[Tokenizer]] = {}
    for one in results.study.tokenizers.values():
        if one.codes:
            key = f"{one.kind} {one.options or ''}{one.random_splits or ''}"
            families.setdefault(key, []).append(one)
    rows = []
    for family in families.values():
        for size in results.sizes if len(family) > 1 else ():
            found = {one.codes: runs for one in family if (runs := results.of(one.name, size))}
            if len(found) > 1:
                each = ", ".join(
                    f"{codes:,}: {mean(runs):.4f} ({runs[0].flops_per_byte / 1e6:.2f})"
                    for codes, runs in sorted(found.items())
                )
                best, second = sorted(found, key=lambda codes: mean(found[codes]))[:2]
                apart = claims.difference(results, found[best], found[second]).better
                rows.append((family[0].kind, size, best if apart else "undecided", each))
    columns = ("tokenizer", "size", "best V", "bits/byte by V (MFLOPs/byte)")
    note = "Of those that were run, at equal parameters; logits make a larger V dearer."
    return Table("best_codes", "The best V of each size", columns, list(rows), note)


def tokenizers(results: Results) -> Table:
    """A row for each tokenizer: density and n-grams."""
    orders = max((len(one.ngrams) for one in results.tokenizers.values()), default=0)
    rows: list[tuple[Cell, ...]] = []
    for one in results.tokenizers.values():
        ngrams = [f"{bits:.4f}" for bits in one.ngrams] + ["-"] * (orders - len(one.ngrams))
        rows.append((one.name, one.vocab_size, one.bytes_per_token, one.uniform, *ngrams))
    heads = (f"KN-{n}" for n in range(1, orders + 1))
    columns = ("tokenizer", "ids", "bytes/token", "uniform", *heads)
    note = (
        "Uniform: bits/byte where all ids are alike. KN-n: bits/byte of Kneser-Ney models of order "
        "n; as many as fit 63 bits."
    )
    return Table("tokenizers", "Tokenizers", columns, rows, note)


def estimate(planned: Iterable[tuple[Job, Plan]], rate: float) -> str:
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
