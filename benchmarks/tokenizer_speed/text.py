"""The text of the comparison: what is trained on, what is measured, and what neither has seen."""

import glob
import gzip
import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def expand(patterns: Sequence[str], what: str) -> list[Path]:
    """Files that match, sorted by name; a ValueError where a pattern matches none."""
    files: set[Path] = set()
    for pattern in patterns:
        found = glob.glob(pattern)
        if not found:
            raise ValueError(f"{what}: {pattern!r} matches no file. Name C4-like .json.gz files.")
        files.update(map(Path, found))
    return sorted(files)


def read_documents(files: Iterable[Path]) -> Iterator[str]:
    """The `text` of each line of gzip JSON lines, as C4 has them."""
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["text"]


def num_bytes(documents: Iterable[str]) -> int:
    """Bytes of UTF-8."""
    return sum(len(document.encode()) for document in documents)


def sample_name(files: Sequence[Path], size: int, seed: int) -> str:
    """A name for the sample: the same files, size and seed have the same one."""
    parts = [size, seed, *((file.name, file.stat().st_size) for file in files)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def write_sample(files: Sequence[Path], size: int, seed: int, path: Path) -> None:
    """Write whole documents, drawn from all files in a seeded order, until they hold `size` bytes.

    Raises:
      ValueError: the files hold less.
    """
    documents = list(read_documents(files))
    random.Random(seed).shuffle(documents)
    written = 0
    unfinished = path.with_suffix(".tmp")
    # No time and no name in the header: the same sample is the same file.
    with (
        unfinished.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file,
    ):
        for document in documents:
            file.write(json.dumps({"text": document}).encode() + b"\n")
            written += len(document.encode())
            if written >= size:
                break
        else:
            raise ValueError(
                f"--train_bytes={size}, but --train holds {written} bytes of text. Name more files."
            )
    unfinished.replace(path)
