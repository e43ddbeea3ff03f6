"""A dataset directory as a whole: manifest, codec, rejects, and which files are there.

What it finds good becomes one `ShardCheck` a shard.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from equalinfo.codecs.base import CODEC_FILE, EOS_ID, PAD_ID, Codec
from equalinfo.data import storage
from equalinfo.data.text import InputFile
from equalinfo.manifest import CODEC_DIRECTORY, MANIFEST_FILE, Manifest, ManifestError, Shard
from pipelines import output, sinks
from pipelines.verification.order import LONGEST_CHARACTER
from pipelines.verification.report import Findings
from pipelines.verification.shard import ShardCheck
from pipelines.verification.source import read_rejects
from pipelines.worker import load_codec

_FORMATS = "|".join(sinks.FORMATS)
_SHARD = re.compile(rf"(\w+)\.({_FORMATS})-(\d+)-of-(\d+)")
_OURS = re.compile(
    rf"({re.escape(storage.TEMPORARY_PREFIX)}.*|\w+\.({_FORMATS})-.*|(rejects|report|outcome)-.*"
    r"|info\..*\.json)"
)
"""Names that jobs give to what they leave, finished or not."""


class DatasetError(ValueError):
    """What is there is so damaged that its shards cannot be looked at."""


def read_manifest(directory: str) -> Manifest:
    """The manifest.

    Raises:
      ManifestError: there is none, or it is damaged.
    """
    path = storage.join(directory, MANIFEST_FILE)
    try:
        manifest = output.read_manifest(directory)
    except ManifestError:
        raise
    except (UnicodeDecodeError, AttributeError, TypeError) as error:
        raise ManifestError(f"{path} is damaged: {type(error).__name__}: {error}.") from error
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error}.") from error
    if manifest is None:
        raise ManifestError(
            f"{path} does not exist: the directory is no dataset, or the job that wrote it did not "
            "finish. Run `python -m pipelines.compress` (again)."
        )
    return manifest


def checks(
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
      inputs: the files they were made of; None: compare with the stored checksums.
      findings: takes the differences.

    Raises:
      DatasetError: the shards cannot be looked at.
      ManifestError: no such split.
    """
    _check_layout(manifest)
    codec_sha256 = _check_codec(directory, manifest)
    _check_files(directory, manifest, findings)
    head = replace(manifest, splits={})
    wanted = [(split, shard) for split in splits for shard in manifest.split(split).shards]
    files = _match_inputs([shard for _, shard in wanted], inputs, findings)
    found = []
    for split in splits:
        shards = manifest.split(split).shards
        _check_names(split, shards, findings)
        rejects = storage.join(directory, output.rejects_name(split))
        for shard, span in zip(shards, _reject_ranges(rejects, shards, findings), strict=True):
            file = files.get(shard.input)
            found.append(
                ShardCheck(
                    directory, head, codec_sha256, split, shard, file, rejects, span, findings.limit
                )
            )
    return found


def window_errors(manifest: Manifest, splits: Sequence[str]) -> str | None:
    """What the manifest knows of wrong windows; None where nobody counted them."""
    shards = [shard for split in splits for shard in manifest.split(split).shards]
    counted = [shard for shard in shards if shard.verified_examples]
    if not counted:
        return None
    errors = sum(shard.window_errors for shard in counted)
    windows = sum(shard.windows for shard in counted)
    if windows:
        return f"{errors:,} of {windows:,} windows ({errors / windows:.2%})"
    return f"{errors:,} of {sum(shard.examples for shard in counted):,} examples"


def _check_layout(manifest: Manifest) -> None:
    for name, lowest in (
        ("sequence_length", 1),
        ("example_bytes", LONGEST_CHARACTER),
        ("documents_per_sequence", 1),
    ):
        if getattr(manifest, name) < lowest:
            raise DatasetError(
                f"{MANIFEST_FILE} says {name}={getattr(manifest, name)}, less than {lowest}. It "
                "was edited or damaged."
            )
    if manifest.trim not in ("none", "paper"):
        raise DatasetError(f"{MANIFEST_FILE} says trim={manifest.trim!r}, neither none nor paper.")


def _check_codec(directory: str, manifest: Manifest) -> str:
    """See that the codec is the manifest's, each file of it; gives the sha256 of codec.json."""
    place = storage.join(directory, CODEC_DIRECTORY)
    path = storage.join(place, CODEC_FILE)
    try:
        sha256 = storage.sha256(path)
        description = json.loads(storage.read_text(path))
        if description != manifest.codec:
            raise DatasetError(
                f"{path} is not what {MANIFEST_FILE} says of the codec. One of them was replaced "
                "or damaged."
            )
        for name, expected in description["assets"].items():
            # Here as well as where the codec is loaded: this process may have it in memory.
            found = storage.sha256(storage.join(place, name))
            if found != expected:
                raise DatasetError(
                    f"{storage.join(place, name)} has sha256:{found[:12]}.., {CODEC_FILE} says "
                    f"sha256:{expected[:12]}.. It is damaged or was replaced."
                )
        codec = load_codec(place, sha256)
    except DatasetError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"the codec in {place} cannot be used: {error}") from error
    _compare_codec(manifest, codec)
    return sha256


