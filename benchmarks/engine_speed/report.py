"""Ratios of what was measured in the same turns, promises, and Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.engine_speed.measure import Speed
from equalinfo.m1.frozen.cpu.tiles import KERNELS


@dataclass(frozen=True)
class Figure:
    """One speed.

    Attributes:
      workload: what was read, and how.
      competitor: who read it.
      rounds: what each turn reached (for products, operations a second); the best counts.
      share: of the measured rate of NumPy's products in float32; None where that means nothing.
      detail: what helps to judge it.
    """

    workload: str
    competitor: str
    rounds: Sequence[Speed]
    share: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The best turn's symbols a second."""
        return max(self.rounds).wall

    @property
    def per_cpu(self) -> float:
        """The best turn's symbols per second of CPU."""
        return max(speed.wall / speed.cores for speed in self.rounds)

    def as_json(self) -> dict[str, Any]:
        """The JSON line."""
        line: dict[str, Any] = {"workload": self.workload, "competitor": self.competitor}
        rounds = [float(f"{speed.wall:.4g}") for speed in self.rounds]
        line |= {"per_second": round(self.value, 1), "rounds": rounds}
        line |= {"cores": round(max(self.rounds).cores, 2), "per_cpu_second": round(self.per_cpu)}
        if self.share is not None:
            line["share_of_products"] = round(self.share, 4)
        return line | self.detail


Workloads = dict[str, dict[str, Figure]]


def by_workload(figures: Iterable[Figure]) -> Workloads:
    """{workload: {competitor: figure}}."""
    found: Workloads = {}
    for figure in figures:
        found.setdefault(figure.workload, {})[figure.competitor] = figure
    return found


def ratios(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """A line for each of ours and each peer: how many times as fast."""
    lines = []
    for workload, row in by_workload(figures).items():
        for mine in (name for name in row if is_ours(name) and "one stream" not in name):
            for other in (name for name in row if not is_ours(name)):
                lines.append(
                    {
                        "workload": workload,
                        "ratio": f"{mine} / {other}",
                        "value": _round(row[mine].value / row[other].value),
                        "by_cpu_time": _round(row[mine].per_cpu / row[other].per_cpu),
                    }
                )
    return lines


def is_ours(competitor: str) -> bool:
    """Whether it is the frozen M1."""
    return competitor.partition(",")[0] in ("cpu", "jax", *KERNELS)


def promises(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """What the engine should reach, and whether it does."""
    lines = []
    for workload, row in by_workload(figures).items():
        streams = [name for name in row if name.endswith("one stream") and not is_ours(name)]
        peers = [name for name in row if name.startswith("PyTorch") and name not in streams]
        whole = workload.startswith("whole")
        for engine in ("cpu", *KERNELS):
            if engine not in row:
                continue
            intervals, lanes = f"{engine}, intervals", row[engine].detail.get("lanes", 0)
            for mine, others, claim, bound in (
                (engine, [] if whole else peers, "steps, times the fastest PyTorch", 1.0),
                (engine, streams, "steps, times the fastest single stream", 50.0),
                (engine, ["jax"] if lanes == 1 else [], "one lane, times JAX's", 10.0),
                (intervals, peers, "intervals, times PyTorch's fastest pass", 1 / 1.5),
                (intervals, [engine] if whole else [], "intervals, times its own pass", 1 / 1.5),
            ):
                others = [name for name in others if name in row]
                if mine in row and others:
                    best = max(others, key=lambda name: row[name].value)
                    value = row[mine].value / row[best].value
                    lines.append(_promise(claim, workload, mine, best, value, bound))
            share = row[engine].share
            if lanes >= 64 and share is not None:
                claim = "steps, share of NumPy's float32 products"
                lines.append(_promise(claim, workload, engine, "NumPy", share, 0.75))
    return lines


def _promise(
    claim: str, workload: str, mine: str, against: str, value: float, bound: float
) -> dict[str, Any]:
    return {
        "claim": f"{mine}: {claim}",
        "workload": workload,
        "against": against,
        "value": _round(value),
        "bound": round(bound, 3),
        "holds": value >= bound,
    }


def tables(figures: Sequence[Figure], kept: Sequence[dict[str, Any]]) -> str:
    """Speeds in kB/s (10^3 symbols a second), with the share of products in %; promises."""
    products = [figure for figure in figures if figure.workload == "products"]
    others = by_workload(figure for figure in figures if figure.workload != "products")
    names = list(dict.fromkeys(name for row in others.values() for name in row))
    lines = ["| product | Gop/s |", "|---|---|"]
    lines += [f"| {figure.competitor} | {figure.value / 1e9:.0f} |" for figure in products]
    lines += ["", "kB/s (in brackets: % of the rate of NumPy's products in float32)", ""]
    lines += ["| workload | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for workload, row in others.items():
        cells = [_cell(row.get(name)) for name in names]
        lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    lines += ["", "| claim | workload | against | measured | wanted | |", "|---" * 6 + "|"]
    for line in kept:
        verdict = "holds" if line["holds"] else "FAILS"
        lines.append(
            f"| {line['claim']} | {line['workload']} | {line['against']} | {line['value']} | "
            f"{line['bound']} | {verdict} |"
        )
    return "\n".join(lines) + "\n"


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    share = "" if figure.share is None else f" ({100 * figure.share:.0f})"
    return f"{figure.value / 1e3:.3g}{share}"
