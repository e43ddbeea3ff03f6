"""The Flex Template's parameters are the options of `pipelines.compress`, in type and default."""

import json
import re
import runpy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("apache_beam")

from pipelines.options import compress_parser, parse_compress


@pytest.fixture(scope="module")
def metadata(repository: Path) -> dict[str, Any]:
    return json.loads((repository / "deploy" / "dataflow" / "metadata.json").read_text())


@pytest.fixture(scope="module")
def parameters(metadata: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in metadata["parameters"]}


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


def test_it_is_what_the_options_give(metadata: dict[str, Any], repository: Path) -> None:
    made = runpy.run_path(str(repository / "deploy" / "dataflow" / "metadata.py"))
    assert made["metadata"]() == metadata, "run python -m deploy.dataflow.metadata, see there"
    assert made["LEFT_OUT"].keys() <= {action.dest for action in compress_parser()._actions}


def test_patterns_take_what_is_right_and_only_that(parameters: dict[str, dict[str, Any]]) -> None:
    right = {
        "input": ["gs://b/c4-train.*.json.gz", "gs://b/x/**/*.txt,gs://c/y.parquet"],
        "output": ["gs://b/out", "gs://b/out/"],
        "resource_hints": ["min_ram=8GB,accelerator=type:nvidia-l4;count:1;install-nvidia-driver"],
        "max_reject_fraction": ["0", "0.001", "1"],
        "m1_reset": ["0", "12"],
        "m1": ["gs://b/m1.eqm", "english-3m-v1", "counts"],
        "codebook": ["gs://b/mine.eqi", "english-16384-words-v2"],
    }
    wrong = {
        "input": ["", "c4/*.json.gz", "gs://b/a gs://b/b", "gs://b/a,", "gs://b/a,local"],
        "output": ["out", "gs://b/*"],
        "sequence_length": ["-1", "512.0", "many"],
        "max_reject_fraction": ["2", "-1", "1%"],
        "split": ["a-b", ""],
        "m1": ["m1.eqm", "/models/m1.eqm", "gs://b/*.eqm"],
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
    assert (options.layout.sequence_length, options.layout.verify) == (64, True)
    assert not options.source.text.limits.allow_damaged_files
    assert options.quiet
    assert options.executor.options == (
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
