"""The `equalinfo` command.

    equalinfo show "Some text."                                  # its tokens, in colour
    equalinfo encode FILE -o ids; equalinfo decode ids           # of standard input without FILE
    equalinfo compile --from-text 'c4/*.json.gz' -o mine.eqi     # a tokenizer from text alone
    equalinfo compile M1.eqm -o mine.eqi                         # a tokenizer from a frozen M1
    equalinfo evaluate mine.eqi FILES --compare other.model      # bytes/token, n-gram bits/byte
    equalinfo export --hf DIR                                    # for Hugging Face
    equalinfo train --dataset DIR --size 3m --output RUN         # M1 (on method `bytes`) or M2
    equalinfo freeze RUN --text 'c4/*.json.gz' -o M1.eqm         # M1 as integers
    equalinfo eval --dataset DIR --split validation --run RUN
    equalinfo curve RUN -o curve.png
    equalinfo generate --run RUN --dataset DIR --prompt "Once upon a time"
    equalinfo report --config tiny --out REPORT                  # the paper's tables and figures

Compression is a Beam job: `python -m pipelines.compress --help`.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from equalinfo.cli import compile, encode, evaluate, export, freeze, generate, models, report, show
from equalinfo.console import print_any_text
from equalinfo.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; errors that name their fix are printed without a trace."""
    print_any_text()
    arguments = _parser().parse_args(argv)
    try:
        arguments.function(arguments)
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except ModuleNotFoundError as error:
        print(
            f"equalinfo {arguments.command}: {error}. The core is installed without what trains, "
            "scores or draws. In a checkout: pip install '.[all]' -c constraints.txt",
            file=sys.stderr,
        )
        return 1
    except (ValueError, OSError, ImportError) as error:
        print(f"equalinfo {arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # training goes on from the last checkpoint, a report from its steps
        print(f"equalinfo {arguments.command}: interrupted.", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equalinfo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in (show, encode, compile, evaluate, export, freeze, models, generate, report):
        module.add(commands)
    return parser
