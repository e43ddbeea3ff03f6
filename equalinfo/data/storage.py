"""Files where they lie: local paths directly, others (gs://, s3://, ...) through fsspec.

Output files appear whole or not at all: they are written under a temporary name and renamed.

What a store needs is looked for when a path first names it: the package (extras `gcs`, `s3`; any
other that fsspec knows), and credentials. Google's are those of `google.auth.default`, Amazon's
those of boto; fsspec's own settings (`FSSPEC_GCS_TOKEN=anon`, `FSSPEC_S3_ANON=true`,
`FSSPEC_S3_ENDPOINT_URL`) go before both.
"""

import errno
import glob
import hashlib
import io
import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any, BinaryIO, cast

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

TEMPORARY_PREFIX = ".tmp-"
_BUFFER_BYTES = 1 << 20
_REMOTE_BLOCK_BYTES = 8 << 20
"""Asked for, or sent, at once; S3 takes 10,000 of them to a file."""
_DELETES_AT_ONCE = 32
_END_BYTES = 1 << 16
_VERSION_KEYS = ("md5Hash", "crc32c", "ETag", "mtime", "created")
"""What a store may say of a file's content, or of its last change: Google, Amazon, others."""

_EXTRAS = {"gs": "gcs", "gcs": "gcs", "s3": "s3", "s3a": "s3"}
_GOOGLE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"
_NO_GOOGLE_CREDENTIALS = (
    "no Google credentials were found. Run `gcloud auth application-default login`, or let "
    "GOOGLE_APPLICATION_CREDENTIALS name a key; for a public bucket, set FSSPEC_GCS_TOKEN=anon."
)
_NO_AWS_CREDENTIALS = (
    "no AWS credentials were found. Run `aws configure`, or set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY; for a public bucket, set FSSPEC_S3_ANON=true."
)


class StorageError(OSError):
    """A store cannot be used, or refused what was asked of it."""


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
    """Files that fit a glob pattern, sorted; `**` is any directories.

    As in a shell, what is hidden (`.ipynb_checkpoints/`, `._x`) fits only a pattern that says so.
    """
    if is_local(pattern):
        return _local(pattern, include_hidden=False)
    with _remote(pattern) as (store, place):
        found = store.glob(place, detail=True)
        return sorted(
            store.unstrip_protocol(name) for name, info in found.items() if info["type"] == "file"
        )


def _local(pattern: str, include_hidden: bool) -> list[str]:
    paths = glob.glob(pattern, recursive=True, include_hidden=include_hidden)
    return sorted(path for path in paths if not os.path.isdir(path))


def list_directory(directory: str, prefix: str) -> list[str]:
    """Files in `directory` whose name starts with `prefix`, sorted; none if it is absent.

    Nothing in either is a pattern: names of objects may hold * and ?, and the files of another
    directory must not be taken for this one's (and be deleted).
    """
    if is_local(directory):
        return _local(join(glob.escape(directory), glob.escape(prefix) + "*"), include_hidden=True)
    with _remote(directory) as (store, place):
        try:
            entries = store.ls(place, detail=True)
        except FileNotFoundError:
            return []
        start = f"{place.rstrip('/')}/"
        return sorted(
            join(directory, entry["name"].removeprefix(start))
            for entry in entries
            if entry["type"] == "file" and entry["name"].startswith(start + prefix)
        )


def exists(path: str) -> bool:
    """True where there is a file of that name."""
    if is_local(path):
        return os.path.isfile(path)
    with _remote(path) as (store, place):
        try:  # not `isfile`, which takes any fault for an absent file
            return bool(store.info(place)["type"] == "file")
        except FileNotFoundError:
            return False


def is_file(path: str) -> bool:
    """Whether there is a file, not a directory."""
    return os.path.isfile(path) if is_local(path) else exists(path)


def size(path: str) -> int:
    """Bytes of a file."""
    if is_local(path):
        return os.path.getsize(path)
    with _remote(path) as (store, place):
        return int(store.info(place)["size"])


def open_read(path: str) -> BinaryIO:
    """A file's bytes as they are: never decompressed by its suffix or its store."""
    if is_local(path):
        return open(path, "rb", buffering=_BUFFER_BYTES)
    with _remote(path) as (store, place):
        opened = store.open(
            place, "rb", block_size=_REMOTE_BLOCK_BYTES, cache_type="readahead", compression=None
        )
    return io.BufferedReader(_Remote(opened, path), _BUFFER_BYTES)


