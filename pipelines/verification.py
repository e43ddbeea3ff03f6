"""A dataset directory against what `pipelines.compress` promises.

Its bytes depend on the input, the codec and the options only. Where the input is at hand, it is
compressed again, and must give the bytes that are there. Where it is not, every file must have the
checksum that was stored, and every record restore to text with the checksum that it carries.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby, islice
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from equalinfo import alphabet
from equalinfo.alphabet import EOS, Symbols
from equalinfo.codecs.base import CODEC_FILE, EOS_ID, Codec, check_ids
from equalinfo.data import storage
from equalinfo.data.inputs import InputFile
from equalinfo.data.manifest import CODEC_DIRECTORY, MANIFEST_FILE, Manifest, Shard
from equalinfo.data.records import Record, parse, symbols_checksum
from equalinfo.data.shards import read_shard
from equalinfo.data.tfrecord import DamagedRecordsError
from pipelines import output, sinks
from pipelines.examples import Example
from pipelines.shard import BATCH_EXAMPLES, Layout, ShardTask, compress_shard, read_batches
from pipelines.worker import load_codec

MADE_AGAIN, RESTORED = "made again", "restored"
OTHER_BYTES, NOT_RESTORABLE = "other bytes", "not restorable"
"""How a shard was verified: its input gives the same bytes; its records decode to text with their
checksums; its input gives other bytes with the library of this machine, but it decodes to its text;
its method or trim restores no text: checksums of the file, ids and counts only."""

_FRAME_BYTES = 16
_SNIPPET_SYMBOLS = 24
_SHOWN = 10
_OURS = re.compile(
    rf"({re.escape(storage.TEMPORARY_PREFIX)}.*|\w+\.({'|'.join(sinks.FORMATS)})-.*"
    r"|(rejects|report|outcome)-.*|info\..*\.json)"
)
"""Names that jobs give to what they leave, finished or not."""

_OF_VERIFY = ("verified_examples", "window_errors")
"""Of a shard in the manifest: what `pipelines.compress --verify` found when it was made."""


class DatasetError(ValueError):
    """What is there is so damaged that its shards cannot be looked at."""


@dataclass
class Findings:
    """Differences: all are counted, the first are kept."""

    limit: int
    shown: list[str] = field(default_factory=list)
    total: int = 0

    def add(self, difference: str) -> None:
        """Count a difference."""
        self.total += 1
        if len(self.shown) < self.limit:
            self.shown.append(difference)

    def lines(self, name: str) -> list[str]:
        """Those kept, and how many there are."""
        lines = [f"{name}: {difference}" for difference in self.shown]
        if self.total > len(lines):
            lines.append(f"{name}: {self.total:,} differences in all, {len(lines):,} shown")
        return lines


@dataclass(frozen=True)
class ShardCheck:
    """A shard to verify.

    Attributes:
      directory: of the dataset.
      layout: of its records.
      codec_sha256: of its codec.json.
      shard: what the manifest says of it.
      index: its place among all shards of the split.
      count: of these.
      input: what it was made of; None where that is not at hand.
      rejects: places of what was rejected then.
      show: how many differences to keep.
    """

    directory: str
    layout: Layout
    codec_sha256: str
    shard: Shard
    index: int
    count: int
    input: InputFile | None
    rejects: tuple[str, ...]
    show: int


@dataclass(frozen=True)
class ShardResult:
    """What became of one shard: how it was verified (MADE_AGAIN, ..), and what differs."""

    split: str
    file: str
    how: str
    findings: Findings


def check_dataset(
    directory: str,
    manifest: Manifest,
    splits: Sequence[str],
    inputs: Sequence[InputFile] | None,
    findings: Findings,
) -> list[ShardCheck]:
    """Look at all but the shards, and say what to look at in these.

    Args:
      directory: of the dataset.
      manifest: its.
      splits: names of those to verify.
      inputs: the files they were made of; None: only what is stored is compared.
      findings: takes the differences.

    Raises:
      DatasetError: the shards cannot be looked at.
    """
    sha256 = _check_codec(directory, manifest)
    _check_files(directory, manifest, findings)
    checks = []
    files = {file.name: file for file in inputs or ()}
    for split in splits:
        shards = manifest.split(split).shards
        rejects = _rejects(directory, split, shards, findings)
        for index, shard in enumerate(shards):
            form = next((x for x in sinks.FORMATS if f".{x}-" in shard.file), sinks.TFRECORD)
            layout = _layout(manifest, split, form)
            file = files.pop(shard.input, None)
            if inputs is not None and file is None:
                findings.add(f"{shard.file} was made of {shard.input}, which is not in --input")
            check = ShardCheck(
                directory, layout, sha256, shard, index, len(shards), file, rejects[index],
                findings.limit,
            )  # fmt: skip
            expected = _task(check).output_name(layout)
            if shard.file != expected:
                findings.add(f"shard {index} of split {split!r} is {shard.file!r}, not {expected}")
            checks.append(check)
    for name in files:
        findings.add(f"the input {name} is in no shard")
    return checks


def _layout(manifest: Manifest, split: str, form: str) -> Layout:
    try:
        return Layout(
            split=split,
            sequence_length=manifest.sequence_length,
            example_bytes=manifest.example_bytes,
            documents_per_sequence=manifest.documents_per_sequence,
            trim=manifest.trim,
            verify=False,
            format=form,
        )
    except ValueError as error:
        raise DatasetError(f"{MANIFEST_FILE} was edited or damaged: {error}") from error


def _task(check: ShardCheck) -> ShardTask:
    file = check.input or InputFile(check.shard.input, "text", name=check.shard.input)
    return ShardTask(file, check.index, check.count)


def _check_codec(directory: str, manifest: Manifest) -> str:
    """See that the codec is the manifest's; gives the sha256 of codec.json."""
    place = storage.join(directory, CODEC_DIRECTORY)
    try:
        sha256 = storage.sha256(storage.join(place, CODEC_FILE))
        description = json.loads(storage.read_text(storage.join(place, CODEC_FILE)))
        for name, expected in description["assets"].items():
            # Here as well as where the codec is loaded: this process may have it in memory.
            if (found := storage.sha256(storage.join(place, name))) != expected:
                raise DatasetError(
                    f"{storage.join(place, name)} has sha256:{found[:12]}.., {CODEC_FILE} says "
                    f"sha256:{expected[:12]}.. It is damaged or was replaced."
                )
        layout = _layout(manifest, "any", sinks.TFRECORD)
        made = output.manifest_head(load_codec(place, sha256), layout, description)
    except DatasetError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"the codec in {place} cannot be used: {error}") from error
    version = manifest.equalinfo_version
    if differs := manifest.made_alike(replace(made, equalinfo_version=version)):
        raise DatasetError(
            f"{MANIFEST_FILE} says {differs}={getattr(manifest, differs)!r}, its codec has "
            f"{getattr(made, differs)!r}. One of them was replaced or damaged."
        )
    return sha256


