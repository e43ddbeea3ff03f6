"""The report's tables: ours, and the paper's beside them."""

import math
from collections.abc import Callable, Iterable
from typing import Any

from equalinfo.lm.config import SIZES, model_config
from experiments.analysis import matching
from experiments.analysis.significance import welch
from experiments.report import findings, paper
from experiments.report.results import MethodResults, Results
from experiments.report.table import NOT_RUN, Cell, Table


def all_tables(results: Results) -> list[Table]:
    """In the order of the report."""
    before = (ratios, uniform_unigram, sizes, models, paper_models, byte_matched, seeds)
    after = (ablations, pairs, spelling, sentence, token_texts, code_space, window_errors)
    return [table(results) for table in (*before, *after, stability)]


def _table(
    key: str,
    title: str,
    items: Iterable[tuple[Any, ...]],
    columns: dict[str, Callable[..., Cell]],
    note: str = "",
) -> Table:
    """A row an item; a column by its head, made of the item's parts."""
    rows: list[tuple[Cell, ...]] = [tuple(cell(*x) for cell in columns.values()) for x in items]
    return Table(key, title, tuple(columns), rows, note)


def _methods(
    key: str,
    title: str,
    methods: Iterable[MethodResults],
    columns: dict[str, Callable[[MethodResults], Cell]],
    note: str = "",
) -> Table:
    """A row a method."""
    columns = {"method": lambda one: one.name, **columns}
    return _table(key, title, ((one,) for one in methods), columns, note)


def _measure(*path: str | int) -> Callable[[MethodResults], Any]:
    """A number of `measures`, by its path; None where it was not run."""
    return lambda one: one.measure(*path)


def _bytes_per_token(one: MethodResults) -> Any:
    return one.measure("scores", "bytes_per_token")


def _papers(values: dict[str, Any]) -> Callable[[MethodResults], Any]:
    """What the paper has for a method; "-" where it has not."""
    return lambda one: values.get(one.method.paper, "-")


def ratios(results: Results) -> Table:
    """Bytes of text per token, and the same in bits."""

    def of_paper(one: MethodResults) -> Cell:
        ours, theirs = _bytes_per_token(one), paper.TOKEN_RATIO.get(one.method.paper)
        return ours / theirs if ours and theirs else "-"

    def in_bits(one: MethodResults) -> Cell:
        return 8 * _bytes_per_token(one) / one.measure("token_bits") if one.measures else None

    return _methods(
        "table-02-10-12-ratios",
        "Tables 2, 10, 12: compression ratios on validation text",
        results.methods,
        {
            "lossless": _measure("lossless"),
            "bytes/token": _bytes_per_token,
            "paper": _papers(paper.TOKEN_RATIO),
            "ours / paper": of_paper,
            "bits in / bits out": in_bits,
        },
        "Ratios depend on M1: the paper's reaches 1.457 bits/byte on C4, ours about 2.0 "
        "(equalinfo/models/README.md). The paper's EqualInfoAC is not lossless, EqualInfo is.",
    )


def uniform_unigram(results: Results) -> Table:
    """Bits/byte before anything is learned."""

    def theirs(place: int) -> Callable[[MethodResults], Cell]:
        return lambda one: paper.UNIFORM_UNIGRAM.get(one.method.paper, ("-", "-"))[place]

    return _methods(
        "table-03-uniform-unigram",
        "Table 3: bits/byte of a uniform and of a unigram model",
        results.methods,
        {
            "uniform": _measure("scores", "uniform"),
            "unigram": _measure("scores", "unigram"),
            "unigram entropy": _measure("scores", "unigram_entropy"),
            "paper: uniform": theirs(0),
            "paper: unigram": theirs(1),
        },
        "Unigram: frequencies of the training split, scored on validation ('not run' where only "
        "validation text was coded). Unigram entropy: of the validation tokens themselves, which "
        "is too low where the vocabulary is large and the text short.",
    )


def sizes(_: Results) -> Table:
    """M1 and M2 by shape."""
    return _table(
        "table-04-sizes",
        "Table 4: sizes of models",
        ((size, model_config(size, 256)) for size in SIZES),
        {
            "size": lambda size, config: size,
            "embed": lambda size, config: config.embed_dim,
            "heads": lambda size, config: config.num_heads,
            "layers": lambda size, config: config.num_layers,
            "head dim": lambda size, config: config.head_dim,
            "MLP": lambda size, config: config.mlp_dim,
            "M parameters": lambda size, config: config.num_parameters / 1e6,
            "in the paper": lambda size, config: "yes" if size in paper.PARAMETERS else "no",
        },
        "Parameters without embeddings.",
    )


