"""The `equalinfo` command.

    equalinfo show "Some text."                                  # its tokens, in colour
    equalinfo encode FILE -o ids; equalinfo decode ids           # of standard input without FILE
    equalinfo compile --from-text 'c4/*.json.gz' -o mine.eqi     # a tokenizer from text alone
    equalinfo compile M1.eqm -o mine.eqi                         # a tokenizer from a frozen M1
    equalinfo evaluate mine.eqi FILES --compare other.model      # bytes/token, n-gram bits/byte
    equalinfo export --hf DIR                                    # for Hugging Face
    equalinfo train --dataset DIR --size 3m --output RUN         # M1 (on method `bytes`) or M2
    equalinfo freeze RUN --text 'c4/*.json.gz' -o M1.eqm         # M1 as integers
    equalinfo count 'c4/*.json.gz' --tune MORE --network M1.eqm -o M1-v2.eqm   # and n-grams
    equalinfo eval --dataset DIR --split validation --run RUN
    equalinfo curve RUN -o curve.png
    equalinfo generate --run RUN --dataset DIR --prompt "Once upon a time"

In a checkout there are `python -m pipelines.compress`, text to data sets of tokens, and `python -m
experiments.report`, the paper's tables and figures; each has --help.
"""

import argparse
import sys
from collections.abc import Sequence

from equalinfo.cli import (
    compile,
    count,
    curve,
    encode,
    eval,
    evaluate,
    export,
    freeze,
    generate,
    show,
    train,
)
from equalinfo.cli.command import exit_code
from equalinfo.console import print_any_text
from equalinfo.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; errors that name their fix are printed without a trace."""
    print_any_text()
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    if words[:1] == ["report"]:
        parser.error("run `python -m experiments.report` in a checkout, with the same options.")
    arguments = parser.parse_args(words)
    return exit_code(f"equalinfo {arguments.command}", arguments.function, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equalinfo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (
        show,
        encode,
        compile,
        evaluate,
        export,
        train,
        freeze,
        count,
        eval,
        curve,
        generate,
    ):
        module.add(commands)
    return parser
