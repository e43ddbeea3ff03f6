"""Claims on results made by hand, whose answers are known."""

import dataclasses
import math

import pytest

from experiments.study import claims, sections
from experiments.study.config import Study
from experiments.study.results import Results, Run, Tokenized

SIZES = {"small": 1e5, "large": 1e6}


def run(tokenizer: str, size: str, bits: float, seed: int = 0, bytes_per_token: float = 4.0) -> Run:
    flops = SIZES[size]
    return Run(
        tokenizer,
        size,
        seed,
        10**6,
        bits,
        bytes_per_token,
        int(flops),
        int(2 * flops),
        6e6 * flops / bytes_per_token,
        2 * flops / bytes_per_token,
        2 * flops / bytes_per_token,
        (
            (5e5, 3e6 * flops / bytes_per_token, 2 * bits),
            (1e6, 6e6 * flops / bytes_per_token, bits),
        ),
    )


def results(*runs: Run, ngrams: dict[str, float] | None = None) -> Results:
    names = {x.tokenizer: x.bytes_per_token for x in runs}
    bits = ngrams or dict.fromkeys(names, 3.0)
    tokenized = {name: Tokenized(name, 259, names[name], (bits[name],), 8.0) for name in names}
    return Results(Study.load("tiny"), tokenized, tuple(runs))


def seeds(tokenizer: str, size: str, *bits: float, bytes_per_token: float = 4.0) -> list[Run]:
    return [run(tokenizer, size, x, seed, bytes_per_token) for seed, x in enumerate(bits)]


def test_the_spread_is_pooled() -> None:
    several = seeds("A", "small", 1.0, 1.2), seeds("B", "large", 2.0, 2.4)
    spread = results(*several[0], *several[1], run("C", "small", 5.0)).spread
    assert spread.freedom == 2
    assert spread.std == pytest.approx(math.sqrt((0.02 + 0.08) / 2))
    # 4.3027 is the 97.5% quantile of Student's t with two degrees of freedom.
    assert spread.error(2, 2) == pytest.approx(4.302653 * spread.std)
    assert math.isnan(results(run("A", "small", 1.0), run("B", "small", 2.0)).spread.error(1))


def test_what_a_seed_does_to_all_is_no_error_of_a_difference() -> None:
    """Four models, two seeds, the second 0.1 lower: three degrees of freedom, and what is left."""
    noise = (0.001, -0.001, 0.002, -0.002)
    found = results(
        *(
            x
            for name, e in zip("ABCD", noise, strict=True)
            for x in seeds(name, "small", 2, 1.9 + e)
        )
    )
    paired = found.paired_spread
    assert paired.freedom == 3
    # Differences d of two seeds have twice the variance of a run: sum((d - mean)^2) / 2 / 3.
    assert paired.std == pytest.approx(math.sqrt(sum(e * e for e in noise) / 2 / 3))
    assert found.spread.std > 0.05
    finding = claims.better(found, "B", "C", "")
    assert finding.holds is None and "-0.0015" in finding.evidence
    more = results(*found.runs, *seeds("E", "small", 1.95, 1.85), run("F", "small", 1.9))
    assert claims.better(more, "E", "A", "").holds is True  # within the spread of seeds
    assert claims.better(more, "F", "A", "").evidence.startswith("small: -0.1000±")  # of seed 0


@pytest.mark.parametrize(
    ("theirs", "holds"), [((2.1, 2.11), True), ((1.9, 1.91), False), ((2.0, 2.02), None)]
)
def test_better_is_decided_by_the_error(theirs: tuple[float, float], holds: bool | None) -> None:
    found = results(*seeds("A", "small", 2.0, 2.01), *seeds("B", "small", *theirs))
    finding = claims.better(found, "A", "B", "A beats B")
    assert finding.holds is holds
    assert ("±" in finding.evidence) and (bool(finding.reason) is (holds is None))


def test_without_seeds_nothing_is_decided() -> None:
    found = results(run("A", "small", 1.0), run("B", "small", 3.0))
    assert claims.better(found, "A", "B", "").holds is None
    assert claims.no_worse(found, "A", "B").holds is None


