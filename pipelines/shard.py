"""One input file to one finished shard: a pure function of the file, the codec and the layout.

Three steps, and nothing else plays a part: not the runner, not the worker, not what an earlier
attempt left. `ShardReader` makes batches of a file, `encode_batch` makes records of a batch, and
`write_shard` puts the records of all batches in order. `compress_shard` does the three one after
the other; `graph` can also spread the batches of a file over workers. Memory is bounded by a batch
and by the longest document, not by the file.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from equalinfo.codecs.base import Codec, Encoded
from equalinfo.codecs.batch import Joined
from equalinfo.data import storage
from equalinfo.data.inputs import DamagedInputError, InputFile
from equalinfo.data.manifest import COUNTS, Shard
from equalinfo.data.record_packing import PackedRecords, pack_records
from equalinfo.data.text import read
from equalinfo.flags import flag
from pipelines import coded, sinks
from pipelines.examples import Example, batches, cut_documents

TRIMS = ("none", "paper")
LONGEST_CHARACTER = 4
"""Bytes of UTF-8: no example may be shorter."""

BATCH_EXAMPLES = 256
BATCH_SYMBOLS = 256 * 10_240
"""Examples encoded together where a model runs, on many lanes: as many as fit in both."""

_SMALL_BATCH = 2
"""Where no model runs, batches are smaller by this: they stay in the processor's cache."""


class CodecFaultError(RuntimeError):
    """A lossless codec did not restore an example it had just encoded."""


class AccountError(RuntimeError):
    """The records do not cover the documents that were read: this program is at fault."""


@dataclass(frozen=True)
class Layout:
    """How text becomes records.

    Attributes:
      split: names the files.
      sequence_length: L, most tokens in a record.
      example_bytes: most symbols (bytes and EOS) in an example.
      documents_per_sequence: documents joined before examples are cut [paper 3.1].
      trim: "none", or "paper": keep the first L tokens of each example [paper 3.1].
      verify: decode each example again and compare.
      format: of the shards, one of `sinks.FORMATS`.

    Raises:
      ValueError: a value that cannot be.
    """

    split: str = flag("train", help="name of the split")
    sequence_length: int = flag(512, type=int, help="L, most tokens in a record")
    example_bytes: int = flag(10_240, type=int, help="most bytes that are coded as one")
    documents_per_sequence: int = flag(
        128, type=int, help="documents joined before examples are cut"
    )
    trim: str = flag("none", choices=TRIMS, help="paper: keep the first L tokens of an example")
    verify: bool = flag(False, help="decode every example again and compare")
    format: str = flag(
        sinks.TFRECORD, choices=sinks.FORMATS, help="array_record: for Grain and MaxText"
    )

    def __post_init__(self) -> None:
        for name, lowest in (
            ("sequence_length", 1),
            ("example_bytes", LONGEST_CHARACTER),
            ("documents_per_sequence", 1),
        ):
            if (value := getattr(self, name)) < lowest:
                raise ValueError(f"{name}={value} is less than {lowest}.")
        if not re.fullmatch(r"\w+", self.split, re.ASCII):
            raise ValueError(f"split={self.split!r} names files: use letters, digits and _ only.")
        for name, values in (("trim", TRIMS), ("format", sinks.FORMATS)):
            if (value := getattr(self, name)) not in values:
                raise ValueError(f"{name}={value!r} is not one of {', '.join(values)}.")


@dataclass(frozen=True)
class ShardTask:
    """One input file and its place among all of them."""

    file: InputFile
    index: int
    count: int

    def output_name(self, layout: Layout) -> str:
        """Of the shard."""
        return f"{layout.split}.{layout.format}-{self.index:05d}-of-{self.count:05d}"

    def rejects_name(self, layout: Layout) -> str:
        """Of its rejects, until all are gathered in one file."""
        return f"rejects-{layout.split}-{self.index:05d}-of-{self.count:05d}.jsonl"


@dataclass(frozen=True)
class ShardReport:
    """What became of a shard.

    Attributes:
      index: its place among all.
      shard: as the manifest has it.
      damage: why its input broke off; empty where it did not.
      kept: an earlier job made it.
      input: `resume.sample` of what it was made of.
    """

    index: int
    shard: Shard
    damage: str
    kept: bool = False
    input: str = ""


