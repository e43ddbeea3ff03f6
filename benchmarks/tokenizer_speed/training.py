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
from typing import Any

from benchmarks.tokenizer_speed.text import read_documents
from equalinfo.hugging_face import byte_letters

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Candidate:
    """A tokenizer to measure.

    Attributes:
      kind: a key of `KINDS`, and of `adapters.ADAPTERS`.
      vocab: ids it can emit, special ones not counted where the library adds them on top.
      path: its file.
      given: it was made elsewhere, of other text: it comes with the package, or its file was named.
    """

    kind: str
    vocab: int
    path: Path
    given: bool = False

    @property
    def name(self) -> str:
        """As printed."""
        if self.given:
            file = self.path.name.partition(".")[0]
            return f"{self.kind} {'shipped' if self.ours else file}"
        return f"{self.kind} {self.vocab:,}"

    @property
    def ours(self) -> bool:
        """Whether it is the tokenizer that the others are peers of."""
        return self.kind == "equalinfo"


def train_equalinfo(train: Path, vocab: int, path: Path) -> None:
    """`equalinfo compile --from-text`: the codebook of a corpus alone, with no neural M1."""
    command = [sys.executable, "-m", "equalinfo.cli", "compile", "--from-text", str(train)]
    command += ["--codes", str(vocab), "--output", str(path), "--quiet"]
    subprocess.run(command, check=True, cwd=ROOT, stdout=sys.stderr)


def train_hf_bpe(train: Path, vocab: int, path: Path, *, words: bool = True) -> None:
    """Byte-level BPE, with GPT-2's pattern, or without any: whole documents."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(read_documents([train]), trainer)
    tokenizer.save(str(path))


def train_hf_bpe_across_spaces(train: Path, vocab: int, path: Path) -> None:
    """Byte-level BPE without a pre-tokenizer."""
    train_hf_bpe(train, vocab, path, words=False)


def train_superbpe(train: Path, vocab: int, path: Path) -> None:
    """BPE up to half of the vocabulary, then merges across words."""
    from experiments.study import superbpe

    documents = [text.encode() for text in read_documents([train])]
    superbpe.train(documents, vocab, transition=0.5).save(str(path))


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

    byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
    ids = Tokenizer.from_file(str(_hf_bpe(train, vocab, path))).get_vocab()
    with path.open("wb") as file:
        for token, rank in sorted(ids.items(), key=lambda item: item[1]):
            raw = bytes(byte_of[character] for character in token)
            file.write(base64.b64encode(raw) + b" %d\n" % rank)


def copy_hf_bpe(train: Path, vocab: int, path: Path) -> None:
    """Hugging Face's byte-level BPE, for libraries that read its file: the ids are the same."""
    path.write_bytes(_hf_bpe(train, vocab, path).read_bytes())


def _hf_bpe(train: Path, vocab: int, beside: Path) -> Path:
    """The file of Hugging Face's BPE of the same text and size, trained if it is not there."""
    source = beside.with_name(file_name("Hugging Face BPE", vocab))
    make(Candidate("Hugging Face BPE", vocab, source), train)
    return source


def train_sentencepiece(
    train: Path, vocab: int, path: Path, model_type: str, **options: Any
) -> None:
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
        **options,
    )
    path.write_bytes(model.getvalue())


def train_sentencepiece_unigram(train: Path, vocab: int, path: Path) -> None:
    """The type that SentencePiece trains by default."""
    train_sentencepiece(train, vocab, path, "unigram")


def train_sentencepiece_bpe(train: Path, vocab: int, path: Path) -> None:
    """`--model_type=bpe`."""
    train_sentencepiece(train, vocab, path, "bpe")


def train_sentencepiece_superwords(train: Path, vocab: int, path: Path) -> None:
    """`--split_by_whitespace=false`: pieces run across spaces, and up to 32 characters."""
    options = {"split_by_whitespace": False, "max_sentencepiece_length": 32}
    train_sentencepiece(train, vocab, path, "unigram", **options)


def train_sentencepiece_lossless(train: Path, vocab: int, path: Path) -> None:
    """Unigram that changes nothing: no normalization, all spaces kept, bytes for what is rare."""
    options = {
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "add_dummy_prefix": False,
        "byte_fallback": True,
    }
    train_sentencepiece(train, vocab, path, "unigram", **options)


@dataclass(frozen=True)
class Kind:
    """How a kind of tokenizer is made: modules it needs, its trainer, its files' suffix."""

    needs: tuple[str, ...]
    train: Callable[[Path, int, Path], None]
    suffix: str


KINDS = {
    "equalinfo": Kind((), train_equalinfo, ".eqi"),
    "tiktoken BPE": Kind(("tiktoken", "tokenizers"), train_tiktoken, ".tiktoken"),
    "Hugging Face BPE": Kind(("tokenizers",), train_hf_bpe, ".json"),
    "Gigatoken BPE": Kind(("gigatoken", "tokenizers"), copy_hf_bpe, ".json"),
    "IREE BPE": Kind(("iree", "tokenizers"), copy_hf_bpe, ".json"),
    "BPE across spaces": Kind(("tokenizers",), train_hf_bpe_across_spaces, ".json"),
    "SuperBPE": Kind(("tokenizers",), train_superbpe, ".json"),
    "Hugging Face Unigram": Kind(("tokenizers",), train_hf_unigram, ".json"),
    "SentencePiece Unigram": Kind(("sentencepiece",), train_sentencepiece_unigram, ".model"),
    "SentencePiece BPE": Kind(("sentencepiece",), train_sentencepiece_bpe, ".model"),
    "SentencePiece lossless": Kind(("sentencepiece",), train_sentencepiece_lossless, ".model"),
    "SentencePiece across spaces": Kind(
        ("sentencepiece",), train_sentencepiece_superwords, ".model"
    ),
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