def models(results: Results) -> Table:
    """M2s that were trained here."""

    def from_uniform(one: MethodResults, size: str) -> Cell:
        score, uniform = one.bits_per_byte(size), one.model_score(size, "uniform")
        return 100 * (score.mean / uniform - 1) if score and uniform else None

    def million_flops(one: MethodResults, size: str) -> Cell:
        flops = one.model_score(size, "flops_per_byte")
        return None if flops is None else flops / 1e6

    def million_tokens(one: MethodResults, size: str) -> Cell:
        if size not in one.models:
            return None
        return float(results.curve(one, size).tokens_seen[-1]) / 1e6

    return _table(
        "table-15-16-17-models",
        "Tables 15, 16, 17: M2s",
        _sizes_of(results),
        {
            "method": lambda one, size: one.name,
            "size": lambda one, size: size,
            "seeds": lambda one, size: (
                ", ".join(map(str, sorted(one.models.get(size, {})))) or NOT_RUN
            ),
            "bits/byte": lambda one, size: one.bits_per_byte(size),
            "% from uniform": from_uniform,
            "accuracy": lambda one, size: one.over_seeds(size, "accuracy"),
            "M FLOPs/byte": million_flops,
            "bytes/step": lambda one, size: one.model_score(size, "bytes_per_token"),
            "M tokens seen": million_tokens,
        },
        "On the whole validation split; mean ± standard deviation over seeds. FLOPs/byte holds "
        "M1's wherever M1 runs: for AC, and for windows above 20 bits. A compiled codebook (b=16) "
        "runs none.",
    )


def _sizes_of(results: Results) -> Iterable[tuple[MethodResults, str]]:
    return ((one, size) for one in results.methods for size in one.method.m2)


def paper_models(_: Results) -> Table:
    """The paper's M2s."""
    none = ("-",) * len(paper.SIZES)
    rows: list[tuple[Cell, ...]] = [
        (name, *bits, *paper.MFLOPS_PER_BYTE[name]) for name, bits in paper.BITS_PER_BYTE.items()
    ]
    for name, value in paper.BITS_PER_BYTE_403M.items():
        rows.append((name, *(value if size == "403m" else "-" for size in paper.SIZES), *none))
    return Table(
        "table-15-16-17-paper",
        "Tables 9, 10, 15, 16, 17: the paper's M2s, to compare with",
        (
            "method",
            *(f"bits/byte {size}" for size in paper.SIZES),
            *(f"M FLOPs/byte {size}" for size in paper.SIZES),
        ),
        rows,
        "Trained on 26.2 billion tokens, M1 at 1.457 bits/byte. Not run here.",
    )


def byte_matched(results: Results) -> Table:
    """v=256 and v=65k after the same bytes of text, read off their runs."""
    rows: list[tuple[Cell, ...]] = []
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
    return Table(
        "table-06-byte-matched",
        "Table 6: vocabularies compared after the same bytes of text",
        ("method", "size", "step", "M tokens seen", "M bytes seen", "bits/byte"),
        rows,
        "Read off the runs of the lowest seed where both have seen as many bytes of text; between "
        "two evaluations, on the line through them.",
    )


def seeds(results: Results) -> Table:
    """Spread over seeds, and whether methods differ by more than that."""
    base = results["Bytes"]

    def p_value(one: MethodResults, size: str) -> Cell:
        sample = one.bits_per_byte(size)
        other = base.bits_per_byte(size) if base else None
        compared = sample and other and one is not base and min(sample.n, other.n) > 1
        return welch(sample, other) if compared and sample and other else "-"

    def theirs(one: MethodResults, size: str) -> Cell:
        found = paper.SEEDS_25M.get(one.method.paper)
        return f"{found[0]:.4f} ± {found[1]:.4f}" if found else "-"

    return _table(
        "table-11-seeds",
        "Table 11: spread over seeds",
        _sizes_of(results),
        {
            "method": lambda one, size: one.name,
            "size": lambda one, size: size,
            "bits/byte": lambda one, size: one.bits_per_byte(size),
            "p (Welch, against Bytes)": p_value,
            "paper: 25m, five seeds": theirs,
        },
    )


def ablations(results: Results) -> Table:
    """M1's resets, and Delay."""
    wanted = ("EqualInfoAC[16, 256]", "M1 reset every other", "M1 never reset", "Delay")
    of_403m = {name: bits[2] for name, bits in paper.BITS_PER_BYTE.items()}
    return _methods(
        "table-09-17-ablations",
        "Tables 9, 17: when M1 is reset, and Delay (v=256, b=16)",
        (one for one in results.methods if one.name.startswith(wanted)),
        {
            "bytes/token": _bytes_per_token,
            "paper: bytes/token": _papers(paper.TOKEN_RATIO),
            "windows that decode wrongly": MethodResults.wrong_windows,
            "bits/byte": lambda one: next(map(one.bits_per_byte, one.method.m2), None),
            "paper: bits/byte, 403m": _papers(of_403m | paper.BITS_PER_BYTE_403M),
        },
    )


