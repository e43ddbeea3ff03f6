"""The text of the comparison: what is trained on, what is measured, and what neither has seen."""

import argparse
import glob
import gzip
import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / ".cache"


def expand(patterns: Sequence[str], what: str) -> list[Path]:
    """Files that match, sorted by name; a ValueError where a pattern matches none."""
    files: set[Path] = set()
    for pattern in patterns:
        found = glob.glob(pattern)
        if not found:
            raise ValueError(f"{what}: {pattern!r} matches no file. Name C4-like .json.gz files.")
        files.update(map(Path, found))
    return sorted(files)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to train on, and what to score."""
    add = parser.add_argument
    add("--train", nargs="+", required=True, metavar="GLOB", help="files of train text, as C4's")
    add("--validation", nargs="+", required=True, metavar="GLOB", help="measured")
    add("--heldout", nargs="+", default=[], metavar="GLOB", help="counted; never trained on")
    add("--train_bytes", type=int, default=50_000_000, help="of text drawn from --train")
    add("--seed", type=int, default=0, help="of the order of training documents")
    add("--cache", type=Path, default=CACHE, help="trained files")


@dataclass(frozen=True)
class Text:
    """Files of text.

    Attributes:
      train_files: what `train` was drawn from.
      train: the sample that everything is trained on, in a directory of its own.
      validation, heldout: files of the others.
    """

    train_files: list[Path]
    train: Path
    validation: list[Path]
    heldout: list[Path]

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Text":
        """What `add_options` asked for; the sample is written unless it is there."""
        heldout, validation = (
            expand(getattr(options, name), f"--{name}") for name in ("heldout", "validation")
        )
        unseen = {file.resolve() for file in (*heldout, *validation)}
        files = [file for file in expand(options.train, "--train") if file.resolve() not in unseen]
        if not files:
            raise ValueError("--train names no file that is not in --heldout or --validation.")
        name = sample_name(files, options.train_bytes, options.seed)
        train = options.cache.resolve() / name / "train.json.gz"
        train.parent.mkdir(parents=True, exist_ok=True)
        if not train.exists():
            write_sample(files, options.train_bytes, options.seed, train)
        return cls(files, train, validation, heldout)


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