def _check_files(directory: str, manifest: Manifest, findings: Findings) -> None:
    """See that every file is there that should be, as it was written, and none more of ours."""
    present = {storage.base_name(path) for path in storage.list_directory(directory, "")}
    expected = {output.COMPLETED_FILE}
    for split, content in manifest.splits.items():
        expected |= {shard.file for shard in content.shards}
        expected |= {output.rejects_name(split), output.info_name(split)}
    for name in sorted(expected - present):
        findings.add(f"{name} is missing")
    for name in sorted(present - expected):
        if _OURS.fullmatch(name):
            findings.add(f"{name} is there, but {MANIFEST_FILE} does not name it")
    if output.COMPLETED_FILE not in present:
        return
    with storage.open_read(storage.join(directory, output.COMPLETED_FILE)) as file:
        stored = set(file.read().splitlines())
    found = set(output.checksums(directory, manifest).encode().splitlines())
    for line in sorted(stored ^ found):
        which = "has" if line in stored else "lacks"
        findings.add(f"{output.COMPLETED_FILE} {which} the line {line.decode(errors='replace')!r}")


def _rejects(
    directory: str, split: str, shards: Sequence[Shard], findings: Findings
) -> list[tuple[str, ...]]:
    """The places of each shard's rejects."""
    name = output.rejects_name(split)
    counts = [shard.rejected + shard.damaged for shard in shards]
    places: list[str] = []
    try:
        places = _places(storage.join(directory, name))
    except FileNotFoundError:  # `_check_files` said so
        pass
    except (ValueError, KeyError, TypeError) as error:
        findings.add(f"{name} is damaged: {type(error).__name__}: {error}")
    if places and len(places) != sum(counts):
        findings.add(f"{name} has {len(places)} lines, {MANIFEST_FILE} says {sum(counts)}")
    remaining = iter(places)
    return [tuple(islice(remaining, count)) for count in counts]


