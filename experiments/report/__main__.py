"""The paper's tables and figures, beside the paper's numbers; run again to continue.

python -m experiments.report --config tiny --out REPORT
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import command

NAME = "report"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what a config asks for, and draw it."""
    parser = command.parser_of(NAME, __doc__, "tiny, laptop, gpu, paper")
    parser.add_argument(
        "--study", type=Path, metavar="DIR", help="also shows what experiments.study wrote there"
    )
    return command.run(NAME, _report, parser.parse_args(argv))


def _report(arguments: argparse.Namespace) -> None:
    from experiments.part import Part
    from experiments.report import build, sections
    from experiments.report.config import Config

    config = Config.load(arguments.config).on(arguments.train, arguments.validation)
    if config.training is None:
        print(build.commands(config))
        return
    others = [Part.load(arguments.study)] if arguments.study else []
    steps = build.run_all, build.gather, sections.part
    command.run_and_draw(NAME, arguments, config, *steps, others)


if __name__ == "__main__":
    command.with_allocator(NAME)
    sys.exit(main())
