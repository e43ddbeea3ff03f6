"""Train every tokenizer on the same text. Each is one file in the cache, made once.

Flags are the libraries' defaults, but for those named here. Trainers take minutes: Hugging Face's
Unigram is the slowest.
"""

import base64
import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.tokenizer_speed.text import read_documents

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Candidate:
    """A tokenizer to measure.

    Attributes:
      kind: a key of `KINDS`, and of `adapters.ADAPTERS`.
      vocab: ids it can emit, special ones not counted where the library adds them on top.
      path: its file.
      shipped: it comes with the package, trained on other text.
    """

    kind: str
    vocab: int
    path: Path
    shipped: bool = False

    @property
    def name(self) -> str:
        """As printed."""
        return f"{self.kind} {'shipped' if self.shipped else f'{self.vocab:,}'}"

    @property
    def ours(self) -> bool:
        """Whether it is the tokenizer that the others are peers of."""
        return self.kind == "equalinfo"


def train_equalinfo(train: Path, vocab: int, path: Path) -> None:
    """`equalinfo compile --from-text`: the codebook of a corpus alone, with no neural M1."""
    command = [sys.executable, "-m", "equalinfo.cli", "compile", "--from-text", str(train)]
    command += ["--codes", str(vocab), "--output", str(path), "--quiet"]
    subprocess.run(command, check=True, cwd=ROOT, stdout=sys.stderr)


def train_hf_bpe(train: Path, vocab: int, path: Path) -> None:
    """Byte-level BPE, with GPT-2's pattern."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(read_documents([train]), trainer)
    tokenizer.save(str(path))


def train_hf_unigram(train: Path, vocab: int, path: Path) -> None:
    """Unigram on words that begin with a marked space."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=vocab, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator(read_documents([train]), trainer)
    tokenizer.save(str(path))


def train_tiktoken(train: Path, vocab: int, path: Path) -> None:
    """The ranks of Hugging Face's byte-level BPE, in tiktoken's file format: it trains none."""
    from tokenizers import Tokenizer

    source = path.with_name(file_name("Hugging Face BPE", vocab))
    if not source.exists():
        make(Candidate("Hugging Face BPE", vocab, source), train)
    byte_of = _byte_of_character()
    ids = Tokenizer.from_file(str(source)).get_vocab()
    with path.open("wb") as file:
        for token, rank in sorted(ids.items(), key=lambda item: item[1]):
            raw = bytes(byte_of[character] for character in token)
            file.write(base64.b64encode(raw) + b" %d\n" % rank)


def train_sentencepiece(train: Path, vocab: int, path: Path, model_type: str) -> None:
    """Default flags, on lines; `max_sentence_length` is raised so that no line is dropped."""
    import sentencepiece

    lines = [line for text in read_documents([train]) for line in text.split("\n") if line]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type=model_type,
        vocab_size=vocab,
        max_sentence_length=max(len(line.encode()) for line in lines) + 1,
        num_threads=os.cpu_count() or 1,
        minloglevel=1,
    )
    path.write_bytes(model.getvalue())


def train_sentencepiece_unigram(train: Path, vocab: int, path: Path) -> None:
    """The type that SentencePiece trains by default."""
    train_sentencepiece(train, vocab, path, "unigram")


def train_sentencepiece_bpe(train: Path, vocab: int, path: Path) -> None:
    """`--model_type=bpe`."""
    train_sentencepiece(train, vocab, path, "bpe")


@dataclass(frozen=True)
class Kind:
    """How a kind of tokenizer is made: packages it needs, its trainer, its files' suffix."""

    needs: tuple[str, ...]
    train: Callable[[Path, int, Path], None]
    suffix: str


KINDS = {
    "equalinfo": Kind((), train_equalinfo, ".eqi"),
    "tiktoken BPE": Kind(("tiktoken", "tokenizers"), train_tiktoken, ".tiktoken"),
    "Hugging Face BPE": Kind(("tokenizers",), train_hf_bpe, ".json"),
    "Hugging Face Unigram": Kind(("tokenizers",), train_hf_unigram, ".json"),
    "SentencePiece Unigram": Kind(("sentencepiece",), train_sentencepiece_unigram, ".model"),
    "SentencePiece BPE": Kind(("sentencepiece",), train_sentencepiece_bpe, ".model"),
}


def file_name(kind: str, vocab: int) -> str:
    """Of a trained tokenizer in the cache. Ours gets another one when our compiler changes."""
    name = f"{kind.lower().replace(' ', '-')}-{vocab}"
    if kind == "equalinfo":
        sources = sorted((ROOT / "equalinfo" / "codebook").glob("*.py"))
        digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
        name += f"-{digest.hexdigest()[:8]}"
    return name + KINDS[kind].suffix


def missing_packages(kind: str) -> list[str]:
    """Packages that this kind needs and that are not installed."""
    return [package for package in KINDS[kind].needs if find_spec(package) is None]


def make(candidate: Candidate, train: Path) -> None:
    """Train a tokenizer unless its file is in the cache."""
    if candidate.path.exists():
        return
    print(f"training {candidate.name}", end=" ", file=sys.stderr, flush=True)
    start = time.perf_counter()
    unfinished = candidate.path.with_name(f"unfinished-{candidate.path.name}")
    KINDS[candidate.kind].train(train, candidate.vocab, unfinished)
    unfinished.replace(candidate.path)
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)


def candidates(
    kinds: Sequence[str], vocabularies: Sequence[int], directory: Path
) -> list[Candidate]:
    """One of each kind and size."""
    return [
        Candidate(kind, vocab, directory / file_name(kind, vocab))
        for kind in kinds
        for vocab in vocabularies
    ]


def _byte_of_character() -> dict[str, int]:
    """GPT-2 writes bytes as printable characters: those that are printable as themselves.

    The others follow from U+0100 on, in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    shifted = {chr(0x100 + place): byte for place, byte in enumerate(others)}
    return {**{chr(byte): byte for byte in printable}, **shifted}
