"""Score a data set and, if there is one, the M2 trained on it [paper 3.8]."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equalinfo import codecs, container, score
from equalinfo.codecs.base import M1_ASSET
from equalinfo.data import storage
from equalinfo.data.manifest import CODEC_DIRECTORY, Manifest
from equalinfo.lm.checkpoint import trained_beside, trained_codec
from equalinfo.lm.config import ModelConfig
from equalinfo.lm.data import OrderedBatches, TokenRows, check_same_codec, mean_the_same
from equalinfo.lm.train import evaluate, load_model


@dataclasses.dataclass(frozen=True)
class Scores:
    """One row of the paper's tables. None: no model was scored, or there is no training split.

    Attributes:
      method: of compression.
      bytes_per_token: the token compression ratio L_iT / L_oT; also bytes per sequential step.
      uniform: bits/byte at log2(codes) bits a token.
      unigram: bits/byte of token frequencies estimated on the training split.
      unigram_entropy: bits/byte of the scored split's own token frequencies, in sample.
      model: bits/byte of M2.
      accuracy: of M2, share of tokens.
      parameters: of M2 without embeddings.
      flops_per_byte: of M2, and of M1 where it runs.
      num_bytes, num_tokens: of the scored split.
      model_bytes: of its first batches, of which `model` and `accuracy` are.
    """

    method: str
    bytes_per_token: float
    uniform: float
    unigram: float | None
    unigram_entropy: float
    model: float | None
    accuracy: float | None
    parameters: int | None
    flops_per_byte: float | None
    num_bytes: int
    num_tokens: int
    model_bytes: int | None


def evaluate_dataset(
    directory: str | os.PathLike[str],
    split: str,
    run: Path | None = None,
    train_split: str = "train",
    train_directory: str | os.PathLike[str] | None = None,
    batch_size: int = 32,
    num_batches: int = 0,
    progress: bool = True,
) -> Scores:
    """Uniform, unigram and model bits/byte, FLOPs/byte.

    Args:
      directory: a data set that `pipelines.compress` wrote.
      split: scored.
      run: directory of the local trainer's run of an M2, or a checkpoint of T5X; None: no model.
      train_split: unigram frequencies come from here, if the data set has it.
      train_directory: where `train_split` lies, if elsewhere; its codec must be the same.
      batch_size: of the model's evaluation.
      num_batches: of the model's evaluation; 0: the whole split.
      progress: draw bars.

    Raises:
      ValueError: `run` was trained on tokens of another codec (where it is known: not of T5X), or
        has too small a vocabulary for these, or the training split was compressed with another.
    """
    manifest = Manifest.load(directory)
    if run is not None:
        check_trained_on(run, manifest.codec, directory)
    rows = TokenRows.load(directory, split, progress)
    counts = score.token_counts([rows.targets], manifest.vocab_size)
    num_bytes = int(rows.num_bytes.sum())
    ratio = score.bytes_per_token(num_bytes, rows.num_tokens)

    unigram = None
    train_directory = train_directory or directory
    train_manifest = Manifest.load(train_directory)
    if train_split in train_manifest.splits:
        check_same_codec(directory, train_directory)
        train_rows = TokenRows.load(train_directory, train_split, progress)
        train_counts = score.token_counts([train_rows.targets], manifest.vocab_size)
        unigram = score.unigram_bits_per_byte(train_counts, counts, num_bytes)

    model = accuracy = flops = parameters = model_bytes = None
    if run is not None:
        config, params, _ = load_model(run)
        if config.vocab_size < manifest.vocab_size:
            raise ValueError(
                f"the model in {run} knows {config.vocab_size} ids, the data set {directory} uses "
                f"{manifest.vocab_size}. It was trained on other tokens."
            )
        batches = OrderedBatches(rows, batch_size)
        result = evaluate(config, params, batches, num_batches, progress)
        model, accuracy, parameters = result.bits_per_byte, result.accuracy, config.num_parameters
        model_bytes = result.num_bytes
        flops = score.flops_per_byte(
            parameters, ratio, m1_parameters(storage.join(str(directory), CODEC_DIRECTORY))
        )
    return Scores(
        method=manifest.method,
        bytes_per_token=ratio,
        uniform=score.uniform_bits_per_byte(manifest.vocab_size - 3, ratio),
        unigram=unigram,
        unigram_entropy=score.unigram_entropy_bits_per_byte(counts, num_bytes),
        model=model,
        accuracy=accuracy,
        parameters=parameters,
        flops_per_byte=flops,
        num_bytes=num_bytes,
        num_tokens=rows.num_tokens,
        model_bytes=model_bytes,
    )


def check_trained_on(
    run: str | os.PathLike[str], codec: Mapping[str, Any], place: str | os.PathLike[str]
) -> None:
    """See that a run's model knows the ids of a codec, where the run tells: T5X's do not.

    Args:
      run: of a model.
      codec: codec.json.
      place: where that lies, for the error.

    Raises:
      ValueError: it was trained on others, or beside counts, without which it says little.
    """
    trained = trained_codec(Path(run))
    if trained_beside(Path(run)):
        raise ValueError(
            f"the model in {run} was trained beside counts (`train --counts`): alone it is no "
            "model of the text. metrics.jsonl has the scores of both; make an M1 of them with "
            "`equalinfo freeze` and `equalinfo count --counts`."
        )
    if trained and not mean_the_same(trained, codec):
        raise ValueError(
            f"the model in {run} was trained on tokens of {trained['method']!r}, those of {place} "
            f"are of another codec, {codec['method']!r}. It was trained on other tokens: use the "
            "codec of its data set, --codec DIR."
        )


def m1_parameters(codec: str) -> int:
    """Parameters, without embeddings, of the M1 that a codec directory's codec runs; 0 for none."""
    if M1_ASSET not in codecs.describe(codec)["assets"]:
        return 0
    with storage.local_copy(storage.join(codec, M1_ASSET)) as path:
        shape = container.read_header(path, "frozen or static M1").get("shape")
    if shape is None:  # it has no network
        return 0
    sizes = ("embed_dim", "num_heads", "num_layers", "head_dim", "mlp_dim")
    return ModelConfig(vocab_size=0, **{name: shape[name] for name in sizes}).num_parameters
