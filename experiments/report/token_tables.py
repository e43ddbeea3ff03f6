"""Tables of tokens: what needs a data set, but no M2."""

import math

from experiments.report import paper
from experiments.report.results import MethodResults, Results
from experiments.report.table import Cell, Table


def ratios(results: Results) -> Table:
    """Bytes of text per token, and the same in bits."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        ours = one.scores["bytes_per_token"] if one.scores else None
        bits = one.measures["token_bits"] if one.measures else None
        theirs = paper.TOKEN_RATIO.get(one.method.paper)
        rows.append(
            (
                one.name,
                one.measures["lossless"] if one.measures else None,
                ours,
                theirs if theirs is not None else "-",
                ours / theirs if ours and theirs else "-",
                8 * ours / bits if ours and bits else None,
            )
        )
    return Table(
        "table-02-10-12-ratios",
        "Tables 2, 10, 12: compression ratios on validation text",
        ("method", "lossless", "bytes/token", "paper", "ours / paper", "bits in / bits out"),
        rows,
        "Ratios depend on M1: the paper's reaches 1.457 bits/byte on C4, ours about 2.0 "
        "(equalinfo/models/README.md). The paper's EqualInfoAC is not lossless, EqualInfo is.",
    )


def uniform_unigram(results: Results) -> Table:
    """Bits/byte before anything is learned."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        theirs = paper.UNIFORM_UNIGRAM.get(one.method.paper, ("-", "-"))
        scores = one.scores or {}
        rows.append(
            (
                one.name,
                scores.get("uniform"),
                scores.get("unigram"),
                scores.get("unigram_entropy"),
                *theirs,
            )
        )
    return Table(
        "table-03-uniform-unigram",
        "Table 3: bits/byte of a uniform and of a unigram model",
        ("method", "uniform", "unigram", "unigram entropy", "paper: uniform", "paper: unigram"),
        rows,
        "Unigram: frequencies of the training split, scored on validation ('not run' where only "
        "validation text was coded). Unigram entropy: of the validation tokens themselves, which "
        "is too low where the vocabulary is large and the text short.",
    )


def sentence(results: Results) -> Table:
    """One sentence, tokenized by each method."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        if not one.measures:
            rows.append((one.name, None, None))
            continue
        found = one.measures["sentence"]
        pieces = "".join(f"[{piece}]" for piece in found["pieces"])
        rows.append((one.name, len(found["ids"]), pieces))
    return Table(
        "table-07-sentence",
        "Table 7: one sentence by each method",
        ("method", "tokens", "where tokens complete characters"),
        rows,
        "A bracket is the shortest run of characters that whole tokens complete.",
    )


def token_texts(results: Results) -> Table:
    """What stands behind one id."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        found = (one.measures or {}).get("texts_of_tokens") or {}
        for id_, places in found.items():
            for place, counts in enumerate(places, 1):
                texts = ", ".join(f"“{text}” {number}" for text, number in counts["texts"])
                rows.append(
                    (one.name, id_, place, counts["occurrences"], counts["different"], texts)
                )
    return Table(
        "table-08-14-texts",
        "Tables 8, 14: texts of the windows in which one id stands",
        ("method", "id", "position", "occurrences", "different texts", "most frequent"),
        rows,
        "With v=65k a window is one token: an id is one text. With v=256 the first token of a "
        "window narrows its text down, the second depends on the first.",
    )


def code_space(results: Results) -> Table:
    """How many codes occur, and how evenly; whether ids are always the same."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        space = (one.measures or {}).get("code_space")
        if space is None:
            rows.append((one.name, None, None, None, None, None))
            continue
        codes = space["codes"]
        rows.append(
            (
                one.name,
                codes,
                space["used"],
                space["used"] / codes,
                space["entropy_bits"] / math.log2(codes),
                (one.measures or {})["deterministic"],
            )
        )
    return Table(
        "code-space",
        "Not in the paper: use of the code space, determinism",
        ("method", "codes", "occur", "share", "entropy / log2(codes)", "deterministic"),
        rows,
        "Codes that occur in the training split, or in validation where only that was coded (a "
        "short text cannot hold all of 65,536). Deterministic: the same ids for texts coded alone, "
        "together and in reverse order.",
    )


def window_errors(results: Results) -> Table:
    """The paper's window decoding against the exact code, by W."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        if one.measures and one.measures["window_bits"] is not None:
            totals = one.measures["totals"]["validation"]
            rows.append(
                (
                    one.name,
                    one.measures["window_bits"],
                    one.measures["lossless"],
                    totals["windows"],
                    wrong_windows(one),
                )
            )
    return Table(
        "window-errors",
        "Not in the paper: windows that decode to other text",
        ("method", "W", "lossless", "windows", "share wrong"),
        rows,
        "EqualInfoAC is the paper's encoder and decoder. Counted by decoding every record of the "
        "validation split (`pipelines.compress --verify`).",
    )


def stability(results: Results) -> Table:
    """How far a word before a sentence moves its tokens."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        found = (one.measures or {}).get("stability")
        rows.append(
            (one.name, None, None, None, None)
            if found is None
            else (
                one.name,
                found["tokens"],
                found["mean"],
                found["percentiles"][2],
                found["mean"] / found["tokens"],
            )
        )
    return Table(
        "figure-08-stability",
        "Figure 8: Levenshtein distance between one sentence after different words",
        ("method", "tokens of the sentence", "mean", "95th percentile", "mean / tokens"),
        rows,
        "0 to 2 where only the word's own tokens differ; as many as the sentence has where all do.",
    )


def wrong_windows(one: MethodResults) -> Cell:
    """Share of windows of the validation split that decode to other text."""
    if not one.measures:
        return None
    totals = one.measures["totals"]["validation"]
    if not totals.get("verified_examples") or not totals["windows"]:
        return None
    return float(totals["window_errors"] / totals["windows"])