def _places(path: str) -> list[str]:
    """Of the lines of a rejects file."""
    lines = storage.read_text(path).split("\n")
    return [str(json.loads(line)["place"]) for line in lines if line]


def verify_shard(check: ShardCheck) -> ShardResult:
    """Look at one shard.

    Raises:
      OSError: a store that is not local could not be read.
    """
    findings = Findings(check.show)
    shard, how = check.shard, "not looked at"
    path = storage.join(check.directory, shard.file)
    codec = load_codec(storage.join(check.directory, CODEC_DIRECTORY), check.codec_sha256)
    try:
        found = storage.sha256(path)
        if found != shard.sha256:
            findings.add(
                f"it has sha256:{found[:12]}.., the manifest says sha256:{shard.sha256[:12]}.."
            )
        if check.input is None:
            _restore(check, codec, findings, None)
            how = RESTORED if _restorable(check, codec) else NOT_RESTORABLE
        else:
            how = _make_again(check, codec, found, findings)
    except DamagedRecordsError as error:
        reason = str(error).removeprefix(f"{shard.file}: ")
        findings.add(f"{reason} What follows was not looked at.")
    except FileNotFoundError as error:
        findings.add(f"it cannot be read: {error}")
    return ShardResult(check.layout.split, shard.file, how, findings)


def _restorable(check: ShardCheck, codec: Codec) -> bool:
    return codec.lossless and check.layout.trim == "none"


def _make_again(check: ShardCheck, codec: Codec, found: str, findings: Findings) -> str:
    """Compress the input again, and compare; gives how that was verified."""
    task, layout = _task(check), check.layout
    rejects: list[str] = []
    with TemporaryDirectory() as directory:
        made = compress_shard(task, layout, codec, directory).shard
        if made.rejected or made.damaged:
            rejects = _places(storage.join(directory, task.rejects_name(layout)))
    # Not the reasons: other versions of the libraries say them in other words.
    if tuple(rejects) != check.rejects:
        findings.add(
            f"of {check.shard.input} {rejects[:_SHOWN]} are rejected, the rejects file has "
            f"{list(check.rejects[:_SHOWN])}"
        )
    if found == made.sha256:
        _compare_counts(check.shard, asdict(made), "compressed again, its input has", findings)
        return MADE_AGAIN
    if not _restorable(check, codec):
        findings.add("compressed again, its input gives other bytes")
        return MADE_AGAIN
    before = findings.total
    _restore(check, codec, findings, _source(task, layout))
    if findings.total == before and not codec.library:
        findings.add("compressed again, its input gives other bytes, of the same text")
    return OTHER_BYTES


def _source(task: ShardTask, layout: Layout) -> Iterator[Example]:
    """The examples of an input file; of a damaged one, as when it was compressed."""
    for batch in read_batches(task, layout, runs_model=False):
        yield from batch.examples


def _compare_counts(shard: Shard, found: Mapping[str, Any], who: str, findings: Findings) -> None:
    for name, value in found.items():
        if name not in _OF_VERIFY and value != (said := getattr(shard, name)):
            findings.add(f"{who} {name}={value!r}, the manifest says {said!r}")


def _restore(
    check: ShardCheck, codec: Codec, findings: Findings, source: Iterator[Example] | None
) -> None:
    """Decode every record, compare it with its checksum and `source`, and count."""
    shard = check.shard
    counted = dict.fromkeys(("documents", "bytes", "examples", "records", "tokens"), 0)
    counted["documents"] = shard.trimmed_documents
    counted["bytes"] = shard.trimmed_bytes
    examples = _examples(check, counted, findings)
    while batch := list(islice(examples, BATCH_EXAMPLES)):
        for example, symbols in zip(batch, _decode(check, codec, batch, findings), strict=True):
            if symbols is not None:
                _compare(example, symbols, findings)
            if source is not None and symbols is not None:
                _compare_source(example, symbols, next(source, None), findings)
    if source is not None and (left := next(source, None)):
        findings.add(f"the input's text from {left.source} on is not in it")
    _compare_counts(shard, counted, "it has", findings)


@dataclass(frozen=True)
class _Stored:
    """An example as it is stored: its records, and where each is in the file."""

    where: list[str]
    records: list[Record]


