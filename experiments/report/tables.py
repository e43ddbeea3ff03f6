"""The report's tables: ours, and the paper's beside them."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from equalinfo.lm.config import SIZES, model_config
from experiments.analysis import matching
from experiments.analysis.significance import welch
from experiments.report import findings, paper
from experiments.report.results import MethodResults, Results
from experiments.report.table import NOT_RUN, Cell, Table

Row = tuple[Cell, ...]


def all_tables(results: Results) -> list[Table]:
    """In the order of the report."""
    before = (ratios, uniform_unigram, sizes, models, paper_models, byte_matched, seeds)
    after = (ablations, pairs, spelling, sentence, token_texts, code_space, window_errors)
    return [table(results) for table in (*before, *after, stability)]


def _table(key: str, title: str, heads: str, rows: Iterable[Row], note: str = "") -> Table:
    """A table whose heads are written as "head | head"."""
    return Table(key, title, tuple(heads.split(" | ")), list(rows), note)


def _ratio(one: MethodResults) -> Any:
    return one.measure("scores", "bytes_per_token")


def ratios(results: Results) -> Table:
    """Bytes of text per token, and the same in bits."""

    def row(one: MethodResults) -> Row:
        ours, theirs = _ratio(one), paper.TOKEN_RATIO.get(one.method.paper)
        relative = ours / theirs if ours and theirs else "-"
        in_bits = 8 * ours / one.measure("token_bits") if ours else None
        return one.name, one.measure("lossless"), ours, theirs or "-", relative, in_bits

    return _table(
        "table-02-10-12-ratios",
        "Tables 2, 10, 12: compression ratios on validation text",
        "method | lossless | bytes/token | paper | ours / paper | bits in / bits out",
        map(row, results.methods),
        "Ratios depend on M1: the paper's reaches 1.457 bits/byte on C4, ours about 2.0 "
        "(equalinfo/models/README.md). The paper's EqualInfoAC is not lossless, EqualInfo is.",
    )


def uniform_unigram(results: Results) -> Table:
    """Bits/byte before anything is learned."""

    def row(one: MethodResults) -> Row:
        names = ("uniform", "unigram", "unigram_entropy")
        theirs = paper.UNIFORM_UNIGRAM.get(one.method.paper, ("-", "-"))
        return one.name, *(one.measure("scores", name) for name in names), *theirs

    return _table(
        "table-03-uniform-unigram",
        "Table 3: bits/byte of a uniform and of a unigram model",
        "method | uniform | unigram | unigram entropy | paper: uniform | paper: unigram",
        map(row, results.methods),
        "Unigram: frequencies of the training split, scored on validation ('not run' where only "
        "validation text was coded). Unigram entropy: of the validation tokens themselves, which "
        "is too low where the vocabulary is large and the text short.",
    )


def sizes(_: Results) -> Table:
    """M1 and M2 by shape."""

    def row(size: str) -> Row:
        config = model_config(size, 256)
        shape = (config.embed_dim, config.num_heads, config.num_layers, config.head_dim)
        known = "yes" if size in paper.PARAMETERS else "no"
        return size, *shape, config.mlp_dim, config.num_parameters / 1e6, known

    return _table(
        "table-04-sizes",
        "Table 4: sizes of models",
        "size | embed | heads | layers | head dim | MLP | M parameters | in the paper",
        map(row, SIZES),
        "Parameters without embeddings.",
    )


def _m2s(results: Results) -> Iterator[tuple[MethodResults, str]]:
    return ((one, size) for one in results.methods for size in one.method.m2)


def models(results: Results) -> Table:
    """M2s that were trained here."""

    def row(one: MethodResults, size: str) -> Row:
        score, uniform = one.bits_per_byte(size), one.model_score(size, "uniform")
        flops = one.model_score(size, "flops_per_byte")
        tokens = results.curve(one, size).tokens_seen[-1] if size in one.models else None
        return (
            one.name,
            size,
            ", ".join(map(str, sorted(one.models.get(size, {})))) or NOT_RUN,
            score,
            100 * (score.mean / uniform - 1) if score and uniform else None,
            one.over_seeds(size, "accuracy"),
            None if flops is None else flops / 1e6,
            one.model_score(size, "bytes_per_token"),
            None if tokens is None else float(tokens) / 1e6,
        )

    return _table(
        "table-15-16-17-models",
        "Tables 15, 16, 17: M2s",
        "method | size | seeds | bits/byte | % from uniform | accuracy | M FLOPs/byte | bytes/step "
        "| M tokens seen",
        (row(*m2) for m2 in _m2s(results)),
        "On the whole validation split; mean ± standard deviation over seeds. FLOPs/byte holds "
        "M1's wherever M1 runs: for AC, and for windows above 20 bits. A compiled codebook (b=16) "
        "runs none.",
    )


def paper_models(_: Results) -> Table:
    """The paper's M2s."""
    none = ("-",) * len(paper.SIZES)
    rows: list[Row] = [
        (name, *bits, *paper.MFLOPS_PER_BYTE[name]) for name, bits in paper.BITS_PER_BYTE.items()
    ]
    for name, value in paper.BITS_PER_BYTE_403M.items():
        rows.append((name, *(value if size == "403m" else "-" for size in paper.SIZES), *none))
    kinds = ("bits/byte", "M FLOPs/byte")
    return _table(
        "table-15-16-17-paper",
        "Tables 9, 10, 15, 16, 17: the paper's M2s, to compare with",
        " | ".join(["method", *(f"{kind} {size}" for kind in kinds for size in paper.SIZES)]),
        rows,
        "Trained on 26.2 billion tokens, M1 at 1.457 bits/byte. Not run here.",
    )


