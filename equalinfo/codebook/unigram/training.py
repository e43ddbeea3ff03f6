"""Plan `unigram`: the texts with which a corpus is spelled in the fewest bits.

Candidates (`candidates`) get costs, -log2 of their share of the tokens, from the cheapest spelling
of the corpus, which changes with the costs, so that is done some times (hard EM); then those go
without which the corpus would cost least more, until `num_codes` are left [Kudo 2018, Subword
Regularization, 3.2]. There is no pre-tokenizer: texts may run over words.

All that decides is integer, and ties are decided by text, so the result depends on the documents
and the options only.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from equalinfo.alphabet import EOS, NUM_SYMBOLS
from equalinfo.codebook.unigram import candidates, costs, lattice
from equalinfo.codebook.unigram.corpus import Bytes, Corpus, Integers, read

MAX_LENGTH = 64
"""Bytes of the longest text."""

MAX_CODES = 1 << 20
MAX_WORDS = 8
TOKEN_COST = 12 * costs.SCALE
MAX_TOKEN_COST = 64 * costs.SCALE
MAX_BYTES = 1 << 29
MIN_DOCUMENTS, DOCUMENTS_SHARE = 5, 1 << 13
"""A text must occur in so many documents, and in such a share of them: what fewer repeat is their
boilerplate."""

PIECES, RUNS = 3, 8  # candidates: pieces of words and runs of words, per code
KEEP = 65  # percent that a round of pruning leaves
PASSES = 1
BORDERS = None
BORDER_START = BORDER_END = True
FINAL_PASSES = 3


@dataclass(frozen=True)
class Trained:
    """Texts and what they cost.

    Attributes:
      texts: uint16[T], symbols, in lexicographic order of the texts; all 257 single ones are in.
      offsets: int64[V + 1].
      information: uint16[V], -log2 of each text's share of the tokens, in 1/256 bit, rounded up.
      token_cost: 1/256 bit that each token costs more in the parse `fewest`.
      counts: int64[V], tokens of the training text.
      num_bytes: of the training text.
      num_documents: in it.
    """

    texts: npt.NDArray[np.uint16]
    offsets: Integers
    information: npt.NDArray[np.uint16]
    token_cost: int
    counts: Integers
    num_bytes: int
    num_documents: int

    @property
    def num_codes(self) -> int:
        """V."""
        return len(self.offsets) - 1

    @property
    def bytes_per_token(self) -> float:
        """On the training text, EOS counted as tokens."""
        return self.num_bytes / int(self.counts.sum())


def train(
    documents: Iterable[bytes],
    num_codes: int,
    *,
    max_words: int = MAX_WORDS,
    token_cost: int = TOKEN_COST,
    max_bytes: int = MAX_BYTES,
    threads: int = 1,
    progress: bool = True,
) -> Trained:
    """Train a set of texts; see `train_sizes`.

    Args:
      documents: any bytes; read once.
      num_codes: V.
      max_words: most words of a text; 1: texts within words.
      token_cost: 1/256 bit that each token costs beside its own bits, in training and parsing.
      max_bytes: of longer corpora a sample of documents is taken.
      threads: the result does not depend on it.
      progress: draw bars.
    """
    (trained,) = train_sizes(
        documents,
        [num_codes],
        max_words=max_words,
        token_cost=token_cost,
        max_bytes=max_bytes,
        threads=threads,
        progress=progress,
    )
    return trained


def train_sizes(
    documents: Iterable[bytes],
    sizes: Sequence[int],
    *,
    max_words: int = MAX_WORDS,
    token_cost: int = TOKEN_COST,
    max_bytes: int = MAX_BYTES,
    threads: int = 1,
    progress: bool = True,
) -> list[Trained]:
    """Train sets of several sizes at once, each pruned from the next larger.

    A corpus that is too small for a size gives fewer codes, and a warning.

    Args:
      documents: any bytes; read once.
      sizes: V of each set, in any order.
      max_words: see `train`, as the others.
      token_cost: see there.
      max_bytes: see there.
      threads: see there.
      progress: see there.

    Returns:
      the sets, in the order of `sizes`.

    Raises:
      ValueError: a size, limit or number out of range, or no document.
    """
    if not sizes or min(sizes) < NUM_SYMBOLS or max(sizes) > MAX_CODES:
        raise ValueError(f"num_codes={list(sizes)} is not within {NUM_SYMBOLS}..{MAX_CODES}.")
    if max_words < 1 or threads < 1 or not 0 <= token_cost <= MAX_TOKEN_COST:
        raise ValueError(
            f"max_words={max_words} and threads={threads} are at least 1, token_cost={token_cost} "
            f"within 0..{MAX_TOKEN_COST} (in 1/256 bit)."
        )
    corpus = read(documents, max_bytes, progress)
    if corpus.num_read == 0:
        raise ValueError("no document to train on.")
    if corpus.is_sample:
        warnings.warn(
            f"of {corpus.num_bytes_read:,} bytes a sample of {len(corpus.text):,} is taken, by "
            f"document. Raise max_bytes={max_bytes:,} to train on more; it takes about six times "
            "as much memory.",
            stacklevel=2,
        )
    distinct = sorted(set(sizes), reverse=True)
    found = dict(
        zip(
            distinct,
            train_corpus(corpus, distinct, max_words, token_cost, threads, progress),
            strict=True,
        )
    )
    return [found[size] for size in sizes]


def train_corpus(
    corpus: Corpus,
    sizes: Sequence[int],
    max_words: int,
    token_cost: int,
    threads: int,
    progress: bool,
) -> Iterator[Trained]:
    """Yield sets of descending sizes."""
    documents = len(corpus.offsets) - 1
    min_documents = max(MIN_DOCUMENTS, documents // DOCUMENTS_SHARE)
    min_count = 2 * min_documents
    texts = find_candidates(corpus, sizes[0], max_words, min_count, min_documents, threads)
    model = Model(corpus, texts, token_cost, threads, progress)
    model.estimate(1)
    model.prune(max(sizes[0], model.num_codes * KEEP // 100), min_documents)
    for size in sizes:
        while model.num_codes > size:
            model.estimate(PASSES)
            model.prune(max(size, model.num_codes * KEEP // 100), min_documents)
        model.estimate(FINAL_PASSES)
        if model.num_codes < size:
            warnings.warn(
                f"{len(corpus.text):,} bytes of text support {model.num_codes} codes, fewer than "
                f"num_codes={size}: no other text occurs in {min_documents} documents and saves "
                "bits. Train on more text, or ask for fewer codes.",
                stacklevel=3,
            )
        yield model.result()


def find_candidates(
    corpus: Corpus, num_codes: int, max_words: int, min_count: int, min_documents: int, threads: int
) -> list[bytes]:
    """Candidates in lexicographic order, all single bytes among them."""
    words = candidates.find_words(corpus, 1 << 30)
    pieces = candidates.find_pieces(corpus, words.found, 20, min_count)
    runs = candidates.find_runs(
        words, max_words, MAX_LENGTH, min_count, min_documents, threads, lambda size: None
    )
    del words
    print('pieces', len(pieces.counts), 'runs', len(runs.counts), flush=True)
    texts = {bytes([byte]) for byte in range(256)}
    for found, most in ((pieces, PIECES * num_codes), (runs, RUNS * num_codes)):
        gains = found.counts * (2 * found.lengths - 1)
        if len(gains) > most:
            limit = np.partition(gains, len(gains) - most)[len(gains) - most]
            found = found.keep(gains >= limit)
        for place, length in zip(found.places.tolist(), found.lengths.tolist(), strict=True):
            texts.add(corpus.text[place : place + length].tobytes())
    return sorted(texts)


class Model:
    """A set of texts, its costs and its use."""

    def __init__(
        self, corpus: Corpus, texts: list[bytes], token_cost: int, threads: int, progress: bool
    ) -> None:
        self._corpus, self._token_cost = corpus, token_cost
        self._threads, self._progress = threads, progress
        self._texts = texts
        self._costs = np.full(len(texts), token_cost + 16 * costs.SCALE)
        self._lattice = self._make_lattice()

    def _make_lattice(self) -> lattice.Lattice:
        self._blob = np.frombuffer(b"".join(self._texts), np.uint8)
        lengths = np.fromiter(map(len, self._texts), np.int64, len(self._texts))
        self._offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return lattice.Lattice(self._blob, self._offsets)

    @property
    def num_codes(self) -> int:
        """Texts, EOS among them."""
        return len(self._texts) + 1

    def estimate(self, passes: int) -> None:
        """Spell the corpus, and take costs from what was used."""
        for _ in range(passes):
            self._lattice.set_costs(self._costs)
            with tqdm(
                total=len(self._corpus.text), desc=f"{self.num_codes} texts", unit="B",
                unit_scale=True, disable=not self._progress,
            ) as bar:  # fmt: skip
                self._usage = self._lattice.parse(self._corpus, self._threads, bar.update)
            self._information = costs.information(
                np.append(self._usage.counts, len(self._corpus.offsets) - 1)
            )
            self._costs = self._information[:-1] + self._token_cost

    def prune(self, num_codes: int, min_documents: int) -> None:
        """Drop texts that too few documents use, then those whose loss costs least."""
        self._lattice.set_costs(self._costs)
        detours = self._lattice.detours(self._threads)
        single = detours < 0
        losses = self._usage.counts * detours
        ok = single | (self._usage.documents >= min_documents)
        losses = np.where(single, 1 << 62, np.where(ok, losses, -1 << 62))
        # Ascending losses; of equal ones the later text goes first.
        order = np.lexsort((-np.arange(len(losses)), losses))
        kept = np.ones(len(losses), np.bool_)
        kept[order[: max(len(losses) + 1 - num_codes, np.count_nonzero(~ok))]] = False
        chosen = np.flatnonzero(kept)
        self._texts = [self._texts[i] for i in chosen]
        self._costs = self._costs[chosen]
        self._lattice = self._make_lattice()

    def grow(self, most: int, min_count: int, min_documents: int, max_words: int, size: int = 2) -> int:
        """Add the runs of texts that would save most bits; return how many."""
        self._lattice.set_costs(self._costs)
        tokens, first = self._lattice.tokens(self._corpus, self._threads)
        lengths = np.diff(self._offsets)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths[tokens])])
        usage = self._usage
        found = candidates.find_runs(
            candidates.Words(starts, tokens, first, candidates.Found(usage.counts, lengths, usage.counts, usage.documents)),
            size, MAX_LENGTH, min_count, min_documents, self._threads, lambda size: None)
        if BORDERS is not None:
            ok = BORDERS[found.places] if BORDER_START else np.ones(len(found.places), np.bool_)
            if BORDER_END: ok &= BORDERS[found.places + found.lengths]
            found = found.keep(ok)
        total = costs.log2(np.array([usage.counts.sum()]))[0]
        own = (total - costs.log2(found.counts) >> 8) + self._token_cost
        at = np.searchsorted(starts, found.places)
        spent = np.zeros(len(at), np.int64)
        left = found.lengths.copy()
        while left.any():
            open_ = left > 0
            t = tokens[np.minimum(at, len(tokens) - 1)]
            spent += np.where(open_, self._costs[t], 0)
            left -= np.where(open_, lengths[t], 0)
            at += 1
        gains = found.counts * (spent - own)
        gains[gains < 0] = 0
        if len(gains) > most:
            found = found.keep(gains >= np.partition(gains, len(gains) - most)[len(gains) - most])
        new = {}
        for place, length, count in zip(found.places.tolist(), found.lengths.tolist(), found.counts.tolist(), strict=True):
            text = self._corpus.text[place : place + length].tobytes()
            if max_words < 1 << 20 and candidates.num_words(text) > max_words: continue
            new[text] = max(new.get(text, 0), count)
        for text in self._texts:
            new.pop(text, None)
        cost_of = dict(zip(self._texts, self._costs.tolist()))
        for (text, count), c in zip(new.items(), ((total - costs.log2(np.array(list(new.values())))) >> 8) + self._token_cost):
            cost_of[text] = c
        self._texts = sorted(cost_of)
        self._costs = np.array([cost_of[t] for t in self._texts], np.int64)
        self._lattice = self._make_lattice()
        return len(new)

    def result(self) -> Trained:
        """The set as it is."""
        return Trained(
            np.append(self._blob.astype(np.uint16), np.uint16(EOS)),
            np.append(self._offsets, self._offsets[-1] + 1),
            np.minimum(self._information, 65535).astype(np.uint16),
            self._token_cost,
            np.append(self._usage.counts, len(self._corpus.offsets) - 1),
            len(self._corpus.text),
            len(self._corpus.offsets) - 1,
        )