def _examples(check: ShardCheck, counted: dict[str, int], findings: Findings) -> Iterator[_Stored]:
    """The examples of a shard whose numbers allow to decode them; what does not is a difference."""
    layout, name = check.layout, check.shard.input
    first = offset = documents = 0
    for source, group in groupby(_records(check, findings), lambda item: item[1].source):
        where, records = map(list, zip(*group, strict=True))
        size = sum(record.num_symbols for record in records)
        counted["examples"] += 1
        counted["records"] += len(records)
        counted["tokens"] += sum(len(record.targets) for record in records)
        counted["bytes"] += sum(record.num_bytes for record in records)
        ended = sum(record.num_documents for record in records)
        counted["documents"] += ended
        sizes = [len(record.targets) for record in records]
        whole = [layout.sequence_length] * (len(sizes) - 1)
        if (
            [record.part for record in records] != list(range(len(records)))
            or sizes[:-1] != whole
            or not 0 < sizes[-1] <= layout.sequence_length
            or not 0 < size <= layout.example_bytes
            or min(min(record.num_bytes, record.num_documents) for record in records) < 0
        ):
            findings.add(f"{where[0]}: its example has parts or numbers that cannot be")
            continue
        if layout.trim == "none" and source != f"{name}:{first}:{offset}":
            findings.add(
                f"{where[0]}: expected {name}:{first}:{offset} here. Records are missing, doubled "
                "or out of order; what follows was not looked at."
            )
            return
        documents, offset = documents + ended, offset + size
        if documents == layout.documents_per_sequence:
            first, offset, documents = first + documents, 0, 0
        yield _Stored(where, records)


def _records(check: ShardCheck, findings: Findings) -> Iterator[tuple[str, Record]]:
    """Each record and its place in the file."""
    offset = 0
    for number, data in enumerate(
        read_shard(storage.join(check.directory, check.shard.file), check.shard.file)
    ):
        at = f" at byte {offset}" if check.layout.format == sinks.TFRECORD else ""
        offset += len(data) + _FRAME_BYTES
        try:
            record = parse(data, f"record {number}{at}")
        except DamagedRecordsError as error:
            findings.add(str(error))
            continue
        yield f"record {number}{at} ({record.source}, part {record.part})", record


def _decode(
    check: ShardCheck, codec: Codec, examples: Sequence[_Stored], findings: Findings
) -> list[Symbols | None]:
    """The symbols of each; None where it cannot be restored, or does not decode: a difference."""
    if not examples:
        return []
    ids = [np.concatenate([record.targets for record in one.records]) for one in examples]
    sizes = [sum(record.num_symbols for record in one.records) for one in examples]
    try:
        if _restorable(check, codec):
            return list(codec.decode(ids, sizes))
        check_ids(ids, codec.vocab_size, EOS_ID)
        return [None] * len(examples)
    except ValueError as error:
        if len(examples) == 1:
            findings.add(f"{examples[0].where[0]}: its tokens do not decode: {error}")
            return [None]
        half = len(examples) // 2  # which one is it?
        return [
            *_decode(check, codec, examples[:half], findings),
            *_decode(check, codec, examples[half:], findings),
        ]


def _compare(example: _Stored, symbols: Symbols, findings: Findings) -> None:
    """See that each record decodes to the text that it was made of."""
    start = 0
    for where, record in zip(example.where, example.records, strict=True):
        piece = symbols[start : start + record.num_symbols]
        start += record.num_symbols
        documents = int(np.count_nonzero(piece == EOS))
        if (documents, symbols_checksum(piece)) != (record.num_documents, record.checksum):
            findings.add(
                f"{where}: it decodes to another text than its checksum {record.checksum:08x}, "
                f"num_bytes={record.num_bytes} and num_documents={record.num_documents} say"
            )


def _compare_source(
    example: _Stored, symbols: Symbols, expected: Example | None, findings: Findings
) -> None:
    where = example.where[0]
    if expected is None or expected.source != example.records[0].source:
        findings.add(f"{where}: the input has {expected and expected.source} in its place")
        return
    source = alphabet.from_bytes(expected.text)
    size = min(len(symbols), len(source))
    differs = symbols[:size] != source[:size]
    if not np.any(differs) and len(symbols) == len(source):
        return
    at = int(np.argmax(differs)) if np.any(differs) else size
    found, wanted = (
        alphabet.to_bytes(text[at : at + _SNIPPET_SYMBOLS]) for text in (symbols, source)
    )
    findings.add(
        f"{where}: from symbol {at} of its example on it decodes to {found!r}, the input has "
        f"{wanted!r}"
    )
