"""Run what a config asks for and is not there yet, and gather what is."""

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from equalinfo.manifest import CODEC_DIRECTORY
from experiments.report import measures, runs
from experiments.report.config import Config, Method, Pairs
from experiments.report.results import MethodResults, Results
from experiments.report.store import Store, is_done, key_of, result, slug

_FILES = (
    "# First the files that options name: M1.eqm (gin/runs/train_m1.gin, then equalinfo freeze),",
    "# STATIC (python -m pipelines.count --input TRAIN --output STATIC), SPM.model (T5's).",
)
"""For `commands`, of the config `paper`."""


class NotRunError(Exception):
    """A step that is not there, in a store that runs nothing."""


class ReadOnlyStore(Store):
    """Steps that were run; others are missing."""

    def run(self, kind: str, label: str, inputs: dict[str, Any], make: Any) -> Path:
        """See `Store`; raises `NotRunError` in place of running."""
        path = self.path(kind, label, inputs)
        if not is_done(path):
            raise NotRunError(path.name)
        return path


def run_all(config: Config, store: Store) -> None:
    """Run every step that is missing: data sets, models of the first seed, pairs, other seeds.

    So a run that is stopped early has something for every section.
    """
    text = runs.text(store, config)
    measures.random_baseline(store, config)
    for method in config.methods:
        data = runs.dataset(store, config, text, method)
        measures.measure(store, config, text, data, method)
    for turn, models in enumerate(_models(config)):
        for method, size, seed in models:
            data = runs.dataset(store, config, text, method)
            runs.model(store, config, data, method, size, seed)
        for method, task in _pair_tasks(config) if turn == 0 else ():
            pair_run(store, config, text, method, task)


def gather(config: Config, store: Store) -> Results:
    """What was run of a config.

    Raises:
      ValueError: not even the text was made.
    """
    present = ReadOnlyStore(store.directory)
    try:
        text = runs.text(present, config)
    except NotRunError:
        raise ValueError(
            f"{store.directory} holds nothing of this config and text. Run it without --only_draw."
        ) from None
    methods = [_gather_method(present, config, text, method) for method in config.methods]
    random = None
    if is_done(path := measures.random_baseline_path(present, config)):
        random = result(path)
    return Results(config, result(text), methods, random, _gather_pairs(present, config, text))


def _gather_method(store: Store, config: Config, text: Path, method: Method) -> MethodResults:
    found, folder, models = None, None, {}
    try:
        data = runs.dataset(store, config, text, method)
    except NotRunError:
        return MethodResults(method, None, None, {})
    try:
        folder = measures.measure(store, config, text, data, method)
        found = result(folder)
    except NotRunError:
        pass
    for size in method.m2 if config.training else ():
        seeds = {
            seed: result(path)
            for seed in method.seeds or config.seeds
            if is_done(path := runs.model_path(store, config, data, method, size, seed))
        }
        if seeds:
            models[size] = seeds
    return MethodResults(method, found, folder, models)


def _models(config: Config) -> list[list[tuple[Method, str, int]]]:
    """(method, size, seed) of the first seed of all methods, of their second, and so on.

    There is always a first list, if an empty one.
    """
    by_turn: list[list[tuple[Method, str, int]]] = [[]]
    for method in config.methods if config.training else ():
        for turn, seed in enumerate(method.seeds or config.seeds):
            if turn == len(by_turn):
                by_turn.append([])
            by_turn[turn] += [(method, size, seed) for size in method.m2]
    return by_turn


def _pair_tasks(config: Config) -> Iterator[tuple[Method, str]]:
    """(method, task); the byte LM is the same for all methods, and comes once."""
    by_name = {method.name: method for method in config.methods}
    if config.pairs:
        for name in config.pairs.methods[:1]:
            yield by_name[name], "bytes"
        for task in ("decompress", "compress"):
            for name in config.pairs.methods if task == "decompress" else config.pairs.compress:
                yield by_name[name], task


def pair_run(store: Store, config: Config, text: Path, method: Method, task: str) -> Path:
    """A model of pairs; its result is what `pair_runs` prints."""
    assert config.pairs is not None
    pairs: Pairs = config.pairs
    data = runs.dataset(store, config, text, method)
    values = {
        name: getattr(pairs, name)
        for name in ("text_bytes", "train_texts", "validation_texts", "size", "steps", "batch_size")
    }

    def make(folder: Path) -> Any:
        command = ["-m", "experiments.report.pair_runs", "--task", task, "--text", str(text)]
        command += ["--codec", str(data / CODEC_DIRECTORY), "--output", str(folder / "run")]
        for name, value in values.items():
            command += [f"--{name}", str(value)]
        return json.loads(runs.run_command(command, capture=True))

    return store.run(
        "pairs", f"{method.name} {task}", {"data": key_of(data), "task": task, **values}, make
    )


def _gather_pairs(store: Store, config: Config, text: Path) -> list[dict[str, Any]]:
    gathered: list[dict[str, Any]] = []
    byte_lm = None
    for method, task in _pair_tasks(config):
        try:
            accuracy = result(pair_run(store, config, text, method, task))["accuracy"]
        except NotRunError:
            continue
        if task == "bytes":
            byte_lm = accuracy
            continue
        gathered.append(
            {
                "method": method.name,
                "paper": method.paper,
                "task": task,
                "accuracy": accuracy,
                "byte_lm": byte_lm if task == "decompress" else None,
                "steps": config.pairs.steps if config.pairs else 0,
            }
        )
    return gathered


def commands(config: Config) -> str:
    """For a config without [training]: what to run, and what it costs [paper 3.5]."""
    lines = [f"# {config.title}: {config.about}", *_FILES]
    for method in config.methods:
        name = slug(method.name)
        compress = "python -m pipelines.compress"
        second = shlex.join(runs.second_split_options(method.options, f"DATA/{name}/codec"))
        lines.append(f"\n# {method.name}")
        first = shlex.join(method.options)
        lines.append(
            f"{compress} {first} --input TRAIN --output DATA/{name} --runner DataflowRunner ..."
        )
        lines.append(
            f"{compress} {second} --input VALIDATION --split validation --output DATA/{name}"
        )
        for size in method.m2:
            for seed in method.seeds or config.seeds:
                run = f"RUNS/{name}_{size}_{seed}"
                lines.append(
                    f"EQUALINFO_DATASETS={name}=DATA/{name} python -m t5x.train "
                    f"--gin_file=gin/runs/train_m2.gin --gin_file=gin/models/sizes/{size}.gin "
                    f"--gin.MIXTURE_OR_TASK_NAME=\"'{name}'\" --gin.MODEL_DIR=\"'{run}'\" "
                    f"--gin.RANDOM_SEED={seed} --gin.DATA_SEED={seed}"
                )
    return "\n".join(lines) + "\n"


def with_text(config: Config, train: list[str], validation: list[str]) -> Config:
    """The config on other text, where some is given."""
    return dataclasses.replace(
        config,
        train=tuple(train) or config.train,
        validation=tuple(validation) or config.validation,
    )


def print_costs() -> None:
    """The tables of time, memory and money of the paper's runs on TPUs, derived from shapes."""
    sys.stdout.flush()
    runs.run_command(["-m", "benchmarks.topologies"])