def pairs(results: Results) -> Table:
    """Compression and decompression as sequence-to-sequence tasks."""

    def percent(value: float | None) -> Cell:
        return None if value is None else 100 * value

    def theirs(place: int) -> Callable[[dict[str, Any]], Cell]:
        def cell(one: dict[str, Any]) -> Cell:
            found = paper.PAIRS_113M.get((one["paper"], one["task"]), ("-", "-"))[place]
            return "-" if found is None else found

        return cell

    return _table(
        "table-05-pairs",
        "Table 5: compressing and decompressing, learned from pairs",
        ((one,) for one in results.pairs),
        {
            "method": lambda one: one["method"],
            "task": lambda one: one["task"],
            "accuracy %": lambda one: percent(one["accuracy"]),
            "byte LM on the same targets %": lambda one: percent(one["byte_lm"]),
            "paper: accuracy %": theirs(0),
            "paper: byte LM %": theirs(1),
            "steps": lambda one: one["steps"],
        },
        "Accuracy of the targets' tokens, given those before. Decompression is learned where it is "
        "above that of a byte LM, which does not see the compressed text.",
    )


def spelling(_: Results) -> Table:
    """Not run at any scale here."""
    return Table(
        "figure-13-spelling",
        "Figure 13: spelling after 200 steps of fine-tuning [A.3]",
        ("method", "accuracy"),
        [("all", None)],
        "Not run by this report: an M2 must know words first. With T5X: "
        "gin/runs/finetune_spelling.gin; as a library: equalinfo.lm.pairs.spelling_pairs.",
    )


def sentence(results: Results) -> Table:
    """One sentence, tokenized by each method."""

    def pieces(one: MethodResults) -> Cell:
        found = one.measure("sentence", "pieces")
        return None if found is None else "".join(f"[{piece}]" for piece in found)

    return _methods(
        "table-07-sentence",
        "Table 7: one sentence by each method",
        results.methods,
        {
            "tokens": lambda one: len(one.measure("sentence", "ids")) if one.measures else None,
            "where tokens complete characters": pieces,
        },
        "A bracket is the shortest run of characters that whole tokens complete.",
    )


def token_texts(results: Results) -> Table:
    """What stands behind one id."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        for id_, places in (one.measure("texts_of_tokens") or {}).items():
            for place, counts in enumerate(places, 1):
                texts = ", ".join(f"“{text}” {number}" for text, number in counts["texts"])
                seen = counts["occurrences"], counts["different"]
                rows.append((one.name, id_, place, *seen, texts))
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

    def share(name: str, of: Callable[[int], float]) -> Callable[[MethodResults], Cell]:
        def cell(one: MethodResults) -> Cell:
            space = one.measure("code_space")
            return None if space is None else space[name] / of(space["codes"])

        return cell

    return _methods(
        "code-space",
        "Not in the paper: use of the code space, determinism",
        results.methods,
        {
            "codes": _measure("code_space", "codes"),
            "occur": _measure("code_space", "used"),
            "share": share("used", float),
            "entropy / log2(codes)": share("entropy_bits", math.log2),
            "deterministic": _measure("deterministic"),
        },
        "Codes that occur in the training split, or in validation where only that was coded (a "
        "short text cannot hold all of 65,536). Deterministic: the same ids for texts coded alone, "
        "together and in reverse order.",
    )


def window_errors(results: Results) -> Table:
    """The paper's window decoding against the exact code, by W."""
    return _methods(
        "window-errors",
        "Not in the paper: windows that decode to other text",
        (one for one in results.methods if one.measure("window_bits") is not None),
        {
            "W": _measure("window_bits"),
            "lossless": _measure("lossless"),
            "windows": _measure("totals", "validation", "windows"),
            "share wrong": MethodResults.wrong_windows,
        },
        "EqualInfoAC is the paper's encoder and decoder. Counted by decoding every record of the "
        "validation split (`pipelines.compress --verify`).",
    )


def stability(results: Results) -> Table:
    """How far a word before a sentence moves its tokens."""

    def per_token(one: MethodResults) -> Cell:
        found = one.measure("stability")
        return None if found is None else found["mean"] / found["tokens"]

    return _methods(
        "figure-08-stability",
        "Figure 8: Levenshtein distance between one sentence after different words",
        results.methods,
        {
            "tokens of the sentence": _measure("stability", "tokens"),
            "mean": _measure("stability", "mean"),
            "95th percentile": _measure("stability", "percentiles", 2),
            "mean / tokens": per_token,
        },
        "0 to 2 where only the word's own tokens differ; as many as the sentence has where all do.",
    )
