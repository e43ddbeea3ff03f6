"""The steps of a report: text, data sets and models, each as the command a user would type."""

import dataclasses
import functools
import gzip
import hashlib
import itertools
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from equalinfo.cli import main as equalinfo
from equalinfo.codecs.base import FORMAT_VERSION
from equalinfo.codecs.sentencepiece import train as train_sentencepiece
from equalinfo.data import storage
from equalinfo.data.manifest import MANIFEST_FILE, Manifest
from equalinfo.data.options import TextOptions
from equalinfo.lm import metrics
from equalinfo.lm.config import OPTIMIZERS, OptimizerConfig
from equalinfo.lm.evaluate import evaluate_dataset
from experiments.report.config import Config, Method
from experiments.store import Store, key_of
from pipelines.compress import main as compress
from pipelines.count import main as count

SPLITS = ("train", "validation")
_VERSION = 3  # of what `model` finds: another number, and all is trained again
_PARTS = {"train": 4, "validation": 1}


def text(store: Store, config: Config) -> Path:
    """The text of both splits: `SPLIT-NUMBER.json.gz`, the same for all methods."""
    documents = {
        split: first_documents(getattr(config, split), getattr(config, f"{split}_bytes"), split)
        for split in SPLITS
    }
    digest = hashlib.sha256()
    for split in SPLITS:
        for document in documents[split]:
            digest.update(len(document).to_bytes(8, "big") + document)
        digest.update(split.encode())

    def make(folder: Path) -> Any:
        for split, texts in documents.items():
            size = -(-len(texts) // _PARTS[split])
            for number, start in enumerate(range(0, len(texts), size)):
                lines = [_json_line(x) for x in texts[start : start + size]]
                data = gzip.compress(b"".join(lines), mtime=0)
                (folder / f"{split}-{number}.json.gz").write_bytes(data)
        return {
            split: {"documents": len(texts), "bytes": sum(map(len, texts))}
            for split, texts in documents.items()
        }

    return store.run("text", config.title, {"sha256": digest.hexdigest()}, make)


def _json_line(document: bytes) -> bytes:
    return json.dumps({"text": document.decode("utf-8")}).encode() + b"\n"


def first_documents(patterns: Sequence[str], limit: int, split: str) -> list[bytes]:
    """Documents from the start of the files, until they have `limit` bytes.

    Args:
      patterns: file names or globs.
      limit: bytes; the last document may go beyond it.
      split: for errors.

    Raises:
      ValueError: no file is named, the text has fewer bytes, or a document is not UTF-8.
    """
    if not patterns:
        raise ValueError(
            f"the config names no {split} text. Give --{split} GLOB, or `{split} = [...]` in it."
        )
    found: list[bytes] = []
    size = 0
    for document in TextOptions().documents(patterns, f"--{split}"):
        found.append(document)
        size += len(document)
        if size >= limit:
            return found
    raise ValueError(
        f"the {split} text has {size:,} bytes, and the config takes {limit:,}. "
        f"Give more files, or set a smaller {split}_bytes."
    )


def documents(text_folder: Path, split: str) -> list[bytes]:
    """The documents of a split."""
    return list(TextOptions().documents([str(text_folder / f"{split}-*.json.gz")]))


def dataset(store: Store, config: Config, text_folder: Path, method: Method) -> Path:
    """The data set of a method, written by `pipelines.compress`."""
    options = [_asset(store, config, text_folder, word) for word in method.options]
    splits = list(SPLITS if method.train else SPLITS[1:])
    inputs: dict[str, Any] = {
        "text": key_of(text_folder),
        "options": list(method.options),
        "files": _contents(method.options),
        "sequence_length": config.sequence_length,
        "sentencepiece_codes": config.sentencepiece_codes if _wants_pieces(method) else 0,
        "splits": splits,
        "verify": method.verify,
        "package": package_assets(),
        "format": FORMAT_VERSION,
    }

    def make(folder: Path) -> Any:
        for split in splits:
            if (folder / MANIFEST_FILE).exists() and split in Manifest.load(folder).splits:
                continue
            first = not (folder / MANIFEST_FILE).exists()
            argv = ["--output", str(folder), "--split", split]
            argv += ["--input", str(text_folder / f"{split}-*.json.gz")]
            argv += ["--sequence_length", str(config.sequence_length)]
            argv += options if first else second_split_options(options, folder / "codec")
            if method.verify and split == "validation":
                argv.append("--verify")
            _run("pipelines.compress", compress, argv)
        return {split: Manifest.load(folder).split(split).totals for split in splits}

    return store.run("tokens", method.name, inputs, make)


def _contents(options: Sequence[str]) -> dict[str, str]:
    """sha256 of the files that options name, as `--m1 FILE` or `--m1=FILE`."""
    words = (word.partition("=")[2] if word.startswith("--") else word for word in options)
    return {word: storage.sha256(word) for word in words if Path(word).is_file()}


def second_split_options(options: Sequence[str], codec: Path | str) -> list[str]:
    """For `pipelines.compress`: the first split's codec, and what all splits must share."""
    shared = ("--trim", "--example_bytes", "--documents_per_sequence", "--sequence_length")
    found = ["--codec", str(codec)]
    for option, value in itertools.pairwise([*options, ""]):
        name, equals, _ = option.partition("=")
        if name in shared:
            found += [option] if equals else [option, value]
    return found


def _wants_pieces(method: Method) -> bool:
    return "{sentencepiece}" in method.options


@functools.cache
def package_assets() -> dict[str, str]:
    """The codebooks and M1s of the package: methods that name none use them."""
    found = {}
    for folder in ("codebooks", "models"):
        for entry in sorted((resources.files("equalinfo") / folder).iterdir(), key=str):
            if entry.name.endswith((".eqi", ".eqm")):
                with resources.as_file(entry) as path:
                    found[entry.name] = storage.sha256(os.fspath(path))
    return found


def _asset(store: Store, config: Config, text_folder: Path, word: str) -> str:
    """`{static}` and `{sentencepiece}` stand for what is made of the training text."""
    if word == "{static}":
        return str(_static(store, text_folder) / "static.safetensors")
    if word == "{sentencepiece}":
        return str(_sentencepiece(store, config, text_folder) / "sentencepiece.model")
    return word


def _static(store: Store, text_folder: Path) -> Path:
    def make(folder: Path) -> None:
        argv = ["--input", str(text_folder / "train-*.json.gz")]
        _run("pipelines.count", count, [*argv, "--output", str(folder / "static.safetensors")])

    return store.run("static", "byte counts", {"text": key_of(text_folder)}, make)


def _sentencepiece(store: Store, config: Config, text_folder: Path) -> Path:
    def make(folder: Path) -> None:
        path = folder / "sentencepiece.model"
        train_sentencepiece(documents(text_folder, "train"), path, config.sentencepiece_codes)

    inputs = {"text": key_of(text_folder), "codes": config.sentencepiece_codes}
    return store.run("pieces", f"{config.sentencepiece_codes}", inputs, make)


def model(store: Store, config: Config, data: Path, method: Method, size: str, seed: int) -> Path:
    """A run of an M2 on a data set, trained and scored on the whole validation split."""
    if config.training is None:
        raise ValueError(f"config {config.title!r} has no [training]: it trains no models here.")
    training = config.training
    steps, batch_size = training.of(method)
    every = max(1, steps // training.evaluations)
    inputs = {
        "version": _VERSION,
        "data": key_of(data),
        "size": size,
        "seed": seed,
        "steps": steps,
        "batch_size": batch_size,
        "evaluations": training.evaluations,
        "eval_batches": training.eval_batches,
        "options": [*training.options, *method.train_options],
        "defaults": [dataclasses.asdict(OptimizerConfig(name=name)) for name in OPTIMIZERS],
    }

    def make(folder: Path) -> Any:
        run = folder / "run"
        argv = [
            *("train", "--dataset", str(data), "--output", str(run)),
            *("--size", size, "--seed", str(seed)),
            *("--steps", str(steps), "--batch_size", str(batch_size)),
            *("--eval_every", str(every), "--checkpoint_every", str(every)),
            *("--eval_batches", str(training.eval_batches)),
            *training.options,
            *method.train_options,
        ]
        _run("equalinfo.cli", equalinfo, argv)
        scores = evaluate_dataset(data, "validation", run, progress=False)
        return {"scores": dataclasses.asdict(scores), "curve": metrics.read(run)}

    return store.run("model", f"{method.name} {size} {seed}", inputs, make)


def _run(module: str, main: Callable[[Sequence[str]], int], argv: list[str]) -> None:
    """Run a command here, as it would run by itself.

    Raises:
      ValueError: it failed.
    """
    command = "python -m " + shlex.join([module, *argv])
    print(f"$ {command}", file=sys.stderr, flush=True)
    if main(argv):
        raise ValueError(f"`{command}` failed, see above.")
