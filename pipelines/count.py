"""Count bytes and documents, for `static_ac`: `python -m pipelines.count --help`.

Reads the same sources as `pipelines.compress` and writes the frequencies of the 257 symbols.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, NUM_SYMBOLS
from equalinfo.console import INTERRUPTED, print_any_text
from equalinfo.data import storage
from equalinfo.data.inputs import DamagedInputError, InputError, InputFile
from equalinfo.data.text import Limits, read
from equalinfo.m1.static import StaticModel
from pipelines.executors.work import JobFailedError, Work, naming
from pipelines.options import CountOptions, parse_count

_SHOWN = 10


@dataclass(frozen=True)
class Counts:
    """What was counted in some input files.

    Attributes:
      symbols: int64[257], each byte, and EOS once a document.
      rejected: documents refused.
      rejects: the first of them, "place: reason".
      damages: files that broke off, "name: reason".
    """

    symbols: npt.NDArray[np.int64]
    rejected: int = 0
    rejects: tuple[str, ...] = ()
    damages: tuple[str, ...] = ()


def count_file(file: InputFile) -> Counts:
    """Count one input file."""
    symbols = np.zeros(NUM_SYMBOLS, np.int64)
    rejects: list[str] = []
    rejected = 0
    damages: tuple[str, ...] = ()
    try:
        for item in read(file):
            if isinstance(item, bytes):
                symbols[:EOS] += np.bincount(np.frombuffer(item, np.uint8), minlength=EOS)
                symbols[EOS] += 1
            else:
                rejected += 1
                if len(rejects) < _SHOWN:
                    rejects.append(f"{item.place}: {item.reason}")
    except DamagedInputError as error:
        damages = (f"{file.name}: {error}",)
    return Counts(symbols, rejected, tuple(rejects), damages)


@dataclass(frozen=True)
class _Count(Work[InputFile, Counts]):
    """Input files to their counts, and these to one."""

    path: str

    @property
    def outcome(self) -> str:
        return self.path

    def do(self, task: InputFile) -> Counts:
        with naming(task.name):
            return count_file(task)

    def finish(self, results: Sequence[Counts]) -> dict[str, Any]:
        return {
            "symbols": np.sum([each.symbols for each in results], axis=0).tolist(),
            "rejected": sum(each.rejected for each in results),
            "rejects": sorted(reject for each in results for reject in each.rejects)[:_SHOWN],
            "damages": sorted(damage for each in results for damage in each.damages),
        }


def save(counts: Counts, output: str, precision: int, limits: Limits) -> None:
    """Write the frequencies to the file `output`, whole or not at all.

    Raises:
      JobFailedError: too much of the input could not be used.
    """
    fault = limits.fault(
        documents=int(counts.symbols[EOS]),
        rejected=counts.rejected,
        damages=counts.damages,
        rejects="; ".join(counts.rejects),
    )
    if fault:
        raise JobFailedError(f"{fault}.")
    StaticModel.from_counts(counts.symbols, precision).save(output)


def run(options: CountOptions) -> Counts:
    """Count, and wait until it is done.

    Raises:
      InputError: no such input, or the output is one of them.
      OSError: the output cannot be written.
      JobFailedError: a worker failed, or too much of the input could not be used; nothing is
        written, and an older output stays.
    """
    files = options.source.files()
    for file in files:
        if _place(file.path) == _place(options.output):
            raise InputError(
                f"--output={options.output!r} is the input {file.path}: the counts would replace "
                "the text. Choose another --output."
            )
    storage.check_output(options.output)
    found = options.executor.run(_Count(f"{options.output}.outcome.json"), files)
    if found is None:
        raise JobFailedError("the runner ended without an error, and without counts.")
    counts = Counts(**{**found, "symbols": np.array(found["symbols"], np.int64)})
    save(counts, options.output, options.precision, options.source.text.limits)
    return counts


def _place(path: str) -> str:
    return os.path.realpath(path) if storage.is_local(path) else path


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    print_any_text()
    options = parse_count(argv)
    try:
        run(options)
    except (InputError, JobFailedError, OSError) as error:
        print(f"pipelines.count: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pipelines.count: interrupted.", file=sys.stderr)
        return INTERRUPTED
    print(f"{options.output}: ready for `python -m pipelines.compress --method static_ac --static`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
