"""Tables of models: M2s here, and the paper's."""

from typing import Any

from equalinfo.lm.config import SIZES, model_config
from experiments.analysis import matching
from experiments.analysis.significance import summarize, welch
from experiments.report import findings, paper
from experiments.report.results import MethodResults, Results
from experiments.report.table import NOT_RUN, Cell, Table
from experiments.report.token_tables import wrong_windows


def sizes() -> Table:
    """M1 and M2 by shape."""
    rows: list[tuple[Cell, ...]] = []
    for size in SIZES:
        config = model_config(size, 256)
        rows.append(
            (
                size,
                config.embed_dim,
                config.num_heads,
                config.num_layers,
                config.head_dim,
                config.mlp_dim,
                config.num_parameters / 1e6,
                "yes" if size in paper.PARAMETERS else "no",
            )
        )
    return Table(
        "table-04-sizes",
        "Table 4: sizes of models",
        ("size", "embed", "heads", "layers", "head dim", "MLP", "M parameters", "in the paper"),
        rows,
        "Parameters without embeddings.",
    )


def models(results: Results) -> Table:
    """M2s that were trained here."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        for size in one.method.m2:
            score = one.bits_per_byte(size)
            found = one.models.get(size, {})
            first: dict[str, Any] = next(iter(found.values()))["scores"] if found else {}
            uniform = first.get("uniform")
            flops = first.get("flops_per_byte")
            rows.append(
                (
                    one.name,
                    size,
                    ", ".join(map(str, sorted(found))) or NOT_RUN,
                    score,
                    100 * (score.mean / uniform - 1) if score and uniform else None,
                    summarize([run["scores"]["accuracy"] for run in found.values()])
                    if found
                    else None,
                    None if flops is None else flops / 1e6,
                    first.get("bytes_per_token"),
                    _tokens_seen(results, one, size),
                )
            )
    return Table(
        "table-15-16-17-models",
        "Tables 15, 16, 17: M2s",
        (
            "method",
            "size",
            "seeds",
            "bits/byte",
            "% from uniform",
            "accuracy",
            "M FLOPs/byte",
            "bytes/step",
            "M tokens seen",
        ),
        rows,
        "On the whole validation split; mean ± standard deviation over seeds. FLOPs/byte holds "
        "M1's wherever M1 runs: for AC, and for windows above 20 bits. A compiled codebook (b=16) "
        "runs none.",
    )


def _tokens_seen(results: Results, one: MethodResults, size: str) -> float | None:
    """Millions; padding is not counted."""
    if size not in one.models:
        return None
    return float(results.curve(one, size).tokens_seen[-1]) / 1e6


def paper_models() -> Table:
    """The paper's M2s."""
    rows: list[tuple[Cell, ...]] = []
    for name, bits in paper.BITS_PER_BYTE.items():
        flops = paper.MFLOPS_PER_BYTE[name]
        rows.append((name, *bits, *flops))
    for name, value in paper.BITS_PER_BYTE_403M.items():
        rows.append((name, "-", "-", value, "-", "-", "-", "-", "-"))
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
    for small, large in (*findings.VOCABULARIES, *findings.GZIP_VOCABULARIES):
        methods = [one for one in (results[small], results[large]) if one is not None]
        for size in dict.fromkeys(size for one in methods for size in one.method.m2):
            trained = [one for one in methods if size in one.models]
            rows += _matched(results, trained, size) if len(trained) == 2 else []
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


def _matched(results: Results, methods: list[MethodResults], size: str) -> list[tuple[Cell, ...]]:
    curves = {one.name: results.curve(one, size) for one in methods}
    return [
        (name, size, round(at.step), at.tokens_seen / 1e6, at.bytes_seen / 1e6, at.bits_per_byte)
        for name, at in matching.byte_matched(curves).items()
    ]


def seeds(results: Results) -> Table:
    """Spread over seeds, and whether methods differ by more than that."""
    rows: list[tuple[Cell, ...]] = []
    base = results["Bytes"]
    for one in results.methods:
        for size in one.method.m2:
            sample = one.bits_per_byte(size)
            other = base.bits_per_byte(size) if base else None
            p: Cell = "-"
            if sample and other and one is not base and min(sample.n, other.n) > 1:
                p = welch(sample, other)
            theirs = paper.SEEDS_25M.get(one.method.paper)
            shown = f"{theirs[0]:.4f} ± {theirs[1]:.4f}" if theirs else "-"
            rows.append((one.name, size, sample, p, shown))
    return Table(
        "table-11-seeds",
        "Table 11: spread over seeds",
        ("method", "size", "bits/byte", "p (Welch, against Bytes)", "paper: 25m, five seeds"),
        rows,
    )


def ablations(results: Results) -> Table:
    """M1's resets, and Delay."""
    wanted = ("EqualInfoAC[16, 256]", "M1 reset every other", "M1 never reset", "Delay")
    rows: list[tuple[Cell, ...]] = []
    for one in results.methods:
        if one.name.startswith(wanted):
            theirs = paper.BITS_PER_BYTE_403M.get(one.method.paper, "-")
            if theirs == "-" and one.method.paper in paper.BITS_PER_BYTE:
                theirs = paper.BITS_PER_BYTE[one.method.paper][2]
            ours = [one.bits_per_byte(size) for size in one.method.m2]
            rows.append(
                (
                    one.name,
                    one.scores["bytes_per_token"] if one.scores else None,
                    paper.TOKEN_RATIO.get(one.method.paper, "-"),
                    wrong_windows(one),
                    ours[0] if ours else None,
                    theirs,
                )
            )
    return Table(
        "table-09-17-ablations",
        "Tables 9, 17: when M1 is reset, and Delay (v=256, b=16)",
        (
            "method",
            "bytes/token",
            "paper: bytes/token",
            "windows that decode wrongly",
            "bits/byte",
            "paper: bits/byte, 403m",
        ),
        rows,
    )


def pairs(results: Results) -> Table:
    """Compression and decompression as sequence-to-sequence tasks."""
    rows: list[tuple[Cell, ...]] = []
    for one in results.pairs:
        theirs = paper.PAIRS_113M.get((one["paper"], one["task"]), ("-", "-"))
        rows.append(
            (
                one["method"],
                one["task"],
                100 * one["accuracy"],
                None if one["byte_lm"] is None else 100 * one["byte_lm"],
                theirs[0],
                theirs[1] if theirs[1] is not None else "-",
                one["steps"],
            )
        )
    return Table(
        "table-05-pairs",
        "Table 5: compressing and decompressing, learned from pairs",
        (
            "method",
            "task",
            "accuracy %",
            "byte LM on the same targets %",
            "paper: accuracy %",
            "paper: byte LM %",
            "steps",
        ),
        rows,
        "Accuracy of the targets' tokens, given those before. Decompression is learned where it is "
        "above that of a byte LM, which does not see the compressed text.",
    )


def spelling() -> Table:
    """Not run at any scale here."""
    return Table(
        "figure-13-spelling",
        "Figure 13: spelling after 200 steps of fine-tuning [A.3]",
        ("method", "accuracy"),
        [("all", None)],
        "Not run by this report: an M2 must know words first. With T5X: "
        "gin/runs/finetune_spelling.gin; as a library: equalinfo.lm.pairs.spelling_pairs.",
    )
