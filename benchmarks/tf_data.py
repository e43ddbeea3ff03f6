"""Claim: tf.data tokenises on the fly, 5 times as fast as with the fastest SentencePiece of SeqIO.

    python -m benchmarks.tf_data --text 'C4/train/*.json.gz' --sentencepiece sp32k.model

First documents in memory, so that the tokenizer is all that counts: one document a call and
128 documents a call, for `TokenizerVocabulary` and for SeqIO's vocabularies (which are C++, without
Python). Then from files to padded batches of examples: reading alone, the text task, SeqIO's own
preprocessors. All in one process, in turns; each value is the best of --rounds. JSON lines go to
standard output: MB of text per second of wall clock, and per second of CPU, which is the one to
trust on a machine that is doing other things too.
"""

import argparse
import glob
import gzip
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import seqio
import tensorflow as tf

from tasks.sources import text_files
from tasks.text import register_text_task
from tasks.vocabulary import TokenizerVocabulary

DEMO = Path(__file__).resolve().parents[1] / "demo" / "text" / "train-*.json.gz"
ROWS_PER_BATCH = 64

MakeDataset = Callable[[], tf.data.Dataset]


class Case(NamedTuple):
    """What to measure: bytes of text, and a data set of numbers of tokens (or texts)."""

    num_bytes: int
    make: MakeDataset


class Speed(NamedTuple):
    """MB of text per second of wall clock, and of CPU."""

    wall: float
    cpu: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--text", default=str(DEMO), help="C4-like .json.gz files")
    parser.add_argument("--codebook", help=".eqi file; default: the package's")
    parser.add_argument("--sentencepiece", help=".model file; default: train one on the text")
    parser.add_argument("--vocab", type=int, default=32_000, help="of the model trained here")
    parser.add_argument("--length", type=int, default=512, help="tokens per example")
    parser.add_argument("--documents", type=int, default=128, help="per call of the batched paths")
    parser.add_argument("--megabytes", type=float, default=20.0, help="of text to measure on")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        run(options, scratch)
    return 0


def run(options: argparse.Namespace, scratch: str) -> None:
    """All cases in turns, then ratios."""
    files = sorted(glob.glob(options.text))
    if not files:
        raise SystemExit(f"--text {options.text!r} matches no file. Name C4-like .json.gz files.")
    documents = read_documents(files)
    in_files = sum(map(len, documents))
    model = options.sentencepiece or train_sentencepiece(documents, options.vocab, scratch)
    ours = TokenizerVocabulary(options.codebook)
    theirs = seqio.SentencePieceVocabulary(model)
    fast = seqio.SentencePieceVocabulary(model, use_fast_tokenizer=True)

    wanted = int(options.megabytes * 1e6)
    kept = first_bytes(documents, wanted)
    memory = tf.data.Dataset.from_tensor_slices(kept)
    in_memory = sum(map(len, kept))
    cases: dict[str, Case] = {}
    for label, vocabulary in {
        "no tokenizer": None,
        "equalinfo": ours,
        "sentencepiece": theirs,
        "fast sentencepiece": fast,
        "bytes": seqio.ByteVocabulary(),
    }.items():
        cases[f"{label}, a document a call"] = Case(in_memory, tokens_of(memory, vocabulary))
        if label != "bytes":  # decodes one string only
            batches = memory.batch(options.documents)
            cases[f"{label}, a batch a call"] = Case(in_memory, tokens_of(batches, vocabulary))

    epochs = max(1, round(wanted / in_files))
    name = register_text_task("tf_data_benchmark", text_files({"train": files}), options.codebook)
    source = text_files({"train": files}, options.documents)
    from_files = {
        "reading alone": reading(source, epochs),
        "text task": text_task(name, epochs, options.length),
        "seqio tokenize, append_eos, equalinfo": seqio_preprocessors(source, epochs, ours),
        "seqio tokenize, append_eos, sentencepiece": seqio_preprocessors(source, epochs, theirs),
    }
    cases |= {f"files: {k}": Case(epochs * in_files, make) for k, make in from_files.items()}
    speeds = measure(cases, options.rounds)
    for line in ratios(speeds):
        print(json.dumps(line), flush=True)


def read_documents(files: Sequence[str]) -> list[bytes]:
    """Every "text", in order."""
    documents = []
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            documents += [json.loads(line)["text"].encode() for line in lines]
    return documents


def first_bytes(documents: Sequence[bytes], limit: int) -> list[bytes]:
    """The first documents of `limit` bytes; over and over if there are not as many."""
    kept, held = [], 0
    for document in itertools.cycle(documents):
        kept.append(document)
        held += len(document)
        if held >= limit:
            return kept
    raise ValueError("there is no text.")


