"""Whether the examples of a shard follow one another without hole, as their sources say."""

from dataclasses import dataclass

from equalinfo.manifest import Manifest
from pipelines.verification.report import Findings

LONGEST_CHARACTER = 4
"""Bytes of UTF-8."""


@dataclass(frozen=True)
class Place:
    """Where an example comes from: its `source`, taken apart.

    Attributes:
      name: of the input.
      first: the sequence's first document.
      offset: the example's first symbol in the sequence.
    """

    name: str
    first: int
    offset: int

    @classmethod
    def parse(cls, source: str) -> "Place | None":
        """The place that a `source` names; None where it has another form."""
        name, *numbers = source.rsplit(":", 2)
        if len(numbers) != 2:
            return None
        if not all(text.isascii() and text.isdecimal() for text in numbers):
            return None
        first, offset = map(int, numbers)
        return cls(name, first, offset) if f"{name}:{first}:{offset}" == source else None


class Order:
    """Follows the examples of one shard."""

    def __init__(self, head: Manifest, name: str, findings: Findings) -> None:
        """Begin a shard.

        Args:
          head: says how documents were joined and cut.
          name: of the input.
          findings: takes the differences.
        """
        self._per_sequence = head.documents_per_sequence
        self._trimmed = head.trim != "none"
        self._most_tokens = head.sequence_length
        self._most_symbols = head.example_bytes
        self._name = name
        self._findings = findings
        self._last: Place | None = None
        self._symbols = 0  # of the last example, so far as they are known
        self._whole = True  # they are all of it
        self._documents = 0  # of its sequence

    def follow(self, where: str, place: Place, tokens: int, symbols: int, documents: int) -> None:
        """Take the next example.

        Args:
          where: the record, for differences.
          place: where the example says it comes from.
          tokens: in the dataset.
          symbols: that these cover.
          documents: that end in these.
        """
        if place.name != self._name:
            self._findings.add(
                f"{where}: it says it is of the input {place.name!r}, the manifest says "
                f"{self._name!r}"
            )
        at = (place.first, place.offset)
        if not self._follows(at):
            expected = "{}:{}".format(*self._next) if self._next else "the next example"
            self._findings.add(
                f"{where}: expected {expected} here. Records are missing, doubled or out of order"
            )
        same = self._last is not None and place.first == self._last.first and place.offset > 0
        self._documents = documents + (self._documents if same else 0)
        self._last, self._symbols = place, symbols
        self._whole = not self._trimmed or tokens < self._most_tokens
        if self._documents > self._per_sequence:
            self._findings.add(
                f"{where}: {self._documents} documents end in its sequence, the manifest says at "
                f"most {self._per_sequence}"
            )

    def finish(self, documents: int) -> None:
        """See that the last example belongs to the last of the input's documents."""
        if self._last is None:
            return
        first = self._last.first
        if not first < documents <= first + self._per_sequence:
            self._findings.add(
                f"its last sequence starts at document {first} and has {self._per_sequence} at "
                f"most, but the manifest counts {documents}"
            )

    @property
    def _next(self) -> tuple[int, int] | None:
        """Where the next example starts; None where trimming hides it."""
        if self._last is None:
            return 0, 0
        if self._trimmed:
            return None
        if self._documents >= self._per_sequence:
            return self._last.first + self._per_sequence, 0
        return self._last.first, self._last.offset + self._symbols

    def _follows(self, at: tuple[int, int]) -> bool:
        if self._last is None or not self._trimmed:
            return at == self._next
        first, offset = at
        if offset == 0:
            return first == self._last.first + self._per_sequence
        step = offset - self._last.offset
        full = self._most_symbols - LONGEST_CHARACTER < step <= self._most_symbols
        covered = step == self._symbols if self._whole else step >= self._symbols
        return first == self._last.first and full and covered