def _compare_codec(manifest: Manifest, codec: Codec) -> None:
    for name, value in (
        ("method", codec.method),
        ("lossless", codec.lossless),
        ("vocab_size", codec.vocab_size),
        ("token_bits", codec.token_bits),
        ("pad_id", PAD_ID),
        ("eos_id", EOS_ID),
    ):
        if getattr(manifest, name) != value:
            raise DatasetError(
                f"{MANIFEST_FILE} says {name}={getattr(manifest, name)!r}, its codec has {value!r}."
            )


def _check_files(directory: str, manifest: Manifest, findings: Findings) -> None:
    """See that every file is there that should be, and none more of those that jobs write."""
    present = {storage.base_name(path) for path in storage.list_directory(directory, "")}
    expected = set()
    for split, content in manifest.splits.items():
        expected |= {shard.file for shard in content.shards}
        expected |= {output.rejects_name(split), output.info_name(split)}
        _check_info(directory, manifest, split, findings)
    for name in sorted(expected - present):
        findings.add(f"{name} is missing")
    for name in sorted(present - expected):
        if _OURS.fullmatch(name):
            findings.add(f"{name} is there, but {MANIFEST_FILE} does not name it")
    assets = {CODEC_FILE, *manifest.codec["assets"]}
    for path in storage.list_directory(storage.join(directory, CODEC_DIRECTORY), ""):
        if (name := storage.base_name(path)) not in assets:
            findings.add(f"{CODEC_DIRECTORY}/{name} is there, but {CODEC_FILE} does not name it")
    if output.COMPLETED_FILE not in present:
        findings.add(f"{output.COMPLETED_FILE} is missing: the job did not finish")
        return
    stored = _lines(storage.join(directory, output.COMPLETED_FILE))
    found = set(output.checksums(directory, manifest).encode().splitlines())
    for line in sorted(stored ^ found):
        which = "has" if line in stored else "lacks"
        findings.add(f"{output.COMPLETED_FILE} {which} the line {line.decode(errors='replace')!r}")


def _lines(path: str) -> set[bytes]:
    with storage.open_read(path) as file:
        return set(file.read().splitlines())


def _check_info(directory: str, manifest: Manifest, split: str, findings: Findings) -> None:
    name = output.info_name(split)
    path = storage.join(directory, name)
    if not storage.exists(path):
        return
    try:
        info = json.loads(storage.read_text(path))
        found = (info["num_shards"], info["equalinfo_version"])
    except (ValueError, KeyError, TypeError) as error:
        findings.add(f"{name} is damaged: {type(error).__name__}: {error}")
        return
    expected = (len(manifest.splits[split].shards), manifest.equalinfo_version)
    if found != expected:
        findings.add(
            f"{name} says num_shards={found[0]!r}, equalinfo_version={found[1]!r}; "
            f"{MANIFEST_FILE} says {expected[0]} and {expected[1]!r}"
        )


def _match_inputs(
    shards: Sequence[Shard], inputs: Sequence[InputFile] | None, findings: Findings
) -> dict[str, InputFile]:
    if inputs is None:
        return {}
    files = {file.name: file for file in inputs}
    for shard in shards:
        if shard.input not in files:
            findings.add(f"{shard.file} was made of {shard.input}, which is not among --input")
    for name in sorted(files.keys() - {shard.input for shard in shards}):
        findings.add(f"the input {name} is in no shard")
    return files


def _check_names(split: str, shards: Sequence[Shard], findings: Findings) -> None:
    for index, shard in enumerate(shards):
        match = _SHARD.fullmatch(shard.file)
        found = match and (match[1], int(match[3]), int(match[4]))
        if found != (split, index, len(shards)):
            findings.add(
                f"shard {index} of the {len(shards)} of split {split!r} is called {shard.file!r}"
            )
        if shard.damaged not in (0, 1):
            findings.add(f"{shard.file}: {MANIFEST_FILE} says damaged={shard.damaged}")
    names = [shard.input for shard in shards]
    if names != sorted(set(names)):
        findings.add(f"the inputs of split {split!r} are not in order, or one is there twice")


def _reject_ranges(path: str, shards: Sequence[Shard], findings: Findings) -> list[tuple[int, int]]:
    """The bytes of a rejects file that are each shard's."""
    ranges = []
    number = at = 0
    name = storage.base_name(path)
    counts = [shard.rejected + shard.damaged for shard in shards]
    try:
        with storage.open_read(path) as file:
            lines = read_rejects(file, storage.size(path))
            for shard, count in zip(shards, counts, strict=True):
                start = at
                for _ in range(count):
                    (place, _), size = next(lines)
                    number, at = number + 1, at + size
                    if place != shard.input and not place.startswith(f"{shard.input}:"):
                        findings.add(f"{name}, line {number}: {place!r} is not of {shard.input}")
                ranges.append((start, at))
            more = sum(1 for _ in lines)
            if more:
                findings.add(f"{name} has {more} lines more than the manifest's {sum(counts)}")
    except FileNotFoundError:  # `_check_files` said so
        pass
    except StopIteration:
        findings.add(f"{name} has {number} lines, the manifest says {sum(counts)}")
    except ValueError as error:
        findings.add(f"{name}, line {number + 1}: {error}")
    return ranges + [(at, at)] * (len(shards) - len(ranges))
