"""Claim: every size of the paper fits a TPU slice, as docs/t5x.md says. Derived, not measured.

    python -m benchmarks.topologies

Prints two Markdown tables of training runs: M2's of the paper [paper 3.5], and M1's, size 3m [paper
3.2]. What a step needs comes from shapes (benchmarks/training_shapes.py): no array is made, no chip
is used. What is assumed stands in docs/t5x.md.
"""

import argparse
import dataclasses
import itertools
import math
from collections.abc import Sequence

from benchmarks.training_shapes import Memory, Run, memory, num_values, shapes, step_flops
from equalinfo.ids import ID_OFFSET
from equalinfo.lm.config import model_config

SECONDS_A_DAY = 24 * 60 * 60
PARTITIONS = (1, 2, 4, 8)
MICROBATCHES = (1, 2, 4, 8, 16, 32)
FREE = 0.1  # of a chip's memory: the program, fragments, what XLA copies


@dataclasses.dataclass(frozen=True)
class Tpu:
    """A kind of TPU.

    Attributes:
      flops: peak of one chip, bfloat16, FLOPs a second.
      memory: of one chip, bytes.
      dollars: a chip-hour.
      accelerator: of gcloud's --accelerator-type, before the number.
      cores: TensorCores of a chip where the type counts them, else 1.
      slices: chips along x, y, z.
    """

    flops: float
    memory: float
    dollars: float
    accelerator: str
    cores: int
    slices: tuple[tuple[int, int, int], ...]

    def name(self, shape: tuple[int, int, int]) -> str:
        """The --accelerator-type of a slice, for gcloud."""
        return f"{self.accelerator}-{math.prod(shape) * self.cores}"


_FLAT = ((1, 1), (2, 2), (2, 4), (4, 4), (4, 8), (8, 8), (8, 16), (16, 16))
_PLANES = tuple((x, y, 1) for x, y in _FLAT)
_CUBES = ((2, 2, 1), (2, 2, 2), (2, 2, 4), (2, 4, 4), (4, 4, 4), (4, 4, 8), (4, 8, 8))
# Compute, memory and slices: the pages "TPU v4", "v5e", "v5p" and "v6e" of
# docs.cloud.google.com/tpu/docs. Dollars: list prices on demand in the USA, from memory: look them
# up at cloud.google.com/tpu/pricing and pass --dollars.
TPUS = {
    "v4": Tpu(275e12, 32e9, 3.22, "v4", 2, _CUBES),
    "v5e": Tpu(197e12, 16e9, 1.20, "v5litepod", 1, _PLANES),
    "v5p": Tpu(459e12, 95e9, 4.20, "v5p", 2, _CUBES),
    "v6e": Tpu(918e12, 32e9, 2.70, "v6e", 1, _PLANES),
}


def paper_runs(codes: int) -> list[Run]:
    """The paper's runs, smallest first.

    Args:
      codes: of M2's vocabulary, without pad, eos and unk. M1 reads bytes.
    """
    m1 = Run("M1 3m", model_config("3m", 256 + ID_OFFSET), 128, 1024, 2_500_000)
    sizes = ("25m", "113m", "403m", "2b")
    m2 = [Run(f"M2 {s}", model_config(s, codes + ID_OFFSET), 256, 512, 200_000) for s in sizes]
    return [m1, *m2]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run on a slice."""

    run: Run
    tpu: Tpu
    shape: tuple[int, int, int]
    partitions: int
    microbatches: int
    memory: Memory
    utilization: float

    @property
    def chips(self) -> int:
        """Of the slice."""
        return math.prod(self.shape)

    @property
    def step_seconds(self) -> float:
        """From FLOPs alone."""
        return step_flops(self.run) / (self.chips * self.tpu.flops * self.utilization)

    @property
    def days(self) -> float:
        """Of the whole run."""
        return self.step_seconds * self.run.steps / SECONDS_A_DAY

    @property
    def submesh(self) -> tuple[int, ...]:
        """T5X's model_parallel_submesh: chips along x, y, z that share one copy of the model."""
        sides = [1, 1, 1]
        while math.prod(sides) < self.partitions:
            free = [i for i in range(3) if self.shape[i] % (2 * sides[i]) == 0]
            sides[min(free, key=lambda i: sides[i])] *= 2
        return (*sides, 1)


