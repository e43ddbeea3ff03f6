"""Tokenizers compared by the models trained on them; run again to continue.

python -m experiments.study --config tiny --out STUDY
"""

import argparse
import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from equalinfo.cli.command import exit_code
from equalinfo.console import print_any_text

NAME = "python -m experiments.study"
# glibc gives large arrays back to the system after every step, and faults their pages in again.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "10000000000",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
}


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
    add("--config", required=True, help="tiny, cpu, gpu, or a TOML file like theirs")
    add(
        *("--out", "--output", "-o"),
        type=Path,
        required=True,
        metavar="DIR",
        help="gets study.md, figures/ and steps/",
    )
    add("--train", nargs="+", default=[], metavar="GLOB", help="text, in place of the config's")
    add("--validation", nargs="+", default=[], metavar="GLOB", help="text of the other split")
    add("--only_draw", action="store_true", help="run nothing: draw what is there")
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
    return exit_code(NAME, _study, parser.parse_args(argv))


def _study(arguments: argparse.Namespace) -> None:
    from experiments.report.store import Store
    from experiments.study import page, results, steps
    from experiments.study.config import Study

    study = Study.load(arguments.config).on(arguments.train, arguments.validation)
    if arguments.dry_run:
        study = study.dry()
    store = Store(arguments.out / "steps")
    store.directory.mkdir(parents=True, exist_ok=True)
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
    if not _ALLOCATOR.keys() <= os.environ.keys():
        os.environ.update(_ALLOCATOR)
        os.execv(sys.executable, [sys.executable, "-m", "experiments.study", *sys.argv[1:]])
    sys.exit(main())
