"""One input file to one finished shard: a pure function of the file, the codec and the layout.

Nothing else plays a part: not the runner, not the worker, not what an earlier attempt left. Memory
is bounded by one batch of examples and by the longest document, not by the file.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from equalinfo import alphabet
from equalinfo.alphabet import Symbols
from equalinfo.codecs.base import Codec, Encoded
from equalinfo.manifest import Shard
from equalinfo.records import Record, cut_example, serialize
from equalinfo.tfrecord import frame
from pipelines import readers, storage
from pipelines.sources import InputFile

BATCH_EXAMPLES = 256
BATCH_SYMBOLS = 256 * 10_240
"""Examples encoded together, so that a model runs many lanes: as many as fit in both."""

_CUT_AFTER_EXAMPLES = 64


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
    """

    split: str
    sequence_length: int
    example_bytes: int
    documents_per_sequence: int
    trim: str
    verify: bool


@dataclass(frozen=True)
class ShardTask:
    """One input file and its place among all of them."""

    file: InputFile
    index: int
    count: int

    def output_name(self, split: str) -> str:
        """Of the shard."""
        return f"{split}.tfrecord-{self.index:05d}-of-{self.count:05d}"

    def rejects_name(self, split: str) -> str:
        """Of its rejects, until all are gathered in one file."""
        return f"rejects-{split}-{self.index:05d}-of-{self.count:05d}.jsonl"


@dataclass(frozen=True)
class ShardReport:
    """What became of a shard; `damage` is the reason where its input broke off, else empty."""

    index: int
    shard: Shard
    damage: str


@dataclass
class _Counts:
    documents: int = 0
    bytes: int = 0
    examples: int = 0
    records: int = 0
    tokens: int = 0
    windows: int = 0
    rejected: int = 0
    damaged: int = 0
    trimmed_documents: int = 0
    trimmed_bytes: int = 0
    trimmed_tokens: int = 0
    verified_examples: int = 0
    window_errors: int = 0


@dataclass(frozen=True)
class Example:
    """What one coder run compresses: uint16[<= example_bytes] symbols, and where they come from."""

    source: str
    symbols: Symbols


def compress_shard(task: ShardTask, layout: Layout, codec: Codec, directory: str) -> ShardReport:
    """Compress one input file; its shard and its rejects appear in `directory` when they are whole.

    Raises:
      CodecFaultError: with `layout.verify`, a lossless codec that does not restore an example.
      AccountError: documents or bytes were lost or doubled on the way to the records.
      OSError: the output cannot be written.
    """
    counts = _Counts()
    covered_documents = covered_bytes = 0
    with ExitStack() as files:
        output = files.enter_context(
            storage.create(storage.join(directory, task.output_name(layout.split)))
        )
        documents = _Documents(task, layout, directory, counts, files)
        examples = cut_documents(
            documents, task.file.name, layout.documents_per_sequence, layout.example_bytes
        )
        for batch in batches(examples):
            encoded = codec.encode([example.symbols for example in batch])
            for example, tokens in zip(batch, encoded, strict=True):
                for record in _records(example, tokens, layout, counts):
                    covered_documents += record.num_documents
                    covered_bytes += record.num_bytes
                    output.write(frame(serialize(record)))
            if layout.verify:
                _verify(codec, batch, encoded, counts)
        covered_documents += counts.trimmed_documents
        covered_bytes += counts.trimmed_bytes
        if (covered_documents, covered_bytes) != (counts.documents, counts.bytes):
            raise AccountError(
                f"{task.file.name}: {counts.documents} documents of {counts.bytes} bytes were read "
                f"but the records cover {covered_documents} of {covered_bytes}. Nothing is written "
                "of it: report this with the input."
            )
    shard = Shard(
        file=task.output_name(layout.split),
        sha256=output.sha256,
        input=task.file.name,
        **vars(counts),
    )
    return ShardReport(task.index, shard, documents.damage)


