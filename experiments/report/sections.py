"""What the report's page shows."""

from pathlib import Path

from experiments.part import Part
from experiments.report.figures import all_figures
from experiments.report.findings import all_findings
from experiments.report.results import Results
from experiments.report.tables import all_tables

_UNKNOWN = (
    "Tables 1 and 13 and Figures 1, 2 and 7 are not here: they hold no measurement, or our notes "
    "on the paper do not say which."
)


def part(results: Results, folder: Path) -> Part:
    """Of what was run; the folder gets its figures."""
    config = results.config
    return Part(
        f"Training LLMs over Neurally Compressed Text: report “{config.title}”",
        [config.about, _text(results), _UNKNOWN],
        all_findings(results),
        all_tables(results),
        [drawn.save(folder) for drawn in all_figures(results)],
    )


def _text(results: Results) -> str:
    """What of, and how many of the M2s that the config asks for were trained."""
    config = results.config
    size = ", ".join(
        f"{split}: {counts['documents']:,} documents, {counts['bytes']:,} bytes"
        for split, counts in results.text.items()
    )
    wanted = [
        seed in one.models.get(size, {})
        for one in results.methods
        for size in one.method.m2
        for seed in one.method.seeds or config.seeds
    ]
    seeds = ", ".join(map(str, config.seeds))
    return f"{size}. Seeds: {seeds}; {sum(wanted)} of {len(wanted)} M2s were trained."
