"""What a study runs."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

from equalinfo.lm.config import ModelConfig, OptimizerConfig, padded_vocab_size
from experiments import config

KINDS = ("bytes", "sentencepiece", "bpe", "superbpe", "codebook", "equal_info", "codec")


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """A tokenizer, made of the first `tokenizer_bytes` of the training text.

    Attributes:
      name: in tables and figures.
      kind: one of `KINDS`; equal_info counts the text in place of an M1; codec is any method of
        `equalinfo.codecs`, with the package's M1 where it needs one.
      codes: V, without what stands for no text; not of bytes and codec.
      options: of its training, see `experiments.study.tokenizers.train`.
      random_splits: probability that a token of the training text is split in two.
    """

    name: str
    kind: str
    codes: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    random_splits: float = 0.0


@dataclasses.dataclass(frozen=True)
class Size:
    """The shape of a model; see `equalinfo.lm.config.ModelConfig`."""

    name: str
    embed_dim: int
    num_heads: int
    num_layers: int
    head_dim: int
    mlp_dim: int

    def model(self, vocab_size: int, dtype: Any) -> ModelConfig:
        """Of so many ids, padded."""
        shape = {key: value for key, value in dataclasses.asdict(self).items() if key != "name"}
        return ModelConfig(vocab_size=padded_vocab_size(vocab_size), dtype=dtype, **shape)


@dataclasses.dataclass(frozen=True)
class Training:
    """Of every model.

    Attributes:
      context_bytes: of text in an example, on average: L is that over bytes/token.
      batch_rows: examples a step, so that a step has the same bytes with every tokenizer.
      optimizer, warmup_steps, adam_learning_rate, bias_learning_rate: see
        `equalinfo.lm.config.OptimizerConfig`.
      cooldown: last part of a run, in which the learning rate falls to 0.
      evaluations: along a run, at equal distances.
      evaluated_rows: each so-many-th row of the validation text is scored in these; the end of a
        run is scored on all.
      dtype: of activations.
      log_every: steps.
      checkpoint_every: steps; a run that was killed goes on from the last.
    """

    context_bytes: int
    batch_rows: int
    optimizer: str = "muon"
    warmup_steps: int = 100
    adam_learning_rate: float = OptimizerConfig.adam_learning_rate
    bias_learning_rate: float = OptimizerConfig.bias_learning_rate
    cooldown: float = 0.4
    evaluations: int = 12
    evaluated_rows: int = 4
    dtype: str = "float32"
    log_every: int = 50
    checkpoint_every: int = 100


@dataclasses.dataclass(frozen=True)
class LearningRate:
    """Chosen for each size on one tokenizer, then the same for all.

    Attributes:
      tokenizer: its name.
      rates: tried; the one with the fewest bits/byte at the end is taken.
      train_bytes: of these runs.
    """

    tokenizer: str
    rates: tuple[float, ...]
    train_bytes: int


@dataclasses.dataclass(frozen=True)
class Claims:
    """Which tokenizers the claims are about; those that a study has not are not decided."""

    bytes: str = "Bytes"
    sentencepiece: str = "SentencePiece 8k"
    bpe: str = "BPE 8k"
    superbpe: str = "SuperBPE 8k"
    codebook: str = "Codebook 8k"
    one_word: str = "Codebook 8k, one word"
    split: str = "Codebook 8k, split"
    equal_info: str = "Equal-Info 8k, best first"
    one_token: str = "EqualInfo[16, 65k]"
    two_tokens: str = "EqualInfo[16, 256]"
    windows: tuple[str, ...] = (
        "EqualInfo[16, 256]",
        "EqualInfo[32, 256]",
        "EqualInfo[64, 256]",
        "EqualInfo[128, 256]",
    )
    arithmetic: tuple[str, ...] = ("AC[256]", "StaticAC[256]")


@dataclasses.dataclass(frozen=True)
class Group:
    """Models to train: every tokenizer with every size and seed, in this order of loops.

    Attributes:
      tokenizers, sizes: names.
      train_bytes: of text, each seen once.
      seeds: of parameters and order.
    """

    tokenizers: tuple[str, ...]
    sizes: tuple[str, ...]
    train_bytes: int
    seeds: tuple[int, ...] = (0,)


@dataclasses.dataclass(frozen=True)
class Job:
    """One model to train."""

    tokenizer: Tokenizer
    size: Size
    seed: int
    train_bytes: int

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.tokenizer.name} {self.size.name} {self.train_bytes // 10**6}MB {self.seed}"


@dataclasses.dataclass(frozen=True)
class Study(config.Config):
    """A study.

    Attributes:
      validation_bytes: of text scored.
      tokenizer_bytes: of training text that tokenizers and n-grams are trained on.
      tokenizers, sizes: by name.
      runs: groups of models, in the order in which they are trained.
      training, learning_rate: of every model.
      claims: which tokenizers they are about.
      ngram_order: highest order of the Kneser-Ney models.
    """

    folder: ClassVar[Path] = Path(__file__).parent / "configs"

    validation_bytes: int
    tokenizer_bytes: int
    tokenizers: dict[str, Tokenizer]
    sizes: dict[str, Size]
    runs: tuple[Group, ...]
    training: Training
    learning_rate: LearningRate
    claims: Claims = Claims()
    ngram_order: int = 6

    def check(self) -> None:
        """What is named is there."""
        for tokenizer in self.tokenizers.values():
            if tokenizer.kind not in KINDS:
                raise ValueError(
                    f"[tokenizers.{tokenizer.name}]: kind {tokenizer.kind!r} is none of "
                    f"{', '.join(KINDS)}."
                )
        tokenizers = [name for group in self.runs for name in group.tokenizers]
        for names, known in (
            ([*tokenizers, self.learning_rate.tokenizer], self.tokenizers),
            ([name for group in self.runs for name in group.sizes], self.sizes),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"{name!r} is none of {', '.join(known)}.")

    def dry(self) -> "Study":
        """The same models on so little text that each takes three steps: does everything run?"""
        training = dataclasses.replace(
            self.training, batch_rows=2, evaluations=1, log_every=1, checkpoint_every=2
        )
        train_bytes = 3 * training.batch_rows * training.context_bytes
        return dataclasses.replace(
            self,
            title=f"{self.title}, dry",
            about="Three steps of each model: its numbers mean nothing.",
            validation_bytes=train_bytes,
            tokenizer_bytes=300_000,
            tokenizers={
                name: dataclasses.replace(one, codes=min(one.codes, 1024))
                for name, one in self.tokenizers.items()
            },
            runs=tuple(dataclasses.replace(x, train_bytes=train_bytes) for x in self.runs),
            training=training,
            learning_rate=dataclasses.replace(self.learning_rate, train_bytes=train_bytes),
        )

    def jobs(self) -> list[Job]:
        """All models, in order; one that two groups name comes once."""
        found = (
            Job(self.tokenizers[tokenizer], self.sizes[size], seed, group.train_bytes)
            for group in self.runs
            for seed in group.seeds
            for size in group.sizes
            for tokenizer in group.tokenizers
        )
        unique = {
            (job.tokenizer.name, job.size.name, job.seed, job.train_bytes): job for job in found
        }
        return list(unique.values())
