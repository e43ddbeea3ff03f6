"""Documents to examples, and examples to batches, lazily: decided by the input alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from equalinfo import alphabet

_CUT_AFTER_EXAMPLES = 64


@dataclass(frozen=True)
class Example:
    """What one coder run compresses, and where it comes from.

    Attributes:
      source: "{input}:{first document}:{offset}".
      text: its symbols as `alphabet.to_bytes` writes those of UTF-8: a byte each, FF for EOS.
    """

    source: str
    text: bytes


def cut_documents(
    documents: Iterable[bytes], name: str, documents_per_sequence: int, example_bytes: int
) -> Iterator[Example]:
    """Join documents to sequences and cut these into examples, lazily.

    Gives what `alphabet.cut(alphabet.join(documents), example_bytes)` gives for each sequence,
    without holding the sequence: all examples but the last are final as soon as a symbol follows.

    Args:
      documents: texts in file order, UTF-8.
      name: of the input.
      documents_per_sequence: the last sequence has what is left.
      example_bytes: most symbols in an example.
    """
    waiting: list[bytes] = []
    waiting_symbols = 0
    rest = b""
    first = offset = 0

    def cut_waiting(final: bool) -> Iterator[Example]:
        nonlocal waiting, waiting_symbols, rest, offset
        text = rest + alphabet.EOS_BYTE.join([*waiting, b""])
        pieces = alphabet.cut(text, example_bytes)
        waiting, waiting_symbols = [], 0
        rest = b"" if final or not pieces else pieces.pop()
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


def batches(
    examples: Iterable[Example], most_examples: int, most_symbols: int
) -> Iterator[list[Example]]:
    """Group examples, in order, up to `most_examples` and (unless one is larger) `most_symbols`."""
    batch: list[Example] = []
    symbols = 0
    for example in examples:
        if batch and (len(batch) == most_examples or symbols + len(example.text) > most_symbols):
            yield batch
            batch, symbols = [], 0
        batch.append(example)
        symbols += len(example.text)
    if batch:
        yield batch
