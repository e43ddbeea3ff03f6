"""`njit` of numba, with a place for what it compiles wherever the package runs.

numba keeps what it compiles beside the source, else in the home directory, and refuses to define a
function where neither can be written, as in most containers. Then it goes to a directory of this
user among the temporary files or, without one, every process compiles for itself.

numba takes what it keeps for as long as the file of the function is the same. But a function holds
what it calls, too: here what is kept holds only while no file with kernels has changed. And numba
keeps in two steps, so that a process may take what another is about to replace: here they take
turns.
"""

import functools
import hashlib
import os
import stat
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numba
import numba.core.config

config: Any = numba.core.config  # its names are made at run time


def njit(**options: Any) -> Callable[[Any], Any]:
    """`numba.njit`, where `cache=True` holds as far as there is a place for a cache.

    Warns:
      RuntimeWarning: there is none that stays; says so once.
    """

    def decorate(function: Any) -> Any:
        if not options.get("cache"):
            return numba.njit(**options)(function)
        if not _homeless():
            try:
                return _kept(numba.njit(**options)(function))
            except RuntimeError as error:
                if "no locator available" not in str(error):
                    raise
        before = config.CACHE_DIR
        config.CACHE_DIR = _temporary_place()
        try:
            return _kept(numba.njit(**{**options, "cache": bool(config.CACHE_DIR)})(function))
        finally:
            config.CACHE_DIR = before

    return decorate


def _kept(compiled: Any) -> Any:
    """The function, whose cache is of these kernels only, and one process's at a time."""
    file = getattr(getattr(compiled, "_cache", None), "_cache_file", None)
    if file is not None:  # it is kept, and numba not switched off
        file._source_stamp = (file._source_stamp, _kernels())
        lock = os.path.join(file._cache_path, "numba.lock")
        file.load, file.save = _in_turn(file.load, lock), _in_turn(file.save, lock)
    return compiled


def _in_turn(method: Callable[..., Any], lock: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*arguments: Any) -> Any:
        turn = filelock.FileLock(lock)
        try:
            turn.acquire()
        except OSError:  # another user's, or no locks here: nothing is taken, and nothing kept
            return None
        try:
            return method(*arguments)
        finally:
            turn.release()

    return call


@functools.cache
def _kernels() -> str:
    """A hash of all files of the package that have kernels."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        source = path.read_bytes()
        if b"njit" in source:
            found.update(hashlib.sha256(source).digest())
    return found.hexdigest()


@functools.cache
def _homeless() -> bool:
    """Whether numba would make a directory called `~` in the current one."""
    if config.CACHE_DIR or os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~") != "~":
        return False
    return not os.access(Path(__file__).parent / "__pycache__", os.W_OK)


@functools.cache
def _temporary_place() -> str:
    """A directory that only this user can write, since what lies there is run; "" for none."""
    place, new = "", True
    try:
        path = Path(tempfile.gettempdir(), f"equalinfo-numba-{os.getuid()}")
        new = not path.exists()
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if mine and not found.st_mode & 0o077 and os.access(path, os.W_OK):
            place = str(path)
    except OSError:  # no temporary directory, or it cannot be written
        pass
    if new or not place:
        now = f"goes to {place}" if place else "is compiled anew by each process, for some seconds"
        warnings.warn(
            "Neither the folder of the package equalinfo nor a home directory can be written, "
            f"where numba keeps what it compiles: it {now}. Set NUMBA_CACHE_DIR to a directory "
            "that can be written and stays.",
            RuntimeWarning,
            stacklevel=3,
        )
    return place
