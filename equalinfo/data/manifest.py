"""manifest.json: what a dataset directory holds, who made it, and how much of it there is.

It is written last, so a directory with a manifest is complete. It has no time stamps and no paths
of a machine: the same input, codec and options give the same bytes.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from equalinfo.data import storage

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
CODEC_DIRECTORY = "codec"


class ManifestError(ValueError):
    """A manifest that is absent, damaged, of another version, or about something else."""


@dataclass(frozen=True)
class Shard:
    """One finished shard: one input file, compressed.

    Attributes:
      file: name in the dataset directory.
      sha256: of that file.
      input: base name of the input file.
      documents: documents read and kept.
      bytes: bytes of their text (EOS is not counted).
      examples: pieces coded by themselves.
      records: records written.
      tokens: token ids written.
      windows: windows coded; 0 where the method has none.
      rejected: documents refused; each is a line of the rejects file.
      damaged: 1 where the input broke off: what came before is here, the rest is one more reject.
      trimmed_documents: of `documents`, ends left out by trim=paper.
      trimmed_bytes: of `bytes`, left out by trim=paper.
      trimmed_tokens: tokens left out by trim=paper (not in `tokens`).
      verified_examples: examples decoded again and compared; 0 without --verify.
      window_errors: windows (or, without windows, examples) that decoded to another text.
    """

    file: str
    sha256: str
    input: str
    documents: int
    bytes: int
    examples: int
    records: int
    tokens: int
    windows: int
    rejected: int
    damaged: int
    trimmed_documents: int
    trimmed_bytes: int
    trimmed_tokens: int
    verified_examples: int
    window_errors: int


COUNTS = tuple(field.name for field in fields(Shard) if field.type is int)
"""The fields of a shard that add up to a split's totals."""


@dataclass(frozen=True)
class Split:
    """One split: its shards in order."""

    shards: tuple[Shard, ...]

    @property
    def totals(self) -> dict[str, int]:
        """Sums over the shards, and `shards`, how many."""
        sums = {name: sum(getattr(shard, name) for shard in self.shards) for name in COUNTS}
        return {"shards": len(self.shards), **sums}


@dataclass(frozen=True)
class Manifest:
    """A dataset directory: its codec, its layout, its splits.

    Attributes:
      equalinfo_version: version that wrote it.
      method: compression method.
      lossless: True where the tokens restore the text exactly.
      vocab_size: ids run from 0 to this, exclusive.
      token_bits: N.
      pad_id: never in the data; what a batch is filled with.
      eos_id: what ends a sequence for SeqIO.
      codec: the content of codec/codec.json: method, options, sha256 of each asset.
      sequence_length: L, most tokens in a record.
      example_bytes: most symbols (bytes and EOS) in an example.
      documents_per_sequence: documents joined before examples are cut.
      trim: "none" keeps every token; "paper" the first L of each example [paper 3.1].
      splits: by name.
    """

    equalinfo_version: str
    method: str
    lossless: bool
    vocab_size: int
    token_bits: int
    pad_id: int
    eos_id: int
    codec: Mapping[str, Any]
    sequence_length: int
    example_bytes: int
    documents_per_sequence: int
    trim: str
    splits: Mapping[str, Split]

    def split(self, name: str) -> Split:
        """The split `name`, or a ManifestError that lists those there are."""
        if name not in self.splits:
            raise ManifestError(f"no split {name!r} in this dataset; it has {sorted(self.splits)}.")
        return self.splits[name]

    def made_alike(self, other: "Manifest") -> str | None:
        """None where both were made the same way (splits apart), else the name of what differs."""
        for field in fields(self):
            if field.name != "splits" and getattr(self, field.name) != getattr(other, field.name):
                return field.name
        return None

    def to_json(self) -> str:
        """The content of manifest.json."""
        content: dict[str, Any] = {"format_version": FORMAT_VERSION}
        for field in fields(self):
            if field.name != "splits":
                content[field.name] = getattr(self, field.name)
        content["splits"] = {
            name: {"shards": [asdict(shard) for shard in split.shards], "totals": split.totals}
            for name, split in sorted(self.splits.items())
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> "Manifest":
        """The manifest of a dataset directory.

        Raises:
          ManifestError: there is none, or it is damaged or of another format version.
        """
        path = storage.join(os.fspath(directory), MANIFEST_FILE)
        try:
            text = storage.read_text(path)
        except UnicodeDecodeError as error:
            raise ManifestError(f"{path} is damaged: {error}.") from error
        except FileNotFoundError as error:
            raise ManifestError(
                f"{path} does not exist: the directory is no dataset, or the job that wrote it did "
                "not finish. Run `python -m pipelines.compress` (again)."
            ) from error
        return cls.from_json(text, path)

    @classmethod
    def from_json(cls, text: str, place: str) -> "Manifest":
        """Undo `to_json`; `place` names the file in errors.

        Raises:
          ManifestError: as `load`.
        """
        try:
            content = json.loads(text)
        except ValueError as error:
            raise ManifestError(f"{place} is not JSON: {error}.") from error
        if not isinstance(content, dict):
            raise ManifestError(f"{place} is a JSON {type(content).__name__}, expected an object.")
        version = content.pop("format_version", None)
        if version != FORMAT_VERSION:
            raise ManifestError(
                f"{place} has format_version {version!r}, this version of equalinfo reads "
                f"{FORMAT_VERSION}. Compress again, or use the version that wrote it "
                f"({content.get('equalinfo_version', 'unknown')})."
            )
        splits = content.get("splits")
        if not isinstance(splits, dict):
            raise ManifestError(f"{place} has no splits.")
        read = {name: _split(split, f"{place}: split {name!r}") for name, split in splits.items()}
        return cls(**_exactly(cls, {**content, "splits": read}, place))


def _split(content: Any, place: str) -> Split:
    try:
        shards = content["shards"]
        totals = content["totals"]
    except (KeyError, TypeError) as error:
        raise ManifestError(f"{place} lacks {error}.") from error
    if not isinstance(shards, list) or not isinstance(totals, dict):
        raise ManifestError(f"{place}: its shards are no list, or its totals no object.")
    split = Split(
        tuple(
            Shard(**_exactly(Shard, shard, f"{place}: shard {index}"))
            for index, shard in enumerate(shards)
        )
    )
    if split.totals != totals:
        wrong = [key for key in split.totals if totals.get(key) != split.totals[key]]
        name = wrong[0] if wrong else "shards"
        raise ManifestError(
            f"{place}: totals say {name}={totals.get(name)}, its shards add up to "
            f"{split.totals[name]}. The manifest was edited or damaged."
        )
    return split


def _exactly(cls: type, content: Any, place: str) -> dict[str, Any]:
    """`content` where it has the fields of `cls`, of their types, and no others."""
    if not isinstance(content, dict):
        raise ManifestError(f"{place} is not an object.")
    expected = {field.name: field.type for field in fields(cls)}
    missing = sorted(expected.keys() - content.keys())
    unknown = sorted(content.keys() - expected.keys())
    if missing or unknown:
        raise ManifestError(f"{place} lacks {missing} and has unknown {unknown}.")
    for name, kind in expected.items():
        if kind in (int, str, bool) and type(content[name]) is not kind:
            raise ManifestError(f"{place}: {name}={content[name]!r} is not of type {kind}.")
    return content
