"""`equalinfo report`: the paper's tables and figures."""

import argparse
from pathlib import Path
from typing import Any

from equalinfo.cli.command import add_command


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands,
        "report",
        _report,
        "the paper's tables and figures, beside the paper's numbers; run again to continue",
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


def _report(arguments: argparse.Namespace) -> None:
    from equalinfo.report import build
    from equalinfo.report.config import Config
    from equalinfo.report.store import Store

    config = build.with_text(Config.load(arguments.config), arguments.train, arguments.validation)
    if config.training is None:
        print(build.commands(config))
        build.print_costs()
        return
    from equalinfo.report import page

    store = Store(arguments.out / "steps")
    if not arguments.only_draw:
        build.run_all(config, store)
    print(page.write(build.gather(config, store), arguments.out))
