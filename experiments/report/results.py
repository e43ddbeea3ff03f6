"""All that was run of a config, gathered: what tables, figures and findings are made of."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis.matching import Curve
from experiments.analysis.significance import Sample, summarize
from experiments.report.config import Config, Method

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class MethodResults:
    """Of one method.

    Attributes:
      method: of the config.
      measures: what `measures.measure` found; None: not run.
      measures_folder: where its arrays are.
      models: {size: {seed: {"scores", "curve"}}} of the M2s that were trained.
    """

    method: Method
    measures: Json | None
    measures_folder: Path | None
    models: dict[str, dict[int, Json]]

    @property
    def name(self) -> str:
        """Of the method."""
        return self.method.name

    def measure(self, *path: str | int) -> Any:
        """A value of `measures`, by its path; None where it was not run or does not apply."""
        value: Any = self.measures
        for key in path:
            value = None if value is None else value[key]
        return value

    def bits_per_byte(self, size: str) -> Sample | None:
        """Over seeds, on the whole validation split; None: not run."""
        return self.over_seeds(size, "model")

    def over_seeds(self, size: str, score: str) -> Sample | None:
        """A score of M2s of a size; None: not run."""
        found = self.models.get(size)
        return summarize([run["scores"][score] for run in found.values()]) if found else None

    def model_score(self, size: str, score: str) -> Any:
        """A score that is the same for all seeds; None: not run."""
        found = self.models.get(size)
        return next(iter(found.values()))["scores"][score] if found else None

    def wrong_windows(self) -> float | None:
        """Share of windows of the validation split that decode to other text."""
        totals = self.measure("totals", "validation")
        if not totals or not totals.get("verified_examples") or not totals["windows"]:
            return None
        return float(totals["window_errors"] / totals["windows"])

    def accuracy_by_position(self, size: str, seed: int) -> tuple[list[int], list[list[float]]]:
        """(steps, accuracy at each position of a window); empty where windows are one token."""
        key = "eval/accuracy_window_position_"
        steps, rows = [], []
        for line in self.models[size][seed]["curve"]:
            positions = sorted((int(x.removeprefix(key)), x) for x in line if x.startswith(key))
            if positions:
                steps.append(int(line["step"]))
                rows.append([line[name] for _, name in positions])
        return steps, rows


@dataclasses.dataclass(frozen=True)
class Results:
    """Of a report.

    Attributes:
      config: that was run.
      text: documents and bytes of both splits.
      methods: in the config's order.
      random: `_divergence` of random bits; None: not run.
      pairs: results of the sequence-to-sequence tasks: {"method", "task", "accuracy", ...} each.
    """

    config: Config
    text: Json
    methods: list[MethodResults]
    random: Json | None
    pairs: list[Json]

    def __getitem__(self, name: str) -> MethodResults | None:
        """A method's results by its name; None: the config has no such method."""
        return next((one for one in self.methods if one.name == name), None)

    def curve(self, one: MethodResults, size: str, seed: int | None = None) -> Curve:
        """Evaluations along a run, on the first batches of the validation split.

        Args:
          one: the method.
          size: of its M2.
          seed: of the run; None: the lowest.
        """
        assert self.config.training is not None and one.measures is not None
        runs = one.models[size]
        lines = runs[min(runs) if seed is None else seed]["curve"]
        lines = [x for x in lines if "eval/bits_per_byte" in x]
        totals = one.measures["totals"]["train"]
        return Curve(
            np.array([int(x["step"]) for x in lines]),
            np.array([x["eval/bits_per_byte"] for x in lines]),
            self.config.training.of(one.method)[1] * totals["tokens"] / totals["records"],
            totals["bytes"] / totals["tokens"],
        )