def byte_matched(results: Results) -> Table:
    """v=256 and v=65k after the same bytes of text, read off their runs."""
    rows: list[Row] = []
    for pair in (*findings.VOCABULARIES, *findings.GZIP_VOCABULARIES):
        methods = [one for one in map(results.__getitem__, pair) if one is not None]
        for size in dict.fromkeys(size for one in methods for size in one.method.m2):
            trained = [one for one in methods if size in one.models]
            if len(trained) == 2:
                curves = {one.name: results.curve(one, size) for one in trained}
                rows += [
                    (
                        *(name, size, round(at.step)),
                        *(at.tokens_seen / 1e6, at.bytes_seen / 1e6, at.bits_per_byte),
                    )
                    for name, at in matching.byte_matched(curves).items()
                ]
    for name, value in paper.BYTE_MATCHED_25M.items():
        rows.append((f"paper: {name}", "25m", "-", "-", "-", value))
    return _table(
        "table-06-byte-matched",
        "Table 6: vocabularies compared after the same bytes of text",
        "method | size | step | M tokens seen | M bytes seen | bits/byte",
        rows,
        "Read off the runs of the lowest seed where both have seen as many bytes of text; between "
        "two evaluations, on the line through them.",
    )


def seeds(results: Results) -> Table:
    """Spread over seeds, and whether methods differ by more than that."""
    base = results["Bytes"]

    def row(one: MethodResults, size: str) -> Row:
        sample, other = one.bits_per_byte(size), base.bits_per_byte(size) if base else None
        p: Cell = "-"
        if sample and other and one is not base and min(sample.n, other.n) > 1:
            p = welch(sample, other)
        theirs = paper.SEEDS_25M.get(one.method.paper)
        return one.name, size, sample, p, f"{theirs[0]:.4f} ± {theirs[1]:.4f}" if theirs else "-"

    return _table(
        "table-11-seeds",
        "Table 11: spread over seeds",
        "method | size | bits/byte | p (Welch, against Bytes) | paper: 25m, five seeds",
        (row(*m2) for m2 in _m2s(results)),
    )


def ablations(results: Results) -> Table:
    """M1's resets, and Delay."""
    wanted = ("EqualInfoAC[16, 256]", "M1 reset every other", "M1 never reset", "Delay")
    of_403m = {name: bits[2] for name, bits in paper.BITS_PER_BYTE.items()}
    of_403m |= paper.BITS_PER_BYTE_403M

    def row(one: MethodResults) -> Row:
        ours = next(map(one.bits_per_byte, one.method.m2), None)
        ratio = paper.TOKEN_RATIO.get(one.method.paper, "-")
        theirs = of_403m.get(one.method.paper, "-")
        return one.name, _ratio(one), ratio, one.wrong_windows(), ours, theirs

    return _table(
        "table-09-17-ablations",
        "Tables 9, 17: when M1 is reset, and Delay (v=256, b=16)",
        "method | bytes/token | paper: bytes/token | windows that decode wrongly | bits/byte | "
        "paper: bits/byte, 403m",
        (row(one) for one in results.methods if one.name.startswith(wanted)),
    )


