"""The paper's qualitative findings, each tested on what was run here."""

import dataclasses
import itertools
import math
from collections.abc import Callable

import numpy as np

from experiments.analysis.matching import byte_matched
from experiments.part import Finding
from experiments.report import paper
from experiments.report.results import MethodResults, Results
from experiments.table import NOT_RUN

WINDOWS = (16, 32, 64, 128)
VOCABULARIES = (
    ("EqualInfo[16, 256]", "EqualInfo[16, 65k]"),
    ("EqualInfo[12, 64]", "EqualInfo[12, 4k]"),
)
"""Two tokens a window, one token a window: the paper's, and one that two cores can train."""
GZIP_VOCABULARIES = (("GZip[256]", "GZip[65k]"), ("GZip[256]", "GZip[4k]"))
_MARGIN = 0.005
"""Of uniform: what counts as not having learned, 0.5%."""
_POINTS = 0.02
"""Of accuracy: what counts as more than a byte LM."""


def all_findings(results: Results) -> list[Finding]:
    """In the order of the report."""
    return [test(results) for test in _TESTS]


def ac_stays_uniform(results: Results) -> Finding:
    """AC and StaticAC M2s learn nothing, in steps in which another M2 does."""
    names = ("AC[256]", "StaticAC[256]", "EqualInfo[16, 256]")
    found = _finding(
        "M2s over AC and StaticAC stay within 0.5% of uniform, in steps in which "
        "EqualInfo[16, 256] is learned",
        "[paper 5.1, Table 15]",
        [_from_uniform(results[name]) for name in names],
        lambda shares: all(abs(share) <= _MARGIN for share in shares[:2]),
        lambda shares: ", ".join(
            f"{name} {100 * share:+.2f}%" for name, share in zip(names, shares, strict=True)
        ),
        "An M2 that is still near its random start lies above uniform; longer training brings it "
        "down to it.",
    )
    control = _from_uniform(results[names[2]])
    if found.holds and control is not None and control >= -_MARGIN:
        return dataclasses.replace(
            found, holds=None, reason="Nothing else was learned in these steps either."
        )
    return found


def equal_info_learns(results: Results) -> Finding:
    """EqualInfo b=16 can be learned."""
    one = results["EqualInfo[16, 256]"]
    unigram = one.measure("scores", "unigram") if one else None
    score = _largest(one)
    return _finding(
        "EqualInfo[16, 256] is learned: its M2 is below unigram, and 0.5% below uniform",
        "[paper 5.1, Table 15]",
        [score, unigram, _from_uniform(one)],
        lambda x: x[0] < x[1] and x[2] < -_MARGIN,
        lambda x: f"M2 {x[0]:.4f}, unigram {x[1]:.4f} bits/byte; {100 * x[2]:+.2f}% from uniform",
        "Two tokens make a window, so an M2 has to learn the windows' texts first. Ours saw some "
        "million tokens, the paper's 26 billion.",
    )


def large_vocabulary_helps(results: Results) -> Finding:
    """One token a window against two."""
    compared = _after_the_same_bytes(results, VOCABULARIES)
    holds: bool | None = all(one.large < one.small for one in compared)
    reason = "Few tokens for each of many codes: their embeddings are hardly trained."
    if holds:
        reason = ""
        if any(_only_frequencies(results[name]) for one in compared for name in one.names):
            holds = None
            reason = "Not all of them are below their unigram: the gap may be of frequencies."
    return Finding(
        "one token a window beats two (v=65k and v=256 at b=16; v=4k and v=64 at b=12), after the "
        "same bytes of text, hence with half the tokens",
        "[paper 5.3, Table 6]",
        holds if compared else None,
        "; ".join(map(str, compared)),
        reason,
    )


def _only_frequencies(one: MethodResults | None) -> bool:
    """Whether an M2 reaches no more than the frequencies of its tokens do."""
    score, unigram = _largest(one), one.measure("scores", "unigram") if one else None
    return score is None or unigram is None or score >= unigram


