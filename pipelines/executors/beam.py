"""Any Apache Beam runner, by its name: Dataflow, Flink, Spark, Beam's own.

Two graphs give the same results. One element is a task; a worker does it and only its result goes
on. Or tasks are read into parts, these are spread over the workers, and come together again where
the task's result is made. Nothing depends on a runner's order: parts are numbered.

Beam's own defaults are not safe here: its DirectRunner may try to download another runner, a
mistyped option is only a warning, and two runners lose data (measured with apache-beam 2.77).
"""

import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from equalinfo.data import storage
from pipelines.executors.work import SpreadWork, Work
from pipelines.limits import JobFailedError

FN_API = "FnApiRunner"
"""Beam's runner on this machine that downloads nothing."""

NAMESPACE = "equalinfo"
_ON_THIS_MACHINE = {"fnapirunner", "directrunner", "direct"}
_DATAFLOW = {"dataflowrunner", "dataflow"}

_log = logging.getLogger(__name__)


class RunnerError(ValueError):
    """A runner, or an option of one, that cannot be used."""


@dataclass(frozen=True)
class Beam:
    """A runner, and its options.

    Attributes:
      runner: "FnApiRunner", or what Beam calls it.
      flags: further options for Beam, checked.
    """

    runner: str
    flags: tuple[str, ...] = ()

    @classmethod
    def checked(cls, runner: str, flags: Sequence[str]) -> "Beam":
        """The runner; `flags` are what is left of the command line, and Beam must know each.

        Raises:
          RunnerError: says what is wrong and what to do.
        """
        here = runner.lower() in _ON_THIS_MACHINE
        if runner.lower() in ("daskrunner", "dask"):
            raise RunnerError(
                "--runner=DaskRunner is refused: it runs only the last branch of a graph and drops "
                "outputs (measured, apache-beam 2.77). Use --dask ADDRESS, which works without "
                "Beam, or --workers=N."
            )
        known, unknown = _parse(flags)
        if unknown:
            raise RunnerError(f"unknown option {unknown[0]}: neither ours nor Beam's.")
        if "multi_threading" in (known["direct_running_mode"] or ""):
            raise RunnerError(
                "--direct_running_mode=multi_threading is refused: it loses data in silence "
                "(measured, apache-beam 2.77: 5 of 13 runs). --workers=N starts processes instead."
            )
        if runner.lower() in _DATAFLOW and not known["sdk_container_image"]:
            raise RunnerError(
                f"--runner={runner} needs --sdk_container_image=IMAGE: Beam's own image has "
                "neither equalinfo nor pipelines, and each worker would fail. See deploy/README.md."
            )
        storage.impersonate(known["impersonate_service_account"] or "")
        return cls(FN_API if here else runner, tuple(flags))

    @property
    def here(self) -> bool:
        """Beam's own runner on this machine, which holds what it spreads in memory."""
        return self.runner == FN_API

    @property
    def spreads_models(self) -> bool:
        """See `Executor`."""
        return not self.here

    def check_paths(self, paths: Sequence[str]) -> None:
        """Refuse files that Dataflow's workers would not find, before the job is paid for.

        Args:
          paths: inputs and outputs; `tfds:` names its files itself.

        Raises:
          RunnerError: one is on this machine.
        """
        if self.runner.lower() not in _DATAFLOW:
            return
        for path in paths:
            if storage.is_local(path) and not path.startswith("tfds:"):
                raise RunnerError(
                    f"{path} is on this machine, and --runner={self.runner} works on others. Copy "
                    "inputs to a bucket, and give gs://BUCKET/... for inputs and output."
                )

    def run(self, work: Work[Any, Any], tasks: Sequence[Any], spread: bool = False) -> Any:
        """See `Executor.run`.

        Raises:
          SystemExit: with --template_location, status 0: Dataflow starts the job when this process
            has ended, so there is nothing to wait for and no result to look at.
        """
        flags = [*self.flags, *([] if self.here else [f"--runner={self.runner}"])]
        options = PipelineOptions(flags)
        pipeline = (
            beam.Pipeline(runner=FnApiRunner(), options=options)
            if self.here
            else (beam.Pipeline(options=options))
        )
        build(pipeline, work, tasks, spread)
        if any(flag.split("=")[0] == "--template_location" for flag in flags):
            pipeline.run()
            sys.exit(0)
        storage.delete([work.outcome])
        try:
            pipeline.run().wait_until_finish()
        except Exception as error:
            # What a worker process raised comes as the text of its whole stack, the cause last.
            cause = str(error).rstrip().rpartition("\n")[2]
            reason = f"the runner: {type(error).__name__}: {cause}"
            raise JobFailedError(_outcome(work).get("error", reason)) from error
        outcome = _outcome(work)
        storage.delete([work.outcome])
        if "error" in outcome:
            raise JobFailedError(outcome["error"])
        return outcome.get("value")


