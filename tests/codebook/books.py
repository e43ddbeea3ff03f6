"""Codebooks of any texts, and all ways to spell a text with them."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.codebook import Codebook
from equalinfo.codebook.file import CodebookInfo
from equalinfo.codebook.limits import FEWEST, UNIGRAM
from equalinfo.codebook.trie import Offsets, Texts

Text = tuple[int, ...]


def tables(texts: Iterable[Text]) -> tuple[Texts, Offsets]:
    """Texts and offsets as a codebook has them, in the order given."""
    texts = list(texts)
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return np.array([symbol for text in texts for symbol in text], np.uint16), offsets


def codebook_of(
    texts: Iterable[Text | bytes],
    *,
    information: Mapping[Text | bytes, int] | int = 0,
    token_cost: int = 0,
    parse: str = FEWEST,
) -> Codebook:
    """The symbols and these texts.

    Args:
      texts: of two symbols and more.
      information: of each text in 1/256 bit, those not named 0; or of every one.
      token_cost: see `CodebookInfo`.
      parse: see `CodebookInfo`.
    """
    wanted = sorted({*((symbol,) for symbol in range(NUM_SYMBOLS)), *map(tuple, texts)})
    bits = np.full(len(wanted), information if isinstance(information, int) else 0, np.uint16)
    if not isinstance(information, int):
        named = {tuple(text): value for text, value in information.items()}
        bits[:] = [named.get(text, 0) for text in wanted]
    return Codebook(CodebookInfo(UNIGRAM, len(wanted), parse, token_cost), *tables(wanted), bits)


def random_codebook(seed: int, *, number: int = 400, longest: int = 9) -> Codebook:
    """Random texts over few symbols, EOS among them; few of their prefixes are texts."""
    rng = np.random.default_rng(seed)
    alphabet = np.array([97, 98, 99, 0, 255, 256])[: int(rng.integers(2, 7))]
    texts = {
        tuple(rng.choice(alphabet, int(rng.integers(2, longest + 1))).tolist())
        for _ in range(number)
    }
    information: dict[tuple[int, ...] | bytes, int] = {
        text: int(rng.integers(1, 4000)) for text in sorted(texts)
    }
    information |= {(symbol,): int(rng.integers(1, 4000)) for symbol in range(NUM_SYMBOLS)}
    return codebook_of(texts, information=information, token_cost=int(rng.integers(0, 1000)))


def glued(book: Codebook, size: int, seed: int, noise: float = 0.05) -> Symbols:
    """Texts of the codebook that are no symbols, one after the other, and random symbols."""
    rng = np.random.default_rng(seed)
    longer = np.flatnonzero(book.symbol_lengths > 1)
    text = book.decode(rng.choice(longer, size))[:size].copy()
    places = rng.random(len(text)) < noise
    text[places] = rng.integers(NUM_SYMBOLS, size=int(places.sum()))
    return text


def code_of(book: Codebook) -> dict[Text, int]:
    """Code of each text."""
    return {tuple(book.text(code).tolist()): code for code in range(book.num_codes)}


def spellings(codes: Mapping[Text, int], text: Text) -> Iterator[list[Text]]:
    """All ways to spell a text."""
    if not text:
        yield []
    for size in range(1, len(text) + 1):
        if text[:size] in codes:
            for rest in spellings(codes, text[size:]):
                yield [text[:size], *rest]
