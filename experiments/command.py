"""What the commands of `experiments` share."""

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from equalinfo.cli.command import exit_code
from equalinfo.console import print_any_text
from equalinfo.data import storage

# glibc gives large arrays back to the system after every step, and faults their pages in again.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "10000000000", "MALLOC_TRIM_THRESHOLD_": "20000000000"}


def parser_of(name: str, about: str | None, configs: str) -> argparse.ArgumentParser:
    """A parser with --config, --out, --train, --validation and --only_draw.

    Args:
      name: of the experiment.
      about: the module's docstring.
      configs: that there are.
    """
    gets = f"{name}.html, {name}.md, part.json, tables/, figures/ and steps/"
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.{name}",
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


def run(
    name: str, main: Callable[[argparse.Namespace], None], arguments: argparse.Namespace
) -> int:
    """The exit status of an experiment's command, which says what is wrong in a line."""
    print_any_text()
    return exit_code(f"python -m experiments.{name}", main, arguments)


def run_and_draw(
    name: str,
    arguments: argparse.Namespace,
    config: Any,
    run_all: Callable[[Any, Any], None],
    gather: Callable[[Any, Any], Any],
    part: Callable[[Any, Path], Any],
    others: Sequence[Any] = (),
) -> None:
    """Run the steps that are missing, and write the page of all that are there.

    Args:
      name: of the experiment.
      arguments: of `parser_of`.
      config: of the experiment.
      run_all: (config, store) -> None.
      gather: (config, store) -> results.
      part: (results, folder for figures) -> the experiment's `Part`.
      others: parts of other experiments that the page shows.
    """
    from experiments import page

    store = store_of(arguments, config)
    if not arguments.only_draw:
        with alone(arguments.out):
            run_all(config, store)
    figures = arguments.out / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    own = part(gather(config, store), figures)
    print(page.write([own, *others], arguments.out, name))


def store_of(arguments: argparse.Namespace, config: Any) -> Any:
    """The store below --out, which knows what stands beside the config as NAME.results.jsonl."""
    from experiments.store import Store

    known = config.path(arguments.config).with_suffix(".results.jsonl")
    return Store(arguments.out / "steps", known)


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """While no other process runs an experiment in this folder.

    Raises:
      ValueError: another does.
    """
    out.mkdir(parents=True, exist_ok=True)
    with storage.alone(str(out / ".lock")) as ours:
        if not ours:
            raise ValueError(f"another process runs in {out}. Wait for it, or end it.")
        yield


def with_allocator(name: str) -> None:
    """Begin this process again with malloc set for training; it reads that as a process starts."""
    if not _ALLOCATOR.keys() <= os.environ.keys():
        os.environ.update(_ALLOCATOR)
        os.execv(sys.executable, [sys.executable, "-m", f"experiments.{name}", *sys.argv[1:]])
