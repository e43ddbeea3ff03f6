"""`njit` of numba, with a place for what it compiles wherever the package runs.

numba keeps what it compiles beside the source, else in the home directory, and refuses to define a
function where neither can be written, as in most containers. Then it goes to a directory of this
user among the temporary files or, without one, every process compiles for itself.

numba takes what it keeps for as long as the file of the function is the same. But a function holds
what it calls, too: here what is kept holds only while no file that kernels may use has changed. And
numba keeps in two steps, so that a process may take what another is about to replace: here they
take turns.
"""

import functools
import hashlib
import inspect
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

_PATIENCE = 10
"""Seconds; others hold a lock while they read or write a file."""
_refused: set[str] = set()
"""Locks that this process could not have."""
# A soft lock is a file: one that a process has left would be waited for.
_soft = inspect.signature(filelock.FileLock.__init__).parameters
_NO_SOFT_LOCK: Any = {"fallback_to_soft": False} if "fallback_to_soft" in _soft else {}


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
        if lock in _refused:
            return None
        turn = filelock.FileLock(lock, timeout=_PATIENCE, **_NO_SOFT_LOCK)
        try:
            turn.acquire()
        except (OSError, NotImplementedError):
            # Another user's, no locks here, or held: nothing is taken, and nothing kept.
            _refused.add(lock)
            return None
        try:
            return method(*arguments)
        finally:
            turn.release()

    return call


@functools.cache
def _kernels() -> str:
    """A hash of all files in folders that have kernels, and above: of their constants, too."""
    root = Path(__file__).parent
    sources = {path: path.read_bytes() for path in sorted(root.rglob("*.py"))}
    folders = {root}
    for path, source in sources.items():
        if b"njit" in source:
            folders |= {folder for folder in path.parents if folder.is_relative_to(root)}
    found = hashlib.sha256()
    for path, source in sources.items():
        if path.parent in folders:
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