def pairs(results: Results) -> Table:
    """Compression and decompression as sequence-to-sequence tasks."""

    def row(one: dict[str, Any]) -> Row:
        byte_lm = None if one["byte_lm"] is None else 100 * one["byte_lm"]
        theirs = paper.PAIRS_113M.get((one["paper"], one["task"]), ("-", "-"))
        shown = ("-" if value is None else value for value in theirs)
        return one["method"], one["task"], 100 * one["accuracy"], byte_lm, *shown, one["steps"]

    return _table(
        "table-05-pairs",
        "Table 5: compressing and decompressing, learned from pairs",
        "method | task | accuracy % | byte LM on the same targets % | paper: accuracy % | "
        "paper: byte LM % | steps",
        map(row, results.pairs),
        "Accuracy of the targets' tokens, given those before. Decompression is learned where it is "
        "above that of a byte LM, which does not see the compressed text.",
    )


def spelling(_: Results) -> Table:
    """Not run at any scale here."""
    return _table(
        "figure-13-spelling",
        "Figure 13: spelling after 200 steps of fine-tuning [A.3]",
        "method | accuracy",
        [("all", None)],
        "Not run by this report: an M2 must know words first. With T5X: "
        "gin/runs/finetune_spelling.gin; as a library: equalinfo.lm.pairs.spelling_pairs.",
    )


def sentence(results: Results) -> Table:
    """One sentence, tokenized by each method."""

    def row(one: MethodResults) -> Row:
        found = one.measure("sentence")
        if found is None:
            return one.name, None, None
        return one.name, len(found["ids"]), "".join(f"[{piece}]" for piece in found["pieces"])

    return _table(
        "table-07-sentence",
        "Table 7: one sentence by each method",
        "method | tokens | where tokens complete characters",
        map(row, results.methods),
        "A bracket is the shortest run of characters that whole tokens complete.",
    )


def token_texts(results: Results) -> Table:
    """What stands behind one id."""
    rows: list[Row] = []
    for one in results.methods:
        for id_, places in (one.measure("texts_of_tokens") or {}).items():
            for place, counts in enumerate(places, 1):
                texts = ", ".join(f"“{text}” {number}" for text, number in counts["texts"])
                seen = counts["occurrences"], counts["different"]
                rows.append((one.name, id_, place, *seen, texts))
    return _table(
        "table-08-14-texts",
        "Tables 8, 14: texts of the windows in which one id stands",
        "method | id | position | occurrences | different texts | most frequent",
        rows,
        "With v=65k a window is one token: an id is one text. With v=256 the first token of a "
        "window narrows its text down, the second depends on the first.",
    )


def code_space(results: Results) -> Table:
    """How many codes occur, and how evenly; whether ids are always the same."""

    def row(one: MethodResults) -> Row:
        space = one.measure("code_space")
        if space is None:
            return one.name, None, None, None, None, None
        codes, used = space["codes"], space["used"]
        evenly = space["entropy_bits"] / math.log2(codes)
        return one.name, codes, used, used / codes, evenly, one.measure("deterministic")

    return _table(
        "code-space",
        "Not in the paper: use of the code space, determinism",
        "method | codes | occur | share | entropy / log2(codes) | deterministic",
        map(row, results.methods),
        "Codes that occur in the training split, or in validation where only that was coded (a "
        "short text cannot hold all of 65,536). Deterministic: the same ids for texts coded alone, "
        "together and in reverse order.",
    )


def window_errors(results: Results) -> Table:
    """The paper's window decoding against the exact code, by W."""

    def row(one: MethodResults) -> Row:
        windows = one.measure("totals", "validation", "windows")
        wide, lossless = one.measure("window_bits"), one.measure("lossless")
        return one.name, wide, lossless, windows, one.wrong_windows()

    return _table(
        "window-errors",
        "Not in the paper: windows that decode to other text",
        "method | W | lossless | windows | share wrong",
        (row(one) for one in results.methods if one.measure("window_bits") is not None),
        "EqualInfoAC is the paper's encoder and decoder. Counted by decoding every record of the "
        "validation split (`pipelines.compress --verify`).",
    )


def stability(results: Results) -> Table:
    """How far a word before a sentence moves its tokens."""

    def row(one: MethodResults) -> Row:
        found = one.measure("stability")
        if found is None:
            return one.name, None, None, None, None
        tokens, mean = found["tokens"], found["mean"]
        return one.name, tokens, mean, found["percentiles"][2], mean / tokens

    return _table(
        "figure-08-stability",
        "Figure 8: Levenshtein distance between one sentence after different words",
        "method | tokens of the sentence | mean | 95th percentile | mean / tokens",
        map(row, results.methods),
        "0 to 2 where only the word's own tokens differ; as many as the sentence has where all do.",
    )