@dataclass(frozen=True)
class Batch:
    """Some examples of an input file, in order, and what was read to get them.

    Attributes:
      number: from 0, in the file.
      examples: at least one, but for the last batch of a file.
      num_documents: read since the batch before.
      num_bytes: of these documents.
      rejects: what was refused since the batch before, as lines of the rejects file.
      last: the file has no more.
      damage: why the file broke off; empty where it did not.
    """

    number: int
    examples: list[Example]
    num_documents: int
    num_bytes: int
    rejects: list[bytes]
    last: bool
    damage: str


@dataclass(frozen=True)
class EncodedBatch:
    """A batch as records, and the counts that it adds to its shard (by name, see `Shard`)."""

    number: int
    records: PackedRecords
    rejects: list[bytes]
    counts: dict[str, int]
    last: bool
    damage: str


def compress_shard(task: ShardTask, layout: Layout, codec: Codec, directory: str) -> ShardReport:
    """Compress one input file; its shard and its rejects appear in `directory` when they are whole.

    Raises:
      CodecFaultError: with `layout.verify`, a lossless codec that does not restore an example.
      AccountError: documents or bytes were lost or doubled on the way to the records.
      OSError: the output cannot be written.
    """
    name = task.output_name(layout)

    def encoded() -> Iterator[EncodedBatch]:
        for batch in read_batches(task, layout, runs_model=codec.runs_model):
            with coded.counting(codec, directory, name, batch.number) as counted:
                one = encode_batch(batch, layout, counted)
            yield one

    return write_shard(task, layout, directory, encoded())


