"""Runs of `t5x.train`, `t5x.eval` and `t5x.infer`, several in one process.

    python tests/t5x_models/t5x_main.py RUNS.json

Importing T5X takes most of the time. RUNS: [{"do": "run" | "build", "gin_files": [...],
"bindings": [...]}, ...]. "run" calls what `python -m t5x.train` calls, `-m t5x.eval` if the first
file is gin/runs/eval.gin, `-m t5x.infer` if it is infer.gin, with gin set up as there. "build"
evaluates every binding, and the model's shapes, and runs nothing.

Environment: COORDINATOR, PROCESS: the process is one of two of jax.distributed.
"""

import functools
import json
import os
import sys
from pathlib import Path
from typing import Any

import jax
import t5x
from t5x import gin_utils
from t5x.eval import evaluate as t5x_evaluate
from t5x.infer import infer as t5x_infer
from t5x.train import train as t5x_train

import gin

built: dict[str, Any] = {}
only_build = False


# gin files find these three in __main__, as they do in T5X's scripts.
def train(**arguments: Any) -> None:
    built.update(arguments)
    if not only_build:
        t5x_train(**arguments)


def evaluate(**arguments: Any) -> None:
    built.update(arguments)
    if not only_build:
        t5x_evaluate(**arguments)


def infer(**arguments: Any) -> None:
    built.update(arguments)
    if not only_build:
        t5x_infer(**arguments)


SCRIPTS = {"gin/runs/eval.gin": "evaluate", "gin/runs/infer.gin": "infer"}


def check_built() -> None:
    """The model's parameters, by shape only, have the size that its configuration says."""
    model = built["model"]
    shapes = jax.eval_shape(
        functools.partial(
            model.get_initial_variables,
            input_shapes={"decoder_input_tokens": (2, 16)},
        ),
        jax.random.PRNGKey(0),
    )
    config = model.module.config
    of_ids = 2 * config.vocab_size * config.embed_dim  # embedding and logits
    total = sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))
    assert total - of_ids == config.num_parameters, (total, of_ids, config)
    assert config.vocab_size % 128 == 0


def main() -> None:
    if "COORDINATOR" in os.environ:
        jax.distributed.initialize(os.environ["COORDINATOR"], 2, int(os.environ["PROCESS"]))
    configured = {f.__name__: gin.configurable(f) for f in (train, evaluate, infer)}
    global only_build
    for run in json.loads(Path(sys.argv[1]).read_text()):
        gin.clear_config()
        built.clear()
        only_build = run["do"] == "build"
        gin_utils.parse_gin_flags(
            [".", str(Path(t5x.__file__).parents[1])], run["gin_files"], run["bindings"]
        )
        configured[SCRIPTS.get(run["gin_files"][0], "train")]()
        if only_build:
            check_built()


if __name__ == "__main__":
    main()
