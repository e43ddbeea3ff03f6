"""What all commands share."""

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from equalinfo.console import INTERRUPTED


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds the defaults that there are, and that the help does not tell by itself."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        told = "default" in (action.help or "")
        nothing = action.default is None or action.default is False or action.default in ("", [])
        return action.help if told or nothing else super()._get_help_string(action)


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
        name, help=text, description=text, formatter_class=_Formatter, allow_abbrev=False
    )
    parser.set_defaults(function=function)
    return parser


def exit_code(
    name: str, function: Callable[[argparse.Namespace], None], arguments: argparse.Namespace
) -> int:
    """Run a command; errors that name their fix are printed without a trace.

    Args:
      name: what the user typed, before errors.
      function: the command.
      arguments: its.
    """
    try:
        function(arguments)
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ModuleNotFoundError as error:
        print(
            f"{name}: {error}. The core is installed without what trains, "
            "scores or draws. In a checkout: pip install '.[all]' -c constraints.txt",
            file=sys.stderr,
        )
        return 1
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # training goes on from the last checkpoint, a report from its steps
        print(f"{name}: interrupted.", file=sys.stderr)
        return INTERRUPTED
    return 0
