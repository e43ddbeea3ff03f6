"""The Beam graphs: one element is one input file.

No record passes through Beam: a worker reads a file and writes its shard, and only a report goes
on. So there is nothing to shuffle, and nothing that depends on the runner's order.
"""

import logging
import tempfile
import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import apache_beam as beam
from apache_beam.metrics import Metrics

from equalinfo import codecs
from equalinfo.codecs.base import CODEC_FILE, Codec, file_sha256
from pipelines import storage
from pipelines.limits import JobFailedError
from pipelines.output import Job, finish, write_failure
from pipelines.shard import ShardReport, ShardTask, compress_shard

NAMESPACE = "equalinfo"
COUNTERS = ("documents", "bytes", "tokens", "records", "windows", "rejected", "damaged")

_log = logging.getLogger(__name__)
_loading = threading.Lock()


def load_codec(directory: str, sha256: str) -> Codec:
    """The codec in `directory`, loaded once per process.

    Args:
      directory: codec directory, local or not.
      sha256: of its codec.json, as the job saw it.

    Raises:
      ValueError: it is another codec now.
    """
    with _loading:  # a worker may have several threads, and a model should be in memory once
        return _load_codec(directory, sha256)


@lru_cache(maxsize=2)
def _load_codec(directory: str, sha256: str) -> Codec:
    with tempfile.TemporaryDirectory() as copy:
        local = directory
        if not storage.is_local(directory):
            storage.copy_directory(directory, copy)
            local = copy
        found = file_sha256(Path(local, CODEC_FILE))
        if found != sha256:
            raise ValueError(
                f"the codec in {directory} is sha256:{found[:12]}.., this job began with "
                f"sha256:{sha256[:12]}..: another job writes to this directory. Run one at a time."
            )
        return codecs.load(local)


class CompressShard(beam.DoFn):
    """ShardTask -> ShardReport; the shard itself goes to disk."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._counters = {name: Metrics.counter(NAMESPACE, name) for name in COUNTERS}

    def setup(self) -> None:
        """Load the codec."""
        self._codec = load_codec(self._job.codec_directory, self._job.codec_sha256)

    def process(self, task: ShardTask) -> Iterator[ShardReport]:
        """Compress one input file."""
        report = compress_shard(task, self._job.layout, self._codec, self._job.directory)
        shard = report.shard
        for name, counter in self._counters.items():
            counter.inc(getattr(shard, name))
        _log.info(
            "finished %s: %d documents, %d bytes, %d tokens, %d rejected%s",
            shard.file,
            shard.documents,
            shard.bytes,
            shard.tokens,
            shard.rejected,
            f"; {report.damage}" if report.damage else "",
        )
        yield report


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


def build(pipeline: beam.Pipeline, job: Job, tasks: Sequence[ShardTask], local: bool) -> None:
    """Add the graph that compresses `tasks` to `pipeline`.

    Args:
      pipeline: to add to.
      job: what to do.
      tasks: one for each input file.
      local: a launcher waits on this machine, and will look at the manifest.
    """
    _ = (
        pipeline
        | "InputFiles" >> beam.Create(list(tasks))
        # Else the runner may fuse everything into one worker.
        | "SpreadOverWorkers" >> beam.Reshuffle()
        | "CompressShard" >> beam.ParDo(CompressShard(job))
        | "GatherReports" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
        | "FinishSplit" >> beam.ParDo(FinishSplit(job, local))
    )
