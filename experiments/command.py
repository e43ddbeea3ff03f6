"""What the commands of `experiments` share."""

import argparse
import os
import sys
from pathlib import Path

# glibc gives large arrays back to the system after every step, and faults their pages in again.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "10000000000", "MALLOC_TRIM_THRESHOLD_": "20000000000"}


def parser_of(name: str, about: str | None, configs: str, gets: str) -> argparse.ArgumentParser:
    """A parser with --config, --out, --train, --validation and --only_draw.

    Args:
      name: as it is typed.
      about: the module's docstring.
      configs: that there are.
      gets: what --out gets.
    """
    parser = argparse.ArgumentParser(
        prog=name,
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", required=True, help=f"{configs}, or a TOML file like theirs")
    add(*("--out", "--output", "-o"), type=Path, required=True, metavar="DIR", help=f"gets {gets}")
    add("--train", nargs="+", default=[], metavar="GLOB", help="text, in place of the config's")
    add("--validation", nargs="+", default=[], metavar="GLOB", help="text of the other split")
    add("--only_draw", action="store_true", help="run nothing: draw what is there")
    return parser


def with_allocator(module: str) -> None:
    """Begin this process again with malloc set for training; it reads that as a process starts."""
    if not _ALLOCATOR.keys() <= os.environ.keys():
        os.environ.update(_ALLOCATOR)
        os.execv(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]])
