"""What was run of a study, as numbers."""

import dataclasses
import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from equalinfo.ids import ID_OFFSET
from experiments.store import Store, found, result
from experiments.study import flops, steps
from experiments.study.config import Job, Study, Tokenizer


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained model.

    Attributes:
      tokenizer, size, seed, train_bytes: which.
      bits_per_byte: of the whole validation text.
      bytes_per_token: of the validation text.
      parameters: without embedding and logits; all_parameters: with both.
      training_flops: of the run, all products of matrices.
      flops_per_byte: of inference, all products of matrices.
      paper_flops_per_byte: 2 * parameters a token, and M1's a byte [paper 3.8].
      curve: (bytes of text seen, training FLOPs, bits/byte of a part of the validation text).
    """

    tokenizer: str
    size: str
    seed: int
    train_bytes: int
    bits_per_byte: float
    bytes_per_token: float
    parameters: int
    all_parameters: int
    training_flops: float
    flops_per_byte: float
    paper_flops_per_byte: float
    curve: tuple[tuple[float, float, float], ...] = ()


_FEWEST_FREEDOM = 3  # with fewer, Student's t says nothing
TRAINING = operator.attrgetter("training_flops")
INFERENCE = operator.attrgetter("flops_per_byte")


@dataclasses.dataclass(frozen=True)
class Tokenized:
    """A tokenizer on the study's text.

    Attributes:
      name: of the tokenizer.
      vocab_size: ids.
      bytes_per_token: of the validation text.
      ngrams: bits/byte of the validation text under Kneser-Ney models of order 1, 2, ..
      uniform: bits/byte where every code is as likely as every other [paper Table 3].
    """

    name: str
    vocab_size: int
    bytes_per_token: float
    ngrams: tuple[float, ...]
    uniform: float


@dataclasses.dataclass(frozen=True)
class Results:
    """Of a study, as far as it was run.

    Attributes:
      study: the config.
      tokenizers: by name, those whose n-grams were counted.
      runs: models.
      missing: labels of models that were not run, or not to their end.
      diverged: labels of models whose loss became infinite.
      rates: size -> (rate taken, [(rate, bits/byte) tried]).
    """

    study: Study
    tokenizers: dict[str, Tokenized]
    runs: tuple[Run, ...]
    missing: tuple[str, ...] = ()
    diverged: tuple[str, ...] = ()
    rates: dict[str, tuple[float, list[list[float]]]] = dataclasses.field(default_factory=dict)

    def of(self, tokenizer: str, size: str, train_bytes: int | None = None) -> list[Run]:
        """The seeds of a model, on that much text; None: on the text that most models were."""
        wanted = self.usual_bytes if train_bytes is None else train_bytes
        return [
            run
            for run in self.runs
            if (run.tokenizer, run.size, run.train_bytes) == (tokenizer, size, wanted)
        ]

    @property
    def usual_bytes(self) -> int:
        """The bytes of training text that most models saw."""
        numbers = [run.train_bytes for run in self.runs] or [0]
        return max(set(numbers), key=lambda number: (numbers.count(number), -number))

    @property
    def sizes(self) -> tuple[str, ...]:
        """With a run, smallest first."""
        parameters = {run.size: run.parameters for run in self.runs}
        return tuple(sorted(parameters, key=lambda size: parameters[size]))

    @functools.cached_property
    def spread(self) -> "Spread":
        """Of bits/byte over seeds."""
        return self._spread(of_seeds=False)

    @functools.cached_property
    def paired_spread(self) -> "Spread":
        """Of bits/byte over seeds, beside what a seed does to all models of a size and text.

        A seed is a start and an order of the text, and moves all models the same way: differences
        of models of the same seeds are known better than the models. `spread` where that leaves too
        little.
        """
        paired = self._spread(of_seeds=True)
        return self.spread if paired.freedom < _FEWEST_FREEDOM else paired

    def _spread(self, of_seeds: bool) -> "Spread":
        """What least squares of "model", or "model + seed", leave of models with several seeds."""
        blocks: dict[Any, list[Run]] = {}
        for run in self.runs:
            if len(self.of(run.tokenizer, run.size, run.train_bytes)) > 1:
                blocks.setdefault((run.size, run.train_bytes), []).append(run)
        squares, freedom = 0.0, 0
        for runs in blocks.values():
            names, seeds = {run.tokenizer for run in runs}, {run.seed for run in runs}
            design = np.array(
                [
                    [float(run.tokenizer == name) for name in sorted(names)]
                    + [float(run.seed == seed) for seed in sorted(seeds) if of_seeds]
                    for run in runs
                ]
            )
            bits = np.array([run.bits_per_byte for run in runs])
            fitted, _, rank, _ = np.linalg.lstsq(design, bits, rcond=None)
            squares += float(np.square(bits - design @ fitted).sum())
            freedom += len(runs) - int(rank)
        return Spread(math.sqrt(squares / freedom) if freedom else math.nan, freedom)


def mean(runs: Sequence[Run]) -> float:
    """bits/byte over seeds."""
    return float(np.mean([run.bits_per_byte for run in runs]))


@dataclasses.dataclass(frozen=True)
class Spread:
    """How far seeds of one model lie apart: pooled over all models that have several.

    Attributes:
      std: standard deviation of one run, bits/byte; NaN where no model has two seeds.
      freedom: degrees of freedom: runs minus models.
    """

    std: float
    freedom: int

    def error(self, *numbers: int) -> float:
        """Half of the 95% interval of a difference between means of so many runs, or of one mean.

        Every model is taken to vary as the pool does; NaN where nothing was run twice.
        """
        if not self.freedom:
            return math.nan
        quantile = float(stats.t.ppf(0.975, self.freedom))
        return quantile * self.std * math.sqrt(sum(1 / number for number in numbers))


def gather(study: Study, store: Store) -> Results:
    """What is in a store."""
    present = store.read_only()
    tokenizers = {}
    for entry in study.tokenizers.values():
        if tokenized := found(_tokenized, present, study, entry):
            tokenizers[entry.name] = tokenized
    rates = {}
    for size in study.sizes.values():
        if folder := found(steps.learning_rate, present, study, size):
            chosen = result(folder)
            rates[size.name] = (chosen["rate"], chosen["tried"])
    runs: list[Run] = []
    missing, diverged = [], []
    for job in study.jobs():
        run = found(_run, present, study, job)
        if run is None:
            missing.append(job.label)
        elif math.isnan(run.bits_per_byte):
            diverged.append(job.label)
        else:
            runs.append(run)
    return Results(study, tokenizers, tuple(runs), tuple(missing), tuple(diverged), rates)


def _tokenized(store: Store, study: Study, entry: Tokenizer) -> Tokenized:
    totals = result(steps.tokens(store, study, entry, study.tokenizer_bytes))
    ngrams = result(steps.ngrams(store, study, entry))["bits_per_byte"]
    scored = totals["validation"]
    each = scored["bytes"] / scored["tokens"]
    uniform = math.log2(totals["vocab_size"] - ID_OFFSET) / each
    return Tokenized(entry.name, totals["vocab_size"], each, tuple(ngrams), uniform)


def _run(store: Store, study: Study, job: Job) -> Run:
    """One that diverged has NaN bits/byte."""
    rate = result(steps.learning_rate(store, study, job.size))["rate"]
    totals = result(steps.tokens(store, study, job.tokenizer, job.train_bytes))
    scores = result(steps.model(store, study, job, rate))
    planned = steps.plan(study, job.size, totals)
    model, length = planned.model, planned.length
    each = totals["validation"]["bytes"] / totals["validation"]["tokens"]
    of_m1 = totals["m1_parameters"]
    shares = [(step / planned.steps, bits) for step, bits in scores.get("curve", [])]
    return Run(
        tokenizer=job.tokenizer.name,
        size=job.size.name,
        seed=job.seed,
        train_bytes=job.train_bytes,
        bits_per_byte=math.nan if scores["bits_per_byte"] is None else scores["bits_per_byte"],
        bytes_per_token=each,
        parameters=model.num_parameters,
        all_parameters=flops.with_embeddings(model),
        training_flops=planned.training_flops,
        flops_per_byte=flops.per_byte(model, length, each, of_m1),
        paper_flops_per_byte=2 * model.num_parameters / each + 2 * of_m1,
        curve=tuple(
            (share * totals["train"]["bytes"], share * planned.training_flops, bits)
            for share, bits in shares
        ),
    )
