"""The Beam graphs: text files to finished shards, in one of two ways that give the same bytes.

files: one element is one input file. A worker reads it and writes its shard, and only a report goes
  on: there is nothing to shuffle, and no record passes through Beam.
batches: for methods that run M1, where one file is hours of work. Files are read into batches,
  these are spread over the workers and encoded, and the batches of a file come together again where
  its shard is written.

Nothing depends on the runner's order: batches are cut by the input alone, and numbered.
"""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics

from pipelines import coded
from pipelines.limits import JobFailedError
from pipelines.options import FILES
from pipelines.output import Job, finish, write_failure
from pipelines.resume import save_report
from pipelines.shard import (
    Batch,
    EncodedBatch,
    ShardReport,
    ShardTask,
    encode_batch,
    read_batches,
    write_shard,
)
from pipelines.worker import compress_or_keep, fault, finished, load_codec

REPORTS = "reports"

Place = tuple[ShardTask, str]
"""A shard, and the fingerprint of its input when it was read."""

NAMESPACE = "equalinfo"
COUNTERS = ("documents", "bytes", "tokens", "records", "windows", "rejected", "damaged")

_log = logging.getLogger(__name__)


class _ShardDoFn(beam.DoFn):
    """Loads the codec; counts finished shards and says so in the log."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._counters = {name: Metrics.counter(NAMESPACE, name) for name in COUNTERS}
        self._resumed = Metrics.counter(NAMESPACE, "resumed_shards")
        self._seconds = Metrics.distribution(NAMESPACE, "shard_seconds")
        self._batch_seconds = Metrics.distribution(NAMESPACE, "batch_seconds")

    def setup(self) -> None:
        self._codec = load_codec(self._job.codec_directory, self._job.codec_sha256)

    def _finished(self, report: ShardReport, seconds: float | None) -> ShardReport:
        """Count a shard, made in so many seconds; None: by an earlier job."""
        shard = report.shard
        for name, counter in self._counters.items():
            counter.inc(getattr(shard, name))
        if seconds is None:
            self._resumed.inc()
        else:
            self._seconds.update(int(seconds))
        _log.info(
            "%s %s: %d documents, %d bytes, %d tokens, %d rejected%s%s",
            "kept" if seconds is None else "finished",
            shard.file,
            shard.documents,
            shard.bytes,
            shard.tokens,
            shard.rejected,
            "" if seconds is None else f"; {shard.bytes / max(seconds, 1e-3) / 1e6:.1f} MB/s",
            f"; {report.damage}" if report.damage else "",
        )
        return report


class CompressShard(_ShardDoFn):
    """ShardTask -> ShardReport; the shard itself goes to disk."""

    def process(self, task: ShardTask) -> Iterator[ShardReport]:
        """Compress one input file, unless an earlier job has done so."""
        with fault(self._job, task):
            start = time.monotonic()
            report, resumed = compress_or_keep(self._job, task, self._codec)
            yield self._finished(report, None if resumed else time.monotonic() - start)


class ReadBatches(_ShardDoFn):
    """ShardTask -> (Place, Batch)s; or, to REPORTS, the ShardReport of a shard that is finished."""

    def process(self, task: ShardTask) -> Iterator[Any]:
        """Read one input file."""
        with fault(self._job, task):
            made_of, report = finished(self._job, task)
            if report is not None:
                yield beam.pvalue.TaggedOutput(REPORTS, self._finished(report, None))
                return
            for batch in read_batches(task, self._job.layout, self._codec):
                yield (task, made_of), batch


class EncodeBatch(_ShardDoFn):
    """(Place, Batch) -> (shard's index, (Place, EncodedBatch))."""

    def process(self, element: tuple[Place, Batch]) -> Iterator[Any]:
        """Encode one batch."""
        (task, made_of), batch = element
        with fault(self._job, task):
            start = time.monotonic()
            layout = self._job.layout
            name = task.output_name(layout)
            with coded.counting(self._codec, self._job.directory, name, batch.number):
                encoded = encode_batch(batch, layout, self._codec)
            self._batch_seconds.update(int(time.monotonic() - start))
            yield task.index, ((task, made_of), encoded)


class WriteShard(_ShardDoFn):
    """(shard's index, its (Place, EncodedBatch)es) -> ShardReport; the shard goes to disk."""

    def process(
        self, element: tuple[int, Iterable[tuple[Place, EncodedBatch]]]
    ) -> Iterator[ShardReport]:
        """Write one shard. All its records are in memory: keep input files under a gigabyte."""
        job, (_, batches) = self._job, element
        in_order = sorted(batches, key=lambda item: item[1].number)
        task, made_of = in_order[0][0]
        with fault(job, task):
            start = time.monotonic()
            report = write_shard(task, job.layout, job.directory, (x for _, x in in_order))
            save_report(job.directory, task, job.layout, report, made_of)
            yield self._finished(report, time.monotonic() - start)


class FinishSplit(beam.DoFn):
    """All ShardReports at once -> nothing; writes rejects, info and manifest.

    Where the job failed it writes the reason. On a cluster it then raises, so that the cluster
    knows; a local launcher reads the reason, and spares its user Beam's 300 lines of stack.
    """

    def __init__(self, job: Job, local: bool) -> None:
        self._job = job
        self._local = local

    def process(self, reports: Sequence[ShardReport]) -> None:
        """Finish the dataset."""
        try:
            finish(self._job, reports)
        except JobFailedError as error:
            write_failure(self._job, str(error))
            if not self._local:
                raise


def build(
    pipeline: beam.Pipeline, job: Job, tasks: Sequence[ShardTask], *, spread: str, local: bool
) -> None:
    """Add the graph that compresses `tasks` to `pipeline`.

    Args:
      pipeline: to add to.
      job: what to do.
      tasks: one for each input file.
      spread: `options.FILES` or `options.BATCHES`.
      local: a launcher waits on this machine, and will look at the manifest.
    """
    files = (
        pipeline
        | "InputFiles" >> beam.Create(list(tasks))
        # Else the runner may fuse everything into one worker.
        | "SpreadFiles" >> beam.Reshuffle()
    )
    if spread == FILES:
        reports = files | "CompressShard" >> beam.ParDo(CompressShard(job))
    else:
        read = files | "ReadBatches" >> beam.ParDo(ReadBatches(job)).with_outputs(
            REPORTS, main="batches"
        )
        written = (
            read["batches"]
            | "SpreadBatches" >> beam.Reshuffle()
            | "EncodeBatch" >> beam.ParDo(EncodeBatch(job))
            | "GatherBatches" >> beam.GroupByKey()
            | "WriteShard" >> beam.ParDo(WriteShard(job))
        )
        reports = (read[REPORTS], written) | "AllReports" >> beam.Flatten()
    _ = (
        reports
        | "GatherReports" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
        | "FinishSplit" >> beam.ParDo(FinishSplit(job, local))
    )
