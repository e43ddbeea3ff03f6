"""Run what a config asks for and is not there yet, and gather what is."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import topologies
from experiments.report import measures, runs
from experiments.report.config import Config, Method
from experiments.report.pair_runs import pair_run
from experiments.report.results import MethodResults, Results
from experiments.store import Store, found, result, slug

_FILES = (
    "# First the files that options name: M1.eqm (gin/runs/train_m1.gin, then equalinfo freeze),",
    "# STATIC (python -m pipelines.count --input TRAIN --output STATIC), SPM.model (T5's).",
)
"""For `commands`, of the config `paper`."""


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
    present = store.read_only()
    text = found(runs.text, present, config)
    if text is None:
        raise ValueError(
            f"{store.directory} holds nothing of this config and text. Run it without --only_draw."
        )
    methods = [_gather_method(present, config, text, method) for method in config.methods]
    random = found(measures.random_baseline, present, config)
    pairs = _gather_pairs(present, config, text)
    bits = result(random) if random else None
    return Results(config, result(text), methods, bits, pairs)


def _gather_method(store: Store, config: Config, text: Path, method: Method) -> MethodResults:
    models: dict[str, dict[int, Any]] = {}
    data = found(runs.dataset, store, config, text, method)
    if data is None:
        return MethodResults(method, None, None, models)
    folder = found(measures.measure, store, config, text, data, method)
    for size in method.m2 if config.training else ():
        for seed in method.seeds or config.seeds:
            if path := found(runs.model, store, config, data, method, size, seed):
                models.setdefault(size, {})[seed] = result(path)
    return MethodResults(method, result(folder) if folder else None, folder, models)


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


def _gather_pairs(store: Store, config: Config, text: Path) -> list[dict[str, Any]]:
    gathered: list[dict[str, Any]] = []
    byte_lm = None
    for method, task in _pair_tasks(config):
        path = found(pair_run, store, config, text, method, task)
        accuracy = result(path)["accuracy"] if path else None
        if task == "bytes":
            byte_lm = accuracy
        elif accuracy is not None and config.pairs:
            gathered.append(
                {
                    "method": method.name,
                    "paper": method.paper,
                    "task": task,
                    "accuracy": accuracy,
                    "byte_lm": byte_lm if task == "decompress" else None,
                    "steps": config.pairs.steps,
                }
            )
    return gathered


def commands(config: Config) -> str:
    """For a config without [training]: what to run, and what it costs [paper 3.5].

    Time, memory and money of the paper's runs on TPUs are derived from shapes.
    """
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
    return "\n".join([*lines, "", topologies.table([])]) + "\n"