class _Remote(io.RawIOBase):
    """A file that fsspec has opened for reading, whose errors are OSErrors."""

    def __init__(self, file: Any, path: str) -> None:
        self._file = file
        self._path = path

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        with _faults(self._path):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@contextmanager
def alone(path: str) -> Iterator[bool]:
    """Hold the lock that a file on this machine stands for; it is deleted afterwards.

    Yields:
      True; False where another process has it. Where there are no locks, all get it.
    """
    descriptor = _lock(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            with suppress(OSError):
                os.unlink(path)
            os.close(descriptor)


def _lock(path: str) -> int | None:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if fcntl is None:
            return descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:  # the process that had it deleted it in between
            pass
        except OSError:
            return descriptor
        os.close(descriptor)


@contextmanager
def _remote(path: str) -> Iterator[tuple[Any, str]]:
    """The file system of a remote path, and its name for that path."""
    with _faults(path):
        import fsspec

        yield fsspec.core.url_to_fs(path, **_options(path.split("://")[0], os.getpid()))


@contextmanager
def _faults(path: str) -> Iterator[None]:
    """Say what a store's libraries raise as an OSError that names the path, and the remedy.

    A plain OSError will not do: pyarrow raises such for a file that is damaged.
    """
    try:
        yield
    except Exception as error:
        if is_local(path):
            raise
        if isinstance(error, OSError) and (error.errno or type(error) is not OSError):
            raise
        scheme = path.split("://")[0]
        if isinstance(error, ImportError | ValueError) and not _is_known(scheme):
            raise StorageError(f"{path}: {scheme}:// is unknown. Use gs:// or s3://.") from error
        if isinstance(error, ImportError):
            package = f"equalinfo[{_EXTRAS[scheme]}]" if scheme in _EXTRAS else ""
            fix = f"pip install '{package}'" if package else str(error)
            raise StorageError(
                f"{path}: {scheme}:// needs a package that is not installed: {fix}."
            ) from error
        reason = f"{type(error).__name__}: {error}"
        if type(error).__name__ == "NoCredentialsError":
            reason = _NO_AWS_CREDENTIALS
        raise StorageError(f"{path}: {reason}") from error


def _is_known(scheme: str) -> bool:
    import fsspec

    return scheme in fsspec.available_protocols()


@lru_cache
def _options(scheme: str, process: int) -> dict[str, Any]:
    """How a store is opened: without a cache of its listings, which others change."""
    del process  # its connections do not survive a fork
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in ("gs", "gcs"):
        # Else it asks the service of another protocol what kind of bucket each is.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it prints the stack of each error
        options["token"] = _google_credentials()
    return options


def _google_credentials() -> Any:
    """What gcsfs takes for `token`; it would go on without credentials, and retry what is refused.

    Raises:
      StorageError: there are none.
    """
    from fsspec.config import conf

    if token := conf.get("gcs", {}).get("token"):
        return token
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return "anon"
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        return google.auth.default(scopes=[_GOOGLE_SCOPE])[0]
    except DefaultCredentialsError as error:
        raise StorageError(_NO_GOOGLE_CREDENTIALS) from error


def impersonate(accounts: str) -> None:
    """Open gs:// as another account, in this process.

    Args:
      accounts: a service account; or several with commas, each of which may act as the next
        (Beam's `--impersonate_service_account`). Empty: as whoever is logged in.

    Raises:
      StorageError: nobody is.
    """
    from fsspec.config import conf

    _options.cache_clear()
    if accounts or not isinstance(conf.get("gcs", {}).get("token"), str):  # FSSPEC_GCS_TOKEN
        conf.get("gcs", {}).pop("token", None)
    if accounts:
        from google.auth.impersonated_credentials import Credentials

        *delegates, account = accounts.split(",")
        credentials = Credentials(_google_credentials(), account, [_GOOGLE_SCOPE], delegates)
        conf.setdefault("gcs", {})["token"] = credentials


def read_text(path: str) -> str:
    """A file as UTF-8 text."""
    with open_read(path) as file:
        return file.read().decode("utf-8")


def make_directory(directory: str) -> None:
    """Make a directory, and those above it; object stores have none to make."""
    if not is_local(directory):
        return
    try:
        os.makedirs(directory, exist_ok=True)
    except FileExistsError as error:  # which says that it exists, and not what is wrong with that
        raise NotADirectoryError(
            errno.ENOTDIR, os.strerror(errno.ENOTDIR), error.filename or directory
        ) from error


def delete(paths: Iterable[str]) -> None:
    """Delete files; those already gone are no error (another attempt may have deleted them).

    Raises:
      OSError: a file is still there; says which.
    """
    paths = list(dict.fromkeys(paths))
    if all(map(is_local, paths)):
        for path in paths:
            _delete(path)
        return
    with ThreadPoolExecutor(_DELETES_AT_ONCE) as threads:
        list(threads.map(_delete, paths))


def _delete(path: str) -> None:
    with suppress(FileNotFoundError):
        if is_local(path):
            os.unlink(path)
            return
        with _remote(path) as (store, place):
            store.rm_file(place)


class HashingFile:
    """A file to write to, which knows the sha256 and size of what was written."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self._file = file
        self._path = path
        self._hash = hashlib.sha256()
        self.bytes_written = 0

    def write(self, data: bytes) -> int:
        """Append `data`, bytes of any length."""
        self._hash.update(data)
        with _faults(self._path):
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
    both finish, the later one replaces the earlier. A link stays one, and what is there and no
    plain file (a pipe, /dev/null) is written to as it is.
    """
    if is_local(path):
        path = os.path.realpath(path)
        if is_special(path):
            with open(path, "wb") as special:
                yield HashingFile(special, path)
            return
    name = base_name(path)
    directory = path[: -len(name)] or "."
    temporary = join(directory, f"{TEMPORARY_PREFIX}{name}-{uuid.uuid4().hex[:12]}")
    make_directory(directory)
    file = _open_write(temporary)
    try:
        yield HashingFile(file, path)
        with _faults(path):
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


def check_output(path: str) -> None:
    """See, before the work for it is done, that a local file can be written; its folder is made.

    Raises:
      OSError: it cannot, and why: a directory has its name, say.
    """
    if not is_local(path):
        return
    path = os.path.realpath(path)
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "a directory: name a file in it", path)
    if is_special(path):
        return
    try:
        make_directory(os.path.dirname(path))
        with TemporaryFile(dir=os.path.dirname(path)):
            pass
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", path) from error


