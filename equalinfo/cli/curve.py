"""`equalinfo curve`: the losses of runs, drawn."""

import argparse
from typing import Any

from equalinfo.cli.command import add_command
from equalinfo.data.options import local_path


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(commands, "curve", _curve, "draw bits/byte over the steps of runs")
    parser.add_argument("runs", type=local_path, nargs="+", help="run directories")
    parser.add_argument("-o", "--output", type=local_path, required=True, help=".png or .svg file")
    parser.add_argument(
        "--level",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "BITS_PER_BYTE"),
        help="a horizontal line, such as: --level unigram 3.41",
    )


def _curve(arguments: argparse.Namespace) -> None:
    from equalinfo.lm.curve import draw

    levels: dict[str, float] = {}
    for name, value in arguments.level:
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"--level {name} {value}: {value!r} is no number.") from None
        if name in levels:
            raise ValueError(f"--level {name} is given twice: name each line differently.")
        levels[name] = number
    draw(arguments.runs, arguments.output, levels)
    print(arguments.output)
