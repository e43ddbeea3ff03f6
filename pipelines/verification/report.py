"""What verification found, shard by shard, and how it is said."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Findings:
    """Differences: all are counted, the first are kept.

    Attributes:
      limit: how many to keep.
      shown: those kept.
      total: how many there are.
    """

    limit: int
    shown: list[str] = field(default_factory=list)
    total: int = 0

    def add(self, difference: str) -> None:
        """Count a difference."""
        self.total += 1
        if len(self.shown) < self.limit:
            self.shown.append(difference)


@dataclass(frozen=True)
class ShardResult:
    """What became of one shard. Counts are of what was found, not of what the manifest says.

    Attributes:
      split: it belongs to.
      file: its name.
      differences: the first of them.
      num_differences: how many there are.
      documents: that end in its records.
      bytes: its records cover.
      records: in it.
      restored_bytes: of `bytes`, decoded and found right.
      missing_bytes: left out by trim=paper.
      unrestored_records: that the method cannot decode to the text they were made of.
      agreeing_records: of these, decoded to that text all the same.
      encoded_records: of these, with the tokens that the source text gives when encoded again.
      compared: True where the source text was read again.
    """

    split: str
    file: str
    differences: tuple[str, ...]
    num_differences: int
    documents: int
    bytes: int
    records: int
    restored_bytes: int
    missing_bytes: int
    unrestored_records: int
    agreeing_records: int
    encoded_records: int
    compared: bool


@dataclass(frozen=True)
class Report:
    """The result of a run.

    Attributes:
      directory: of the dataset.
      differences: the first of those that belong to no single shard.
      num_differences: how many there are.
      shards: in order.
      window_errors: what the manifest tells of them; None where nobody looked.
    """

    directory: str
    differences: tuple[str, ...]
    num_differences: int
    shards: tuple[ShardResult, ...]
    window_errors: str | None

    @property
    def total(self) -> int:
        """All differences."""
        return self.num_differences + sum(shard.num_differences for shard in self.shards)

    def lines(self) -> list[str]:
        """For people: the differences, then what was verified."""
        lines = _lines(self.directory, self.differences, self.num_differences)
        for shard in self.shards:
            lines += _lines(shard.file, shard.differences, shard.num_differences)
        return [*lines, *self._summary()]

    def _summary(self) -> list[str]:
        if self.total:
            wrong = sum(1 for shard in self.shards if shard.num_differences)
            return [
                f"{self.directory}: {self.total:,} differences; {wrong:,} of "
                f"{len(self.shards):,} shards are not what they should be"
            ]
        against = "the source text"
        if not all(shard.compared for shard in self.shards):
            against = "the stored checksums"
        shards = f"{len(self.shards):,} shards, {_sum(self.shards, 'documents'):,} documents"
        size, restored = _sum(self.shards, "bytes"), _sum(self.shards, "restored_bytes")
        records, failed = _sum(self.shards, "records"), _sum(self.shards, "unrestored_records")
        if not failed:
            lines = [f"{self.directory}: {shards}, {restored:,} bytes verified against {against}"]
        else:
            agreeing = _sum(self.shards, "agreeing_records")
            lines = [
                f"{self.directory}: {shards}, {size:,} bytes; {restored:,} bytes verified against "
                f"{against}",
                f"NOT RESTORABLE: {failed:,} of {records:,} records cannot be decoded to their "
                f"text by this method or trim; {agreeing:,} of these could all the same. "
                f"{self._known_errors()}",
            ]
            if against == "the source text":
                encoded = _sum(self.shards, "encoded_records")
                lines.append(
                    "Their places and checksums are those of the source text; encoded again, it "
                    f"gives the tokens of {encoded:,} of them."
                )
        if missing := _sum(self.shards, "missing_bytes"):
            lines.append(f"{missing:,} bytes more are not in the dataset: trim=paper left them out")
        return lines

    def _known_errors(self) -> str:
        if self.window_errors is None:
            return "Window errors are not known: compress with --verify to count them."
        return f"Window errors, counted when it was made: {self.window_errors}."


def _lines(name: str, differences: Sequence[str], total: int) -> list[str]:
    lines = [f"{name}: {difference}" for difference in differences]
    if total > len(differences):
        lines.append(f"{name}: {total:,} differences in all, {len(differences):,} shown")
    return lines


def _sum(shards: Sequence[ShardResult], name: str) -> int:
    return sum(getattr(shard, name) for shard in shards)