def is_special(path: str) -> bool:
    """Whether there is something that is no plain file: nothing can take its place."""
    return os.path.exists(path) and not os.path.isfile(path)


def _open_write(path: str) -> IO[bytes]:
    if is_local(path):
        return open(path, "wb", buffering=_BUFFER_BYTES)
    with _remote(path) as (store, place):
        return cast(IO[bytes], store.open(place, "wb", block_size=_REMOTE_BLOCK_BYTES))


def _rename(temporary: str, path: str) -> None:
    if is_local(path):
        os.replace(temporary, path)
        return
    with _remote(path) as (store, place):
        # Not `mv`, which takes names for patterns.
        start = store._strip_protocol(temporary)
        store.cp_file(start, place)
        store.rm_file(start)


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


def sample(path: str) -> str:
    """Sha256 of a file's size, first and last 64 KiB: other files of its name have another."""
    if is_local(path):
        with open(path, "rb") as file:
            total = os.fstat(file.fileno()).st_size
            ends = file.read(_END_BYTES)
            file.seek(max(0, total - _END_BYTES))
            ends += file.read(_END_BYTES)
    else:
        with _remote(path) as (store, place):
            total = int(store.info(place)["size"])
            start = max(0, total - _END_BYTES)
            ends = store.cat_file(place, 0, min(total, _END_BYTES))
            ends += store.cat_file(place, start, total)
    return hashlib.sha256(b"%d " % total + ends).hexdigest()


def version(path: str) -> str:
    """Changes with the file's content: size and time of change, or what its store has for that."""
    if is_local(path):
        status = os.stat(path)
        return f"{status.st_size} bytes, {status.st_mtime_ns} ns"
    with _remote(path) as (store, place):
        info = store.info(place)
    mark = next((f"{key} {info[key]}" for key in _VERSION_KEYS if info.get(key)), "")
    return f"{info['size']} bytes, {mark}"
