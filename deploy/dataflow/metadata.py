"""Write metadata.json, the parameters of the Flex Template: the options of `pipelines.compress`.

    python -m deploy.dataflow.metadata > deploy/dataflow/metadata.json

To be run when an option changed; a test sees to it.
"""

import argparse
import json
from typing import Any

from equalinfo.data.options import fraction, positive
from pipelines.options import compress_parser

LEFT_OUT = {
    "help": "the console shows what stands here",
    "runner": "the template launcher passes DataflowRunner",
    "workers": "local processes; Dataflow has max_num_workers",
    "quiet": "there is nobody to see a bar",
    "estimate": "runs on one machine: python -m pipelines.compress --estimate",
    "vcpu_price": "goes with estimate",
    "task_index": "runs without Beam",
    "num_tasks": "runs without Beam",
    "dask": "runs without Beam",
    "tfds_split": "the image has no TensorFlow, which tfds: needs to find its files",
    "data_dir": "as tfds_split",
}
"""Options that the template has not, and why."""

OF_BEAM = (
    {
        "name": "sdk_container_image",
        "label": "Image of the workers",
        "helpText": "The image that this template was built from; launch.sh fills it in.",
        "paramType": "TEXT",
    },
    {
        "name": "resource_hints",
        "label": "Resource hints",
        "helpText": "Separated by commas: min_ram=8GB or "
        "accelerator=type:nvidia-l4;count:1;install-nvidia-driver. Not together with FlexRS.",
        "isOptional": True,
        "regexes": ["^[a-z_A-Z]+=[^,]+(,[a-z_A-Z]+=[^,]+)*$"],
        "paramType": "TEXT",
    },
)

_PLACE = "^gs://[^*?\\[\\]]+$"
_PATTERNS = {
    "input": "^gs://[^,\\s]+(,gs://[^,\\s]+)*$",
    "split": "^[A-Za-z0-9_]+$",
}
_OF_TYPE = {
    int: "^[0-9]+$",
    positive: "^[1-9][0-9]*$",
    fraction: "^(0(\\.[0-9]+)?|1(\\.0*)?)$",
}
_NAMED = ("m1", "codebook")
"""Also those of the package, by their names."""
_PLACE_OR_NAME = "^(gs://[^*?\\[\\]]+|[a-z0-9]+(-[a-z0-9]+)*)$"
_FOLDERS = {"output": "GCS_WRITE_FOLDER", "codec": "GCS_READ_FOLDER"}


def metadata() -> dict[str, Any]:
    """The content of metadata.json."""
    options = [_parameter(action) for action in compress_parser()._actions]
    return {
        "name": "equalinfo: compress text",
        "description": "Compress text files on Cloud Storage into shards of tokens: python -m "
        "pipelines.compress on Dataflow.",
        "parameters": [each for each in options if each["name"] not in LEFT_OUT] + list(OF_BEAM),
    }


def _parameter(action: argparse.Action) -> dict[str, Any]:
    name = action.dest
    switch = action.nargs == 0
    default = str(action.default).lower() if switch else str(action.default)
    pattern = _PATTERNS.get(name) or _OF_TYPE.get(action.type)
    kind = "BOOLEAN" if switch and action.default is not None else "TEXT"
    choices = action.choices
    if switch and action.default is None:  # left to the codec: three values
        choices = ("true", "false")
    elif name in _NAMED:
        pattern = _PLACE_OR_NAME
    elif action.metavar == "FILE":
        kind, pattern = "GCS_READ_FILE", _PLACE
    elif name in _FOLDERS:
        kind, pattern = _FOLDERS[name], _PLACE
    found: dict[str, Any] = {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "helpText": str(action.help).replace(" (default: %(default)s)", "").replace("%%", "%"),
        "paramType": "ENUM" if choices else kind,
    }
    if choices:
        found["enumOptions"] = [{"value": value, "label": value} for value in choices]
    if not action.required:
        found["isOptional"] = True
    if action.default is not None and not action.required:
        found["defaultValue"] = default
    if pattern and not choices:
        found["regexes"] = [pattern]
    return found


if __name__ == "__main__":
    print(json.dumps(metadata(), indent=2))