def train_sentencepiece(documents: Sequence[bytes], vocab: int, directory: str) -> str:
    """A Unigram model with T5's special ids."""
    import sentencepiece

    print(f"training SentencePiece, {vocab} pieces", file=sys.stderr)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for text in documents for line in text.decode().splitlines()),
        model_prefix=f"{directory}/sp",
        vocab_size=vocab,
        hard_vocab_limit=False,
        input_sentence_size=200_000,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    return f"{directory}/sp.model"


def tokens_of(dataset: tf.data.Dataset, vocabulary: seqio.Vocabulary | None) -> MakeDataset:
    """Encode each element; its number of tokens, so that nothing can be left undone."""

    def encode(text: tf.Tensor) -> tf.Tensor:
        ids = text if vocabulary is None else vocabulary.encode_tf(text)
        return tf.size(ids.flat_values if isinstance(ids, tf.RaggedTensor) else ids)

    return lambda: dataset.map(encode, num_parallel_calls=tf.data.AUTOTUNE)


def reading(source: seqio.DataSource, epochs: int) -> MakeDataset:
    """Files -> batches of documents."""
    return lambda: sizes(source.get_dataset("train", shuffle=False).repeat(epochs), "text")


def text_task(name: str, epochs: int, length: int) -> MakeDataset:
    """Files -> batches as a model takes them, with exact byte counts."""

    def make() -> tf.data.Dataset:
        task = seqio.get_mixture_or_task(name)
        dataset = task.get_dataset({"targets": length}, shuffle=False, num_epochs=epochs)
        dataset = dataset.map(lambda e: {"targets": e["targets"], "num_bytes": e["num_bytes"]})
        shapes = {"targets": [length], "num_bytes": []}
        return sizes(dataset.padded_batch(ROWS_PER_BATCH, shapes), "targets")

    return make


def seqio_preprocessors(
    source: seqio.DataSource, epochs: int, vocabulary: seqio.Vocabulary
) -> MakeDataset:
    """`tokenize`, `append_eos`: a document at a time. Nothing is joined, cut or counted."""
    features: Mapping[str, Any] = {"targets": seqio.Feature(vocabulary, add_eos=True)}

    def make() -> tf.data.Dataset:
        dataset = source.get_dataset("train", shuffle=False).repeat(epochs).unbatch()
        dataset = dataset.map(lambda example: {"targets": example["text"]})
        dataset = seqio.preprocessors.tokenize(dataset, features, copy_pretokenized=False)
        return sizes(seqio.preprocessors.append_eos(dataset, features), "targets")

    return make


def sizes(dataset: tf.data.Dataset, feature: str) -> tf.data.Dataset:
    """Elements of one feature, int32[] for each example."""
    return dataset.map(lambda example: tf.size(example[feature]))


def measure(cases: Mapping[str, Case], rounds: int) -> dict[str, Speed]:
    """Run every case once to warm up, then `rounds` times in turns; print the best of each."""
    found: dict[str, list[Speed]] = {name: [] for name in cases}
    counts = {}
    for turn in range(rounds + 1):
        for name, case in cases.items():
            dataset = case.make()
            wall, cpu = time.perf_counter(), time.process_time()
            counts[name] = int(dataset.reduce(np.int64(0), lambda n, x: n + tf.cast(x, tf.int64)))
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if turn:
                megabytes = case.num_bytes / 1e6
                found[name].append(Speed(megabytes / wall, megabytes / cpu))
    speeds = {
        name: Speed(max(s.wall for s in all), max(s.cpu for s in all))
        for name, all in found.items()
    }
    for name, speed in speeds.items():
        line = {
            "case": name,
            "mb_per_second": round(speed.wall, 2),
            "mb_per_cpu_second": round(speed.cpu, 2),
            "rounds": [round(of_round.wall, 2) for of_round in found[name]],
            "megabytes": round(cases[name].num_bytes / 1e6, 2),
            "elements": counts[name],
        }
        print(json.dumps(line), flush=True)
    return speeds


def ratios(speeds: Mapping[str, Speed]) -> list[dict[str, Any]]:
    """What the claim is about: wall clock and CPU."""
    calls = ("a document a call", "a batch a call")
    peers = [speeds[f"{fast}sentencepiece, {call}"] for fast in ("", "fast ") for call in calls]
    fastest = "fastest sentencepiece"
    known = {**speeds, fastest: Speed(max(p.wall for p in peers), max(p.cpu for p in peers))}
    pairs = [
        ("equalinfo, a batch a call", "equalinfo, a document a call"),
        ("equalinfo, a batch a call", "sentencepiece, a batch a call"),
        ("equalinfo, a batch a call", fastest),
        ("equalinfo, a document a call", "sentencepiece, a document a call"),
        ("files: text task", "files: seqio tokenize, append_eos, sentencepiece"),
        ("files: text task", "files: reading alone"),
    ]
    return [
        {
            "ratio": f"{a} / {b}",
            "wall": round(known[a].wall / known[b].wall, 3),
            "cpu": round(known[a].cpu / known[b].cpu, 3),
        }
        for a, b in pairs
    ]


if __name__ == "__main__":
    sys.exit(main())
