"""What a job would take, measured on its first input file."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from equalinfo.codecs.base import Codec
from equalinfo.data import storage
from equalinfo.data.text import text_bytes
from pipelines.executors.work import JobFailedError
from pipelines.shard import Batch, Layout, ShardTask, encode_batch, read_batches

_ENOUGH_SECONDS = 20.0

_BEGINNING, _WARM = 2048, 64
"""Symbols of each example that are measured where M1 runs, and those that come before: all examples
of a batch, as M1 reads them together, but not the minutes that they may take."""


@dataclass(frozen=True)
class Estimate:
    """What was measured, and what follows for all input files.

    Attributes:
      measured_bytes: bytes of text that were compressed.
      cpu_seconds: of this process, all threads, while it did so.
      wall_seconds: the same on the clock.
      output_bytes: bytes of records it gave.
      input_bytes: size of all input files, as they are stored.
      files: how many.
      text_bytes: of all input files, from the measured part of the first.
      engine: what ran M1; empty where none ran.
    """

    measured_bytes: int
    cpu_seconds: float
    wall_seconds: float
    output_bytes: int
    input_bytes: int
    files: int
    text_bytes: int
    engine: str

    @property
    def bytes_per_cpu_second(self) -> float:
        """Bytes of text."""
        return self.measured_bytes / max(self.cpu_seconds, 1e-9)

    def text(self, workers: int, vcpu_price: float) -> str:
        """A paragraph for people.

        Args:
          workers: local processes that would work.
          vcpu_price: dollars an hour.
        """
        hours = self.text_bytes / self.bytes_per_cpu_second / 3600
        output = self.text_bytes * self.output_bytes / max(1, self.measured_bytes)
        return "\n".join(
            (
                f"measured: {self.measured_bytes / 1e6:,.1f} MB of text in "
                f"{self.cpu_seconds:,.1f} CPU seconds ({self.wall_seconds:,.1f} on the clock): "
                f"{self.bytes_per_cpu_second / 1e6:,.3f} MB/s a vCPU"
                + (f"; M1 on {self.engine}" if self.engine else ""),
                f"input:    {self.files:,} files, {self.input_bytes / 1e9:,.3f} GB stored, about "
                f"{self.text_bytes / 1e9:,.3f} GB of text",
                f"output:   about {output / 1e9:,.3f} GB of records",
                f"time:     about {_duration(hours / workers)} with {workers} "
                f"{'worker' if workers == 1 else 'workers'}; {hours:,.2f} vCPU-hours",
                f"money:    about ${hours * vcpu_price:,.2f} at ${vcpu_price} a vCPU-hour, without "
                "storage, traffic and idle time",
            )
        )


def measure(tasks: Sequence[ShardTask], layout: Layout, codec: Codec) -> Estimate:
    """Compress the beginning of the first input file that has text, for up to twenty seconds.

    Raises:
      JobFailedError: no input file has any text.
    """
    sizes = {task.index: storage.size(task.file.path) for task in tasks}
    for task in tasks:
        in_file = text_bytes(task.file)
        if not in_file:
            continue
        batch = next(read_batches(task, layout, runs_model=codec.runs_model))
        # Loads and compiles: not a part of the rate.
        encode_batch(_beginning(batch, codec, _WARM), layout, codec)
        measured = written = 0
        start, cpu = time.monotonic(), time.process_time()
        for whole in read_batches(task, layout, runs_model=codec.runs_model):
            batch = _beginning(whole, codec, _BEGINNING)
            written += len(encode_batch(batch, layout, codec).records.data)
            measured += sum(len(example.text) for example in batch.examples)
            if time.monotonic() - start > _ENOUGH_SECONDS:
                break
        total = sum(sizes.values())
        return Estimate(
            measured_bytes=measured,
            cpu_seconds=time.process_time() - cpu,
            wall_seconds=time.monotonic() - start,
            output_bytes=written,
            input_bytes=total,
            files=len(tasks),
            text_bytes=round(in_file * total / sizes[task.index]),
            engine=codec.engine,
        )
    raise JobFailedError(f"none of the {len(tasks)} input files has any text: nothing to measure.")


def _beginning(batch: Batch, codec: Codec, symbols: int) -> Batch:
    """The batch; where M1 runs, with so many symbols of each example."""
    if not codec.runs_model:
        return batch
    return replace(batch, examples=[replace(x, text=x.text[:symbols]) for x in batch.examples])


def _duration(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:,.1f} days"
    if hours >= 1:
        return f"{hours:,.1f} hours"
    return f"{hours * 60:,.1f} minutes" if hours >= 1 / 60 else f"{hours * 3600:,.1f} seconds"
