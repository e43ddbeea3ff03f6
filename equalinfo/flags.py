"""Options that are declared once: a field of a dataclass is an option of the command line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, field, fields
from typing import Any, NoReturn


def flag(default: Any = MISSING, *, help: str, name: str = "", **more: Any) -> Any:
    """A field that is an option; without a default, one that must be given.

    Args:
      default: of the field and of the option; False makes a switch.
      help: what it means; the default is added where there is one.
      name: of the option, where it is not the field's.
      **more: metavar, choices, type (of a number: that of its default) or nargs, as of
        `argparse.ArgumentParser.add_argument`.
    """
    return field(default=default, metadata={"flag": {"help": help, "name": name, **more}})


def add_flags(parser: argparse.ArgumentParser, owner: type, required: bool = True) -> None:
    """Add the options that a dataclass declares; those without a default where `required`."""
    for each in fields(owner):
        if "flag" not in each.metadata:
            continue
        about = dict(each.metadata["flag"])
        name = about.pop("name") or each.name
        if each.default is False:
            about["action"] = "store_true"
        elif each.default is MISSING:
            about["required"] = required
        elif each.default not in (None, ()):
            about["help"] += " (default: %(default)s)"
        if each.default is not MISSING:
            about["default"] = each.default
        if type(each.default) in (int, float):
            about.setdefault("type", type(each.default))
        parser.add_argument(f"--{name}", **about)


def flags_of(owner: type, arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields of a dataclass that are options, with what was given."""
    found = {}
    for each in fields(owner):
        if "flag" in each.metadata:
            value = getattr(arguments, each.metadata["flag"]["name"] or each.name)
            found[each.name] = tuple(value) if isinstance(value, list) else value
            if value is None and each.type == tuple[str, ...]:
                found[each.name] = ()
    return found


def given(owner: type, arguments: argparse.Namespace) -> list[str]:
    """Those of its options that have another value than their default, as on the command line."""
    values = flags_of(owner, arguments)
    return [
        f"--{each.metadata['flag']['name'] or each.name}"
        for each in fields(owner)
        if each.name in values and values[each.name] != each.default
    ]


class Parser(argparse.ArgumentParser):
    """Says what is wrong in a line, and how an option is called now."""

    def __init__(self, name: str, description: str, renamed: Mapping[str, str]) -> None:
        """A command line.

        Args:
          name: of the command, a module.
          description: what it does.
          renamed: options of earlier versions, and what to say of them.
        """
        # Without allow_abbrev=False, --work would be taken for --workers, and typing errors pass.
        super().__init__(prog=f"python -m {name}", description=description, allow_abbrev=False)
        self._renamed = renamed

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, with an error for options that were renamed."""
        arguments, more = super().parse_known_args(args, namespace)
        for option in more:
            if new := self._renamed.get(option.split("=")[0]):
                self.error(f"{option.split('=')[0]} was renamed: use {new}.")
        return arguments, more

    def error(self, message: str) -> NoReturn:
        """End with status 2."""
        self.exit(2, f"{self.prog}: error: {message}\nAll options: {self.prog} --help\n")
