"""The graphs of `pipelines.executors.beam`, and what its workers do; imports Beam."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from equalinfo.data import storage
from pipelines.executors.work import JobFailedError, SpreadWork, Work

NAMESPACE = "equalinfo"


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
            if (done := self._work.done(task)) is not None:
                yield beam.pvalue.TaggedOutput("results", self._counted(done))
            else:
                yield from self._work.parts(task)


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
