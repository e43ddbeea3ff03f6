"""One shard against its manifest, its codec and, if it is at hand, its source text.

A pure function, and no record leaves it. Memory is bounded by one batch of examples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from equalinfo import alphabet
from equalinfo.alphabet import EOS, Symbols
from equalinfo.codecs.base import Codec, check_ids
from equalinfo.codecs.windows import WindowCodec
from equalinfo.data import storage
from equalinfo.data.text import InputFile
from equalinfo.ids import ID_OFFSET
from equalinfo.manifest import Manifest, Shard
from equalinfo.record_parsing import parse
from equalinfo.records import Record
from equalinfo.tfrecord import DamagedRecordsError
from pipelines import sinks
from pipelines.shard import BATCH_EXAMPLES, BATCH_SYMBOLS
from pipelines.verification.example import Example, agreement, first_difference, whole_windows
from pipelines.verification.order import LONGEST_CHARACTER, Order, Place
from pipelines.verification.report import Findings, ShardResult
from pipelines.verification.source import SourceText, stored_rejects

_FRAME_BYTES = 16
_SNIPPET_BYTES = 24
_TOKENS_APART = ("bytes", "codebook", "sentencepiece")
"""Methods whose tokens mean the same whatever follows, as those of windows do."""


@dataclass(frozen=True)
class ShardCheck:
    """What to verify.

    Attributes:
      directory: of the dataset.
      head: its manifest, without splits.
      codec_sha256: of its codec.json.
      split: the shard belongs to.
      shard: what the manifest says of it.
      input: to compare with; None to compare with the stored checksums only.
      rejects: path of the rejects file.
      rejects_range: its bytes that are of this shard, start and end.
      show: how many differences to keep.
    """

    directory: str
    head: Manifest
    codec_sha256: str
    split: str
    shard: Shard
    input: InputFile | None
    rejects: str
    rejects_range: tuple[int, int]
    show: int


def verify_shard(check: ShardCheck, codec: Codec) -> ShardResult:
    """Look at everything there is to see of one shard.

    Raises:
      OSError: a store that is not local could not be read; the runner should try again.
    """
    path = storage.join(check.directory, check.shard.file)
    verifier = _ShardVerifier(check, codec)
    try:
        found = storage.sha256(path)
        if found != check.shard.sha256:
            verifier.findings.add(
                f"it has sha256:{found[:12]}.., the manifest says "
                f"sha256:{check.shard.sha256[:12]}.."
            )
        verifier.run(path)
    except DamagedRecordsError as error:
        reason = str(error).removeprefix(f"{check.shard.file}: ")
        verifier.findings.add(f"{reason} What follows was not looked at.")
    except OSError as error:
        if not storage.is_local(path):
            raise
        verifier.findings.add(f"it cannot be read: {error}")
    return verifier.result()


class _ShardVerifier:
    def __init__(self, check: ShardCheck, codec: Codec) -> None:
        self.findings = Findings(check.show)
        self._check, self._codec = check, codec
        self._trimmed = check.head.trim != "none"
        self._order = Order(check.head, check.shard.input, self.findings)
        self._source: SourceText | None = None
        if check.input is not None:
            rejects = stored_rejects(check.rejects, *check.rejects_range)
            per_sequence = check.head.documents_per_sequence
            self._source = SourceText(check.input, per_sequence, rejects, self.findings)
        self._found = dict.fromkeys(
            ("documents", "bytes", "examples", "records", "tokens", "windows"), 0
        )
        self._restored_bytes = self._unrestored = self._agreeing = self._encoded = 0
        self._not_compared = 0
        self._previous: tuple[Place, Symbols] | None = None

    def run(self, path: str) -> None:
        """Read the shard and compare everything.

        Raises:
          DamagedRecordsError: it cannot be read to its end.
        """
        batch: list[Example] = []
        symbols = 0
        for example in self._examples(path):
            if self._sound(example):
                batch.append(example)
                symbols += example.num_symbols
            if len(batch) == BATCH_EXAMPLES or symbols >= BATCH_SYMBOLS:
                self._compare_batch(batch)
                batch, symbols = [], 0
        self._compare_batch(batch)
        self._finish()

    def result(self) -> ShardResult:
        """What was found."""
        shard = self._check.shard
        return ShardResult(
            split=self._check.split,
            file=shard.file,
            differences=tuple(self.findings.shown),
            num_differences=self.findings.total,
            documents=self._found["documents"],
            bytes=self._found["bytes"],
            records=self._found["records"],
            restored_bytes=self._restored_bytes,
            missing_bytes=shard.trimmed_bytes,
            unrestored_records=self._unrestored,
            agreeing_records=self._agreeing,
            encoded_records=self._encoded,
            compared=self._source is not None,
        )

    def _records(self, path: str) -> Iterator[tuple[str, Record]]:
        """Each record and its place in the file."""
        offset = 0
        framed = f".{sinks.ARRAY_RECORD}-" not in self._check.shard.file
        for number, data in enumerate(sinks.read(path)):
            where = f"record {number} at byte {offset}" if framed else f"record {number}"
            offset += len(data) + _FRAME_BYTES
            self._found["records"] += 1
            try:
                record = parse(data, where)
            except DamagedRecordsError as error:
                self.findings.add(str(error))
                continue
            yield f"{where} ({record.source}, part {record.part})", record

    def _examples(self, path: str) -> Iterator[Example]:
        example: Example | None = None
        for where, record in self._records(path):
            found = self._found
            found["tokens"] += len(record.targets)
            found["bytes"] += record.num_bytes
            found["documents"] += record.num_documents
            if (
                example is not None
                and record.source == example.records[0].source
                and record.part == len(example.records)
            ):
                example.where.append(where)
                example.records.append(record)
                continue
            if example is not None:
                yield example
                example = None
            if record.part != 0:
                self.findings.add(f"{where}: part 0 of an example, or the next part, was expected")
            elif (place := Place.parse(record.source)) is None:
                self.findings.add(f"{where}: its source is not 'input:document:offset'")
            else:
                found["examples"] += 1
                example = Example([where], [record], place)
        if example is not None:
            yield example

    def _sound(self, example: Example) -> bool:
        """True where the numbers of an example allow to decode it."""
        before = self.findings.total
        most, last = self._check.head.sequence_length, len(example.records) - 1
        for number, (where, record) in enumerate(zip(example.where, example.records, strict=True)):
            tokens = len(record.targets)
            if not 0 < tokens <= most or (number < last and tokens < most):
                self.findings.add(
                    f"{where}: it has {tokens} tokens, expected {most}, fewer only at the end of "
                    "an example"
                )
            if record.num_bytes < 0 or record.num_documents < 0:
                self.findings.add(
                    f"{where}: num_bytes={record.num_bytes}, num_documents={record.num_documents}: "
                    "one is negative"
                )
        size = example.num_symbols
        if not 0 < size <= self._check.head.example_bytes:
            self.findings.add(
                f"{example.where[0]}: its example covers {size} symbols, the manifest allows 1 to "
                f"{self._check.head.example_bytes}"
            )
        if self._trimmed and last:
            self.findings.add(f"{example.where[1]}: trim=paper leaves out all parts but 0")
        sound = self.findings.total == before
        tokens = sum(len(record.targets) for record in example.records)
        documents = sum(record.num_documents for record in example.records)
        self._order.follow(example.where[0], example.place, tokens, size, documents)
        if isinstance(self._codec, WindowCodec):
            bits = tokens * self._codec.token_bits
            self._found["windows"] += bits // self._codec.window_bits
        return sound

    def _compare_batch(self, batch: Sequence[Example]) -> None:
        decoded = iter(self._decode([one for one in batch if self._restorable(one)]))
        again: list[tuple[Example, bytes]] = []
        for example in batch:
            symbols = next(decoded) if self._restorable(example) else None
            expected = self._expected(example)
            if not (self._codec.lossless and self._restorable(example)):
                self._compare_unrestorable(example, symbols, expected)
                if expected is not None and not self._trimmed:
                    again.append((example, expected))
            elif symbols is not None:
                self._compare(example, symbols, expected)
        self._encode_again(again)

    def _restorable(self, example: Example) -> bool:
        """False where the codec cannot decode what trim=paper left of an example."""
        apart = isinstance(self._codec, WindowCodec) or self._codec.method in _TOKENS_APART
        return apart or not self._cut_off(example)

    def _cut_off(self, example: Example) -> bool:
        """True where trim=paper may have left out tokens."""
        full = len(example.records[0].targets) == self._check.head.sequence_length
        return self._trimmed and full

    def _decode(self, examples: Sequence[Example]) -> list[Symbols | None]:
        """The symbols of each example; None where it does not decode, which is a difference."""
        codec = self._codec
        if not examples:
            return []
        ids = [example.ids for example in examples]
        if isinstance(codec, WindowCodec):
            ids = [
                whole_windows(of_one, codec) if self._cut_off(example) else of_one
                for of_one, example in zip(ids, examples, strict=True)
            ]
        lengths = [example.num_symbols for example in examples] if codec.lossless else None
        try:
            return list(codec.decode(ids, lengths, allow_errors=not codec.lossless))
        except ValueError as error:
            if len(examples) == 1:
                self.findings.add(f"{examples[0].where[0]}: its tokens do not decode: {error}")
                return [None]
            half = len(examples) // 2  # which one is it?
            return self._decode(examples[:half]) + self._decode(examples[half:])

    def _expected(self, example: Example) -> bytes | None:
        """The example's source text, None where there is none to compare with."""
        if self._source is None:
            return None
        place = example.place
        text = self._source.text(place.first, place.offset, example.num_symbols)
        self._not_compared += text is None
        return text

    def _compare(self, example: Example, symbols: Symbols, expected: bytes | None) -> None:
        """Compare what an example decodes to with its checksums and with its source text."""
        before = self.findings.total
        text, agrees = agreement(example, symbols)
        for where, record, right in zip(example.where, example.records, agrees, strict=True):
            if not right:
                self.findings.add(
                    f"{where}: it decodes to another text than its checksum {record.checksum:08x}, "
                    f"num_bytes={record.num_bytes} and num_documents={record.num_documents} say"
                )
        if expected is not None and text != expected:
            at = first_difference(text, expected)
            self.findings.add(
                f"{example.where[0]}: from symbol {example.place.offset + at} of its sequence on "
                f"it decodes to {text[at : at + _SNIPPET_BYTES]!r}, the input has "
                f"{expected[at : at + _SNIPPET_BYTES]!r}"
            )
        self._compare_cut(example, symbols)
        if self.findings.total == before:
            self._restored_bytes += sum(record.num_bytes for record in example.records)

    def _compare_cut(self, example: Example, symbols: Symbols) -> None:
        """See that the example before this one ended where it should."""
        place, head = example.place, self._check.head
        before, self._previous = self._previous, (place, symbols)
        if before is None or self._trimmed:
            return
        last, text = before
        if (place.first, place.offset) == (last.first, last.offset + len(text)):
            joined = np.concatenate([text, symbols[:LONGEST_CHARACTER]])
            if len(alphabet.cut(joined, head.example_bytes)[0]) != len(text):
                self.findings.add(
                    f"{example.where[0]}: the example before it has {len(text)} symbols; by the "
                    f"manifest's example_bytes={head.example_bytes} it ends elsewhere"
                )
        elif place.first > last.first and text[-1] != EOS:
            self.findings.add(f"{example.where[0]}: the sequence before it ends inside a document")

    def _compare_unrestorable(
        self, example: Example, symbols: Symbols | None, expected: bytes | None
    ) -> None:
        """Compare what can be compared where the method does not restore its text."""
        self._unrestored += len(example.records)
        if symbols is not None:
            self._agreeing += sum(agreement(example, symbols)[1])
        elif not self._restorable(example):
            try:
                check_ids([example.ids], self._codec.vocab_size, ID_OFFSET)
            except ValueError as error:
                self.findings.add(f"{example.where[0]}: {error}")
        if expected is None:
            return
        _, agrees = agreement(example, alphabet.from_bytes(expected))
        for where, record, right in zip(example.where, example.records, agrees, strict=True):
            if not right:
                self.findings.add(
                    f"{where}: the input's text there does not fit its checksum "
                    f"{record.checksum:08x}, num_bytes={record.num_bytes} and "
                    f"num_documents={record.num_documents}"
                )

    def _encode_again(self, examples: list[tuple[Example, bytes]]) -> None:
        """Where decoding proves nothing, the source text must give the same tokens."""
        if not examples:
            return
        encoded = self._codec.encode([alphabet.from_bytes(text) for _, text in examples])
        for (example, _), tokens in zip(examples, encoded, strict=True):
            if np.array_equal(example.ids, tokens.ids):
                self._encoded += len(example.records)
            else:
                self.findings.add(
                    f"{example.where[0]}: encoded again, the input's text gives other tokens"
                )

    def _finish(self) -> None:
        """Compare the counts with the manifest's."""
        shard, found = self._check.shard, dict(self._found)
        for name in ("documents", "bytes", "tokens"):
            trimmed = getattr(shard, f"trimmed_{name}")
            if trimmed and not self._trimmed:
                self.findings.add(f"the manifest says trimmed_{name}={trimmed}, but trim=none")
            if name != "tokens":
                found[name] += trimmed
        if self._trimmed:
            del found["windows"]  # those left out are not counted apart
        for name, value in found.items():
            if value != getattr(shard, name):
                self.findings.add(
                    f"it has {name}={value:,}, the manifest says {getattr(shard, name):,}"
                )
        if shard.verified_examples not in (0, shard.examples):
            self.findings.add(
                f"the manifest says verified_examples={shard.verified_examples}, expected 0 or "
                f"{shard.examples}"
            )
        if shard.window_errors and (self._codec.lossless or not shard.verified_examples):
            self.findings.add(
                f"the manifest says window_errors={shard.window_errors}, where there can be none"
            )
        self._order.finish(shard.documents)
        if not self._trimmed and self._previous is not None and self._previous[1][-1] != EOS:
            self.findings.add("its last document has no end")
        if self._source is not None:
            self._source.finish(shard.documents, shard.bytes, shard.rejected, shard.damaged)
        if self._not_compared and not self.findings.total:
            raise RuntimeError(f"{shard.file}: {self._not_compared} examples were not compared.")
