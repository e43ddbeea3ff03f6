"""What is counted, what is kept, and what tuning learns."""

import collections
import itertools

import numpy as np
import pytest

from equalinfo.alphabet import EOS, join
from equalinfo.m1.frozen.counts import counting
from equalinfo.m1.frozen.counts.engine import CountsEngine
from equalinfo.m1.frozen.counts.reference import reference_counts
from equalinfo.m1.frozen.counts.tables import START, USES, FrozenCounts
from equalinfo.m1.frozen.counts.tuning import initial_mixer, tune
from equalinfo.m1.frozen.counts.windows import window_starts
from equalinfo.m1.frozen.model import FrozenModel

DOCUMENTS = [
    b"the cat sat on the mat, and the rat sat on the hat\xff of the cat.",
    b"a cat and a rat sat on a mat.",
    b"the mat is the cat's.",
] * 3 + [b"one dog ran at the rat on a hill, once."]
TEXT = join(DOCUMENTS)
STARTS = np.arange(0, len(TEXT) - 45, 5)
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


def counted(*more: counting.Part) -> list[counting.Level]:
    """All n-grams of `TEXT`, and of other parts."""
    parts = [counting.Part(TEXT), *more]
    begun = [counting.Part(TEXT, STARTS)]
    return counting.with_starts(
        counting.count(parts, LENGTH, min_count=1, progress=False),
        counting.count(begun, LENGTH, min_count=1, progress=False),
    )


def by_name(levels: list[counting.Level]) -> dict[tuple[int, ...], int]:
    """The counts of n-grams of two symbols and more."""
    found: dict[tuple[int, ...], int] = {}
    names: list[tuple[int, ...]] = [(symbol,) for symbol in range(START + 1)]
    for level in levels[1:]:
        assert (np.diff(level.parents * (START + 1) + level.symbols) > 0).all()
        pairs = zip(level.parents, level.symbols, strict=True)
        names = [(*names[parent], int(symbol)) for parent, symbol in pairs]
        found |= dict(zip(names, level.counts.tolist(), strict=True))
    return found


def test_counts_are_those_of_counting_one_by_one() -> None:
    assert by_name(counted()) == grams()
    assert counted()[0].counts[START] == len(STARTS)


def test_more_ngrams_than_the_first_table_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "_FIRST_SLOTS", 8)
    assert by_name(counted()) == grams()


def test_text_that_counts_several_times() -> None:
    # "zq" once is 4 (1 - 0.6), twice 4 (2 - 0.6); both rounded.
    near = counting.Part(join([b"zq. xy xy the"]), weight=4)
    found, plain = by_name(counted(near)), by_name(counted())
    assert found[tuple(b"zq")] == 2
    assert found[tuple(b"xy")] == 6
    assert found[tuple(b"the")] == plain[tuple(b"the")] + 2


def kept(most: int) -> FrozenCounts:
    tables = counting.keep_best(counted(), most)
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
        counting.count([counting.Part(TEXT[:0])], LENGTH)


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

    assert information(tuned) < 0.9 * information(counts)


def test_windows_begin_where_others_are_full() -> None:
    counts = kept(1 << 30)
    narrow, wide = (window_starts(counts, TEXT, bits) for bits in (24, 48))
    assert narrow[0] == wide[0] == 0
    assert 1.5 * len(wide) < len(narrow) < len(TEXT) / 2
    model = FrozenModel(None, 16, counts=counts)
    for places, bits in ((narrow, 24), (wide, 48)):
        windows = np.split(TEXT, places[1:])
        intervals = model.intervals([*windows], 16)
        costs = [float((16 - np.log2(sizes)).sum()) for _, sizes in intervals]
        assert max(costs) <= bits
        # And no earlier: the first symbol of the next would not have fitted.
        longer = [np.append(x, y[:1]) for x, y in itertools.pairwise(windows)]
        costs = [float((16 - np.log2(sizes)).sum()) for _, sizes in model.intervals(longer, 16)]
        assert min(costs) > bits
