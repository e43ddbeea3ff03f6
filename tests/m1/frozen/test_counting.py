"""What is counted, what is kept, and what tuning learns."""

import collections

import numpy as np
import pytest

from equalinfo.alphabet import EOS, join
from equalinfo.m1.frozen.counts import counting
from equalinfo.m1.frozen.counts.engine import CountsEngine
from equalinfo.m1.frozen.counts.reference import reference_counts
from equalinfo.m1.frozen.counts.tables import START, USES, FrozenCounts
from equalinfo.m1.frozen.counts.tuning import initial_mixer, tune

DOCUMENTS = [
    b"the cat sat on the mat, and the rat sat on the hat\xff of the cat.",
    b"a cat and a rat sat on a mat.",
    b"the mat is the cat's.",
] * 3
TEXT = join(DOCUMENTS)
STARTS = np.arange(0, len(TEXT), 5)
LENGTH = 5


def grams() -> dict[tuple[int, ...], int]:
    """Counted one by one."""
    out: dict[tuple[int, ...], int] = collections.Counter()
    text = [int(x) for x in TEXT]
    for size in range(2, LENGTH + 1):
        windows = [text[i : i + size] for i in range(len(text) - size + 1)]
        windows += [[START, *text[i : i + size - 1]] for i in STARTS if i + size - 1 <= len(text)]
        for gram in windows:
            # EOS begins and ends documents; the byte 255 stands for it in tables.
            if 255 not in gram and EOS not in gram[1:-1]:
                out[tuple(gram)] += 1
    return out


def names(counted: counting.Counted) -> list[tuple[int, ...]]:
    """The n-gram of each node."""
    out: list[tuple[int, ...]] = [()]
    for parent, symbol in zip(counted.parents[1:], counted.symbols[1:], strict=True):
        out.append((*out[parent], int(symbol)))
    return out


def test_counts_are_those_of_counting_one_by_one() -> None:
    counted = counting.count(TEXT, STARTS, LENGTH, min_count=1, progress=False)
    found = {
        gram: int(count)
        for gram, count in zip(names(counted), counted.counts, strict=True)
        if len(gram) > 1
    }
    assert found == grams()
    assert sum(counted.sizes) + 1 == len(counted.counts)


def test_more_ngrams_than_the_first_table_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_FIRST_SLOTS", 8)
    counted = counting.count(TEXT, STARTS, LENGTH, min_count=1, progress=False)
    assert len(counted.counts) == len(grams()) + 259


def kept(most: int) -> FrozenCounts:
    counted = counting.count(TEXT, STARTS, LENGTH, min_count=1, progress=False)
    tables = counting.keep_best(counted, most)
    mixers = {use: initial_mixer(LENGTH, use.startswith("mixed")) for use in USES}
    return FrozenCounts(LENGTH, **tables, mixers=mixers)  # type: ignore[arg-type]


def test_untuned_counts_are_nearly_the_interpolated_probabilities() -> None:
    counts = kept(1 << 30)
    rows = reference_counts(counts, TEXT[:20], 16, None) / 1024
    probabilities = 2**rows / (2**rows).sum(axis=1, keepdims=True)
    # "the " is followed by c, m, r or h.
    places = [i for i in range(5, 20) if bytes(TEXT[i - 4 : i].astype(np.uint8)) == b"the "]
    assert places
    for place in places:
        assert probabilities[place, [ord(x) for x in "cmrh"]].sum() > 0.9


def test_the_best_are_kept_with_what_they_need() -> None:
    everything, some = kept(1 << 30), kept(450)
    assert len(some.symbols) < len(everything.symbols)

    def information(counts: FrozenCounts) -> float:
        rows = reference_counts(counts, TEXT[:300], 16, None)[:300] / 1024
        own = rows[np.arange(300), TEXT[:300]]
        return float((np.log2((2**rows).sum(axis=1)) - own).mean())

    fewest = kept(1)  # one and two symbols always stay
    assert information(everything) < information(some) < information(fewest)
    assert len(fewest.symbols) == int(fewest.children[:258].sum())


def test_no_text_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 symbols of text"):
        counting.count(TEXT[:0], STARTS[:0], LENGTH)


@pytest.mark.parametrize("use", ["alone.window", "alone.text"])
def test_tuning_lowers_the_information(use: str) -> None:
    counts = kept(500)
    text = join([b"the rat is on the mat.", b"a rat is a rat is a rat is a rat."] * 20)
    texts = [text[i : i + 200] for i in range(0, len(text), 200)]
    learned, _ = tune(counts, use, texts, None, progress=False)
    tuned = FrozenCounts(
        LENGTH, counts.symbols, counts.children, counts.codes, counts.pairs,
        {**counts.mixers, use: learned},
    )  # fmt: skip

    def information(these: FrozenCounts) -> float:
        context = 1024 if use.endswith("text") else 64
        total = 0.0
        rows: list[list[np.ndarray]] = [[] for _ in texts]
        engine = CountsEngine(these)
        engine.sequences(texts, context, lambda index, place, x: rows[index].append(x.copy()))
        for symbols, parts in zip(texts, rows, strict=True):
            logits = np.concatenate(parts)[:-1].astype(np.float64) / 1024
            own = logits[np.arange(len(symbols)), symbols]
            total += float((np.log2((2**logits).sum(axis=1)) - own).sum())
        return total

    assert information(tuned) < 0.8 * information(counts)


def test_min_count_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="min_count=0 must be at least 1"):
        counting.count(join([b"some text"]), np.zeros(1, np.int64), 6, min_count=0)
