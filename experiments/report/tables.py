"""The report's tables: ours, and the paper's beside them."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from equalinfo.lm.config import SIZES, model_config
from experiments.analysis import matching
from experiments.analysis.significance import welch
from experiments.report import findings, paper
from experiments.report.results import MethodResults, Results
from experiments.table import NOT_RUN, Cell, Table

Row = tuple[Cell, ...]


_TABLES: list[Callable[[Results], Table]] = []


def all_tables(results: Results) -> list[Table]:
    """In the order of the report."""
    return [table(results) for table in _TABLES]


def _table(
    key: str, title: str, heads: str, note: str = ""
) -> Callable[[Callable[[Results], Iterable[Row]]], Callable[[Results], Table]]:
    """Make a table of the report of a function that gives its rows; heads are "head | head"."""

    def of(rows: Callable[[Results], Iterable[Row]]) -> Callable[[Results], Table]:
        def table(results: Results) -> Table:
            return Table(key, title, tuple(heads.split(" | ")), list(rows(results)), note)

        _TABLES.append(table)
        return table

    return of


def _ratio(one: MethodResults) -> Any:
    return one.measure("scores", "bytes_per_token")


@_table(
    "table-02-10-12-ratios",
    "Tables 2, 10, 12: compression ratios on validation text",
    "method | lossless | bytes/token | paper | ours / paper | bits in / bits out",
    "Ratios depend on M1: the paper's reaches 1.457 bits/byte on C4, ours about 2.0 "
    "(equalinfo/models/README.md). The paper's EqualInfoAC is not lossless, EqualInfo is.",
)
def ratios(results: Results) -> Iterator[Row]:
    """Bytes of text per token, and the same in bits."""
    for one in results.methods:
        ours, theirs = _ratio(one), paper.TOKEN_RATIO.get(one.method.paper)
        relative = ours / theirs if ours and theirs else "-"
        in_bits = 8 * ours / one.measure("token_bits") if ours else None
        yield one.name, one.measure("lossless"), ours, theirs or "-", relative, in_bits


@_table(
    "table-03-uniform-unigram",
    "Table 3: bits/byte of a uniform and of a unigram model",
    "method | uniform | unigram | unigram entropy | paper: uniform | paper: unigram",
    "Unigram: frequencies of the training split, scored on validation ('not run' where only "
    "validation text was coded). Unigram entropy: of the validation tokens themselves, which "
    "is too low where the vocabulary is large and the text short.",
)
def uniform_unigram(results: Results) -> Iterator[Row]:
    """Bits/byte before anything is learned."""
    names = ("uniform", "unigram", "unigram_entropy")
    for one in results.methods:
        theirs = paper.UNIFORM_UNIGRAM.get(one.method.paper, ("-", "-"))
        yield one.name, *(one.measure("scores", name) for name in names), *theirs


@_table(
    "table-04-sizes",
    "Table 4: sizes of models",
    "size | embed | heads | layers | head dim | MLP | M parameters | in the paper",
    "Parameters without embeddings.",
)
def sizes(_: Results) -> Iterator[Row]:
    """M1 and M2 by shape."""
    for size in SIZES:
        config = model_config(size, 256)
        shape = (config.embed_dim, config.num_heads, config.num_layers, config.head_dim)
        known = "yes" if size in paper.PARAMETERS else "no"
        yield size, *shape, config.mlp_dim, config.num_parameters / 1e6, known


def _m2s(results: Results) -> Iterator[tuple[MethodResults, str]]:
    return ((one, size) for one in results.methods for size in one.method.m2)


@_table(
    "table-15-16-17-models",
    "Tables 15, 16, 17: M2s",
    "method | size | seeds | bits/byte | % from uniform | accuracy | M FLOPs/byte | bytes/step "
    "| M tokens seen",
    "On the whole validation split; mean ± standard deviation over seeds. FLOPs/byte holds "
    "M1's wherever M1 runs: for AC, and for windows above 20 bits. A compiled codebook (b=16) "
    "runs none.",
)
def models(results: Results) -> Iterator[Row]:
    """M2s that were trained here."""
    for one, size in _m2s(results):
        score, uniform = one.bits_per_byte(size), one.model_score(size, "uniform")
        flops = one.model_score(size, "flops_per_byte")
        tokens = results.curve(one, size).tokens_seen[-1] if size in one.models else None
        yield (
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


@_table(
    "table-15-16-17-paper",
    "Tables 9, 10, 15, 16, 17: the paper's M2s, to compare with",
    " | ".join(
        ["method", *(f"{kind} {x}" for kind in ("bits/byte", "M FLOPs/byte") for x in paper.SIZES)]
    ),
    "Trained on 26.2 billion tokens, M1 at 1.457 bits/byte. Not run here.",
)
def paper_models(_: Results) -> Iterator[Row]:
    """The paper's M2s."""
    for name, bits in paper.BITS_PER_BYTE.items():
        yield name, *bits, *paper.MFLOPS_PER_BYTE[name]
    for name, value in paper.BITS_PER_BYTE_403M.items():
        of_sizes = (value if size == "403m" else "-" for size in paper.SIZES)
        yield name, *of_sizes, *("-",) * len(paper.SIZES)


