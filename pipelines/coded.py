"""Symbols that M1 has coded so far, in a small file for each batch: what the bar moves by.

A batch may take M1 minutes, and is often on another process than the bar.
"""

import copy
import os
import threading
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from equalinfo.codecs.base import Codec
from equalinfo.data import storage

_MARK = "-symbols-"
_SECONDS = 0.5


@contextmanager
def counting(codec: Codec, directory: str, shard: str, batch: int) -> Iterator[Codec]:
    """While a codec encodes a batch of a shard, keep the number of symbols coded in a file.

    Yields:
      the codec to encode with: other threads may count another batch with theirs.

    A finished split has no use for such files, and they are deleted with its other ones. Only on
    this machine, and only where M1 runs: all else is over in a moment.
    """
    if not codec.runs_model or not storage.is_local(directory):
        yield codec
        return
    path = Path(directory, f"{storage.TEMPORARY_PREFIX}{shard}{_MARK}{batch}")
    lock, coded, written = threading.Lock(), 0, time.monotonic()

    def write() -> None:
        with suppress(OSError):  # no reason to fail; a full disk shows elsewhere
            path.write_text(str(coded))

    def add(symbols: int) -> None:
        nonlocal coded, written
        with lock:
            coded += symbols
            if time.monotonic() - written > _SECONDS:
                write()
                written = time.monotonic()

    own = copy.copy(codec)
    own.progress = add
    try:
        yield own
    finally:
        write()


@contextmanager
def reading(codec: Codec, symbols: int, windows: int) -> Iterator[None]:
    """While `codec` decodes so many symbols again, count what it reads as if it coded them.

    Args:
      codec: of `counting`; where none counts, nothing happens.
      symbols: to decode.
      windows: that they are in; 0: the codec tells symbols.
    """
    tell, read, told = codec.progress, 0, 0
    if tell is None:
        yield
        return

    def add(units: int) -> None:
        nonlocal read, told
        read += units
        now = min(symbols, symbols * read // (windows or symbols))
        tell(now - told)
        told = now

    codec.progress = add
    try:
        yield
    finally:
        codec.progress = tell
        tell(symbols - told)  # windows that are equal are read once


def shard_of(name: str) -> str:
    """Of which shard the file with this name counts symbols; empty: it is another file."""
    shard, mark, _ = name.removeprefix(storage.TEMPORARY_PREFIX).partition(_MARK)
    return shard if mark and name.startswith(storage.TEMPORARY_PREFIX) else ""


def read(entry: os.DirEntry[str]) -> int:
    """Symbols; 0 while the file is being written, or where it is gone."""
    with suppress(OSError, ValueError):
        return int(Path(entry.path).read_text())
    return 0


def forget(directory: str, shards: Container[str]) -> None:
    """Delete what an interrupted job has left."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if shard_of(entry.name) in shards:
                storage.delete([entry.path])
