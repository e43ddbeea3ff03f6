"""Kneser-Ney models: by hand, against a slow one, and as probabilities."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from equalinfo.evaluation import ngram
from equalinfo.evaluation.ngram import KneserNey


def probabilities(model, ids):
    return 2.0 ** -model.bits(np.array(ids))


def test_frequencies_by_hand():
    """Counts 2, 1, 1: D = 2 / (2 + 2), and its 3 types share D 3 / 4 evenly among 4 ids."""
    spread = 0.5 * 3 / 4 / 4
    expected = [1.5 / 4 + spread, 0.5 / 4 + spread, 0.5 / 4 + spread, spread]
    assert probabilities(KneserNey([0, 0, 1, 2], 4, order=1), range(4)) == pytest.approx(expected)


def test_bigrams_by_hand():
    """0 1, 1 0 twice, 0 2 once: D_2 = 1 / 5. Each token follows one other: D_1 = 1, p_1 = 1/4."""
    model = KneserNey([0, 1, 0, 1, 0, 2], 4, order=2)
    after_0 = [0.4 / 3 / 4, 1.8 / 3 + 0.4 / 3 / 4, 0.8 / 3 + 0.4 / 3 / 4, 0.4 / 3 / 4]
    assert [probabilities(model, [0, w])[1] for w in range(4)] == pytest.approx(after_0)
    assert probabilities(model, [1, 0])[1] == pytest.approx(1.8 / 2 + 0.2 / 2 / 4)
    # 2 ends the text and 3 is not in it: nothing is known about what follows.
    assert probabilities(model, [2, 0, 3, 0]) == pytest.approx([0.25, 0.25, 0.4 / 3 / 4, 0.25])


def slow(train, vocab_size, order, ids):
    """The formulas of the module, one n-gram at a time."""
    counts = [Counter() for _ in range(order + 1)]
    for n in range(1, order + 1):
        grams = {tuple(train[i : i + n + 1]) for i in range(len(train) - n)}
        counts[n] = Counter(gram[1:] for gram in grams)
        counts[n].setdefault(tuple(train[:n]), 1)
    counts[order] = Counter(tuple(train[i : i + order]) for i in range(len(train) - order + 1))
    totals, types = defaultdict(int), defaultdict(int)
    for n in range(1, order + 1):
        for gram, count in counts[n].items():
            totals[gram[:-1]] += count
            types[gram[:-1]] += 1

    def p(n, gram):
        if n == 0:
            return 1 / vocab_size
        lower, context = p(n - 1, gram[1:]), gram[:-1]
        if not totals[context]:
            return lower
        found = Counter(counts[n].values())
        discount = found[1] / (found[1] + 2 * found[2]) if found[1] else 0.5
        seen = max(counts[n][gram] - discount, 0)
        return (seen + discount * types[context] * lower) / totals[context]

    return [
        -math.log2(p(min(i + 1, order), tuple(ids[max(0, i + 1 - order) : i + 1])))
        for i in range(len(ids))
    ]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("vocab_size", [3, 12])
def test_equals_the_slow_one(order, vocab_size, monkeypatch):
    random = np.random.default_rng(order)
    train = (random.random(400) ** 2 * (vocab_size - 1)).astype(np.int32)  # the last id: never
    ids = random.integers(0, vocab_size, 90)
    model = KneserNey(train, vocab_size, order)
    expected = slow(train.tolist(), vocab_size, order, ids.tolist())
    assert model.bits(ids) == pytest.approx(expected)
    monkeypatch.setattr(ngram, "_BLOCK", 7)  # of a longer text
    assert model.bits(ids) == pytest.approx(expected)


@pytest.mark.parametrize("train", [[0], [1, 1], [0, 1, 0, 1, 0, 1], [4, 2, 0, 2, 4, 1, 2, 2]])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_probabilities_sum_to_one(train, order):
    """After contexts seen and not, also where the text is shorter than an n-gram or has no 1s."""
    model = KneserNey(train, 5, order)
    for context in ([], [1], [2, 2], [0, 1], [3, 3], [4, 2]):
        p = np.array([probabilities(model, [*context, word])[-1] for word in range(5)])
        assert p.min() > 0 and p.sum() == pytest.approx(1)


def test_refuses_what_it_cannot_count():
    with pytest.raises(ValueError, match=r"order=4 at vocab_size=65539: .* Use a lower order"):
        KneserNey([1], 65_539, 4)
    with pytest.raises(ValueError, match="no tokens"):
        KneserNey([], 5)
    with pytest.raises(ValueError, match=r"id 5 is not in 0\.\.4"):
        KneserNey([1, 5], 5)
    with pytest.raises(ValueError, match="id -1 is not"):
        KneserNey([1], 5).bits([-1])
    with pytest.raises(ValueError, match=r"float64\[2\], expected integers"):
        KneserNey([1.0, 2.0], 5)
    assert KneserNey([1], 5).bits([]).shape == (0,)
