"""Start of the Flex Template: its parameters, as a command line of `pipelines.compress`.

The template launcher gives every parameter as --name=value: a list is one value with commas, a
switch is "true" or "false". Which parameters are switches stands in metadata.json.
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

METADATA = Path(__file__).with_name("metadata.json")
LISTS = ("input", "resource_hints")


def command_line(arguments: Iterable[str]) -> list[str]:
    """What the template launcher passes, as `pipelines.compress` and Beam take it.

    Raises:
      ValueError: a switch is neither true nor false.
    """
    parameters = {each["name"]: each for each in json.loads(METADATA.read_text())["parameters"]}
    result = ["--quiet"]
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        if name in LISTS:
            parts = value.split(",")
            result += ["--input", *parts] if name == "input" else [f"--{name}={p}" for p in parts]
        elif _is_switch(parameters.get(name, {})):
            result += _switch(name, value.lower(), parameters[name].get("defaultValue"))
        else:
            result.append(argument)
    return result


def _is_switch(parameter: dict[str, Any]) -> bool:
    values = {each["value"] for each in parameter.get("enumOptions", ())}
    return parameter.get("paramType") == "BOOLEAN" or values == {"true", "false"}


def _switch(name: str, value: str, default: str | None) -> list[str]:
    if value not in ("true", "false"):
        raise ValueError(f"{name}={value!r} is neither true nor false.")
    if value == default:
        return []
    return [f"--{name}" if value == "true" else f"--no-{name}"]


if __name__ == "__main__":
    os.environ["JAX_PLATFORMS"] = "cpu"  # this machine has no GPU; the workers may
    from pipelines.compress import main

    sys.exit(main(command_line(sys.argv[1:])))
