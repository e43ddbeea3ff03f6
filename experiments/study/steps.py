"""The steps of a study: each is kept, and found again by what determines it."""

import dataclasses
import functools
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from equalinfo.alphabet import join
from equalinfo.codecs.base import FORMAT_VERSION
from equalinfo.evaluation.ngram import KneserNey
from equalinfo.lm import metrics
from equalinfo.lm.config import ModelConfig, OptimizerConfig, TrainConfig, micro_batches
from equalinfo.lm.data import OrderedBatches, RowBatches, TokenRows
from equalinfo.lm.evaluate import m1_parameters
from equalinfo.lm.train import evaluate, train
from experiments.report.runs import first_documents
from experiments.store import Store, key_of, result
from experiments.study import flops, splits, tokenizers
from experiments.study.config import Job, Size, Study, Tokenizer
from experiments.study.tokenizers import Tokens

_VERSION = 1  # of what the steps find: another number, and all is run again
_SPLITS = ("train", "validation")
_SETTINGS = (
    "batch_rows",
    "optimizer",
    "warmup_steps",
    "adam_learning_rate",
    "bias_learning_rate",
    "cooldown",
    "evaluations",
    "evaluated_rows",
)
"""Of `Training`: what determines a model, beside the length of its examples."""
_FILE = "{}.npz"
RESULTS = ("tokens", "ngrams", "model", "rate")
"""Steps whose results another machine's study goes on from."""


@functools.lru_cache(maxsize=4)
def documents(files: tuple[str, ...], limit: int, split: str) -> tuple[list[bytes], str]:
    """(the first documents of some files, which have `limit` bytes or more; their sha256)."""
    found = first_documents(files, limit, split)
    digest = hashlib.sha256()
    for document in found:
        digest.update(len(document).to_bytes(8, "big") + document)
    return found, digest.hexdigest()


def text(study: Study, split: str, num_bytes: int) -> tuple[list[bytes], str]:
    """(documents of a split, their sha256); `num_bytes` is of training text."""
    if split == "validation":
        return documents(study.validation, study.validation_bytes, split)
    return documents(study.train, num_bytes, split)


def _tokenizer(study: Study, entry: Tokenizer) -> dict[str, Any]:
    """What determines a trained tokenizer."""
    return {
        "version": _VERSION,
        "format": FORMAT_VERSION,
        "text": text(study, "train", study.tokenizer_bytes)[1],
        "kind": entry.kind,
        "codes": entry.codes,
        "options": entry.options,
    }


def tokenizer(store: Store, study: Study, entry: Tokenizer) -> Path:
    """A trained tokenizer."""
    found, _ = text(study, "train", study.tokenizer_bytes)

    def make(folder: Path) -> None:
        tokenizers.train(entry, found, folder)

    return store.run("tokenizer", entry.name, _tokenizer(study, entry), make)


def tokens(
    store: Store, study: Study, entry: Tokenizer, num_bytes: int, files: bool = False
) -> Path:
    """Both splits as tokens: with `files`, `load_tokens` reads them.

    The result: their numbers of tokens and bytes, the vocabulary, tokens that belong together, and
    the parameters of an M1 that runs on every byte.
    """
    trained = store.path("tokenizer", entry.name, _tokenizer(study, entry))
    texts = {split: text(study, split, num_bytes) for split in _SPLITS}
    inputs = {
        "version": _VERSION,
        "tokenizer": key_of(trained),
        "texts": [texts[split][1] for split in _SPLITS],
        "random_splits": entry.random_splits,
    }

    def make(folder: Path) -> Any:
        encoder = tokenizers.load(tokenizer(store, study, entry))
        if entry.random_splits and (encoder.unit > 1 or encoder.runs_model):
            raise ValueError(
                f"{entry.name}: random_splits={entry.random_splits}, but its tokens are no texts. "
                "Leave it out."
            )
        totals: dict[str, Any] = {}
        for split in _SPLITS:
            found = encoder.encode(texts[split][0])
            totals[split] = {"tokens": len(found.ids), "bytes": found.total_bytes}
            if split == "train" and entry.random_splits:
                symbols = join(texts[split][0])
                found = splits.split(found, symbols, entry.random_splits, seed=0)
                totals["tokens_after_splits"] = len(found.ids)
            np.savez(folder / _FILE.format(split), **found._asdict())
        of_m1 = m1_parameters(str(trained / "codec")) if encoder.runs_model else 0
        return {
            **totals,
            "vocab_size": encoder.vocab_size,
            "unit": encoder.unit,
            "m1_parameters": of_m1,
        }

    return store.run("tokens", entry.name, inputs, make, files)


