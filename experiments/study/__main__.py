"""Tokenizers compared by the models trained on them; run again to continue.

python -m experiments.study --config tiny --out STUDY
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments import command

NAME = "study"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what a config asks for, and draw it."""
    parser = command.parser_of(NAME, __doc__, "tiny, cpu, gpu")
    add = parser.add_argument
    add(
        "--dry_run",
        action="store_true",
        help="three steps of each model, on little text and with at most 1,024 codes",
    )
    add(
        "--estimate",
        type=float,
        metavar="GFLOPS",
        help="train nothing: make the tokens, and print what each model takes at this rate "
        "(a run prints its own)",
    )
    add(
        "--save",
        type=Path,
        metavar="FILE",
        help="train nothing: write what was found. Beside the config as NAME.results.jsonl it is "
        "read, and a study on another machine goes on from there",
    )
    return command.run(NAME, _study, parser.parse_args(argv))


def _study(arguments: argparse.Namespace) -> None:
    from experiments.study import results, sections, steps
    from experiments.study.config import Study

    study = Study.load(arguments.config).on(arguments.train, arguments.validation)
    if arguments.dry_run:
        study = study.dry()
    if arguments.save:
        command.store_of(arguments, study).save(arguments.save, steps.RESULTS)
    elif arguments.estimate is not None:
        if not arguments.estimate > 0:
            raise ValueError(f"--estimate={arguments.estimate} GFLOP/s must be above 0.")
        with command.alone(arguments.out):
            plans = steps.plans(study, command.store_of(arguments, study))
            print(sections.estimate(plans, arguments.estimate * 1e9))
    else:
        run = steps.run_all, results.gather, sections.part
        command.run_and_draw(NAME, arguments, study, *run)


if __name__ == "__main__":
    command.with_allocator(NAME)
    sys.exit(main())
