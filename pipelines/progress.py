"""A bar for runs that write to a local directory: shards, MB/s of input, and when it will end.

Where M1 runs, a shard takes hours: the bar moves by the symbols coded of it, and says what runs M1.
"""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from tqdm import tqdm

from equalinfo.codecs.base import Codec
from equalinfo.data import storage
from equalinfo.data.inputs import ChangedInputError
from equalinfo.data.text import text_bytes
from pipelines import coded
from pipelines.output import Job
from pipelines.shard import ShardTask

_SECONDS = 0.5
_SECONDS_IN_LOGS = 30
"""Each time is a line where no terminal redraws it."""


@contextmanager
def shard_bar(job: Job, tasks: Sequence[ShardTask], codec: Codec, show: bool) -> Iterator[None]:
    """Show how much of the input is in finished shards, in a bar.

    Runners tell nothing while they run, so a thread looks at the dataset directory. Elsewhere than
    on this machine the log has a line for each shard.
    """
    local = storage.is_local(job.directory) and all(storage.is_local(x.file.path) for x in tasks)
    if not show or not local:
        yield
        return
    shards = {
        task.output_name(job.layout): _Shard(
            task, storage.size(task.file.path), passes=1 + job.layout.verify
        )
        for task in tasks
    }
    coded.forget(job.directory, shards.keys())
    label = f"{job.layout.split}, M1 on {codec.engine}" if codec.engine else job.layout.split
    stop = threading.Event()
    seconds = _SECONDS if sys.stderr.isatty() else _SECONDS_IN_LOGS
    with tqdm(
        total=sum(shard.size for shard in shards.values()),
        unit="B",
        unit_scale=True,
        desc=label,
        mininterval=0,
    ) as bar:

        def watch() -> None:
            while not stop.wait(seconds):
                _update(bar, job.directory, shards)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(_SECONDS)  # it may be reading an input file
            _update(bar, job.directory, shards)


class _Shard:
    """A shard that is awaited.

    Attributes:
      size: of its input, as it is stored.
      passes: how often M1 reads the text: twice, where it is decoded again.
    """

    def __init__(self, task: ShardTask, size: int, passes: int = 1) -> None:
        self.size = size
        self.passes = passes
        self._task = task

    @cached_property
    def _text_bytes(self) -> int:
        """Reading them takes a hundredth of the time that M1 needs for them, or less."""
        try:
            return max(1, text_bytes(self._task.file))
        except (OSError, ChangedInputError):  # whoever compresses it says so
            return max(1, self.size)

    def read(self, symbols: int) -> int:
        """How much of the input so many coded symbols are."""
        return min(self.size, self.size * symbols // (self.passes * self._text_bytes))


def _update(bar: "tqdm[None]", directory: str, shards: dict[str, _Shard]) -> None:
    """`shards`: by the names of their files.

    What unfinished shards have read is known where M1 counts it. Elsewhere what they have written
    is, and the finished ones tell how much input gives how much output.
    """
    finished, written, unfinished = set(), 0, dict.fromkeys(shards, 0)
    symbols = dict.fromkeys(shards, 0)
    with os.scandir(directory) as entries:
        for entry in entries:
            name = entry.name.removeprefix(storage.TEMPORARY_PREFIX)
            try:
                if entry.name in shards:
                    finished.add(name)
                    written += entry.stat().st_size
                elif (shard := name.rpartition("-")[0]) in shards:
                    unfinished[shard] += entry.stat().st_size
                elif (shard := coded.shard_of(entry.name)) in shards:
                    symbols[shard] += coded.read(entry)
            except FileNotFoundError:  # renamed since the directory was read
                continue
    done = in_finished = sum(shards[name].size for name in finished)
    for name in shards.keys() - finished:
        if symbols[name]:
            done += shards[name].read(symbols[name])
        elif written:
            done += unfinished[name] * in_finished // written
    in_all = written + sum(unfinished.values())
    state = f"{len(finished)} of {len(shards)} shards, {in_all / 1e6:.1f} MB written"
    if total := sum(symbols.values()):
        state += f", {total / 1e3 / max(bar.format_dict['elapsed'], 1e-3):.1f} kB/s of text"
    bar.set_postfix_str(state, refresh=False)
    bar.n = max(bar.n, min(done, int(bar.total)))
    bar.refresh()