def smallest_plan(run: Run, tpu: Tpu, utilization: float, max_days: float) -> Plan:
    """The smallest slice that holds the run and ends in time.

    On it, with the fewest model partitions, then with the fewest micro-batches.

    Raises:
      ValueError: no slice does.
    """
    for shape in tpu.slices:
        for partitions, microbatches in itertools.product(PARTITIONS, MICROBATCHES):
            data, rest = divmod(math.prod(shape), partitions)
            if rest or run.batch % (data * microbatches) or run.config.num_heads % partitions:
                continue
            need = memory(run, data, partitions, microbatches)
            plan = Plan(run, tpu, shape, partitions, microbatches, need, utilization)
            if plan.days > max_days:
                break
            if need.total <= (1 - FREE) * tpu.memory:
                return plan
    raise ValueError(
        f"{run.name} fits no slice of up to {math.prod(tpu.slices[-1])} chips {tpu.accelerator} "
        f"within {max_days} days. Raise --max_days."
    )


COLUMNS = (
    "run",
    "slice",
    "data × model",
    "submesh",
    "micro-batches",
    "parameters",
    "optimizer",
    "gradients",
    "activations",
    "GB a chip",
    "of",
    "step",
    "days",
    "cost",
)


def row(plan: Plan, dollars: float | None = None) -> str:
    """One line of the table."""
    run, need = plan.run, plan.memory
    price = plan.tpu.dollars if dollars is None else dollars
    cells = (
        run.name,
        plan.tpu.name(plan.shape),
        f"{plan.chips // plan.partitions} × {plan.partitions}",
        f"({','.join(str(side) for side in plan.submesh)})",
        str(plan.microbatches),
        *(f"{size / 1e9:.2f}" for size in dataclasses.astuple(need)),
        f"{need.total / 1e9:.1f}",
        f"{plan.tpu.memory / 1e9:.0f}",
        f"{plan.step_seconds * 1000:,.0f} ms",
        f"{plan.days:.1f}",
        f"${plan.days * 24 * plan.chips * price:,.0f}",
    )
    return "| " + " | ".join(cells) + " |"


SIZE_COLUMNS = (
    "run",
    "parameters",
    "with embedding and logits",
    "tokens",
    "FLOPs a token, 6 × parameters",
    "all products",
    "FLOPs of the run",
)


def size_row(run: Run) -> str:
    """What does not depend on the chips."""
    cells = (
        run.name,
        f"{run.config.num_parameters:,}",
        f"{num_values(shapes(run.config)[0]):,}",
        f"{run.tokens * run.steps:.3g}",
        f"{6 * run.config.num_parameters:.3g}",
        f"{step_flops(run) / run.tokens:.3g}",
        f"{step_flops(run) * run.steps:.3g}",
    )
    return "| " + " | ".join(cells) + " |"


def table(arguments: Sequence[str] | None = None) -> str:
    """Two tables, as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--codes", type=int, default=65536, help="M2's vocabulary, without pad, eos and unk")
    add("--utilization", type=float, default=0.4, help="share of a chip's peak that is reached")
    add("--max_days", type=float, default=7, help="take a larger slice where a run takes longer")
    add("--tpus", nargs="+", choices=list(TPUS), default=list(TPUS))
    add("--dollars", type=float, help="a chip-hour, in place of the list price from memory")
    options = parser.parse_args(arguments)
    runs = paper_runs(options.codes)
    lines = ["| " + " | ".join(SIZE_COLUMNS) + " |", _rule(1, len(SIZE_COLUMNS))]
    lines += [size_row(run) for run in runs]
    lines += ["", "| " + " | ".join(COLUMNS) + " |", _rule(2, len(COLUMNS))]
    for run in runs:
        for tpu in options.tpus:
            plan = smallest_plan(run, TPUS[tpu], options.utilization, options.max_days)
            lines.append(row(plan, options.dollars))
    return "\n".join(lines)


def _rule(left: int, columns: int) -> str:
    return "|---" * left + "|--:" * (columns - left) + "|"


if __name__ == "__main__":
    print(table())
