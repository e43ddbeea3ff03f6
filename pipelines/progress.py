"""A bar for runs that write to a local directory: shards, MB/s of input, and when it will end."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tqdm import tqdm

from pipelines import storage
from pipelines.output import Job
from pipelines.shard import ShardTask

_SECONDS = 0.5
_SECONDS_IN_LOGS = 30
"""Each time is a line where no terminal redraws it."""


@contextmanager
def shard_bar(job: Job, tasks: Sequence[ShardTask], show: bool) -> Iterator[None]:
    """Show how much of the input is in finished shards, in a bar.

    Runners tell nothing while they run, so a thread looks at the dataset directory. Elsewhere than
    on this machine the log has a line for each shard.
    """
    local = storage.is_local(job.directory) and all(storage.is_local(x.file.path) for x in tasks)
    if not show or not local:
        yield
        return
    sizes = {task.output_name(job.layout): storage.size(task.file.path) for task in tasks}
    stop = threading.Event()
    seconds = _SECONDS if sys.stderr.isatty() else _SECONDS_IN_LOGS
    with tqdm(
        total=sum(sizes.values()), unit="B", unit_scale=True, desc=job.layout.split, mininterval=0
    ) as bar:

        def watch() -> None:
            while not stop.wait(seconds):
                _update(bar, job.directory, sizes)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            _update(bar, job.directory, sizes)


def _update(bar: "tqdm[None]", directory: str, sizes: dict[str, int]) -> None:
    """`sizes`: bytes of each shard's input.

    What unfinished shards have read is not known; what they have written is, and the finished ones
    tell how much input gives how much output.
    """
    done = written = unfinished = finished = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name.removeprefix(storage.TEMPORARY_PREFIX)
            try:
                if entry.name in sizes:
                    finished += 1
                    done += sizes[name]
                    written += entry.stat().st_size
                elif name.rpartition("-")[0] in sizes:
                    unfinished += entry.stat().st_size
            except FileNotFoundError:  # renamed since the directory was read
                continue
    if written:
        done = min(done + unfinished * done // written, int(bar.total))
    bar.set_postfix_str(
        f"{finished} of {len(sizes)} shards, {(written + unfinished) / 1e6:.1f} MB written",
        refresh=False,
    )
    bar.n = max(bar.n, done)
    bar.refresh()
