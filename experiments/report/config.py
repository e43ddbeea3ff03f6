"""What a report runs: a TOML file, read and checked."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).parent / "configs"
"""`tiny.toml`, `laptop.toml`, `gpu.toml`, `paper.toml`."""


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
class Config:
    """A report.

    Attributes:
      title: of the report.
      about: what it runs on and how long it takes.
      train, validation: text files, as of `pipelines.compress --input`.
      train_bytes, validation_bytes: of text taken from them, whole documents from their start.
      sequence_length: tokens of a record.
      sentencepiece_codes: of the SentencePiece model that is trained on the text; 0: none is.
      methods: rows of the tables, in order.
      training: of M2s; None: the commands for T5X are printed instead of run.
      seeds: of each M2, in this order: all methods come once before any comes twice.
      samples: disjoint samples of each bitstream [paper 6.3].
      stream_bits: of each bitstream, in all samples together.
      ngrams: longest n-gram of bits.
      stability_words: words put before the sentence [paper 6.1].
      pairs: sequence-to-sequence tasks; None: not run.
    """

    title: str
    about: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    train_bytes: int
    validation_bytes: int
    methods: tuple[Method, ...]
    training: Training | None
    sequence_length: int = 512
    sentencepiece_codes: int = 0
    seeds: tuple[int, ...] = (0,)
    samples: int = 100
    stream_bits: int = 6_400_000
    ngrams: int = 16
    stability_words: int = 500
    pairs: Pairs | None = None

    @classmethod
    def load(cls, name: str) -> "Config":
        """Read a config.

        Args:
          name: of a file, or of one that comes with the package: tiny, laptop, gpu, paper.

        Raises:
          ValueError: no such config, or a wrong entry; the message names it.
        """
        path, values = read(CONFIGS, name)
        methods = [make(Method, entry, f"{path}: method") for entry in values.pop("method", [])]
        for name, kind in (("training", Training), ("pairs", Pairs)):
            entry = values.pop(name, None)
            values[name] = None if entry is None else make(kind, entry, f"{path}: [{name}]")
        config: Config = make(cls, {**values, "methods": methods}, str(path))
        names = [method.name for method in config.methods]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"{path}: two methods are named {name!r}.")
        for name in (*config.pairs.methods, *config.pairs.compress) if config.pairs else ():
            if name not in names:
                raise ValueError(f"{path}: [pairs] names {name!r}, which is no method of it.")
        return config


def read(configs: Path, name: str) -> tuple[Path, dict[str, Any]]:
    """A TOML file and its values.

    Args:
      configs: folder of those that are known by name.
      name: of one of them, or of any file.

    Raises:
      ValueError: there is none, or it is no TOML.
    """
    path = configs / f"{name}.toml"
    if not path.exists():
        path = Path(name)
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in configs.glob("*.toml")))
        raise ValueError(f"--config={name}: no such file, and none of {known}.")
    try:
        return path, tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None


def make(kind: Any, values: dict[str, Any], place: str) -> Any:
    """A dataclass from TOML values: lists become tuples, unknown and missing names are errors."""
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = values.keys() - fields.keys()
    if unknown:
        raise ValueError(f"{place}: {sorted(unknown)[0]!r} is none of {', '.join(fields)}.")
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
        and name not in values
    ]
    if required:
        raise ValueError(f"{place}: {required[0]!r} is missing.")
    made = {}
    for name, value in values.items():
        if str(fields[name].type).startswith("tuple[str"):
            value = tuple(value.split()) if isinstance(value, str) else tuple(value)
        made[name] = tuple(value) if isinstance(value, list) else value
    return kind(**made)
