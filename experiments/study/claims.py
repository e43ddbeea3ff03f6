"""Statements about tokenizers, each decided by numbers: it holds, does not hold, or is undecided.

A difference counts where it is more than its error: half of the 95% interval (Student's t), from
the spread of seeds, pooled over all models that have several. Models of the same seeds are compared
with each other: what a seed does to all of them is no error of a difference. Without seeds nothing
is decided.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.part import Finding
from experiments.study.results import INFERENCE, TRAINING, Results, Run, mean

_NOT_LEARNED = 0.01
"""Of what its token frequencies cost: a model that saves less than 1% of it has learned nothing."""
_MARGIN = 0.01
"""bits/byte; one that is worse by less matches the other: about half of a percent."""
_FEWEST = 5  # tokenizers, for a rank correlation


class Difference(NamedTuple):
    """bits/byte of one model less those of another.

    Attributes:
      value: negative where the first is better.
      error: half of the 95% interval; NaN: not known.
    """

    value: float
    error: float

    @property
    def better(self) -> bool | None:
        """Whether the first has fewer bits; None: the difference is within its error."""
        if not abs(self.value) > self.error:  # also where the error is NaN
            return None
        return self.value < 0

    def __str__(self) -> str:
        """As it stands in a sentence."""
        error = "±?" if math.isnan(self.error) else f"±{self.error:.4f}"
        return f"{self.value:+.4f}{error}"


def difference(results: Results, ours: Sequence[Run], theirs: Sequence[Run]) -> Difference:
    """Of means over the seeds that both have; over all, where they share none."""
    seeds = {run.seed for run in ours} & {run.seed for run in theirs}
    if not seeds:
        return Difference(mean(ours) - mean(theirs), results.spread.error(len(ours), len(theirs)))
    ours, theirs = ([run for run in runs if run.seed in seeds] for runs in (ours, theirs))
    error = results.paired_spread.error(len(seeds), len(seeds))
    return Difference(mean(ours) - mean(theirs), error)


def at_flops(
    results: Results, ours: str, theirs: str, flops: Callable[[Run], float]
) -> Difference | None:
    """The worst difference for us at equal FLOPs.

    Each of their sizes is compared with our curve at its FLOPs: straight between our sizes over the
    logarithm of FLOPs. Where ours does not reach that far, a model of ours with fewer FLOPs and
    fewer bits (or more of both) decides, too; else that comparison is undecided, and so is what the
    others do not refute.

    Returns:
      Of all comparisons one that fails, else one that is undecided, else the one that holds by
      least; None where ours reaches none of theirs.
    """
    groups = {
        (name, size): results.of(name, size) for name in (ours, theirs) for size in results.sizes
    }
    seeds = [{run.seed for run in runs} for runs in groups.values() if runs]
    if shared := set.intersection(*seeds) if seeds else set():
        groups = {key: [x for x in runs if x.seed in shared] for key, runs in groups.items()}
    found_points = [_point(groups[ours, size], flops) for size in results.sizes]
    points = sorted(point for point in found_points if point)
    found, beyond = [], []
    for size in results.sizes:
        runs = groups[theirs, size]
        other = _point(runs, flops)
        if other is None or not points:
            continue
        x, y = (np.array(values) for values in zip(*points, strict=True))
        # Not that of pairs: what a seed does to one size it does not do to another.
        error = results.spread.error(len(runs) if shared else 1, len(runs))
        if x[0] <= other[0] <= x[-1]:
            found.append(Difference(float(np.interp(other[0], x, y)) - other[1], error))
            continue
        # Of fewer FLOPs and fewer bits, or more of both; else the difference is beyond our curve.
        dearer = other[0] > x[-1]
        value = float(y[-1 if dearer else 0]) - other[1]
        if value < 0 if dearer else value > 0:
            found.append(Difference(value, error))
        else:
            beyond.append(Difference(value, max(error, abs(value))))
    if not found:
        return None
    order = (True, None, False)
    return max(found + beyond, key=lambda one: (order.index(one.better), one.value))


def all_claims(results: Results) -> list[Finding]:
    """In the order of the page, about the tokenizers that the config names."""
    names = results.study.claims
    return [
        *(learned(results, name, True) for name in names.windows[:1]),
        *(learned(results, name, False) for name in names.arithmetic),
        *(learned(results, name, None) for name in names.windows[1:]),
        past_bigrams(
            results,
            names.two_tokens,
            better(results, names.one_token, names.two_tokens, "one token a window beats two"),
        ),
        longer_windows(results, names.windows),
        *(
            past_bigrams(results, names.bytes, finding)
            for finding in (
                fewer_flops(results, names.equal_info, names.bytes, TRAINING, "training"),
                fewer_flops(results, names.equal_info, names.bytes, INFERENCE, "inference"),
            )
        ),
        better(results, names.sentencepiece, names.equal_info, "SentencePiece beats Equal-Info"),
        gap_closes(results, names.equal_info, names.sentencepiece),
        *(
            finding
            for ours, others in (
                (names.one_word, (names.sentencepiece, names.bpe)),
                (names.codebook, (names.sentencepiece, names.bpe, names.superbpe)),
            )
            for other in others
            for finding in (
                no_worse(results, ours, other),
                denser(results, ours, other),
                fewer_flops(results, ours, other, INFERENCE, "inference"),
            )
        ),
        better(
            results, names.codebook, names.one_word, "codes across words beat codes of one word"
        ),
        ngrams_predict(results),
        better(results, names.split, names.codebook, "random splits in training help"),
    ]


def learned(results: Results, name: str, expected: bool | None) -> Finding:
    """Whether a model saves more than 1% of what the frequencies of its tokens cost.

    Args:
      results: of the study.
      name: of the tokenizer.
      expected: by the paper; None: it says that longer windows learn less and less.

    Returns:
      Undecided, too, where none is learned and neither is any other of that size.
    """
    says = {True: "is learned", False: "is not learned", None: "is learned at all"}[expected]
    claim = f"{name} {says}"
    source = "[paper 5.1, Table 15]"
    size = _largest(results, name)
    if size is None or name not in results.tokenizers:
        return Finding(claim, source, None, "")
    runs = results.of(name, size)
    saved, error = _saved(results, name, size)
    evidence = f"{size}: {mean(runs):.4f} bits/byte, {saved:.1%} below its token frequencies"
    if not abs(saved - _NOT_LEARNED) > error:
        return Finding(claim, source, None, evidence, "within its error of 1%, or no seeds")
    is_learned = saved > _NOT_LEARNED
    others = [_saved(results, other, size)[0] for other in results.tokenizers if other != name]
    if not is_learned and not any(other > _NOT_LEARNED for other in others):
        return Finding(claim, source, None, evidence, "no model of this size has learned anything")
    return Finding(claim, source, is_learned == (expected is not False), evidence)


def better(results: Results, ours: str, theirs: str, says: str) -> Finding:
    """Fewer bits/byte at equal parameters and equal text, at the sizes that both were run at."""
    return _at_sizes(results, ours, theirs, f"{says}: {ours} against {theirs}", lambda d: d.better)


def no_worse(results: Results, ours: str, theirs: str) -> Finding:
    """Worse than another by 0.01 bits/byte at most, at equal parameters; the error counts against.

    Errors alone would let whatever is badly known match.
    """

    def judge(found: Difference) -> bool | None:
        if found.value + found.error < _MARGIN:
            return True
        return False if found.value - found.error > _MARGIN else None

    claim = f"{ours} matches {theirs} in bits/byte at equal parameters, within {_MARGIN}"
    return _at_sizes(results, ours, theirs, claim, judge)


def _at_sizes(
    results: Results,
    ours: str,
    theirs: str,
    claim: str,
    judge: Callable[[Difference], bool | None],
) -> Finding:
    """Holds where it does at every size, fails where it fails at every size."""
    found = {
        size: difference(results, results.of(ours, size), results.of(theirs, size))
        for size in results.sizes
        if results.of(ours, size) and results.of(theirs, size)
    }
    if not found:
        return Finding(claim, "equal parameters, equal text", None, "")
    verdicts = {judge(one) for one in found.values()}
    evidence = "; ".join(f"{size}: {one} bits/byte" for size, one in found.items())
    if len(verdicts) == 1 and None not in verdicts:
        return Finding(claim, "equal parameters, equal text", verdicts.pop(), evidence)
    reason = "sizes disagree" if {True, False} <= verdicts else "within the error, or no seeds"
    return Finding(claim, "equal parameters, equal text", None, evidence, reason)


def denser(results: Results, ours: str, theirs: str) -> Finding:
    """More bytes/token, of the validation text: a count, without error."""
    claim = f"{ours} has more bytes/token than {theirs}"
    known = [results.tokenizers.get(name) for name in (ours, theirs)]
    if known[0] is None or known[1] is None:
        return Finding(claim, "counted", None, "")
    a, b = known[0].bytes_per_token, known[1].bytes_per_token
    return Finding(claim, "counted", a > b, f"{a:.3f} against {b:.3f} bytes/token")


def fewer_flops(
    results: Results, ours: str, theirs: str, flops: Callable[[Run], float], which: str
) -> Finding:
    """Fewer bits/byte at equal FLOPs."""
    claim = f"{ours} beats {theirs} at equal {which} FLOPs"
    source = "all products of matrices, logits among them"
    worst = at_flops(results, ours, theirs, flops)
    if worst is None:
        reason = "No two of their models can be compared at equal FLOPs, or they were not run."
        return Finding(claim, source, None, "", reason)
    reason = "" if worst.better is not None else "within the error, beyond our sizes, or no seeds"
    return Finding(claim, source, worst.better, f"at the worst {worst} bits/byte", reason)


def past_bigrams(results: Results, name: str, finding: Finding) -> Finding:
    """Undecided while models of few ids know no more than pairs: they are not trained enough.

    A table of 65,536 pairs is nothing that a model of their size may be content with.
    """
    known = results.tokenizers.get(name)
    size = _largest(results, name)
    if finding.holds is None or known is None or size is None or len(known.ngrams) < 2:
        return finding
    bits, pairs = mean(results.of(name, size)), known.ngrams[1]
    if bits < (1 - _NOT_LEARNED) * pairs:
        return finding
    reason = f"{name} {size} has {bits:.4f} bits/byte, pairs {pairs:.4f}: not trained enough"
    return Finding(finding.claim, finding.source, None, finding.evidence, reason)


def longer_windows(results: Results, names: Sequence[str]) -> Finding:
    """Longer windows learn less: save less and less of what token frequencies cost."""
    claim = "longer windows learn less"
    source = "[paper 5.1, Table 15]"
    sizes = [
        size for size in results.sizes if sum(bool(results.of(name, size)) for name in names) > 1
    ]
    if not sizes:
        return Finding(claim, source, None, "")
    found = {name: _saved(results, name, sizes[-1]) for name in names}
    saved = {name: share for name, (share, _) in found.items() if not math.isnan(share)}
    errors = [error for share, error in found.values() if not math.isnan(share)]
    evidence = f"{sizes[-1]}: " + ", ".join(f"{name} {x:.1%}" for name, x in saved.items())
    steps = np.diff(list(saved.values()))
    error = 2 * max(errors) if errors else math.nan
    if np.all(steps < -error):
        return Finding(claim, source, True, evidence)
    if np.any(steps > error):
        return Finding(claim, source, False, evidence)
    return Finding(claim, source, None, evidence, "within the error, or no seeds")


def gap_closes(results: Results, ours: str, theirs: str) -> Finding:
    """The gap between two tokenizers at equal parameters, from the smallest size to the largest."""
    claim = f"the gap between {ours} and {theirs} closes with size"
    source = "[paper 5.1]"
    sizes = [size for size in results.sizes if results.of(ours, size) and results.of(theirs, size)]
    if len(sizes) < 2:
        return Finding(claim, source, None, "")
    gaps = [
        difference(results, results.of(ours, size), results.of(theirs, size))
        for size in (sizes[0], sizes[-1])
    ]
    change = Difference(
        abs(gaps[1].value) - abs(gaps[0].value), math.hypot(gaps[0].error, gaps[1].error)
    )
    evidence = f"{sizes[0]}: {gaps[0]}, {sizes[-1]}: {gaps[1]}; change {change} bits/byte"
    reason = "" if change.better is not None else "within the error, or no seeds"
    return Finding(claim, source, change.better, evidence, reason)


def ngrams_predict(results: Results) -> Finding:
    """Whether the order of Kneser-Ney models of tokens is the order of the models (Spearman).

    Not over codecs: their tokens' bits are an M1's, and order themselves.
    """
    claim = "n-gram bits/byte predict the order of the models"
    kinds = {name: one.kind for name, one in results.study.tokenizers.items()}
    source = "rank correlation over tokenizers, p by permutation"
    found = []
    for size in results.sizes:
        names = [
            name
            for name in results.tokenizers
            if results.of(name, size) and kinds.get(name) != "codec"
        ]
        if len(names) < _FEWEST:
            continue
        ngrams = [min(results.tokenizers[name].ngrams) for name in names]
        models = [mean(results.of(name, size)) for name in names]
        found.append((size, len(names), *rank_correlation(ngrams, models)))
    if not found:
        return Finding(claim, source, None, "")
    evidence = "; ".join(
        f"{size}: rho {rho:.2f}, p {p:.3f} ({number} tokenizers)" for size, number, rho, p in found
    )
    if all(p < 0.05 and rho > 0 for _, _, rho, p in found):
        return Finding(claim, source, True, evidence)
    if all(rho <= 0 for _, _, rho, _ in found):
        return Finding(claim, source, False, evidence)
    return Finding(claim, source, None, evidence, "too few tokenizers, or too weak")


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """(Spearman's rho, p of one so large by chance: over permutations, all of them if few)."""

    def statistic(order: np.ndarray) -> float:
        return float(stats.spearmanr(order, y).statistic)

    tested = stats.permutation_test(
        (np.asarray(x),),
        statistic,
        permutation_type="pairings",
        alternative="greater",
        n_resamples=5_000,
        rng=np.random.default_rng(0),
    )
    return float(tested.statistic), float(tested.pvalue)


def _saved(results: Results, name: str, size: str) -> tuple[float, float]:
    """(share of what token frequencies cost that a model saves, its error); NaN: not run."""
    runs = results.of(name, size)
    if not runs or name not in results.tokenizers:
        return math.nan, math.nan
    unigram = results.tokenizers[name].ngrams[0]
    return 1 - mean(runs) / unigram, results.spread.error(len(runs)) / unigram


def _largest(results: Results, name: str) -> str | None:
    sizes = [size for size in results.sizes if results.of(name, size)]
    return sizes[-1] if sizes else None


def _point(runs: Sequence[Run], flops: Callable[[Run], float]) -> tuple[float, float] | None:
    """(log FLOPs, mean bits/byte) of the seeds of a model."""
    return (math.log(flops(runs[0])), mean(runs)) if runs else None
