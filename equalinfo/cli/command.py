"""What all commands share."""

import argparse
from collections.abc import Callable
from typing import Any


def add_command(
    commands: Any, name: str, function: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    """Register a command.

    Args:
      commands: of `argparse`'s `add_subparsers`.
      name: what the user types.
      function: runs it. It imports what it needs itself, so that `--help` stays fast.
      text: help, in one line.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(function=function)
    return parser
