"""The source text of one shard, read again from its input file and asked for place by place."""

import json
from collections.abc import Iterator
from typing import BinaryIO

from equalinfo.data import storage
from equalinfo.data.text import DamagedInputError, InputFile
from pipelines import readers
from pipelines.verification.example import EOS_BYTE
from pipelines.verification.report import Findings

_LOAD_BYTES = 1 << 20


class SourceText:
    """The documents of an input in order, each with EOS_BYTE behind it.

    Only what lies ahead can be asked for. Memory is bounded by what is asked for at once and by the
    longest document. What was rejected is compared on the way.

    Attributes:
      documents: documents read so far.
      bytes: of them.
    """

    def __init__(
        self,
        file: InputFile,
        documents_per_sequence: int,
        rejects: Iterator[tuple[str, str]],
        findings: Findings,
    ) -> None:
        """Open the input.

        Args:
          file: the input.
          documents_per_sequence: of the dataset.
          rejects: (place, reason) of what was rejected when the shard was made.
          findings: takes the differences.
        """
        self.documents = self.bytes = 0
        self._file = file
        self._documents_per_sequence = documents_per_sequence
        self._stored_rejects = rejects
        self._findings = findings
        self._texts = self._read()
        self._buffer = b""
        self._start = 0  # of the buffer, among all symbols of the input
        self._needed = 0  # among all symbols: nobody asks for what is before
        self._sequences: dict[int, int] = {}
        """Where a sequence starts among all symbols, by its first document."""

    def text(self, first: int, offset: int, size: int) -> bytes | None:
        """`size` bytes of a sequence; fewer where the input ends, None for what was passed.

        Args:
          first: the sequence's first document.
          offset: in the sequence, EOS_BYTEs counted.
          size: EOS_BYTEs counted.
        """
        if first % self._documents_per_sequence:
            return None
        while first not in self._sequences:
            self._needed = self._end
            if not self._load():
                return b""
        begin = self._sequences[first] + offset
        if begin < self._needed:
            return None
        self._needed = begin
        while self._end < begin + size and self._load():
            pass
        return self._buffer[begin - self._start : begin - self._start + size]

    def finish(self, documents: int, size: int, rejected: int, damaged: int) -> None:
        """Read to the end, and compare with what the manifest counts."""
        self._needed = self._end
        while self._load():
            self._needed = self._end
        if (self.documents, self.bytes) != (documents, size):
            self._findings.add(
                f"the input {self._file.name} has {self.documents} documents of {self.bytes} "
                f"bytes, the manifest says {documents} of {size}"
            )
        left = sum(1 for _ in self._stored_rejects)
        if left:
            self._findings.add(
                f"{left} lines of the rejects file, of {rejected + damaged}, are of nothing that "
                f"is rejected in {self._file.name}"
            )

    @property
    def _end(self) -> int:
        """Of the buffer, among all symbols."""
        return self._start + len(self._buffer)

    def _load(self) -> bool:
        """Add documents to the buffer, and drop what is not needed; False at the end."""
        loaded = []
        size = 0
        for text in self._texts:
            if self.documents % self._documents_per_sequence == 0:
                self._sequences[self.documents] = self._end + size
            self.documents += 1
            self.bytes += len(text)
            loaded.append(text)
            size += len(text) + 1
            # A sequence begins a load, so that it is never dropped before it is found.
            if size >= _LOAD_BYTES or self.documents % self._documents_per_sequence == 0:
                break
        if not loaded:
            return False
        drop = min(self._needed - self._start, len(self._buffer))
        self._start += drop
        self._buffer = EOS_BYTE.join([self._buffer[drop:] + loaded[0], *loaded[1:], b""])
        return True

    def _read(self) -> Iterator[bytes]:
        try:
            for item in readers.read(self._file):
                if isinstance(item, bytes):
                    yield item
                else:
                    self._compare_reject(item.place, item.reason)
        except DamagedInputError as error:
            self._compare_reject(self._file.name, str(error))
        except OSError as error:
            if not storage.is_local(self._file.path):
                raise  # the runner tries again
            self._findings.add(f"the input {self._file.path} cannot be read: {error}")

    def _compare_reject(self, place: str, reason: str) -> None:
        # Not the reason: other versions of the libraries say it in other words.
        stored = next(self._stored_rejects, None)
        if stored is None:
            self._findings.add(f"{place} is rejected ({reason}), the rejects file does not say so")
        elif stored[0] != place:
            self._findings.add(
                f"{place} is rejected ({reason}), the rejects file has {stored[0]} in its place"
            )


def stored_rejects(path: str, start: int, end: int) -> Iterator[tuple[str, str]]:
    """(place, reason) of the lines of a rejects file between two of its bytes.

    They were looked at when the range was found, so damage is not expected here.
    """
    if start == end:
        return
    with storage.open_read(path) as file:
        file.seek(start)
        yield from (line for line, _ in read_rejects(file, end - start))


def read_rejects(file: BinaryIO, size: int) -> Iterator[tuple[tuple[str, str], int]]:
    """((place, reason), bytes of the line) of each line in the next `size` bytes.

    Raises:
      ValueError: a line is not what `pipelines.compress` writes.
    """
    while size > 0 and (line := file.readline(size)):
        size -= len(line)
        content = json.loads(line)
        if not line.endswith(b"\n") or not isinstance(content, dict):
            raise ValueError("it is not a JSON object in a line")
        if content.keys() != {"place", "reason"} or not all(
            isinstance(value, str) for value in content.values()
        ):
            raise ValueError(f"it has {sorted(content)}, expected place and reason, both text")
        yield (content["place"], content["reason"]), len(line)
