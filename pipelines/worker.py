"""What a worker does with one shard, under Beam or without it."""

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from equalinfo import codecs
from equalinfo.codecs.base import CODEC_FILE, Codec, file_sha256
from equalinfo.data import storage
from pipelines.output import Job, write_failure
from pipelines.resume import fingerprint, load_report, save_report
from pipelines.shard import ShardReport, ShardTask, compress_shard

_loading = threading.Lock()


def compress(job: Job, task: ShardTask) -> ShardReport:
    """Compress one input file, unless an earlier job has done so.

    Needs no Beam: any cluster can call it for every task, in any order, and `output.finish` with
    all that it returned.

    Raises:
      Exception: as `shard.compress_shard`; the reason is also left in the dataset directory.
    """
    with fault(job, task):
        return compress_or_keep(job, task, load_codec(job.codec_directory, job.codec_sha256))[0]


def compress_or_keep(job: Job, task: ShardTask, codec: Codec) -> tuple[ShardReport, bool]:
    """The report of a shard, and True where it was finished already."""
    made_of, report = finished(job, task)
    if report is not None:
        return report, True
    report = compress_shard(task, job.layout, codec, job.directory)
    save_report(job.directory, task, job.layout, report, made_of)
    return report, False


def finished(job: Job, task: ShardTask) -> tuple[str, ShardReport | None]:
    """A shard's fingerprint, and its report where an earlier job has finished it."""
    made_of = fingerprint(job.head, job.layout, job.codec_sha256, task)
    return made_of, load_report(job.directory, task, job.layout, made_of)


@contextmanager
def fault(job: Job, task: ShardTask) -> Iterator[None]:
    """Leave the reason of an error for the launcher, which may be far away, and raise it."""
    try:
        yield
    except Exception as error:
        with suppress(Exception):  # a full disk, say: the error itself matters more
            write_failure(job, f"{task.file.name}: {type(error).__name__}: {error}")
        raise


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
