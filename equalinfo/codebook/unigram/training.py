"""Plan `unigram`: the texts with which a corpus is spelled in the fewest bits.

There is no pre-tokenizer: texts may run over words. In turn,

- candidates (`candidates`): pieces of words, words, and runs of words, as they occur in the text;
- costs: -log2 of each text's share of the tokens in the cheapest spelling of the corpus, which
  changes with the costs, so that is done again and again (hard EM);
- pruning: those go without which the corpus would cost least more [Kudo 2018, Subword
  Regularization, 3.2], some at a time;
- growing: texts that often follow each other join, where the joint text ends with a word. It may
  begin inside one (`s of the`), which no candidate did.

All that decides is integer, and ties are decided by text, so the result depends on the documents
and the options only.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from equalinfo.alphabet import EOS
from equalinfo.codebook import costs
from equalinfo.codebook.book import Codebook
from equalinfo.codebook.file import CodebookInfo
from equalinfo.codebook.limits import FEWEST, UNIGRAM, check_num_codes
from equalinfo.codebook.unigram import candidates
from equalinfo.codebook.unigram.corpus import Corpus, Integers, read
from equalinfo.codebook.unigram.lattice import Lattice

MAX_LENGTH, MAX_PIECE = 24, 20
"""Bytes of a text, and of a piece of a word among the candidates, at most."""
MAX_TOKEN_COST = 64
"""Bits."""
MAX_BYTES = 1 << 29

_MIN_DOCUMENTS, _DOCUMENTS_SHARE = 5, 1 << 12
"""A text must occur in so many documents, and in one of so many: what fewer repeat is their
boilerplate. And twice as often in all."""

_PIECES, _WORDS, _RUNS = 3, 3, 8  # candidates for each code: pieces of words, words, runs of words
_WIDE = 2  # texts for each code with which growing begins
_GROWTH = (100, 25)  # percent of V that each round of growing adds, to be pruned again
_SAMPLE_BYTES = 1 << 26  # of the corpus, for all but the candidates and the last costs
_KEPT = 65  # percent that a round of pruning leaves
_FAR = 1 << 62


def train_on_documents(
    documents: Iterable[bytes],
    sizes: Sequence[int],
    *,
    max_words: int = 8,
    token_cost: float = 12.0,
    max_bytes: int = MAX_BYTES,
    threads: int = 1,
    progress: bool = True,
) -> list[Codebook]:
    """Train codebooks of several sizes at once, each pruned from the next larger.

    A corpus that is too small for a size gives fewer codes, and a warning.

    Args:
      documents: any bytes; read once.
      sizes: V of each codebook, in any order.
      max_words: most words of a text; 1: texts within words.
      token_cost: bits that each token costs beside its own, in training and in the parse.
      max_bytes: of longer corpora a sample of documents is taken.
      threads: the result does not depend on it.
      progress: draw bars.

    Returns:
      the codebooks, in the order of `sizes`.

    Raises:
      ValueError: a size, limit or number out of range, or no document.
    """
    if not sizes:
        raise ValueError("sizes is empty: name at least one number of codes.")
    for size in sizes:
        check_num_codes(UNIGRAM, size)
    for name, value in (("max_words", max_words), ("threads", threads)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1.")
    if not 0 <= token_cost <= MAX_TOKEN_COST:
        raise ValueError(f"token_cost={token_cost} bits is not within 0..{MAX_TOKEN_COST}.")
    corpus = read(documents, max_bytes, progress)
    if corpus.num_read == 0:
        raise ValueError("no document to train on.")
    if corpus.is_sample:
        warnings.warn(
            f"of {corpus.num_bytes_read:,} bytes a sample of {len(corpus.text):,} is taken, by "
            f"document. Raise max_bytes={max_bytes:,} to train on more, in eight times as much "
            "memory.",
            stacklevel=2,
        )
    distinct = sorted(set(sizes), reverse=True)
    units = round(token_cost * costs.SCALE)
    books = _train(corpus, distinct, max_words, units, threads, progress)
    found = dict(zip(distinct, books, strict=True))
    for size, book in found.items():
        if book.num_codes < size:
            warnings.warn(
                f"{len(corpus.text):,} bytes of text support {book.num_codes} codes, fewer than "
                f"num_codes={size}: few other texts occur in enough documents. Train on more text, "
                "or ask for fewer codes.",
                stacklevel=2,
            )
    return [found[size] for size in sizes]


def _train(
    corpus: Corpus,
    sizes: Sequence[int],
    max_words: int,
    token_cost: int,
    threads: int,
    progress: bool,
) -> Iterator[Codebook]:
    """Yield codebooks of descending sizes."""
    most = sizes[0]
    min_documents = _min_documents(corpus)
    words = candidates.find_words(corpus)
    with tqdm(desc="candidates", total=max_words, unit="words", disable=not progress) as bar:
        pieces = candidates.find_pieces(corpus, words.found, MAX_PIECE, 2 * min_documents)
        bar.update(1)
        runs = candidates.find_runs(
            words, max_words, MAX_LENGTH, 2 * min_documents, min_documents, threads, bar.update
        )
    # Words by themselves: pieces of frequent words cover more bytes, and would push them out.
    whole = words.found.keep(
        (words.found.lengths <= MAX_LENGTH)
        & (words.found.counts >= 2 * min_documents)
        & (words.found.documents >= min_documents)
    )
    del words
    chosen = [
        found.keep(_largest(found.counts * (2 * found.lengths - 1), number * most))
        for found, number in ((pieces, _PIECES), (whole, _WORDS), (runs, _RUNS))
    ]
    singles = {bytes([byte]) for byte in range(256)}
    texts = sorted(singles.union(*(found.texts(corpus) for found in chosen)))
    del pieces, whole, runs, chosen
    sample = corpus.sample(_SAMPLE_BYTES)
    model = _Model(texts, token_cost, threads, progress)

    def prune(num_codes: int) -> None:
        """Leave `num_codes` texts, and of those none that too few documents use at first."""
        first = True
        while first or model.num_codes > num_codes:
            model.estimate(sample)
            model.prune(max(num_codes, model.num_codes * _KEPT // 100), _min_documents(sample))
            first = False

    prune(_WIDE * most)
    if max_words > 1:
        borders = candidates.find_words(sample).borders()
        for percent in _GROWTH:
            model.estimate(sample)
            model.grow(sample, borders, most * percent // 100, _min_documents(sample), max_words)
            prune(most)
    for size in sizes:
        if model.num_codes > size:
            prune(size)
        model.estimate(sample)
        model.estimate(corpus)
        yield model.result(max_words)


def _min_documents(corpus: Corpus) -> int:
    return max(_MIN_DOCUMENTS, corpus.num_documents // _DOCUMENTS_SHARE)


def _largest(values: Integers, most: int) -> npt.NDArray[np.bool_]:
    """Which are the `most` largest positive ones, or as large as the least of those."""
    if len(values) <= most:
        return values > 0
    return (values > 0) & (values >= np.partition(values, len(values) - most)[len(values) - most])


class _Model:
    """A set of texts, their costs, and how a corpus uses them.

    Args:
      texts: in lexicographic order, all single bytes among them; EOS is a text beside.
      token_cost: 1/256 bit.
      threads: to parse with.
      progress: draw bars.
    """

    def __init__(self, texts: list[bytes], token_cost: int, threads: int, progress: bool) -> None:
        self._token_cost, self._threads, self._progress = token_cost, threads, progress
        # All alike at first: the fewest tokens.
        self._set(texts, np.full(len(texts), token_cost + 16 * costs.SCALE, np.int64))

    def _set(self, texts: list[bytes], text_costs: Integers) -> None:
        self._texts, self._costs = texts, text_costs
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self._offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        self._lattice = Lattice(np.frombuffer(b"".join(texts), np.uint8), self._offsets)
        self._lattice.set_costs(text_costs)

    @property
    def num_codes(self) -> int:
        """Texts, EOS among them."""
        return len(self._texts) + 1

    def estimate(self, corpus: Corpus) -> None:
        """Spell a corpus, and take costs from what was used."""
        with self._bar("spell", corpus) as bar:
            self._usage = self._lattice.parse(corpus, self._threads, bar.update)
        self._corpus = corpus
        self._counts = np.append(self._usage.counts, corpus.num_documents)
        self._information = costs.information(self._counts)
        self._costs = self._information[:-1] + self._token_cost
        self._lattice.set_costs(self._costs)

    def _bar(self, what: str, corpus: Corpus) -> tqdm:
        return tqdm(
            desc=f"{what}, {self.num_codes:,} texts",
            total=len(corpus.text),
            unit="B",
            unit_scale=True,
            disable=not self._progress,
        )

    def prune(self, num_codes: int, min_documents: int) -> None:
        """Drop texts that too few documents use, then those whose loss costs least."""
        detours = self._lattice.detours(self._threads)
        losses = self._usage.counts * detours
        losses[self._usage.documents < min_documents] = -_FAR
        losses[detours < 0] = _FAR  # single bytes
        few = int(np.count_nonzero(losses == -_FAR))
        # Ascending losses; of equal ones the later text goes first.
        order = np.lexsort((-np.arange(len(losses)), losses))
        kept = np.sort(order[max(self.num_codes - num_codes, few) :])
        self._set([self._texts[text] for text in kept.tolist()], self._costs[kept])

    def grow(
        self,
        corpus: Corpus,
        borders: npt.NDArray[np.bool_],
        most: int,
        min_documents: int,
        max_words: int,
    ) -> None:
        """Add the pairs of texts that would save most bits.

        Args:
          corpus: where they follow each other; that of the last estimate.
          borders: bool[n + 1], where its words begin or end.
          most: how many.
          min_documents: that a pair must occur in.
          max_words: that a pair may have, or have pieces of.
        """
        with self._bar("grow", corpus) as bar:
            tokens, first = self._lattice.tokens(corpus, self._threads, bar.update)
        lengths = np.diff(self._offsets)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[tokens])])
        uses = candidates.Found(starts[:0], lengths, self._usage.counts, self._usage.documents)
        found = candidates.find_runs(
            candidates.Words(starts, tokens, first, uses),
            2, MAX_LENGTH, 2 * min_documents, min_documents, self._threads, lambda size: None,
        )  # fmt: skip
        found = found.keep(
            borders[found.places + found.lengths]
            & (candidates.num_words(borders, found.places, found.lengths) <= max_words)
        )
        pair = np.searchsorted(starts, found.places)
        now = self._costs[tokens[pair]] + self._costs[tokens[pair + 1]]
        then = costs.bits(found.counts, int(self._counts.sum())) + self._token_cost
        chosen = _largest(found.counts * (now - then), most)
        cost_of = dict(zip(found.keep(chosen).texts(corpus), then[chosen].tolist(), strict=True))
        cost_of |= zip(self._texts, self._costs.tolist(), strict=True)
        texts = sorted(cost_of)
        self._set(texts, np.array([cost_of[text] for text in texts], np.int64))

    def result(self, max_words: int) -> Codebook:
        """The set as it is."""
        symbols = np.frombuffer(b"".join(self._texts), np.uint8).astype(np.uint16)
        made_of = {
            "max_words": max_words,
            "num_bytes": len(self._corpus.text),
            "num_documents": self._corpus.num_documents,
        }
        return Codebook(
            CodebookInfo(UNIGRAM, self.num_codes, FEWEST, self._token_cost, made_of),
            np.append(symbols, np.uint16(EOS)),
            np.append(self._offsets, self._offsets[-1] + 1),
            np.minimum(self._information, 65535).astype(np.uint16),
        )
