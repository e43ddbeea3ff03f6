"""The Flex Template's parameters are the options of `pipelines.compress`, in type and default."""

import argparse
import json
import re
import runpy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("apache_beam")

from pipelines.options import parse_compress

# Options that the template has not, and why.
LEFT_OUT = {
    "help": "the console shows what stands in metadata.json",
    "runner": "the template launcher passes DataflowRunner",
    "workers": "local processes; Dataflow has max_num_workers",
    "progress": "there is nobody to see a bar",
    "estimate": "runs on one machine: python -m pipelines.compress --estimate",
    "vcpu_price": "goes with estimate",
    "task_index": "runs without Beam",
    "num_tasks": "runs without Beam",
    "dask": "runs without Beam",
    "tfds_split": "the image has no TensorFlow, which tfds: needs to find its files",
    "data_dir": "as tfds_split",
}
# Parameters that are Beam's options.
OF_BEAM = {"sdk_container_image", "resource_hints"}


@pytest.fixture(scope="module")
def metadata(repository: Path) -> dict[str, Any]:
    return json.loads((repository / "deploy" / "dataflow" / "metadata.json").read_text())


@pytest.fixture(scope="module")
def parameters(metadata: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in metadata["parameters"]}


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, argparse.Action]:
    """The options of `pipelines.compress`, as its parser has them."""
    parsers = []

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        parsers.append(parser)
        raise InterruptedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_known_args", stop)
    with pytest.raises(InterruptedError):
        parse_compress([])
    return {
        action.option_strings[-1].removeprefix("--no-").removeprefix("--"): action
        for action in parsers[0]._actions
    }


@pytest.fixture(scope="module")
def command_line(repository: Path) -> Callable[[Iterable[str]], list[str]]:
    return runpy.run_path(str(repository / "deploy" / "dataflow" / "main.py"))["command_line"]


def test_the_official_type_reads_it(metadata: dict[str, Any]) -> None:
    types = pytest.importorskip("google.cloud.dataflow_v1beta3.types")
    parsed = types.TemplateMetadata.from_json(json.dumps(metadata), ignore_unknown_fields=False)
    assert [each.name for each in parsed.parameters] == [
        each["name"] for each in metadata["parameters"]
    ]
    for each in parsed.parameters:
        assert each.param_type != types.ParameterType.DEFAULT, each.name
        # gcloud refuses a template without these.
        assert each.name and each.label and each.help_text


def test_every_option_is_a_parameter_or_left_out_on_purpose(
    options: dict[str, argparse.Action], parameters: dict[str, dict[str, Any]]
) -> None:
    assert parameters.keys() == options.keys() - LEFT_OUT.keys() | OF_BEAM
    assert LEFT_OUT.keys() <= options.keys()


def test_types_and_defaults_are_those_of_the_options(
    options: dict[str, argparse.Action], parameters: dict[str, dict[str, Any]]
) -> None:
    for name in parameters.keys() - OF_BEAM:
        option, parameter = options[name], parameters[name]
        assert parameter.get("isOptional", False) is not option.required, name
        choices = [each["value"] for each in parameter.get("enumOptions", [])]
        assert choices == list(option.choices or []), name
        assert (parameter["paramType"] == "ENUM") is bool(choices), name
        default = parameter.get("defaultValue")
        if option.nargs == 0:
            assert parameter["paramType"] == "BOOLEAN", name
            assert default == ("true" if name == "gzip_header" else "false"), name
        else:
            assert default == (None if option.default is None else str(option.default)), name


def test_patterns_take_what_is_right_and_only_that(parameters: dict[str, dict[str, Any]]) -> None:
    right = {
        "input": ["gs://b/c4-train.*.json.gz", "gs://b/x/**/*.txt,gs://c/y.parquet"],
        "output": ["gs://b/out", "gs://b/out/"],
        "resource_hints": ["min_ram=8GB,accelerator=type:nvidia-l4;count:1;install-nvidia-driver"],
        "max_reject_fraction": ["0", "0.001", "1"],
        "m1_reset": ["0", "12"],
    }
    wrong = {
        "input": ["", "c4/*.json.gz", "gs://b/a gs://b/b", "gs://b/a,", "gs://b/a,local"],
        "output": ["out", "gs://b/*"],
        "sequence_length": ["0", "-1", "512.0", "many"],
        "max_reject_fraction": ["2", "-1", "1%"],
        "split": ["a-b", ""],
    }
    for name, parameter in parameters.items():
        patterns = parameter.get("regexes", [])
        matches = [
            *right.get(name, []),
            *([parameter["defaultValue"]] if "defaultValue" in parameter else []),
        ]
        for text in matches:
            assert all(re.search(pattern, text) for pattern in patterns), (name, text)
        for text in wrong.get(name, []):
            assert not all(re.search(pattern, text) for pattern in patterns), (name, text)


def test_what_the_launcher_passes_is_read_as_was_meant(
    command_line: Callable[[Iterable[str]], list[str]],
) -> None:
    passed = [
        "--allow_damaged_files=false",
        "--gzip_header=false",
        "--input=gs://b/a*.gz,gs://b/b.txt",
        "--method=gzip",
        "--output=gs://b/out",
        "--runner=FnApiRunner",
        "--resource_hints=min_ram=8GB,accelerator=type:nvidia-l4;count:1",
        "--sequence_length=64",
        "--verify=True",
    ]
    options = parse_compress(command_line(passed))
    assert options.source.input == ("gs://b/a*.gz", "gs://b/b.txt")
    assert options.codec_options == {"header": False}
    assert (options.sequence_length, options.verify, options.allow_damaged_files) == (
        64,
        True,
        False,
    )
    assert not options.progress
    assert options.executor.flags == (
        "--resource_hints=min_ram=8GB",
        "--resource_hints=accelerator=type:nvidia-l4;count:1",
    )


def test_defaults_that_are_passed_change_nothing(
    command_line: Callable[[Iterable[str]], list[str]], parameters: dict[str, dict[str, Any]]
) -> None:
    """The console fills them in."""
    needed = ["--input=gs://b/a", "--output=gs://b/out"]
    passed = [
        f"--{name}={each['defaultValue']}"
        for name, each in parameters.items()
        if "defaultValue" in each
    ]
    assert parse_compress(command_line([*needed, *passed])) == parse_compress(command_line(needed))


def test_a_switch_that_is_neither_is_refused(
    command_line: Callable[[Iterable[str]], list[str]],
) -> None:
    with pytest.raises(ValueError, match="verify='yes' is neither true nor false"):
        command_line(["--verify=yes"])
