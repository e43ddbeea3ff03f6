"""Tokenizers on the same text: speed, density, and how well their tokens can be predicted.

    python benchmarks/tokenizers.py --train 'C4/train/*.json.gz' --heldout C4/train/last.json.gz \
        --validation 'C4/validation/*.json.gz' --output speed.jsonl --table speed.md

Trains the tokenizers of tiktoken, Hugging Face and SentencePiece, and compiles ours, on the same
text (once; --cache keeps the files), then measures all of them on the same documents: a process
each, in turns, one thread, warm. JSON lines go to --output or to standard output; tables and the
limits to --table or to standard error. Peers that are not installed are left out, and named.
benchmarks/README.md says how to install them and what each figure is.
"""

import sys
from pathlib import Path

if __package__ in (None, ""):
    # Run as a file, Python looks for modules beside it first, and there `import tokenizers`
    # would find this very file instead of Hugging Face's package.
    HERE = Path(__file__).resolve().parent
    sys.path[:] = [
        str(HERE.parent),
        *(entry for entry in sys.path if Path(entry or ".").resolve() != HERE),
    ]

import argparse
import json
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks.tokenizer_speed import report, text, training
from benchmarks.tokenizer_speed.measure import measure, predictability
from benchmarks.tokenizer_speed.text import Text
from benchmarks.tokenizer_speed.training import KINDS, Candidate

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; 1 if it cannot, 0 whether or not the limits hold."""
    options = _parser().parse_args(arguments)
    try:
        run(options)
    except (ValueError, FileNotFoundError) as error:
        print(f"benchmarks/tokenizers.py: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace) -> None:
    """Train what is missing, measure, report."""
    versions = _versions()
    files = Text.of(options)
    directory = files.train.parent

    candidates = training.candidates(_installed(options.kinds), options.vocab, directory)
    for candidate in candidates:
        training.make(candidate, files.train)
    if options.shipped:
        candidates.insert(0, _shipped())
    candidates += [_given(path) for path in options.superbpe]
    validation = list(text.read_documents(files.validation))
    heldout = list(text.read_documents(files.heldout))
    num_timed = min(options.documents, len(validation))

    measurements = measure(
        candidates, validation, heldout, num_timed, options.rounds, options.seconds, options.starts
    )
    if options.ngrams:
        documents = list(text.read_documents([files.train]))
        measurements += predictability(candidates, documents, validation, directory / "ids")
    figures = report.by_tokenizer(measurements)
    limits = report.limits(candidates, figures)
    about = {
        "platform": platform.platform(),
        "python": platform.python_version(),
        **versions,
        "train_bytes": options.train_bytes,
        "train_files": [file.name for file in files.train_files],
        "seed": options.seed,
        "timed_documents": num_timed,
        "timed_bytes": text.num_bytes(validation[:num_timed]),
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    lines: list[dict[str, Any]] = [{"run": about}]
    lines += [found.as_json() for found in measurements]
    lines += [found.as_json() for found in report.ratios(candidates, figures)]
    lines += [{"limit": limit.claim, **vars(limit), "holds": limit.holds} for limit in limits]
    _write(options.output, "".join(json.dumps(line) + "\n" for line in lines), sys.stdout)

    tables = [
        report.table(candidates, figures, num_timed),
        report.limits_table(limits),
        "".join(f"{line}\n" for line in report.sentences(candidates, figures)),
        "".join(f"DOUBT: {line}\n" for line in report.doubts(measurements)),
    ]
    _write(options.table, "\n".join(filter(None, tables)), sys.stderr)


def _installed(kinds: Sequence[str]) -> list[str]:
    found = []
    for kind in kinds:
        if missing := training.missing_packages(kind):
            print(f"left out: {kind} needs {' and '.join(missing)}", file=sys.stderr)
        else:
            found.append(kind)
    return found


def _shipped() -> Candidate:
    from equalinfo.codebook.shipped import DEFAULT_CODEBOOK
    from equalinfo.tokenizer import Tokenizer

    path = training.ROOT / "equalinfo" / "codebooks" / DEFAULT_CODEBOOK
    return Candidate("equalinfo", Tokenizer.load(path).codebook.num_codes, path, given=True)


def _given(path: Path) -> Candidate:
    """A superword vocabulary, of a tokenizer.json."""
    from equalinfo.evaluation.vocabularies import load

    return Candidate("SuperBPE", load(str(path)).size - 1, path.resolve(), given=True)


def _versions() -> dict[str, str]:
    """Installed versions; a note where another one is wanted, since speeds differ a lot."""
    found = {"numba": version("numba"), "numpy": version("numpy")}
    for line in REQUIREMENTS.read_text().splitlines():
        name, separator, wanted = line.partition("==")
        if not separator:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # named where its kind is left out
        if found[name] != wanted:
            print(
                f"note: {name} {found[name]} is installed, {REQUIREMENTS.name} has {wanted}. "
                "It may be slower; install that file for figures to publish.",
                file=sys.stderr,
            )
    return found


def _write(path: Path | None, content: str, stream: Any) -> None:
    if path is None:
        stream.write(content)
    else:
        path.write_text(content, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    text.add_options(parser)
    add("--vocab", type=int, nargs="+", default=[32_768, 65_536], help="sizes")
    add("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), help="what to compare")
    add("--no-shipped", dest="shipped", action="store_false", help="leave out our default codebook")
    add(
        "--superbpe",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="tokenizer.json of superword vocabularies, made elsewhere; also .gz",
    )
    add("--no-ngrams", dest="ngrams", action="store_false", help="leave out n-gram bits/byte")
    add("--documents", type=int, default=1_000, help="of --validation: timed, must be restored")
    add("--rounds", type=int, default=5, help="turns; the best counts")
    add("--seconds", type=float, default=0.4, help="of each figure in each round, at least")
    add("--starts", type=int, default=5, help="fresh processes of each; 0: no such figures")
    add("--output", type=Path, help="JSON lines, one a measurement; default: standard output")
    add("--table", type=Path, help="Markdown; default: standard error")
    return parser


if __name__ == "__main__":
    sys.exit(main())
