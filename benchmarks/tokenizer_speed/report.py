"""Ratios against the fastest peer of the same run, whether the limits hold, and tables."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.tokenizer_speed.kinds_of_text import all_kinds
from benchmarks.tokenizer_speed.measure import THREADS, Measurement
from benchmarks.tokenizer_speed.training import Candidate

# Ways to pass a corpus of documents; "joined" is another task, reported apart.
CORPUS_MODES = ("document", "batch")

Figures = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Limit:
    """A promise, and what was measured.

    Attributes:
      tokenizer: of ours.
      claim: what is measured, and against whom.
      value: what was found.
      bound: what was promised.
      at_least: the value must reach the bound; else it must stay below it.
    """

    tokenizer: str
    claim: str
    value: float
    bound: float
    at_least: bool

    @property
    def holds(self) -> bool:
        """Whether the promise is kept."""
        return self.value >= self.bound if self.at_least else self.value < self.bound


def by_tokenizer(measurements: Iterable[Measurement]) -> Figures:
    """{tokenizer: {figure: value}}."""
    figures: Figures = {}
    for measurement in measurements:
        figures.setdefault(measurement.tokenizer, {})[measurement.figure] = measurement.value
    return figures


def ratios(candidates: Sequence[Candidate], figures: Figures) -> list[Measurement]:
    """Each speed of ours over the fastest peer's: in its better mode, or joined over joined."""
    peers = [candidate.name for candidate in candidates if not candidate.ours]
    found = []
    for candidate in candidates:
        if not candidate.ours or not peers:
            continue
        for action in ("encode", "decode"):
            for mode in (*CORPUS_MODES, "joined"):
                modes = ("joined",) if mode == "joined" else CORPUS_MODES
                peer, speed = _fastest(peers, figures, action, modes)
                ratio = figures[candidate.name][f"{action}/{mode}/1"] / speed
                figure = f"ratio/{action}/{mode}/1"
                detail = {"peer": peer, "peer_value": speed}
                found.append(
                    Measurement(candidate.name, candidate.vocab, figure, ratio, "x", detail)
                )
    return found


def limits(candidates: Sequence[Candidate], figures: Figures) -> list[Limit]:
    """Every promise of the project about this tokenizer, for each codebook."""
    found: list[Limit] = []
    peers = [candidate.name for candidate in candidates if not candidate.ours]
    for candidate in candidates:
        if not candidate.ours:
            continue
        name, own = candidate.name, figures[candidate.name]
        for action in ("encode", "decode"):
            for modes, what in ((CORPUS_MODES, "documents"), (("joined",), "one long text")):
                if peers:
                    peer, speed = _fastest(peers, figures, action, modes)
                    best = _fastest([name], figures, action, modes)[1]
                    claim = f"{action} {what}, times the fastest peer ({peer})"
                    found.append(Limit(name, claim, best / speed, 10, True))
        for action in ("encode", "decode"):
            gain = own[f"{action}/batch/{THREADS}"] / own[f"{action}/batch/1"]
            found.append(Limit(name, f"{action} batch, two threads over one", gain, 1.8, True))
        found.append(Limit(name, "load, ms", own["load"], 20, False))
        if "fresh_start" in own:
            claim = "import, load and first encode in a fresh process, s"
            found.append(Limit(name, claim, own["fresh_start"], 0.5, False))
        same_size = [c.name for c in candidates if not c.ours and c.vocab == candidate.vocab]
        for figure in ("density/validation", "density/heldout"):
            if figure in own and same_size:
                peer = max(same_size, key=lambda name: figures[name][figure])
                split, density = figure.split("/")[1], figures[peer][figure]
                claim = f"bytes/token, {split}, over the best peer of {candidate.vocab:,} ({peer})"
                found.append(Limit(name, claim, own[figure] / density, 1, True))
    return found


def doubts(measurements: Sequence[Measurement]) -> list[str]:
    """What makes figures of this run differ from what they say they are."""
    found = []
    starved = timed = 0
    for measurement in measurements:
        name = f"{measurement.tokenizer}: {measurement.figure}"
        if "cores" in measurement.detail:
            threads, cores = int(measurement.figure[-1]), measurement.detail["cores"]
            free = (os.cpu_count() or 1) - measurement.detail["others"]
            timed += 1
            starved += free < threads - 0.1
            if cores > threads + 0.15:
                found.append(f"{name} used {cores} cores.")
        if measurement.figure == "differing" and measurement.value:
            found.append(
                f"{measurement.tokenizer}: {measurement.value} documents come out otherwise in a "
                "batch or with more threads."
            )
    if starved:
        found.append(
            f"in {starved} of {timed} speeds, other processes left too few cores even in the best "
            "round: this machine is busy, and these figures are too low."
        )
    return found