def load_tokens(folder: Path, split: str) -> Tokens:
    """Of a folder of `tokens`."""
    with np.load(folder / _FILE.format(split)) as arrays:
        return Tokens(**arrays)


def ngrams(store: Store, study: Study, entry: Tokenizer) -> Path:
    """Bits/byte of the validation text under Kneser-Ney models of rising order.

    The result: {"bits_per_byte": [of order 1, 2, ..]}; as many as fit 63 bits.
    """
    folder = tokens(store, study, entry, study.tokenizer_bytes)
    size = result(folder)["vocab_size"]
    orders = [n for n in range(1, study.ngram_order + 1) if size**n < 1 << 63]
    inputs = {"version": _VERSION, "tokens": key_of(folder), "orders": orders}

    def make(_: Path) -> Any:
        tokens(store, study, entry, study.tokenizer_bytes, files=True)
        counted, scored = (load_tokens(folder, split) for split in _SPLITS)
        found = [
            float(KneserNey(counted.ids, size, order).bits(scored.ids).sum()) / scored.total_bytes
            for order in orders
        ]
        return {"bits_per_byte": found}

    return store.run("ngrams", entry.name, inputs, make, files=False)


def length(study: Study, totals: dict[str, Any]) -> int:
    """L: tokens of an example, so that it holds `context_bytes` on average; whole units."""
    of_text = totals["train"]
    wanted = study.training.context_bytes * of_text["tokens"] / of_text["bytes"]
    return max(1, round(wanted / totals["unit"])) * int(totals["unit"])