def read_batches(task: ShardTask, layout: Layout, *, runs_model: bool) -> Iterator[Batch]:
    """The batches of an input file, of a size for the codec; the last says so.

    Damage is no error here: what came before it is given, and the last batch tells.
    """
    documents = CountedDocuments(task.file)
    examples = cut_documents(
        documents, task.file.name, layout.documents_per_sequence, layout.example_bytes
    )
    smaller = 1 if runs_model else _SMALL_BATCH
    number = 0
    for batch in batches(examples, BATCH_EXAMPLES // smaller, BATCH_SYMBOLS // smaller):
        yield Batch(number, batch, *documents.take(), last=False, damage="")
        number += 1
    yield Batch(number, [], *documents.take(), last=True, damage=documents.damage)


class CountedDocuments:
    """Iterates over an input's texts, and keeps account of them and of what is rejected."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._total = self._documents = self._bytes = 0
        self._rejects: list[bytes] = []
        self.damage = ""

    def __iter__(self) -> Iterator[bytes]:
        try:
            for item in read(self._file):
                if isinstance(item, bytes):
                    self._total += 1
                    self._documents += 1
                    self._bytes += len(item)
                    yield item
                else:
                    self._rejects.append(_reject_line(item.place, item.reason))
        except DamagedInputError as error:
            self.damage = f"file damaged after document {self._total}: {error}"

    def take(self) -> tuple[int, int, list[bytes]]:
        """Documents, bytes and rejects since the last time."""
        taken = self._documents, self._bytes, self._rejects
        self._documents, self._bytes, self._rejects = 0, 0, []
        return taken


def _reject_line(place: str, reason: str) -> bytes:
    line = json.dumps({"place": place, "reason": reason}, ensure_ascii=False)
    # A field name may hold a lone surrogate; the rejects file must stay UTF-8.
    return line.encode("utf-8", "backslashreplace") + b"\n"


def encode_batch(batch: Batch, layout: Layout, codec: Codec) -> EncodedBatch:
    """Make records of a batch.

    Raises:
      CodecFaultError: as `compress_shard`.
    """
    examples = Joined([example.text for example in batch.examples])
    sources = [example.source for example in batch.examples]
    encoded = codec.encode(examples) if examples else []
    trimmed = layout.trim == "paper"
    most = 1 if trimmed else None
    records = pack_records(encoded, examples, sources, layout.sequence_length, max_parts=most)
    counts = {
        "documents": batch.num_documents,
        "bytes": batch.num_bytes,
        "examples": len(examples),
        "records": len(records.ends),
        "tokens": int(records.num_tokens.sum()),
        "windows": sum(tokens.windows for tokens in encoded),
        "rejected": len(batch.rejects),
        "damaged": int(bool(batch.damage)),
        "recorded_documents": int(records.num_documents.sum()),
        "recorded_bytes": int(records.num_bytes.sum()),
    }
    if trimmed:
        documents, symbols = len(examples.eos), len(examples.symbols)
        counts["trimmed_documents"] = documents - counts["recorded_documents"]
        counts["trimmed_bytes"] = symbols - documents - counts["recorded_bytes"]
        counts["trimmed_tokens"] = sum(len(one.ids) for one in encoded) - counts["tokens"]
    if layout.verify:
        counts["verified_examples"] = len(examples)
        counts["window_errors"] = _verify(codec, sources, examples, encoded)
    return EncodedBatch(batch.number, records, batch.rejects, counts, batch.last, batch.damage)


def _verify(codec: Codec, sources: list[str], examples: Joined, encoded: list[Encoded]) -> int:
    """Decode again; the number of windows, or examples, that differ where they may."""
    if not examples:
        return 0
    windows = sum(tokens.windows for tokens in encoded)
    with coded.reading(codec, len(examples.symbols), windows):
        if not codec.lossless:
            return codec.count_window_errors(examples, encoded)[0]
        decoded = codec.decode([tokens.ids for tokens in encoded], [len(text) for text in examples])
    for source, text, again in zip(sources, examples, decoded, strict=True):
        if not np.array_equal(text, again):
            raise CodecFaultError(
                f"method {codec.method!r} does not restore example {source} ({len(text)} symbols). "
                "Nothing it wrote can be trusted: report this with the input."
            )
    return 0


def write_shard(
    task: ShardTask, layout: Layout, directory: str, encoded: Iterable[EncodedBatch]
) -> ShardReport:
    """Write the records of all batches of an input file, given in order.

    Raises:
      AccountError: as `compress_shard`; or a batch is missing, doubled or out of order.
      OSError: the output cannot be written.
    """
    name = task.output_name(layout)
    totals = dict.fromkeys((*COUNTS, "recorded_documents", "recorded_bytes"), 0)
    damage, expected, finished = "", 0, False
    rejects_path = storage.join(directory, task.rejects_name(layout))
    with ExitStack() as files:
        path = storage.join(directory, name)
        write, output = files.enter_context(sinks.create(path, layout.format))
        rejects: storage.HashingFile | None = None
        for batch in encoded:
            if finished or batch.number != expected:
                raise AccountError(
                    f"{task.file.name}: batch {batch.number} came where batch {expected} was due"
                    f"{', after the last one' if finished else ''}. Nothing is written of it."
                )
            expected, finished, damage = expected + 1, batch.last, batch.damage
            lines = list(batch.rejects)
            if damage:
                lines.append(_reject_line(task.file.name, damage))
            if lines and rejects is None:
                rejects = files.enter_context(storage.create(rejects_path))
            if lines and rejects is not None:
                rejects.write(b"".join(lines))
            write(batch.records)
            for key, value in batch.counts.items():
                totals[key] += value
        if not finished:
            raise AccountError(
                f"{task.file.name}: its last batch did not come; {expected} batches did. "
                "Nothing is written of it."
            )
        recorded = totals.pop("recorded_documents"), totals.pop("recorded_bytes")
        covered = recorded[0] + totals["trimmed_documents"], recorded[1] + totals["trimmed_bytes"]
        if covered != (totals["documents"], totals["bytes"]):
            raise AccountError(
                f"{task.file.name}: {totals['documents']} documents of {totals['bytes']} bytes "
                f"were read but the records cover {covered[0]} of {covered[1]}. Nothing is written "
                "of it: report this with the input."
            )
    if rejects is None:  # there may be some of an earlier job, of the input before it was mended
        storage.delete([rejects_path])
    shard = Shard(file=name, sha256=output.sha256, input=task.file.name, **totals)
    return ShardReport(task.index, shard, damage)
