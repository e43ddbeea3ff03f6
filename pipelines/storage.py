"""Files where they lie: local paths directly, others (gs://, s3://, hdfs://) through Beam.

Output files appear whole or not at all: they are written under a temporary name and renamed.
"""

import glob
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes, FileSystem
from apache_beam.io.filesystems import FileSystems

TEMPORARY_PREFIX = ".tmp-"
_BUFFER_BYTES = 1 << 20


def is_local(path: str) -> bool:
    """True for a plain path, False for one with a scheme such as gs://."""
    return "://" not in path


def join(directory: str, name: str) -> str:
    """The path of `name` in `directory`."""
    if is_local(directory):
        return os.path.join(directory, name)
    return f"{directory.rstrip('/')}/{name}"


def base_name(path: str) -> str:
    """The last part of a path."""
    return path.replace(os.sep, "/").rsplit("/", 1)[-1]


def match(pattern: str) -> list[str]:
    """Files that fit a glob pattern, sorted."""
    if is_local(pattern):
        paths = glob.glob(pattern, recursive=True, include_hidden=True)
        return sorted(path for path in paths if not os.path.isdir(path))
    found = _file_system(pattern).match([pattern])[0].metadata_list
    return sorted(metadata.path for metadata in found)


def list_directory(directory: str, prefix: str) -> list[str]:
    """Files in `directory` whose name starts with `prefix`, sorted; none if it is absent."""
    # Escaped: * and ? are allowed in names of objects, and the files of another directory must not
    # be taken for this one's (and be deleted).
    return match(join(glob.escape(directory), glob.escape(prefix) + "*"))


def exists(path: str) -> bool:
    """True where there is a file of that name."""
    return os.path.isfile(path) if is_local(path) else bool(_file_system(path).exists(path))


def size(path: str) -> int:
    """Bytes of a file."""
    if is_local(path):
        return os.path.getsize(path)
    return int(_file_system(path).size(path))


def open_read(path: str) -> BinaryIO:
    """A file's bytes as they are: never decompressed by its suffix (Beam hides cut-off files)."""
    if is_local(path):
        return open(path, "rb", buffering=_BUFFER_BYTES)
    opened: Any = FileSystems.open(
        path, "application/octet-stream", compression_type=CompressionTypes.UNCOMPRESSED
    )
    return BufferedReader(opened, _BUFFER_BYTES)


def read_text(path: str) -> str:
    """A file as UTF-8 text."""
    with open_read(path) as file:
        return file.read().decode("utf-8")


def make_directory(directory: str) -> None:
    """Make a directory, and those above it; object stores have none to make."""
    if is_local(directory):
        os.makedirs(directory, exist_ok=True)


def delete(paths: list[str]) -> None:
    """Delete files; those already gone are no error (another attempt may have deleted them).

    Raises:
      OSError: a file is still there; says which.
    """
    objects = [path for path in paths if path.startswith("gs://")]
    for path in set(paths).difference(objects):
        if is_local(path):
            Path(path).unlink(missing_ok=True)
        elif exists(path):
            _file_system(path).delete([path])
    if objects:
        _delete_objects(objects)


def _delete_objects(paths: list[str]) -> None:
    """Delete on gs://, 100 a request; Beam's `delete` needs three each, and takes patterns."""
    client: Any = _file_system(paths[0])
    results = client._gcsIO().delete_batch(paths)
    if failed := [(path, status) for path, status in results if status]:
        path, status = failed[0]
        raise OSError(f"{len(failed)} files were not deleted; the first, {path}: HTTP {status}.")


class HashingFile:
    """A file to write to, which knows the sha256 and size of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.bytes_written = 0

    def write(self, data: bytes) -> int:
        """Append `data`, bytes of any length."""
        self._hash.update(data)
        self._file.write(data)
        self.bytes_written += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Of all bytes written so far, as 64 hexadecimal digits."""
        return self._hash.hexdigest()


@contextmanager
def create(path: str) -> Iterator[HashingFile]:
    """Write a file that appears under its name when the block ends, and only if it ends well.

    Each attempt has a temporary name of its own, so two attempts at one file do not meet; where
    both finish, the later one replaces the earlier.
    """
    name = base_name(path)
    directory = path[: -len(name) - 1] if len(path) > len(name) else "."
    temporary = join(directory, f"{TEMPORARY_PREFIX}{name}-{uuid.uuid4().hex[:12]}")
    make_directory(directory)
    file = _open_write(temporary)
    try:
        yield HashingFile(file)
        if is_local(path):
            file.flush()
            os.fsync(file.fileno())
        file.close()
        _rename(temporary, path)
    except BaseException:
        with suppress(Exception):  # a full disk fails here once more; the first error is raised
            file.close()
        with suppress(OSError):
            delete([temporary])
        raise


def _open_write(path: str) -> IO[bytes]:
    if is_local(path):
        return open(path, "wb", buffering=_BUFFER_BYTES)
    opened: Any = FileSystems.create(
        path, "application/octet-stream", compression_type=CompressionTypes.UNCOMPRESSED
    )
    return cast(IO[bytes], opened)


def _rename(temporary: str, path: str) -> None:
    if is_local(path):
        os.replace(temporary, path)
        return
    file_system = _file_system(path)
    # Object stores replace, and a moment without the file would fail another attempt at it.
    if file_system.has_dirs() and file_system.exists(path):
        file_system.delete([path])
    file_system.rename([temporary], [path])


def _file_system(path: str) -> FileSystem:
    try:
        return FileSystems.get_filesystem(path)
    except ValueError as error:
        scheme = path.split("://")[0]
        extra = {"gs": "gcp", "s3": "aws", "hdfs": "hadoop"}.get(scheme)
        fix = f"pip install 'apache-beam[{extra}]'" if extra else "Use gs://, s3:// or hdfs://"
        raise OSError(f"{path}: Beam cannot open {scheme}:// here. {fix}.") from error


def write_text(path: str, text: str) -> None:
    """Write a small text file, whole or not at all."""
    with create(path) as file:
        file.write(text.encode("utf-8"))


def copy_directory(source: str, target: str, last: str = "") -> None:
    """Copy the files directly in `source` to `target`, the one named `last` after all others."""
    paths = sorted(list_directory(source, ""), key=lambda path: (base_name(path) == last, path))
    for path in paths:
        copy(path, join(target, base_name(path)))


def copy(source: str, target: str) -> None:
    """Copy a file."""
    with open_read(source) as file, create(target) as copied:
        shutil.copyfileobj(file, cast(IO[bytes], copied), _BUFFER_BYTES)


@contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A file or directory on this machine with what is at `path`: itself, or a copy for a while.

    Raises:
      FileNotFoundError: there is neither.
    """
    if is_local(path):
        yield path
        return
    with TemporaryDirectory() as directory:
        target = os.path.join(directory, base_name(path.rstrip("/")))
        if exists(path):
            copy(path, target)
        elif list_directory(path, ""):
            copy_directory(path, target)
        else:
            raise FileNotFoundError(f"{path}: there is no such file or directory.")
        yield target


def sha256(path: str) -> str:
    """Of a file's bytes, as 64 hexadecimal digits."""
    with open_read(path) as file:
        return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()


def version(path: str) -> str:
    """Changes with the file's content: size and time of change, or what its store has for that."""
    if is_local(path):
        status = os.stat(path)
        return f"{status.st_size} bytes, {status.st_mtime_ns} ns"
    return f"{size(path)} bytes, checksum {FileSystems.checksum(path)}"
