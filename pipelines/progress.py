"""A bar over finished shards, for runs that write to a local directory."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from pipelines import storage

_SECONDS = 0.5


@contextmanager
def shard_bar(directory: str, split: str, shards: int, show: bool) -> Iterator[None]:
    """Show how many of `shards` lie in `directory`, and the megabytes written, in a bar.

    Runners give no progress while they run, so a thread looks at the directory.
    """
    if not show or not storage.is_local(directory):
        yield
        return
    stop = threading.Event()
    with tqdm(total=shards, unit="shard", desc=f"compress {split}", mininterval=0) as bar:

        def watch() -> None:
            while not stop.wait(_SECONDS):
                _update(bar, directory, split)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            _update(bar, directory, split)


def _update(bar: "tqdm[None]", directory: str, split: str) -> None:
    prefix = f"{split}.tfrecord-"
    finished = size = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.removeprefix(storage.TEMPORARY_PREFIX).startswith(prefix):
                finished += entry.name.startswith(prefix)
                try:
                    size += entry.stat().st_size
                except FileNotFoundError:  # renamed since the directory was read
                    continue
    bar.set_postfix_str(f"{size / 1e6:.1f} MB written", refresh=False)
    bar.n = finished
    bar.refresh()