def test_what_was_not_run_is_not_decided() -> None:
    for finding in claims.all_claims(results(run("A", "small", 1.0))):
        assert finding.holds is None and finding.verdict == "not run"
    assert claims.better(results(run("A", "small", 1.0)), "A", "B", "").holds is None


def test_sizes_that_disagree_decide_nothing() -> None:
    found = results(
        *seeds("A", "small", 2.0, 2.01),
        *seeds("B", "small", 2.5, 2.51),
        *seeds("A", "large", 1.5, 1.51),
        *seeds("B", "large", 1.2, 1.21),
    )
    assert claims.better(found, "A", "B", "").reason == "sizes disagree"
    assert claims.better(found, "A", "B", "").holds is None
    gap = claims.gap_closes(found, "A", "B")
    assert gap.holds is True, gap
    assert claims.gap_closes(results(*seeds("A", "small", 2.0)), "A", "B").holds is None


@pytest.mark.parametrize(
    ("ours", "theirs", "matches"),
    [
        ((2.000, 2.001), (2.000, 2.001), True),  # error 0.003
        ((2.000, 2.001), (2.002, 2.003), True),
        ((2.009, 2.010), (2.000, 2.001), None),  # by 0.009: as large as the margin, or larger
        ((2.000, 2.020), (2.000, 2.001), None),  # not known well enough: error 0.04
        ((2.300, 2.301), (2.000, 2.001), False),
    ],
)
def test_matching_is_not_being_badly_known(
    ours: tuple[float, ...], theirs: tuple[float, ...], matches: bool | None
) -> None:
    found = results(*seeds("A", "small", *ours), *seeds("B", "small", *theirs))
    assert claims.no_worse(found, "A", "B").holds is matches


def test_equal_flops_are_between_sizes() -> None:
    # A has twice the bytes/token: half the FLOPs/byte. At B's, A's curve lies log10(2) of the way
    # from its large model to what would be the next: only B's small model can be interpolated.
    a = [
        *seeds("A", "small", 2.0, 2.0001, bytes_per_token=8.0),
        *seeds("A", "large", 1.0, 1.0001, bytes_per_token=8.0),
    ]
    b = seeds("B", "small", 1.9, 1.9001)
    worst = claims.at_flops(results(*a, *b), "A", "B", lambda x: x.flops_per_byte)
    assert worst is not None
    expected = 2.0 - math.log10(2) - 1.9
    assert worst.value == pytest.approx(expected, abs=1e-3)
    # B's large model is dearer than all of A's, and worse: decided without interpolation.
    both = results(*a, *b, *seeds("B", "large", 1.1, 1.1001))
    worst = claims.at_flops(both, "A", "B", lambda x: x.flops_per_byte)
    assert worst is not None and worst.value == pytest.approx(-0.1, abs=1e-3)
    # Dearer and better: whether A would reach that nobody knows, though it beats B's small model.
    more = results(*a, *seeds("B", "small", 2.5, 2.5001), *seeds("B", "large", 0.9, 0.9001))
    worst = claims.at_flops(more, "A", "B", lambda x: x.flops_per_byte)
    assert worst is not None and worst.better is None
    # Dearer and better is no comparison.
    only = results(*a[:2], *seeds("B", "large", 0.5, 0.51))
    assert claims.at_flops(only, "A", "B", lambda x: x.flops_per_byte) is None


@pytest.mark.parametrize(
    ("bits", "expected", "holds"),
    [(2.0, True, True), (2.0, False, False), (2.999, True, False), (2.999, False, True)],
)
def test_learned(bits: float, expected: bool, holds: bool) -> None:
    other = run("B", "small", 1.5)
    found = results(*seeds("A", "small", bits, bits + 1e-4), other)
    assert claims.learned(found, "A", expected).holds is holds


def test_nothing_is_said_where_no_model_learned_anything() -> None:
    found = results(*seeds("A", "small", 3.1, 3.1001), run("B", "small", 3.2))
    finding = claims.learned(found, "A", False)
    assert finding.holds is None and "no model" in finding.reason


@pytest.mark.parametrize(("bits", "holds"), [((2.0, 2.5, 2.9), True), ((2.0, 2.9, 2.5), False)])
def test_longer_windows(bits: tuple[float, ...], holds: bool) -> None:
    runs = [
        x for name, b in zip("ABC", bits, strict=True) for x in seeds(name, "small", b, b + 1e-4)
    ]
    assert claims.longer_windows(results(*runs), "ABC").holds is holds


