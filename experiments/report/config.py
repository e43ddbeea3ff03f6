"""What a report runs."""

import dataclasses
from pathlib import Path
from typing import ClassVar

from experiments import config


@dataclasses.dataclass(frozen=True)
class Method:
    """A compression method with its options: a row of the tables.

    Attributes:
      name: as in the tables, such as "EqualInfo[16, 256]".
      options: of `pipelines.compress`.
      paper: its name in the paper's tables, to compare with; empty: it is not there.
      m2: sizes of the M2s to train on it; none: its text is coded and counted only.
      steps, batch_size: of these M2s, where not the config's.
      seeds: of these M2s, where not the config's.
      train_options: more options of `equalinfo train` for these M2s.
      train: compress the training text too; else the validation text only.
      verify: decode again and count windows that come back different.
    """

    name: str
    options: tuple[str, ...]
    paper: str = ""
    m2: tuple[str, ...] = ()
    steps: int = 0
    batch_size: int = 0
    seeds: tuple[int, ...] = ()
    train_options: tuple[str, ...] = ()
    train: bool = True
    verify: bool = False


@dataclasses.dataclass(frozen=True)
class Training:
    """Of every M2.

    Attributes:
      steps: optimizer steps.
      batch_size: records a step.
      evaluations: along a run, at equal distances.
      eval_batches: first batches of the validation split in each; 0: all of it.
      options: more, of `equalinfo train`.
    """

    steps: int
    batch_size: int
    evaluations: int
    eval_batches: int
    options: tuple[str, ...] = ()

    def of(self, method: Method) -> tuple[int, int]:
        """(steps, batch size) of a method's M2s."""
        return method.steps or self.steps, method.batch_size or self.batch_size


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Sequence-to-sequence tasks [paper 5.2, Table 5].

    Attributes:
      methods: names of methods to decompress.
      compress: names of methods to compress.
      text_bytes: bytes of each text.
      train_texts, validation_texts: how many.
      size, steps, batch_size: of the models.
    """

    methods: tuple[str, ...]
    text_bytes: int
    train_texts: int
    validation_texts: int
    size: str
    steps: int
    batch_size: int
    compress: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """A report.

    Attributes:
      train_bytes, validation_bytes: of text taken from the files, whole documents.
      methods: rows of the tables, in order.
      training: of M2s; None: the commands for T5X are printed instead of run.
      sequence_length: tokens of a record.
      sentencepiece_codes: of the SentencePiece model that is trained on the text; 0: none is.
      seeds: of each M2, in this order: all methods come once before any comes twice.
      samples: disjoint samples of each bitstream [paper 6.3].
      stream_bits: of each bitstream, in all samples together.
      ngrams: longest n-gram of bits.
      stability_words: words put before the sentence [paper 6.1].
      pairs: sequence-to-sequence tasks; None: not run.
    """

    folder: ClassVar[Path] = Path(__file__).parent / "configs"

    train_bytes: int
    validation_bytes: int
    methods: tuple[Method, ...] = ()
    training: Training | None = None
    sequence_length: int = 512
    sentencepiece_codes: int = 0
    seeds: tuple[int, ...] = (0,)
    samples: int = 100
    stream_bits: int = 6_400_000
    ngrams: int = 16
    stability_words: int = 500
    pairs: Pairs | None = None

    def check(self) -> None:
        """Methods have names of their own, and pairs name methods."""
        names = [method.name for method in self.methods]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two methods are named {name!r}.")
        for name in (*self.pairs.methods, *self.pairs.compress) if self.pairs else ():
            if name not in names:
                raise ValueError(f"[pairs] names {name!r}, which is no method of it.")