def gzip_vocabulary_does_not_help(results: Results) -> Finding:
    """GZip with 16-bit tokens is no better than with 8."""
    compared = _after_the_same_bytes(results, GZIP_VOCABULARIES)
    holds = all(one.large >= one.small for one in compared) if compared else None
    reason = "" if holds in (None, True) else "The difference may be of frequencies alone."
    shares = [_from_uniform(results[name]) for one in compared for name in one.names]
    if any(share is None or share >= -_MARGIN for share in shares):
        holds, reason = None, "Not all of them were learned: they are within 0.5% of uniform."
    return Finding(
        "GZip's larger vocabulary does not help, after the same bytes of text",
        "[paper 5.1, Table 15]",
        holds,
        "; ".join(map(str, compared)),
        reason,
    )


def longer_windows_learn_less(results: Results) -> Finding:
    """What a token's loss falls by, over W."""
    gains = [_gain(results[f"EqualInfo[{width}, 256]"]) for width in WINDOWS]
    noise = _MARGIN * math.log(256)

    def falls(found: list[float]) -> bool:
        learned = [gain if gain > noise else 0.0 for gain in found]
        return learned[0] > learned[-1] and learned == sorted(learned, reverse=True)

    return _finding(
        "the longer the window, the less an M2 learns per token (W = 16, 32, 64, 128; v=256; under "
        "0.5% of uniform counts as nothing)",
        "[paper 5.1, Table 15]",
        gains,
        falls,
        lambda x: (
            ", ".join(f"W={width}: {gain:.4f}" for width, gain in zip(WINDOWS, x, strict=True))
            + " nats/token below uniform"
        ),
        "Where windows are too long to be learned at all in so few steps, what is left is noise.",
    )


def unigram_gain_is_small(results: Results) -> Finding:
    """Frequencies of AC's tokens say nothing."""
    names = ("AC[256]", "StaticAC[256]")

    def gain(one: MethodResults | None) -> float | None:
        unigram = one.measure("scores", "unigram") if one else None
        return 1 - unigram / one.measure("scores", "uniform") if one and unigram else None

    return _finding(
        "a unigram model gains nearly nothing on AC and StaticAC (under 0.5%)",
        "[paper 4, Table 3]",
        [gain(results[name]) for name in names],
        lambda x: all(abs(share) < _MARGIN for share in x),
        lambda x: ", ".join(
            f"{name} {100 * share:.3f}%" for name, share in zip(names, x, strict=True)
        ),
        "The coder's output is not uniform: its model is wrong for this text.",
    )


def ratios_rise(results: Results) -> Finding:
    """Bytes/token over methods, in the paper's order."""
    order = [f"EqualInfo[{width}, 256]" for width in (16, 24, 32, 64, 128)] + ["AC[256]"]
    found = [
        one.measure("scores", "bytes_per_token") if one else None
        for one in map(results.__getitem__, order)
    ]
    theirs = [paper.TOKEN_RATIO[name.replace("EqualInfo", "EqualInfoAC")] for name in order]
    return _finding(
        "bytes/token rises with W (16, 24, 32, 64, 128) up to AC, as in the paper",
        "[paper 3.4, Tables 2, 10]",
        found,
        lambda x: all(a < b for a, b in itertools.pairwise(x)),
        lambda x: (
            "ours "
            + " < ".join(f"{ratio:.2f}" for ratio in x)
            + "; paper "
            + " < ".join(f"{ratio:.2f}" for ratio in theirs)
        ),
        "b=16 uses the package's codebook, of another M1 (counts), which is better there.",
    )


def decompression(results: Results) -> Finding:
    """What a model makes of compressed text, above a byte LM on the same text."""
    gains: dict[str, float] = {}
    for one in results.pairs:
        if one["task"] == "decompress" and one["byte_lm"] is not None:
            gains[one["method"]] = one["accuracy"] - one["byte_lm"]
    learned = max((v for k, v in gains.items() if k.startswith("EqualInfo")), default=None)
    return _finding(
        "decompression of EqualInfo is learned, that of AC is not (2 points above a byte LM)",
        "[paper 5.2, Table 5]",
        [learned, gains.get("AC[256]")],
        lambda x: x[0] > _POINTS and x[1] < _POINTS,
        lambda x: f"above a byte LM: EqualInfo {100 * x[0]:+.1f}, AC {100 * x[1]:+.1f} points",
        "A model has to find which window a byte belongs to, and to know the windows' texts: the "
        "paper's 113m had the compute for that, a few hundred steps of a small one do not.",
    )