@_table(
    "table-06-byte-matched",
    "Table 6: vocabularies compared after the same bytes of text",
    "method | size | step | M tokens seen | M bytes seen | bits/byte",
    "Read off the runs of the lowest seed where both have seen as many bytes of text; between "
    "two evaluations, on the line through them.",
)
def byte_matched(results: Results) -> Iterator[Row]:
    """v=256 and v=65k after the same bytes of text, read off their runs."""
    for pair in (*findings.VOCABULARIES, *findings.GZIP_VOCABULARIES):
        methods = [one for one in map(results.__getitem__, pair) if one is not None]
        for size in dict.fromkeys(size for one in methods for size in one.method.m2):
            trained = [one for one in methods if size in one.models]
            if len(trained) < 2:
                continue
            curves = {one.name: results.curve(one, size) for one in trained}
            for name, at in matching.byte_matched(curves).items():
                seen = at.tokens_seen / 1e6, at.bytes_seen / 1e6
                yield name, size, round(at.step), *seen, at.bits_per_byte
    for name, value in paper.BYTE_MATCHED_25M.items():
        yield f"paper: {name}", "25m", "-", "-", "-", value


@_table(
    "table-11-seeds",
    "Table 11: spread over seeds",
    "method | size | bits/byte | p (Welch, against Bytes) | paper: 25m, five seeds",
)
def seeds(results: Results) -> Iterator[Row]:
    """Spread over seeds, and whether methods differ by more than that."""
    base = results["Bytes"]
    for one, size in _m2s(results):
        sample, other = one.bits_per_byte(size), base.bits_per_byte(size) if base else None
        p: Cell = "-"
        if sample and other and one is not base and min(sample.n, other.n) > 1:
            p = welch(sample, other)
        theirs = paper.SEEDS_25M.get(one.method.paper)
        yield one.name, size, sample, p, f"{theirs[0]:.4f} ± {theirs[1]:.4f}" if theirs else "-"


@_table(
    "table-09-17-ablations",
    "Tables 9, 17: when M1 is reset, and Delay (v=256, b=16)",
    "method | bytes/token | paper: bytes/token | windows that decode wrongly | bits/byte | "
    "paper: bits/byte, 403m",
)
def ablations(results: Results) -> Iterator[Row]:
    """M1's resets, and Delay."""
    wanted = ("EqualInfoAC[16, 256]", "M1 reset every other", "M1 never reset", "Delay")
    of_403m = {name: bits[2] for name, bits in paper.BITS_PER_BYTE.items()}
    of_403m |= paper.BITS_PER_BYTE_403M
    for one in results.methods:
        if one.name.startswith(wanted):
            ours = next(map(one.bits_per_byte, one.method.m2), None)
            ratio = paper.TOKEN_RATIO.get(one.method.paper, "-")
            theirs = of_403m.get(one.method.paper, "-")
            yield one.name, _ratio(one), ratio, one.wrong_windows(), ours, theirs


