"""Count bytes and documents, for `static_ac`: `python -m pipelines.count --help`.

Reads the same sources as `pipelines.compress` and writes the frequencies of the 257 symbols.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import apache_beam as beam
import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, NUM_SYMBOLS
from equalinfo.console import print_any_text
from equalinfo.data import storage
from equalinfo.data.text import DamagedInputError, InputFile
from equalinfo.m1.static import StaticModel
from pipelines import readers, sources
from pipelines.limits import JobFailedError, Limits, check_limits
from pipelines.options import CountOptions, parse_count
from pipelines.runner import run_pipeline

_SHOWN = 10


@dataclass(frozen=True)
class Counts:
    """What was counted in some input files.

    Attributes:
      symbols: int64[257], each byte, and EOS once a document.
      files: how many input files.
      rejected: documents refused.
      rejects: the first of them, "place: reason".
      damages: files that broke off, "name: reason".
    """

    symbols: npt.NDArray[np.int64]
    files: int = 0
    rejected: int = 0
    rejects: tuple[str, ...] = ()
    damages: tuple[str, ...] = ()

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.symbols + other.symbols,
            self.files + other.files,
            self.rejected + other.rejected,
            tuple(sorted(self.rejects + other.rejects)[:_SHOWN]),
            tuple(sorted(self.damages + other.damages)),
        )


def nothing() -> Counts:
    """No files, no symbols."""
    return Counts(np.zeros(NUM_SYMBOLS, np.int64))


def count_file(file: InputFile) -> Counts:
    """Count one input file."""
    symbols = np.zeros(NUM_SYMBOLS, np.int64)
    rejects: list[str] = []
    rejected = 0
    damages: tuple[str, ...] = ()
    try:
        for item in readers.read(file):
            if isinstance(item, bytes):
                symbols[:EOS] += np.bincount(np.frombuffer(item, np.uint8), minlength=EOS)
                symbols[EOS] += 1
            else:
                rejected += 1
                if len(rejects) < _SHOWN:
                    rejects.append(f"{item.place}: {item.reason}")
    except DamagedInputError as error:
        damages = (f"{file.name}: {error}",)
    return Counts(symbols, 1, rejected, tuple(rejects), damages)


class _AddCounts(beam.CombineFn):
    def create_accumulator(self) -> Counts:
        return nothing()

    def add_input(self, accumulator: Counts, element: Counts) -> Counts:
        return accumulator + element

    def merge_accumulators(self, accumulators: Iterable[Counts]) -> Counts:
        return sum(accumulators, nothing())

    def extract_output(self, accumulator: Counts) -> Counts:
        return accumulator


class _Save(beam.DoFn):
    """All Counts -> nothing; writes the model, and the outcome: why there is none, or no text."""

    def __init__(
        self, output: str, files: int, precision: int, limits: Limits, local: bool
    ) -> None:
        self._output = output
        self._files = files
        self._precision = precision
        self._limits = limits
        self._local = local

    def process(self, counts: Counts) -> None:
        try:
            save(counts, self._output, self._files, self._precision, self._limits)
        except JobFailedError as error:
            storage.write_text(_outcome(self._output), str(error))
            if not self._local:
                raise
        else:
            storage.write_text(_outcome(self._output), "")


def save(counts: Counts, output: str, files: int, precision: int, limits: Limits) -> None:
    """Write the frequencies to the file `output`, whole or not at all.

    Raises:
      JobFailedError: not all `files` were counted, or too much of them was rejected.
    """
    if counts.files != files:
        raise JobFailedError(f"{files} files were asked for, the runner counted {counts.files}.")
    check_limits(
        limits,
        documents=int(counts.symbols[EOS]),
        rejected=counts.rejected,
        damages=counts.damages,
        see="; ".join(counts.rejects),
    )
    with TemporaryDirectory() as directory:
        path = Path(directory, "static.safetensors")
        StaticModel.from_counts(counts.symbols, precision).save(path)
        with storage.create(output) as file:
            file.write(path.read_bytes())


def run(options: CountOptions) -> None:
    """Count, and wait until it is done.

    Raises:
      sources.InputError: no such input, or the output is one of them.
      JobFailedError: a worker failed, or too much of the input could not be used; nothing is
        written, and an older output stays.
    """
    files = sources.find(
        options.source.input,
        field=options.source.text_field,
        split=options.source.tfds_split,
        data_dir=options.source.data_dir,
    )
    for file in files:
        if _place(file.path) == _place(options.output):
            raise sources.InputError(
                f"--output={options.output!r} is the input {file.path}: the counts would replace "
                "the text. Choose another --output."
            )
    limits = Limits(options.max_reject_fraction, options.allow_damaged_files)
    storage.delete([_outcome(options.output)])

    def build(pipeline: beam.Pipeline) -> None:
        _ = (
            pipeline
            | "InputFiles" >> beam.Create(files)
            | "SpreadOverWorkers" >> beam.Reshuffle()
            | "CountFile" >> beam.Map(count_file)
            | "AddCounts" >> beam.CombineGlobally(_AddCounts())
            | "Save"
            >> beam.ParDo(
                _Save(options.output, len(files), options.precision, limits, options.runner.local)
            )
        )

    try:
        run_pipeline(options.runner, build)
    except Exception as error:
        reason = _take_outcome(options.output)
        if not reason:
            # What a worker raised comes as the text of its whole stack, the cause at the end.
            cause = str(error).rstrip().rpartition("\n")[2]
            raise JobFailedError(f"the runner: {type(error).__name__}: {cause}") from error
    else:
        reason = _take_outcome(options.output)
    if reason is None:
        raise JobFailedError(f"the pipeline ended without an error, and without {options.output}.")
    if reason:
        raise JobFailedError(reason)


def _place(path: str) -> str:
    return os.path.realpath(path) if storage.is_local(path) else path


def _outcome(output: str) -> str:
    return f"{output}.outcome"


def _take_outcome(output: str) -> str | None:
    """Why `_Save` failed, empty where it did not, None where it did not run; deletes its file."""
    path = _outcome(output)
    if not storage.exists(path):
        return None
    reason = storage.read_text(path)
    storage.delete([path])
    return reason


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    print_any_text()
    options = parse_count(argv)
    try:
        run(options)
    except (sources.InputError, JobFailedError, OSError) as error:
        print(f"pipelines.count: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: ready for `python -m pipelines.compress --method static_ac --static`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
