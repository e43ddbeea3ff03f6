"""Files that may be remote, for libraries that read local ones only."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import PurePosixPath

import tensorflow as tf


@contextlib.contextmanager
def local_copy(path: str) -> Iterator[str]:
    """A local path to a file, for the length of a block.

    Args:
      path: local, which is given back as it is; or what TensorFlow can read (gs://...), of which a
        copy is made.
    """
    if "://" not in path:
        yield path
        return
    with tempfile.TemporaryDirectory() as directory:
        local = f"{directory}/{PurePosixPath(path).name}"
        tf.io.gfile.copy(path, local)
        yield local
