"""What a worker does with one shard, whoever runs it."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

from equalinfo import codecs
from equalinfo.codecs.base import CODEC_FILE, Codec
from equalinfo.data import storage
from pipelines import coded, output
from pipelines.executors.work import SpreadWork, naming
from pipelines.output import Job
from pipelines.resume import fingerprint, load_report, sample, save_report
from pipelines.shard import (
    Batch,
    EncodedBatch,
    ShardReport,
    ShardTask,
    compress_shard,
    encode_batch,
    read_batches,
    write_shard,
)

COUNTERS = ("documents", "bytes", "tokens", "records", "windows", "rejected", "damaged")

_loading = threading.Lock()
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Part:
    """A batch of an input file, or what became of it; and the file's fingerprint."""

    task: ShardTask
    made_of: str
    batch: Batch | EncodedBatch


@dataclass(frozen=True)
class Compress(SpreadWork[ShardTask, ShardReport]):
    """Input files to shards, in the dataset directory of a job; then its manifest."""

    job: Job

    @property
    def outcome(self) -> str:
        """Beside the shards; a finished split has none."""
        return storage.join(self.job.directory, output.outcome_name(self.job.layout.split))

    def do(self, task: ShardTask) -> ShardReport:
        """Compress one input file, unless an earlier job has done so."""
        with naming(task.file.name):
            start, job = time.monotonic(), self.job
            made_of = self._made_of(task)
            if report := self._kept(task, made_of):
                return report
            report = compress_shard(task, job.layout, self._codec(), job.directory)
            report = replace(report, input=sample(task))
            save_report(job.directory, task, job.layout, report, made_of)
            return _logged(report, time.monotonic() - start)

    def finish(self, results: Sequence[ShardReport]) -> None:
        """Write the manifest."""
        output.finish(self.job, results)

    def counts(self, result: ShardReport) -> Mapping[str, int]:
        """Of a finished shard."""
        return {
            **{name: getattr(result.shard, name) for name in COUNTERS},
            **({"resumed_shards": 1} if result.kept else {}),
        }

    def done(self, task: ShardTask) -> ShardReport | None:
        """The report of a shard that an earlier job has finished."""
        with naming(task.file.name):
            return self._kept(task, self._made_of(task))

    def parts(self, task: ShardTask) -> Iterator[Part]:
        """The batches of an input file."""
        with naming(task.file.name):
            made_of, model = self._made_of(task), self._codec().runs_model
            for batch in read_batches(task, self.job.layout, runs_model=model):
                yield Part(task, made_of, batch)

    def do_part(self, part: Part) -> Part:
        """Encode a batch."""
        assert isinstance(part.batch, Batch)
        layout, codec = self.job.layout, self._codec()
        name = part.task.output_name(layout)
        with (
            naming(part.task.file.name),
            coded.counting(codec, self.job.directory, name, part.batch.number) as counted,
        ):
            return replace(part, batch=encode_batch(part.batch, layout, counted))

    def gather(self, parts: Iterable[Part]) -> ShardReport:
        """Write a shard."""
        remaining = iter(parts)
        first = next(remaining)
        task, job = first.task, self.job
        with naming(task.file.name):
            start = time.monotonic()

            def encoded() -> Iterator[EncodedBatch]:
                for part in chain([first], remaining):
                    assert isinstance(part.batch, EncodedBatch)
                    yield part.batch

            report = write_shard(task, job.layout, job.directory, encoded())
            report = replace(report, input=sample(task))
            save_report(job.directory, task, job.layout, report, first.made_of)
            return _logged(report, time.monotonic() - start)

    def key(self, part: Part) -> tuple[int, int]:
        """The shard's number, and the batch's."""
        return part.task.index, part.batch.number

    def _made_of(self, task: ShardTask) -> str:
        return fingerprint(self.job.head, self.job.layout, self.job.codec_sha256, task)

    def _kept(self, task: ShardTask, made_of: str) -> ShardReport | None:
        report = load_report(self.job.directory, task, self.job.layout, made_of)
        return report and _logged(replace(report, kept=True), 0)

    def _codec(self) -> Codec:
        return load_codec(self.job.codec_directory, self.job.codec_sha256)


def _logged(report: ShardReport, seconds: float) -> ShardReport:
    shard = report.shard
    _log.info(
        "%s %s: %d documents, %d bytes, %d tokens, %d rejected%s%s",
        "kept" if report.kept else "finished",
        shard.file,
        shard.documents,
        shard.bytes,
        shard.tokens,
        shard.rejected,
        "" if report.kept else f"; {shard.bytes / max(seconds, 1e-3) / 1e6:.1f} MB/s",
        f"; {report.damage}" if report.damage else "",
    )
    return report


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
    codec = codecs.load(directory)
    found = storage.sha256(storage.join(directory, CODEC_FILE))
    if found != sha256:
        raise ValueError(
            f"the codec in {directory} is sha256:{found[:12]}.., this job began with "
            f"sha256:{sha256[:12]}..: another job writes to this directory. Run one at a time."
        )
    return codec