def exact_code_is_exact(results: Results) -> Finding:
    """Not in the paper: its windows lose text, ours do not."""
    shares: dict[bool, list[float]] = {True: [], False: []}
    evidence = []
    for one in results.methods:
        share = one.wrong_windows()
        if one.measures and one.measures["window_bits"] and isinstance(share, float):
            shares[one.measures["lossless"]].append(share)
            evidence.append(f"{one.name} {100 * share:.1f}%")
    return Finding(
        "the paper's windows do not decode to the text they were made of; the exact code's do",
        "this project (docs/exact-code.md)",
        not any(shares[True]) and all(shares[False]) if all(shares.values()) else None,
        f"windows decoded wrongly: {', '.join(evidence)}" if all(shares.values()) else "",
    )


def ids_are_deterministic(results: Results) -> Finding:
    """Not in the paper: the same ids in any batch."""
    measured = [one for one in results.methods if one.measures]
    wrong = [one.name for one in measured if one.measures and not one.measures["deterministic"]]
    return Finding(
        "ids do not depend on how texts are batched, for every method",
        "this project (docs/frozen-m1.md); open in [paper 3.7]",
        not wrong if measured else None,
        f"not so: {', '.join(wrong)}" if wrong else f"{len(measured)} methods" if measured else "",
    )


def _finding(
    claim: str,
    source: str,
    values: list[float | None],
    test: Callable[[list[float]], bool],
    evidence: Callable[[list[float]], str],
    reason: str,
) -> Finding:
    """The finding whose values are all there; else one that says it was not run."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not values:
        return Finding(claim, source, None, "")
    holds = test(known)
    return Finding(claim, source, holds, evidence(known), "" if holds else reason)


def _largest(one: MethodResults | None) -> float | None:
    """Bits/byte of the M2 with most parameters, over seeds."""
    if one is None or not one.models:
        return None
    score = one.bits_per_byte(max(one.models, key=lambda x: one.model_score(x, "parameters")))
    return score.mean if score else None


def _from_uniform(one: MethodResults | None) -> float | None:
    score, uniform = _largest(one), one.measure("scores", "uniform") if one else None
    return float(score / uniform - 1) if score and uniform else None


def _gain(one: MethodResults | None) -> float | None:
    """Nats a token below uniform."""
    score = _largest(one)
    if one is None or score is None or one.measures is None:
        return None
    below = one.measure("scores", "uniform") - score
    return float(below * one.measure("scores", "bytes_per_token") * math.log(2))


@dataclasses.dataclass(frozen=True)
class _Compared:
    """Bits/byte of M2s of one size over two vocabularies, after the same bytes of text.

    `unigrams`: what frequencies alone reach, as it is shown: an M2 below it has learned more.
    """

    names: tuple[str, str]
    small: float
    large: float
    unigrams: tuple[str, str]
    num_bytes: float

    def __str__(self) -> str:
        return (
            f"{self.names[1]} {self.large:.4f} (unigram {self.unigrams[1]}), {self.names[0]} "
            f"{self.small:.4f} (unigram {self.unigrams[0]}) bits/byte after "
            f"{self.num_bytes / 1e6:.1f} MB"
        )


def _after_the_same_bytes(
    results: Results, vocabularies: tuple[tuple[str, str], ...]
) -> list[_Compared]:
    """The pairs of methods that have M2s of one size, at their first common size; over seeds.

    Where one was first scored after the other's last bytes, they are not compared.
    """
    out = []
    for names in vocabularies:
        a, b = results[names[0]], results[names[1]]
        common = [size for size in a.models if size in b.models] if a and b else []
        if not a or not b or not common:
            continue
        curves = {
            (one.name, seed): results.curve(one, common[0], seed)
            for one in (a, b)
            for seed in one.models[common[0]]
        }
        if points := byte_matched(curves):
            small, large = (
                float(np.mean([x.bits_per_byte for (name, _), x in points.items() if name == of]))
                for of in names
            )
            seen = next(iter(points.values())).bytes_seen
            out.append(_Compared(names, small, large, (_unigram(a), _unigram(b)), seen))
    return out


def _unigram(one: MethodResults) -> str:
    score = one.measure("scores", "unigram")
    return NOT_RUN if score is None else f"{score:.4f}"


_TESTS = (
    ac_stays_uniform,
    equal_info_learns,
    large_vocabulary_helps,
    longer_windows_learn_less,
    gzip_vocabulary_does_not_help,
    unigram_gain_is_small,
    ratios_rise,
    decompression,
    exact_code_is_exact,
    ids_are_deterministic,
)
