"""Tokenizers compared by the models trained on them; run again to continue.

python -m experiments.study --config tiny --out STUDY
"""

import argparse
import fcntl
import sys
from collections.abc import Sequence
from pathlib import Path

from equalinfo.cli.command import exit_code
from equalinfo.console import print_any_text
from experiments.command import parser_of, with_allocator

NAME = "python -m experiments.study"


def main(argv: Sequence[str] | None = None) -> int:
    """Run what a config asks for, and draw it."""
    print_any_text()
    gets = "study.md, figures/, steps/, and part.json for experiments.report --study"
    parser = parser_of(NAME, __doc__, "tiny, cpu, gpu", gets)
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
    return exit_code(NAME, _study, parser.parse_args(argv))


def _study(arguments: argparse.Namespace) -> None:
    from experiments.report.store import Store
    from experiments.study import page, results, steps
    from experiments.study.config import CONFIGS, Study

    study = Study.load(arguments.config).on(arguments.train, arguments.validation)
    if arguments.dry_run:
        study = study.dry()
    config = Path(arguments.config)
    config = config if config.suffix else CONFIGS / config
    store = Store(arguments.out / "steps", config.with_suffix(".results.jsonl"))
    store.directory.mkdir(parents=True, exist_ok=True)
    if arguments.save:
        store.save(arguments.save, steps.RESULTS)
        return
    if not arguments.only_draw:
        with (arguments.out / ".lock").open("w") as lock:
            _take(lock, arguments.out)
            if arguments.estimate:
                print(page.estimate(list(steps.plans(study, store)), arguments.estimate * 1e9))
                return
            steps.run_all(study, store)
    print(page.write(results.gather(study, store), arguments.out))


def _take(lock: object, out: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except OSError:
        raise ValueError(
            f"another process runs the study in {out}. Wait for it, or end it."
        ) from None


if __name__ == "__main__":
    with_allocator("experiments.study")
    sys.exit(main())
