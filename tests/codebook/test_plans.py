"""Best first must take the likeliest texts, whatever the order in which M1 is asked."""

import heapq
import math
from fractions import Fraction

import numpy as np
import pytest

from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook import Codebook
from equalinfo.codebook.plans import BestFirst, information_of, root_weight
from equalinfo.m1.static import StaticModel
from tests.models import HashModel


def _likeliest(model, num_codes):
    """The symbols, then always the heaviest extension of what is there, ties to the lower text."""
    precision = model.precision
    taken = [(symbol,) for symbol in range(NUM_SYMBOLS)]
    heap: list[tuple[int, tuple[int, ...]]] = []

    def push_children(text, weight):
        frequencies = model.next_frequencies(list(text))
        for symbol in range(NUM_SYMBOLS):
            child = weight * int(frequencies[symbol]) >> precision
            heapq.heappush(heap, (-child, (*text, symbol)))

    for (symbol,) in tuple(taken):
        push_children((symbol,), root_weight(precision) * int(model.root()[symbol]) >> precision)
    while len(taken) < num_codes:
        negative_weight, text = heapq.heappop(heap)
        taken.append(text)
        push_children(text, -negative_weight)
    return sorted(taken)


@pytest.mark.parametrize("num_codes", [257, 258, 300, 1000])
@pytest.mark.parametrize("peak", [1, 15])
def test_the_likeliest_texts_in_lexicographic_order(num_codes, peak):
    model = HashModel(order=1, precision=14, peak=peak)
    book = Codebook.compile(model, num_codes, progress=False)
    texts = [tuple(book.text(code).tolist()) for code in range(num_codes)]
    assert texts == _likeliest(model, num_codes)


def test_ties_go_to_the_lower_text():
    counts = np.ones(NUM_SYMBOLS, np.int64)
    model = StaticModel.from_counts(counts, 16)  # 65,536 = 257 * 255 + 1: one symbol is likelier
    book = Codebook.compile(model, NUM_SYMBOLS + 600, progress=False)
    pairs = sorted(tuple(book.text(c).tolist()) for c in range(book.num_codes))
    pairs = [text for text in pairs if len(text) == 2]
    assert len(pairs) == 600
    likelier = int(np.argmax(model.root()))
    ordinary = [pair for pair in pairs if likelier not in pair]
    every = [(a, b) for a in range(257) for b in range(257) if likelier not in (a, b)]
    assert ordinary == every[: len(ordinary)]


def test_more_codes_than_texts_of_any_probability():
    plan = BestFirst(NUM_SYMBOLS + 3, 16)
    with pytest.raises(ValueError, match=r"only 259 texts a probability of 2\^-47.*Use fewer"):
        plan.chosen(np.ones(NUM_SYMBOLS + 2, np.uint64), np.arange(NUM_SYMBOLS + 2))


def test_information_is_that_of_the_model():
    model = HashModel(order=2, precision=16, peak=14)
    for plan in ("best_first", "interval"):
        book = Codebook.compile(model, 2048, plan=plan, progress=False)
        for code in range(0, book.num_codes, 37):
            text, bits = book.text(code).tolist(), 0.0
            for place, symbol in enumerate(text):
                before = text[:place]
                frequencies = model.next_frequencies(before) if before else model.root()
                bits -= math.log2(int(frequencies[symbol]) / 2**16)
            assert abs(book.information[code] / 256 - bits) <= 1 / 256 + 1e-6 * len(text)


def test_information_in_integers_is_the_logarithm():
    root = root_weight(16)
    weights = np.array([root, root // 2, root // 3, 12345678, 1, 0], np.uint64)
    bits = information_of(weights, 16)
    for weight, found in zip(weights[:-1].tolist(), bits[:-1].tolist(), strict=True):
        exact = -math.log2(Fraction(weight, root))
        assert 0 <= found / 256 - exact < 1 / 256 + 1e-6
    assert bits[-1] == 65535