@_table(
    "table-05-pairs",
    "Table 5: compressing and decompressing, learned from pairs",
    "method | task | accuracy % | byte LM on the same targets % | paper: accuracy % | "
    "paper: byte LM % | steps",
    "Accuracy of the targets' tokens, given those before. Decompression is learned where it is "
    "above that of a byte LM, which does not see the compressed text.",
)
def pairs(results: Results) -> Iterator[Row]:
    """Compression and decompression as sequence-to-sequence tasks."""
    for one in results.pairs:
        byte_lm = None if one["byte_lm"] is None else 100 * one["byte_lm"]
        theirs = paper.PAIRS_113M.get((one["paper"], one["task"]), ("-", "-"))
        shown = ("-" if value is None else value for value in theirs)
        yield one["method"], one["task"], 100 * one["accuracy"], byte_lm, *shown, one["steps"]


@_table(
    "figure-13-spelling",
    "Figure 13: spelling after 200 steps of fine-tuning [A.3]",
    "method | accuracy",
    "Not run by this report: an M2 must know words first. With T5X: "
    "gin/runs/finetune_spelling.gin; as a library: equalinfo.lm.pairs.spelling_pairs.",
)
def spelling(_: Results) -> list[Row]:
    """Not run at any scale here."""
    return [("all", None)]


@_table(
    "table-07-sentence",
    "Table 7: one sentence by each method",
    "method | tokens | where tokens complete characters",
    "A bracket is the shortest run of characters that whole tokens complete.",
)
def sentence(results: Results) -> Iterator[Row]:
    """One sentence, tokenized by each method."""
    for one in results.methods:
        if found := one.measure("sentence"):
            pieces = "".join(f"[{piece}]" for piece in found["pieces"])
            yield one.name, len(found["ids"]), pieces
        else:
            yield one.name, None, None


@_table(
    "table-08-14-texts",
    "Tables 8, 14: texts of the windows in which one id stands",
    "method | id | position | occurrences | different texts | most frequent",
    "With v=65k a window is one token: an id is one text. With v=256 the first token of a "
    "window narrows its text down, the second depends on the first.",
)
def token_texts(results: Results) -> Iterator[Row]:
    """What stands behind one id."""
    for one in results.methods:
        for id_, places in (one.measure("texts_of_tokens") or {}).items():
            for place, counts in enumerate(places, 1):
                texts = ", ".join(f"“{text}” {number}" for text, number in counts["texts"])
                yield one.name, id_, place, counts["occurrences"], counts["different"], texts


@_table(
    "code-space",
    "Not in the paper: use of the code space, determinism",
    "method | codes | occur | share | entropy / log2(codes) | deterministic",
    "Codes that occur in the training split, or in validation where only that was coded (a "
    "short text cannot hold all of 65,536). Deterministic: the same ids for texts coded alone, "
    "together and in reverse order.",
)
def code_space(results: Results) -> Iterator[Row]:
    """How many codes occur, and how evenly; whether ids are always the same."""
    for one in results.methods:
        if space := one.measure("code_space"):
            codes, used = space["codes"], space["used"]
            evenly = space["entropy_bits"] / math.log2(codes)
            yield one.name, codes, used, used / codes, evenly, one.measure("deterministic")
        else:
            yield one.name, *(None,) * 5


@_table(
    "window-errors",
    "Not in the paper: windows that decode to other text",
    "method | W | lossless | windows | share wrong",
    "EqualInfoAC is the paper's encoder and decoder. Counted by decoding every record of the "
    "validation split (`pipelines.compress --verify`).",
)
def window_errors(results: Results) -> Iterator[Row]:
    """The paper's window decoding against the exact code, by W."""
    for one in results.methods:
        if (wide := one.measure("window_bits")) is not None:
            windows = one.measure("totals", "validation", "windows")
            yield one.name, wide, one.measure("lossless"), windows, one.wrong_windows()


@_table(
    "figure-08-stability",
    "Figure 8: Levenshtein distance between one sentence after different words",
    "method | tokens of the sentence | mean | 95th percentile | mean / tokens",
    "0 to 2 where only the word's own tokens differ; as many as the sentence has where all do.",
)
def stability(results: Results) -> Iterator[Row]:
    """How far a word before a sentence moves its tokens."""
    for one in results.methods:
        if found := one.measure("stability"):
            tokens, mean = found["tokens"], found["mean"]
            yield one.name, tokens, mean, found["percentiles"][2], mean / tokens
        else:
            yield one.name, *(None,) * 4
