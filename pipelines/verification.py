"""A dataset directory against what `pipelines.compress` promises.

Its bytes depend on the input, the codec and the options only. Where the input is at hand, it is
compressed again, and must give the bytes that are there. Where it is not, every file must have the
checksum that was stored, and every record restore to text with the checksum that it carries.
"""

import json
import re
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import islice, zip_longest
from tempfile import TemporaryDirectory

from equalinfo.codecs.base import CODEC_FILE, EOS_ID, Codec, check_ids
from equalinfo.data import storage
from equalinfo.data.dataset import Dataset
from equalinfo.data.find import limited
from equalinfo.data.inputs import InputFile
from equalinfo.data.manifest import MANIFEST_FILE, Manifest, Shard
from equalinfo.data.records import Record
from equalinfo.data.tfrecord import DamagedRecordsError
from pipelines import output, sinks
from pipelines.shard import CountedDocuments, Layout, ShardTask, compress_shard
from pipelines.worker import load_codec

MADE_AGAIN, RESTORED = "made again", "restored"
OTHER_BYTES, NOT_RESTORABLE = "other bytes", "not restorable"
"""How a shard was verified: its input gives the same bytes; its records decode to text with their
checksums; its input gives other bytes with the library of this machine, but it decodes to its text;
its method or trim restores no text: checksums of the file, ids and counts only."""

_SNIPPET_BYTES = 24
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
      dataset: it is of; without splits.
      codec_sha256: of its codec.json.
      shard: what the manifest says of it.
      task: what it was made of, or seems to be.
      layout: of its records.
      rejects: places of what was rejected then.
      make_again: whether the input is at hand.
      show: how many differences to keep.
    """

    dataset: Dataset
    codec_sha256: str
    shard: Shard
    task: ShardTask
    layout: Layout
    rejects: tuple[str, ...]
    make_again: bool
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
    dataset = Dataset(directory, replace(manifest, splits={}))
    checks = []
    unused = {file.name for file in inputs or ()}
    for split in splits:
        chosen = limited(inputs, _limit(directory, split)) if inputs else ()
        files = {file.name: file for file in chosen}
        if len(files) < len(inputs or ()):  # fewer documents than files were wanted
            unused &= files.keys()
        shards = manifest.split(split).shards
        rejects = _rejects(directory, split, shards, findings)
        for index, shard in enumerate(shards):
            form = next((x for x in sinks.FORMATS if f".{x}-" in shard.file), sinks.TFRECORD)
            layout = _layout(manifest, split, form)
            file = files.get(shard.input)
            unused.discard(shard.input)
            if inputs is not None and file is None:
                findings.add(f"{shard.file} was made of {shard.input}, which is not in --input")
            made_of = file or InputFile(shard.input, "text", name=shard.input)
            task = ShardTask(made_of, index, len(shards))
            if shard.file != (expected := task.output_name(layout)):
                findings.add(f"shard {index} of split {split!r} is {shard.file!r}, not {expected}")
            again = file is not None
            checks.append(
                ShardCheck(
                    dataset, sha256, shard, task, layout, rejects[index], again, findings.limit
                )
            )
    for name in sorted(unused):
        findings.add(f"the input {name} is in no shard")
    return checks


def _limit(directory: str, split: str) -> int | None:
    """What `pipelines.compress --limit` was, of a split's info, if that can be read."""
    with suppress(OSError, ValueError):
        info = json.loads(storage.read_text(storage.join(directory, output.info_name(split))))
        return int(info["limit"]) if "limit" in info else None
    return None


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


def _check_codec(directory: str, manifest: Manifest) -> str:
    """See that the codec is the manifest's; gives the sha256 of codec.json."""
    dataset = Dataset(directory, manifest)
    try:
        codec = dataset.codec()  # read anew, with its assets: this process may have it in memory
        sha256 = storage.sha256(storage.join(dataset.codec_directory, CODEC_FILE))
    except (OSError, ValueError) as error:
        reason = f"the codec in {dataset.codec_directory} cannot be used: {error}"
        raise DatasetError(reason) from error
    layout = _layout(manifest, "any", sinks.TFRECORD)
    made = output.manifest_head(codec, layout, manifest.codec)
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
    dataset, shard, how = check.dataset, check.shard, "not looked at"
    path = storage.join(dataset.directory, shard.file)
    codec = load_codec(dataset.codec_directory, check.codec_sha256)
    restorable = codec.lossless and check.layout.trim == "none"
    try:
        found = storage.sha256(path)
        if found != shard.sha256:
            findings.add(
                f"it has sha256:{found[:12]}.., the manifest says sha256:{shard.sha256[:12]}.."
            )
        if check.make_again:
            how = _make_again(check, codec, found, restorable, findings)
        elif restorable:
            deque(dataset.restore_shard(shard, codec), maxlen=0)
            how = RESTORED
        else:
            for records in dataset.examples(shard):
                _check_tokens(records, codec)
            how = NOT_RESTORABLE
    except DamagedRecordsError as error:
        findings.add(f"{str(error).removeprefix(f'{path}: ')} What follows was not looked at.")
    except FileNotFoundError as error:
        findings.add(f"it cannot be read: {error}")
    return ShardResult(check.layout.split, shard.file, how, findings)


def _check_tokens(records: list[Record], codec: Codec) -> None:
    try:
        check_ids([record.targets for record in records], codec.vocab_size, EOS_ID)
    except ValueError as error:
        raise DamagedRecordsError(f"example {records[0].source}: {error}") from error


def _make_again(
    check: ShardCheck, codec: Codec, found: str, restorable: bool, findings: Findings
) -> str:
    """Compress the input again, and compare; gives how that was verified."""
    task, layout, shard = check.task, check.layout, check.shard
    rejects: list[str] = []
    with TemporaryDirectory() as directory:
        made = compress_shard(task, layout, codec, directory).shard
        if made.rejected or made.damaged:
            rejects = _places(storage.join(directory, task.rejects_name(layout)))
    # Not the reasons: other versions of the libraries say them in other words.
    if tuple(rejects) != check.rejects:
        findings.add(
            f"of {shard.input} {rejects[:_SHOWN]} are rejected, the rejects file has "
            f"{list(check.rejects[:_SHOWN])}"
        )
    if found == made.sha256:
        for name, value in asdict(made).items():
            if name not in _OF_VERIFY and value != (said := getattr(shard, name)):
                findings.add(
                    f"compressed again, its input has {name}={value!r}, the manifest says {said!r}"
                )
        return MADE_AGAIN
    if not restorable:
        findings.add("compressed again, its input gives other bytes")
        return MADE_AGAIN
    restored = check.dataset.restore_shard(shard, codec)
    # Of a damaged input, the documents before the damage, as when it was compressed.
    for number, both in enumerate(zip_longest(restored, CountedDocuments(task.file))):
        if both[0] != both[1]:
            findings.add(f"document {number} {_difference(*both)}")
            return OTHER_BYTES
    if not codec.library:
        findings.add("compressed again, its input gives other bytes, of the same text")
    return OTHER_BYTES


def _difference(found: bytes | None, wanted: bytes | None) -> str:
    """Of a document that was restored, and that of the input; None: there is none."""
    if found is None or wanted is None:
        return f"is only in {'the input' if found is None else 'the shard'}"
    shorter = min(len(found), len(wanted))
    at = next((place for place in range(shorter) if found[place] != wanted[place]), shorter)
    end = at + _SNIPPET_BYTES
    return f"is {found[at:end]!r} from byte {at} on, the input has {wanted[at:end]!r}"
