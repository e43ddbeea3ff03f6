"""Documents to examples, and examples to batches, lazily: decided by the input alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from equalinfo import alphabet
from equalinfo.alphabet import Symbols

_CUT_AFTER_EXAMPLES = 64


@dataclass(frozen=True)
class Example:
    """What one coder run compresses: uint16[<= example_bytes] symbols, and where they come from."""

    source: str
    symbols: Symbols


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


def batches(
    examples: Iterable[Example], most_examples: int, most_symbols: int
) -> Iterator[list[Example]]:
    """Group examples, in order, up to `most_examples` and (unless one is larger) `most_symbols`."""
    batch: list[Example] = []
    symbols = 0
    for example in examples:
        if batch and (len(batch) == most_examples or symbols + len(example.symbols) > most_symbols):
            yield batch
            batch, symbols = [], 0
        batch.append(example)
        symbols += len(example.symbols)
    if batch:
        yield batch