def cut(found: Tokens, length: int) -> TokenRows:
    """Examples of `length` tokens, one behind the other; the last is filled with padding."""
    rows = -(-len(found.ids) // length)
    missing = rows * length - len(found.ids)
    targets = np.pad(found.ids, (0, missing)).reshape(rows, length)
    num_bytes = np.pad(found.num_bytes, (0, missing)).reshape(rows, length)
    return TokenRows(targets, num_bytes.sum(axis=1, dtype=np.int64))


@dataclasses.dataclass(frozen=True)
class Plan:
    """A run, as far as shapes tell.

    Attributes:
      model: its shape.
      length: L, tokens of an example.
      rows: examples of the training text.
      steps: of training: each example is seen once, but for those that fill no batch.
      training_flops: of all steps.
    """

    model: ModelConfig
    length: int
    rows: int
    steps: int
    training_flops: float


def plan(study: Study, size: Size, totals: dict[str, Any]) -> Plan:
    """Of a size on tokens with these totals."""
    model = size.model(totals["vocab_size"], study.training.dtype)
    tokens_each = length(study, totals)
    number = totals.get("tokens_after_splits", totals["train"]["tokens"])
    rows = -(-number // tokens_each)
    batch_rows = study.training.batch_rows
    steps = rows // batch_rows
    if steps < 1:
        raise ValueError(
            f"the training text has {rows} examples, fewer than batch_rows={batch_rows}."
        )
    spent = flops.training(model, tokens_each, steps * batch_rows * tokens_each)
    return Plan(model, tokens_each, rows, steps, spent)


def model(store: Store, study: Study, job: Job, rate: float) -> Path:
    """A model, trained, and scored on the whole validation text.

    The result: bits/byte, accuracy, and the curve: [step, bits/byte] of a part of that text; or
    bits/byte None, where it diverged.
    """
    folder = tokens(store, study, job.tokenizer, job.train_bytes)
    totals = result(folder)
    planned = plan(study, job.size, totals)
    of_all = study.training
    settings = {name: getattr(of_all, name) for name in _SETTINGS}
    inputs = {
        "version": _VERSION,
        "tokens": key_of(folder),
        "shape": {**dataclasses.asdict(job.size), "name": ""},
        "dtype": of_all.dtype,
        "length": planned.length,
        "seed": job.seed,
        "rate": rate,
        **settings,
    }
    warmup = min(of_all.warmup_steps, max(1, planned.steps // 4))
    config = TrainConfig(
        model=planned.model,
        optimizer=OptimizerConfig(
            name=of_all.optimizer,
            learning_rate=rate,
            warmup_steps=warmup,
            adam_learning_rate=of_all.adam_learning_rate,
            bias_learning_rate=of_all.bias_learning_rate,
            total_steps=planned.steps,
            cooldown_steps=round(of_all.cooldown * planned.steps),
        ),
        steps=planned.steps,
        accumulate=micro_batches(of_all.batch_rows, planned.length, totals["vocab_size"]),
        seed=job.seed,
        eval_every=max(1, planned.steps // of_all.evaluations),
        eval_batches=0,
        checkpoint_every=of_all.checkpoint_every,
        log_every=of_all.log_every,
    )

    def make(run: Path) -> Any:
        start = time.monotonic()
        tokens(store, study, job.tokenizer, job.train_bytes, files=True)
        examples, scored = (cut(load_tokens(folder, split), planned.length) for split in _SPLITS)
        each = of_all.evaluated_rows
        part = TokenRows(scored.targets[::each], scored.num_bytes[::each])
        batches = RowBatches(examples, of_all.batch_rows, job.seed)
        try:
            params = train(
                config, batches, run, OrderedBatches(part, of_all.batch_rows), progress=False
            )
        except FloatingPointError as error:
            _say(f"{job.label}: {error}")
            return {"bits_per_byte": None, "diverged": str(error)}
        score = evaluate(
            planned.model, params, OrderedBatches(scored, of_all.batch_rows), progress=False
        )
        jax.clear_caches()  # each run has shapes of its own
        curve = [
            [line["step"], line["eval/bits_per_byte"]]
            for line in metrics.read(run)
            if "eval/bits_per_byte" in line
        ]
        seconds = time.monotonic() - start
        _say(
            f"{job.label}: {score.bits_per_byte:.4f} bits/byte; "
            f"{seconds:,.0f} s, if not continued: {planned.training_flops / seconds / 1e9:.1f} "
            f"GFLOP/s, {planned.steps * of_all.batch_rows * planned.length / seconds:,.0f} tokens/s"
        )
        return {"bits_per_byte": score.bits_per_byte, "accuracy": score.accuracy, "curve": curve}

    return store.run("model", job.label, inputs, make, files=False)


def learning_rate(store: Store, study: Study, size: Size) -> Path:
    """The learning rate of a size, chosen on one tokenizer.

    The result: {"rate": the best, "tried": [[rate, bits/byte], ..]}.
    """
    wanted = study.learning_rate
    job = Job(study.tokenizers[wanted.tokenizer], size, 0, wanted.train_bytes)
    runs = {rate: model(store, study, job, rate) for rate in wanted.rates}
    inputs = {"version": _VERSION, "runs": [key_of(run) for run in runs.values()]}

    def make(_: Path) -> Any:
        tried = [[rate, result(run)["bits_per_byte"]] for rate, run in runs.items()]
        finite = [pair for pair in tried if pair[1] is not None]
        if not finite:
            raise ValueError(f"every rate of {wanted.rates} diverged: give lower ones.")
        return {"rate": min(finite, key=lambda pair: pair[1])[0], "tried": tried}

    return store.run("rate", size.name, inputs, make, files=False)


def run_all(study: Study, store: Store) -> None:
    """Run every step that is missing, in the config's order of models.

    The n-grams of a tokenizer come before its first model.
    """
    jobs = study.jobs()
    for number, job in enumerate(jobs, 1):
        ngrams(store, study, job.tokenizer)
        rate = result(learning_rate(store, study, job.size))["rate"]
        _say(f"model {number} of {len(jobs)}: {job.label}, learning rate {rate:g}")
        model(store, study, job, rate)


def plans(study: Study, store: Store) -> Iterator[tuple[Job, Plan]]:
    """What each model will take, from its tokens, which are made where they are not there."""
    for job in study.jobs():
        totals = result(tokens(store, study, job.tokenizer, job.train_bytes))
        yield job, plan(study, job.size, totals)


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)
