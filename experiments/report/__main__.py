"""The paper's tables and figures, beside the paper's numbers; run again to continue.

python -m experiments.report --config tiny --out REPORT
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from equalinfo.cli.command import exit_code
from equalinfo.console import print_any_text

NAME = "python -m experiments.report"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what a config asks for, and draw it."""
    print_any_text()
    parser = argparse.ArgumentParser(
        prog=NAME,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", required=True, help="tiny, laptop, gpu, paper, or a TOML file like theirs")
    add(
        *("--out", "--output", "-o"),
        type=Path,
        required=True,
        metavar="DIR",
        help="gets report.html, tables/, figures/ and steps/",
    )
    add("--train", nargs="+", default=[], metavar="GLOB", help="text, in place of the config's")
    add("--validation", nargs="+", default=[], metavar="GLOB", help="text of the other split")
    add("--only_draw", action="store_true", help="run nothing: draw what is there")
    return exit_code(NAME, _report, parser.parse_args(argv))


def _report(arguments: argparse.Namespace) -> None:
    from experiments.report import build
    from experiments.report.config import Config
    from experiments.report.store import Store

    config = build.with_text(Config.load(arguments.config), arguments.train, arguments.validation)
    if config.training is None:
        print(build.commands(config))
        return
    from experiments.report import page

    store = Store(arguments.out / "steps")
    if not arguments.only_draw:
        build.run_all(config, store)
    print(page.write(build.gather(config, store), arguments.out))


if __name__ == "__main__":
    # glibc gives large arrays back to the system after every step, and faults their pages in again.
    allocator = {
        "MALLOC_MMAP_THRESHOLD_": "10000000000",
        "MALLOC_TRIM_THRESHOLD_": "20000000000",
    }
    if not allocator.keys() & os.environ.keys():  # it reads them as the process starts
        command = [sys.executable, "-m", "experiments.report", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, **allocator})
    sys.exit(main())