def _parse(flags: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Options that Beam knows, and arguments that it does not."""
    parser = _BeamArgumentParser(prog="apache_beam", allow_abbrev=False)
    for options in {cls.__name__: cls for cls in PipelineOptions.__subclasses__()}.values():
        options._add_argparse_args(parser)
    known, unknown = parser.parse_known_args(list(flags))
    return vars(known), unknown


def _outcome(work: Work[Any, Any]) -> dict[str, Any]:
    """What a worker left in the file `work.outcome`; nothing where there is none."""
    if not storage.exists(work.outcome):
        return {}
    return dict(json.loads(storage.read_text(work.outcome)))


def build(
    pipeline: beam.Pipeline, work: Work[Any, Any], tasks: Sequence[Any], spread: bool
) -> None:
    """Add the graph to `pipeline`; arguments as of `Executor.run`."""
    todo = (
        pipeline
        | "Tasks" >> beam.Create(list(tasks))
        # Else the runner may fuse everything into one worker.
        | "SpreadTasks" >> beam.Reshuffle()
    )
    if spread:
        assert isinstance(work, SpreadWork)
        parts = todo | "Parts" >> beam.ParDo(_Parts(work)).with_outputs("results", main="parts")
        gathered = (
            parts["parts"]
            | "SpreadParts" >> beam.Reshuffle()
            | "DoPart" >> beam.ParDo(_DoPart(work))
            | "GatherParts" >> beam.GroupByKey()
            | "Gather" >> beam.ParDo(_Gather(work))
        )
        results = (parts["results"], gathered) | "AllResults" >> beam.Flatten()
    else:
        results = todo | "Do" >> beam.ParDo(_Do(work))
    _ = (
        results
        | "GatherResults" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
        | "Finish" >> beam.ParDo(_Finish(work, len(tasks)))
    )


class _WorkDoFn(beam.DoFn):
    """Does a step of some work; leaves the reason of an error in `work.outcome`."""

    def __init__(self, work: Any) -> None:
        self._work = work
        self._seconds = Metrics.distribution(NAMESPACE, "shard_seconds")
        self._part_seconds = Metrics.distribution(NAMESPACE, "batch_seconds")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            known = isinstance(error, JobFailedError)
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            with suppress(Exception):  # a full disk, say: the error itself matters more
                storage.write_text(self._work.outcome, json.dumps({"error": reason}))
            raise

    def _counted(self, result: Any, start: float | None = None) -> Any:
        for name, number in self._work.counts(result).items():
            Metrics.counter(NAMESPACE, name).inc(number)
        if start is not None:
            self._seconds.update(int(time.monotonic() - start))
        return result


class _Do(_WorkDoFn):
    """Task -> result."""

    def process(self, task: Any) -> Iterator[Any]:
        with self._telling():
            start = time.monotonic()
            yield self._counted(self._work.do(task), start)


class _Parts(_WorkDoFn):
    """Task -> parts; or, to `results`, the result of a task that is done already."""

    def process(self, task: Any) -> Iterator[Any]:
        with self._telling():
            for part in self._work.parts(task):
                if self._work.is_result(part):
                    yield beam.pvalue.TaggedOutput("results", self._counted(part))
                else:
                    yield part


class _DoPart(_WorkDoFn):
    """Part -> (the task's number, the part, done)."""

    def process(self, part: Any) -> Iterator[Any]:
        with self._telling():
            start = time.monotonic()
            done = self._work.do_part(part)
            self._part_seconds.update(int(time.monotonic() - start))
            yield self._work.key(done)[0], done


class _Gather(_WorkDoFn):
    """(The task's number, its parts) -> result. All parts are in memory."""

    def process(self, element: tuple[int, Iterable[Any]]) -> Iterator[Any]:
        with self._telling():
            start = time.monotonic()
            parts = sorted(element[1], key=self._work.key)
            yield self._counted(self._work.gather(parts), start)


class _Finish(_WorkDoFn):
    """All results at once -> nothing; leaves the value, where there is one, for the launcher."""

    def __init__(self, work: Work[Any, Any], tasks: int) -> None:
        super().__init__(work)
        self._tasks = tasks

    def process(self, results: Sequence[Any]) -> None:
        with self._telling():
            value = self._work.finish_all(results, self._tasks)
            if value is not None:
                storage.write_text(self._work.outcome, json.dumps({"value": value}))
