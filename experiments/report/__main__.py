"""The paper's tables and figures, beside the paper's numbers; run again to continue.

python -m experiments.report --config tiny --out REPORT
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from equalinfo.cli.command import exit_code
from equalinfo.console import print_any_text
from experiments.command import parser_of, with_allocator

NAME = "python -m experiments.report"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what a config asks for, and draw it."""
    print_any_text()
    gets = "report.html, tables/, figures/ and steps/"
    parser = parser_of(NAME, __doc__, "tiny, laptop, gpu, paper", gets)
    parser.add_argument(
        "--study", type=Path, metavar="DIR", help="also shows what experiments.study wrote there"
    )
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
    from experiments.report.part import Part

    study = Part.load(arguments.study) if arguments.study else None
    store = Store(arguments.out / "steps")
    if not arguments.only_draw:
        build.run_all(config, store)
    print(page.write(build.gather(config, store), arguments.out, study))


if __name__ == "__main__":
    with_allocator("experiments.report")
    sys.exit(main())