def test_rank_correlation() -> None:
    rho, p = claims.rank_correlation([1, 2, 3, 4, 5], [10, 20, 30, 40, 50])
    assert rho == pytest.approx(1.0)
    assert p == pytest.approx(1 / 120)  # one order of 120
    rho, p = claims.rank_correlation([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])
    assert rho == pytest.approx(-1.0) and p == pytest.approx(1.0)


@pytest.mark.parametrize(("order", "holds"), [((1, 2, 3, 4, 5), True), ((5, 4, 3, 2, 1), False)])
def test_ngrams_predict(order: tuple[int, ...], holds: bool) -> None:
    names = "ABCDE"
    runs = [run(name, "small", 1 + 0.1 * i) for i, name in enumerate(names)]
    ngrams = dict(zip(names, map(float, order), strict=True))
    assert claims.ngrams_predict(results(*runs, ngrams=ngrams)).holds is holds
    assert claims.ngrams_predict(results(*runs[:4])).holds is None
    found = results(*runs, ngrams=ngrams)
    codec = dataclasses.replace(found.study.tokenizers["Bytes"], name="E", kind="codec")
    study = dataclasses.replace(found.study, tokenizers={"E": codec})
    assert claims.ngrams_predict(dataclasses.replace(found, study=study)).holds is None  # four


def test_the_page_names_what_is_missing(tmp_path) -> None:
    found = results(*seeds("Bytes", "small", 2.0, 2.1), *seeds("BPE 1k", "large", 1.5, 1.6))
    found = Results(found.study, found.tokenizers, found.runs, missing=("SuperBPE 1k 20k 0MB 0",))
    part = sections.part(found, tmp_path)
    by_key = {table.key: table for table in part.tables}
    assert by_key["missing"].rows == [("SuperBPE 1k 20k 0MB 0",)]
    assert any("1.5500 ±" in str(row) for row in by_key["models"].rows)
    assert part.findings == claims.all_claims(found)
    for image in part.images:
        assert image.png and (tmp_path / f"{image.key}.png").read_bytes()[:4] == b"\x89PNG"


def test_the_best_v_of_a_size() -> None:
    found = results(run("BPE 1k", "small", 2.0), run("Codebook 1k", "small", 2.1))
    assert sections.best_codes(found).rows == []
    tokenizers = dict(found.study.tokenizers)
    tokenizers["BPE 2k"] = dataclasses.replace(tokenizers["BPE 1k"], name="BPE 2k", codes=2048)
    study = dataclasses.replace(found.study, tokenizers=tokenizers)
    runs = (*found.runs, run("BPE 2k", "small", 1.9))
    [row] = sections.best_codes(dataclasses.replace(found, study=study, runs=runs)).rows
    each = "1,024: 2.0000 (0.05), 2,048: 1.9000 (0.05)"
    assert row == ("bpe", "small", "undecided", each)  # one seed: no error is known
    runs = (*runs, run("BPE 1k", "small", 2.001, 1), run("BPE 2k", "small", 1.901, 1))
    [row] = sections.best_codes(dataclasses.replace(found, study=study, runs=runs)).rows
    assert row[2] == 2048


@pytest.mark.parametrize(("bits", "holds"), [(3.69, None), (3.0, True)])
def test_bytes_that_know_only_pairs_decide_nothing(bits: float, holds: bool | None) -> None:
    found = results(
        *seeds("A", "small", 2.0, 2.001), *seeds("Bytes", "small", bits, bits, bytes_per_token=1.0)
    )
    pairs = dataclasses.replace(found.tokenizers["Bytes"], ngrams=(4.6, 3.7))
    known = {**found.tokenizers, "Bytes": pairs}
    found = dataclasses.replace(found, tokenizers=known)
    claimed = claims.better(found, "A", "Bytes", "A beats Bytes")
    assert claimed.holds is True
    judged = claims.past_bigrams(found, "Bytes", claimed)
    assert judged.holds is holds and bool(judged.reason) is (holds is None)
