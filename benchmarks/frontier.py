"""The frontier of tokenizers: predictability (KN-3 bits/byte) over density (bytes/token).

    python benchmarks/frontier.py --train 'C4/train/*.json.gz' --heldout C4/train/last.json.gz \
        --validation 'C4/validation/*.json.gz' --superbpe superbpe.json.gz \
        --output frontier.jsonl --figure frontier.png

For each size of vocabulary it makes codebooks with `equalinfo compile --from-text --plan unigram`,
whose texts hold up to so many words, and trains BPE and Unigram; beside them stand the codebook of
the package and vocabularies made elsewhere. All are trained on the same text as in tokenizers.py
(and kept in its cache), n-grams too, and all are scored on --validation. What an n-gram model makes
of tokens is a first look at what a language model will: docs/results.md. A run that is stopped goes
on; --only_draw draws what --output holds.
"""

import sys
from pathlib import Path

if __package__ in (None, ""):
    # As in tokenizers.py: modules beside this file must not hide installed ones.
    HERE = Path(__file__).resolve().parent
    sys.path[:] = [
        str(HERE.parent),
        *(entry for entry in sys.path if Path(entry or ".").resolve() != HERE),
    ]

import argparse
import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.tokenizer_speed import text, training
from benchmarks.tokenizer_speed.text import Text
from benchmarks.tokenizer_speed.training import ROOT
from equalinfo.codebook.shipped import DEFAULT_CODEBOOK
from equalinfo.evaluation.token_scores import Texts, evaluate
from equalinfo.evaluation.vocabularies import load

_PAPERS = "english-65536-v1.eqi"  # chosen as the paper would: the likeliest windows under M1

PEERS = (
    "Hugging Face BPE",
    "SentencePiece Unigram",
    "BPE across spaces",
    "SuperBPE",
    "SentencePiece lossless",
)


@dataclass(frozen=True)
class Point:
    """One tokenizer to score.

    Attributes:
      line: points of one line are of one method.
      codes: V.
      path: its file.
    """

    line: str
    codes: int
    path: Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Make, score, draw; 1 if something cannot be made."""
    options = _parser().parse_args(arguments)
    try:
        if not options.only_draw:
            run(options)
        draw(options.output, options.figure)
    except (ValueError, OSError, subprocess.CalledProcessError) as error:
        print(f"benchmarks/frontier.py: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace) -> None:
    """Score what --output does not hold yet; a line there as soon as it is known."""
    files = Text.of(options)
    train, directory = files.train, files.train.parent
    scored = [str(file) for file in files.validation]
    texts = Texts.load(scored, [str(train)], train_bytes=1 << 40)
    old = options.output.read_text().splitlines() if options.output.exists() else []
    known = {json.loads(line)["sha256"] for line in old}
    with options.output.open("a", encoding="utf-8") as output:
        for point in _points(options, train, directory):
            sha256 = hashlib.sha256(point.path.read_bytes()).hexdigest()
            if sha256 in known:
                continue
            scores = evaluate(load(str(point.path)), texts, directory / "ids")
            about = {"line": point.line, "codes": point.codes, "text": texts.about}
            found = {**scores.to_json(), **about, "sha256": sha256}
            output.write(json.dumps(found) + "\n")
            output.flush()
            print(
                f"{point.line}, {point.codes:,} codes: {scores.bytes_per_token:.3f} bytes/token, "
                f"KN-3 {scores.ngram[3]:.3f} bits/byte",
                file=sys.stderr,
            )


def _points(options: argparse.Namespace, train: Path, directory: Path) -> Iterator[Point]:
    """Every tokenizer, made when its turn comes; the quick ones first."""
    shipped = [ROOT / "equalinfo" / "codebooks" / name for name in (DEFAULT_CODEBOOK, _PAPERS)]
    for path in (*shipped, *options.superbpe):
        yield Point(path.name.split(".")[0], load(str(path)).size, path)
    for peer in options.peers:
        if missing := training.missing_packages(peer):
            print(f"left out: {peer} needs {' and '.join(missing)}", file=sys.stderr)
            continue
        for candidate in training.candidates([peer], options.vocab, directory):
            training.make(candidate, train)
            yield Point(peer, candidate.vocab, candidate.path)
    for words in options.max_words:
        for codes, path in _codebooks(train, directory, options.vocab, words).items():
            yield Point(f"equalinfo, up to {words} word{'s' * (words > 1)}", codes, path)


def _codebooks(train: Path, directory: Path, sizes: Sequence[int], words: int) -> dict[int, Path]:
    """In one run unless all are in the cache; under other names when the compiler changes."""
    paths = {
        codes: directory / f"{words}-words-{training.file_name('equalinfo', codes)}"
        for codes in sizes
    }
    if not all(path.exists() for path in paths.values()):
        print(f"compiling codebooks of up to {words} words", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "equalinfo.cli", "compile", "--from-text", str(train)]
        command += ["--plan", "unigram", "--max_words", str(words), "--quiet"]
        command += ["--output", str(directory / "unfinished-{codes}.eqi")]
        command += ["--codes", *map(str, sizes)]
        subprocess.run(command, check=True, cwd=ROOT, stdout=sys.stderr)
        for codes, path in paths.items():
            (directory / f"unfinished-{codes}.eqi").replace(path)
    return paths


def draw(scores: Path, path: Path) -> None:
    """The figure, as its suffix says: .png, .svg or .pdf.

    Args:
      scores: JSON lines of `run`.
      path: file to write.
    """
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    lines: dict[str, list[dict[str, Any]]] = {}
    for line in scores.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        lines.setdefault(found["line"], []).append(found)
    if not lines:
        raise ValueError(f"{scores} holds no scores: there is nothing to draw.")
    figure, axes = pyplot.subplots(figsize=(8, 5.5), layout="constrained")
    for name, points in lines.items():
        points.sort(key=lambda point: point["codes"])
        x = [point["bytes_per_token"] for point in points]
        y = [point["ngram"]["3"] for point in points]
        ours = name.startswith("equalinfo")
        marker = "*" if len(points) == 1 else "o"
        axes.plot(x, y, marker=marker, linestyle="-" if ours else "--", label=name)
        for point, left, up in zip(points, x, y, strict=True):
            label = f"{round(point['codes'] / 1024)}k"
            axes.annotate(label, (left, up), (3, 3), textcoords="offset points", fontsize=7)
    axes.set_xlabel("bytes/token (more to the right: fewer steps)")
    axes.set_ylabel("KN-3 bits/byte (lower: easier to predict)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    print(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    text.add_options(parser)
    add("--vocab", type=int, nargs="+", default=[1 << n for n in range(11, 17)], help="sizes")
    add("--max_words", type=int, nargs="*", default=[1, 2, 4, 8], help="of ours, in one text")
    add("--peers", nargs="*", default=PEERS[:2], choices=PEERS, help="trained beside ours")
    add("--superbpe", nargs="*", type=Path, default=[], metavar="FILE", help="tokenizer.json")
    add("--output", type=Path, required=True, help="JSON lines; what it holds is not made again")
    add("--figure", type=Path, required=True, help=".png, .svg or .pdf")
    add("--only_draw", action="store_true", help="run nothing: draw what --output holds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