def sentences(candidates: Sequence[Candidate], figures: Figures) -> list[str]:
    """The headline: one line for each action of each codebook.

    A second ratio, by CPU time, is there for machines that are busy with something else.
    """
    peers = [candidate.name for candidate in candidates if not candidate.ours]
    lines = []
    for candidate in candidates:
        for action in ("encode", "decode") if candidate.ours and peers else ():
            best = _fastest([candidate.name], figures, action, CORPUS_MODES)[1]
            peer, speed = _fastest(peers, figures, action, CORPUS_MODES)
            busy = _fastest([candidate.name], figures, action, CORPUS_MODES, "/cpu")[1]
            busy /= _fastest(peers, figures, action, CORPUS_MODES, "/cpu")[1]
            lines.append(
                f"{candidate.name}: {action}: {best / speed:.1f}x the fastest peer ({peer}): "
                f"{best:.0f} against {speed:.1f} MB/s; by CPU time {busy:.1f}x"
            )
    return lines


def table(candidates: Sequence[Candidate], figures: Figures, num_timed: int) -> str:
    """Markdown: speeds, then sizes and starts, then predictability and other kinds of text."""
    speeds = [
        ("encode", "encode/document/1"),
        ("batch", "encode/batch/1"),
        (f"batch, {THREADS} threads", f"encode/batch/{THREADS}"),
        ("one long text", "encode/joined/1"),
        ("unseen text", "encode/first/1"),
        ("decode", "decode/document/1"),
        ("batch", "decode/batch/1"),
        (f"batch, {THREADS} threads", f"decode/batch/{THREADS}"),
        ("one long text", "decode/joined/1"),
        ("to bytes", "decode_bytes/document/1"),
    ]
    others = [
        ("bytes/token, validation", "density/validation", ".3f"),
        ("held out", "density/heldout", ".3f"),
        (f"restored, of {num_timed:,}", "restored", ",.0f"),
        ("load, ms", "load", ".1f"),
        ("first load, ms", "first_load", ".1f"),
        ("fresh start, s", "fresh_start", ".2f"),
        ("fresh use, s", "fresh_use", ".2f"),
        ("first use ever, s", "first_use", ".1f"),
        ("memory, import, MB", "memory_import", ".0f"),
        ("memory, load, MB", "memory_load", ".0f"),
        ("file, MB", "file", ".1f"),
    ]
    predicted = [
        ("entropy, bits/byte", "entropy", ".3f"),
        ("KN-2", "KN-2", ".3f"),
        ("KN-3", "KN-3", ".3f"),
        ("across words", "crossing", ".1%"),
        ("unused", "unused", ".1%"),
        *((f"bytes/token, {kind}", f"density/{kind}", ".2f") for kind in all_kinds()),
        *((f"restored, {kind}", f"restored/{kind}", ",.0f") for kind in all_kinds()),
    ]
    rows = [
        [name, *(_speed(figures[name].get(figure)) for _, figure in speeds)] for name in figures
    ]
    text = "MB/s of text, one thread unless said:\n\n"
    text += _markdown(["tokenizer", *(title for title, _ in speeds)], rows)
    for columns in (others, predicted):
        rows = [
            [name, *(format(own[f], style) if f in own else "-" for _, f, style in columns)]
            for name, own in figures.items()
        ]
        text += "\n" + _markdown(["tokenizer", *(title for title, _, _ in columns)], rows)
    return text


def limits_table(found: Sequence[Limit]) -> str:
    """Markdown: what was promised, what was found."""
    rows = [
        [
            limit.tokenizer,
            limit.claim,
            f"{limit.value:.3g}",
            f"{'>=' if limit.at_least else '<'} {limit.bound:g}",
            "yes" if limit.holds else "**no**",
        ]
        for limit in found
    ]
    return _markdown(["tokenizer", "claim", "measured", "limit", "holds"], rows)


def _fastest(
    names: Sequence[str], figures: Figures, action: str, modes: Sequence[str], clock: str = ""
) -> tuple[str, float]:
    """Who is, and how fast; `clock` is "" for the wall's, "/cpu" for the processor's."""
    speeds = {
        name: max(figures[name][f"{action}/{mode}/1{clock}"] for mode in modes) for name in names
    }
    best = max(speeds, key=speeds.__getitem__)
    return best, speeds[best]


def _speed(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---", *["--:"] * (len(titles) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