class _Documents:
    """Iterates over an input's texts; writes what is rejected to the shard's rejects file."""

    def __init__(
        self, task: ShardTask, layout: Layout, directory: str, counts: _Counts, files: ExitStack
    ) -> None:
        self._file = task.file
        self._rejects_path = storage.join(directory, task.rejects_name(layout.split))
        self._rejects: storage.HashingFile | None = None
        self._counts = counts
        self._files = files
        self.damage = ""

    def __iter__(self) -> Iterator[bytes]:
        try:
            for item in readers.read(self._file):
                if isinstance(item, readers.Document):
                    self._counts.documents += 1
                    self._counts.bytes += len(item.text)
                    yield item.text
                else:
                    self._counts.rejected += 1
                    self._reject(item.place, item.reason)
        except readers.DamagedInputError as error:
            self._counts.damaged = 1
            self.damage = f"file damaged after document {self._counts.documents}: {error}"
            self._reject(self._file.name, self.damage)

    def _reject(self, place: str, reason: str) -> None:
        if self._rejects is None:
            self._rejects = self._files.enter_context(storage.create(self._rejects_path))
        line = json.dumps({"place": place, "reason": reason}, ensure_ascii=False)
        # A field name may hold a lone surrogate; the rejects file must stay UTF-8.
        self._rejects.write(line.encode("utf-8", "backslashreplace") + b"\n")


def cut_documents(
    documents: Iterable[bytes], name: str, documents_per_sequence: int, example_bytes: int
) -> Iterator[Example]:
    """Join documents to sequences and cut these into examples, lazily.

    Gives what `alphabet.cut(alphabet.join(documents), example_bytes)` gives for each sequence,
    without holding the sequence: all examples but the last are final as soon as a symbol follows.

    Args:
      documents: texts in file order.
      name: of the input; `source` is "{name}:{first document}:{offset}".
      documents_per_sequence: the last sequence has what is left.
      example_bytes: most symbols in an example.
    """
    waiting: list[bytes] = []
    waiting_symbols = 0
    rest = np.empty(0, np.uint16)
    first = offset = 0

    def cut_waiting(final: bool) -> Iterator[Example]:
        nonlocal waiting, waiting_symbols, rest, offset
        pieces = alphabet.cut(np.concatenate([rest, alphabet.join(waiting)]), example_bytes)
        waiting, waiting_symbols = [], 0
        rest = np.empty(0, np.uint16) if final or not pieces else pieces.pop()
        for piece in pieces:
            yield Example(f"{name}:{first}:{offset}", piece)
            offset += len(piece)

    for number, document in enumerate(documents, 1):
        waiting.append(document)
        waiting_symbols += len(document) + 1
        if number - first == documents_per_sequence:
            yield from cut_waiting(final=True)
            first, offset = number, 0
        elif waiting_symbols > _CUT_AFTER_EXAMPLES * example_bytes:
            yield from cut_waiting(final=False)
    yield from cut_waiting(final=True)


def batches(examples: Iterable[Example]) -> Iterator[list[Example]]:
    """Group examples, in order, up to BATCH_EXAMPLES and (unless one is larger) BATCH_SYMBOLS."""
    batch: list[Example] = []
    symbols = 0
    for example in examples:
        if batch and (
            len(batch) == BATCH_EXAMPLES or symbols + len(example.symbols) > BATCH_SYMBOLS
        ):
            yield batch
            batch, symbols = [], 0
        batch.append(example)
        symbols += len(example.symbols)
    if batch:
        yield batch


def _records(
    example: Example, encoded: Encoded, layout: Layout, counts: _Counts
) -> Iterator[Record]:
    counts.examples += 1
    counts.windows += encoded.windows
    records = cut_example(encoded, example.symbols, example.source, layout.sequence_length)
    for record in records:
        if layout.trim == "paper" and record.part > 0:
            counts.trimmed_documents += record.num_documents
            counts.trimmed_bytes += record.num_bytes
            counts.trimmed_tokens += len(record.targets)
        else:
            counts.records += 1
            counts.tokens += len(record.targets)
            yield record


def _verify(codec: Codec, batch: list[Example], encoded: list[Encoded], counts: _Counts) -> None:
    counts.verified_examples += len(batch)
    symbols = [example.symbols for example in batch]
    if not codec.lossless and hasattr(codec, "count_window_errors"):
        errors, _ = codec.count_window_errors(symbols, encoded)
        counts.window_errors += errors
        return
    decoded = codec.decode(
        [tokens.ids for tokens in encoded],
        [len(text) for text in symbols] if codec.lossless else None,
        allow_errors=not codec.lossless,
    )
    for example, text in zip(batch, decoded, strict=True):
        if np.array_equal(example.symbols, text):
            continue
        if codec.lossless:
            raise CodecFaultError(
                f"method {codec.method!r} does not restore example {example.source} "
                f"({len(example.symbols)} symbols). Nothing it wrote can be trusted: report this "
                "with the input."
            )
        counts.window_errors += 1
