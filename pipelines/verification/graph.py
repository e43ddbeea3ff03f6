"""The Beam graph of `pipelines.verify`: one element is one shard."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import apache_beam as beam
from apache_beam.metrics import Metrics

from equalinfo.data import storage
from equalinfo.manifest import CODEC_DIRECTORY
from pipelines.verification.report import ShardResult
from pipelines.verification.shard import ShardCheck, verify_shard
from pipelines.worker import load_codec

NAMESPACE = "equalinfo_verify"
COUNTERS = ("documents", "bytes", "records", "restored_bytes", "num_differences")

_log = logging.getLogger(__name__)


class VerifyShard(beam.DoFn):
    """ShardCheck -> ShardResult."""

    def __init__(self, directory: str, codec_sha256: str) -> None:
        self._directory = storage.join(directory, CODEC_DIRECTORY)
        self._codec_sha256 = codec_sha256
        self._counters = {name: Metrics.counter(NAMESPACE, name) for name in COUNTERS}

    def setup(self) -> None:
        """Load the codec."""
        self._codec = load_codec(self._directory, self._codec_sha256)

    def process(self, check: ShardCheck) -> Iterator[ShardResult]:
        """Verify one shard."""
        result = verify_shard(check, self._codec)
        for name, counter in self._counters.items():
            counter.inc(getattr(result, name))
        _log.info("verified %s: %d differences", result.file, result.num_differences)
        yield result


class WriteResults(beam.DoFn):
    """All ShardResults at once -> nothing; the launcher, which may be far away, reads the file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def process(self, results: Sequence[ShardResult]) -> None:
        """Write them."""
        storage.write_text(self._path, json.dumps([asdict(result) for result in results]))


def build(pipeline: beam.Pipeline, checks: Sequence[ShardCheck], path: str) -> None:
    """Add the graph that verifies shards of one dataset, and leaves the results in a file."""
    _ = (
        pipeline
        | "Shards" >> beam.Create(list(checks))
        # Else the runner may fuse everything into one worker.
        | "SpreadShards" >> beam.Reshuffle()
        | "VerifyShard" >> beam.ParDo(VerifyShard(checks[0].directory, checks[0].codec_sha256))
        | "GatherResults" >> beam.CombineGlobally(beam.combiners.ToListCombineFn())
        | "WriteResults" >> beam.ParDo(WriteResults(path))
    )


def read_results(path: str, checks: Sequence[ShardCheck]) -> list[ShardResult]:
    """The results in the order of `checks`.

    Raises:
      ValueError: the runner lost or doubled some.
    """
    found = [] if not storage.exists(path) else json.loads(storage.read_text(path))
    results = [
        ShardResult(**{**content, "differences": tuple(content["differences"])})
        for content in found
    ]
    by_name = {(result.split, result.file): result for result in results}
    wanted = [(check.split, check.shard.file) for check in checks]
    if len(results) != len(checks) or by_name.keys() != set(wanted):
        raise ValueError(
            f"{len(checks)} shards were to be verified, the runner reported {len(results)}. It "
            "lost or doubled results: use --runner=FnApiRunner."
        )
    return [by_name[name] for name in wanted]
