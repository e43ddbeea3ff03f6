"""The local trainer: one process, CPU or GPU, no TensorFlow. T5X trains the same module at scale.

A run directory holds `config.json`, `metrics.jsonl` (and the same for TensorBoard) and
`checkpoints/`. Kill it anywhere and start it again: it goes on from the last checkpoint with the
losses it would have had, since batch `step` depends on the step alone.
"""

import contextlib
import dataclasses
import functools
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
from tqdm import tqdm

from equalinfo.data import storage
from equalinfo.lm import checkpoint, cores
from equalinfo.lm.config import ModelConfig, OptimizerConfig, TrainConfig
from equalinfo.lm.data import Batch, Batches
from equalinfo.lm.metrics import MetricsWriter
from equalinfo.lm.model import Transformer
from equalinfo.lm.optimizer import make_optimizer

PyTree = Any
Floats = npt.NDArray[np.float64]


class State(NamedTuple):
    """What a checkpoint holds."""

    params: PyTree
    opt_state: PyTree


class Sums(NamedTuple):
    """Nats, right predictions, tokens (weights): float32[] of a batch, or float32[L] by place."""

    nats: jax.Array
    correct: jax.Array
    tokens: jax.Array


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Totals of an evaluation. Losses are exact sums over tokens, bytes are exact counts.

    Attributes:
      by_place: float64[3, L], nats, right predictions and tokens at each place of a row.
      num_bytes: bytes of text.
    """

    by_place: Floats
    num_bytes: int

    @property
    def nats(self) -> float:
        """Of all tokens."""
        return float(self.by_place[0].sum())

    @property
    def correct(self) -> float:
        """Tokens whose most likely prediction is right."""
        return float(self.by_place[1].sum())

    @property
    def tokens(self) -> float:
        """Padding not counted."""
        return float(self.by_place[2].sum())

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens

    @property
    def accuracy(self) -> float:
        """Share of tokens whose most likely prediction is right."""
        return self.correct / self.tokens

    @property
    def bits_per_byte(self) -> float:
        """(L_oT / L_iT) * loss / ln 2 [paper 3.8], from totals; NaN of no text, as one EOS is."""
        return self.nats / math.log(2) / self.num_bytes if self.num_bytes else math.nan

    def line(self, prefix: str, tokens_per_window: int = 1) -> dict[str, float]:
        """Its metrics by name; of windows of several tokens the accuracy by position, too."""
        found = {"loss": self.loss, "bits_per_byte": self.bits_per_byte, "accuracy": self.accuracy}
        if tokens_per_window > 1:
            by_position = enumerate(self.accuracy_by_position(tokens_per_window), 1)
            found |= {f"accuracy_window_position_{place}": float(x) for place, x in by_position}
        return {f"{prefix}/{name}": value for name, value in found.items()}

    def accuracy_by_position(self, tokens_per_window: int) -> Floats:
        """Accuracy of the first, second, ... token of a window [paper 6.2].

        Args:
          tokens_per_window: rows begin with a window, so it divides L.

        Returns:
          float64[tokens_per_window]; NaN for a place without tokens.

        Raises:
          ValueError: it does not divide L: a place of a row is not one of a window.
        """
        if self.by_place.shape[1] % tokens_per_window:
            raise ValueError(
                f"rows of {self.by_place.shape[1]} tokens are not whole windows of "
                f"{tokens_per_window}: their places are not those of windows."
            )
        _, correct, weights = self.by_place
        places = np.arange(len(weights)) % tokens_per_window
        right = np.bincount(places, correct, tokens_per_window)
        tokens = np.bincount(places, weights, tokens_per_window)
        none = np.full(tokens_per_window, np.nan)
        return np.divide(right, tokens, out=none, where=tokens > 0)


def init_params(model: Transformer, seed: int) -> PyTree:
    """Initial parameters, float32."""
    return model.init(jax.random.key(seed), jnp.zeros((1, 8), jnp.int32))["params"]


@jax.custom_vjp
def token_scores(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What a loss needs of logits, in few passes over them.

    Args:
      logits: float32[..., V].
      targets: int32[...].

    Returns:
      (log(Z), float32[...]; the targets' logits, float32[...]; the largest logit's place, the first
      of several, int32[...]).
    """
    return _token_scores(logits, targets)[0]


def _token_scores(logits: jax.Array, targets: jax.Array) -> tuple[Any, Any]:
    *shape, vocab_size = logits.shape
    # XLA takes ten times as long for an argmax on a CPU as for a maximum: first the largest of each
    # block, then where it is in its block.
    width = math.gcd(vocab_size, 64)
    blocks = logits.reshape(*shape, vocab_size // width, width)
    largest = jnp.max(blocks, axis=-1)
    block = jnp.argmax(largest, axis=-1)[..., None]
    candidates = jnp.take_along_axis(blocks, block[..., None], axis=-2)[..., 0, :]
    place = block[..., 0] * width + jnp.argmax(candidates, axis=-1)
    peak = jnp.take_along_axis(largest, block, axis=-1)
    log_z = (peak + jnp.log(jnp.sum(jnp.exp(logits - peak), axis=-1, keepdims=True)))[..., 0]
    target_logits = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return (log_z, target_logits, place), (logits, targets, log_z)


def _token_scores_backward(saved: Any, gradients: Any) -> tuple[jax.Array, None]:
    logits, targets, log_z = saved
    d_log_z, d_target, _ = gradients
    gradient = jnp.exp(logits - log_z[..., None]) * d_log_z[..., None]
    places = jnp.arange(logits.shape[-1]).reshape((1,) * targets.ndim + (-1,))
    return gradient + jnp.where(places == targets[..., None], d_target[..., None], 0.0), None


token_scores.defvjp(_token_scores, _token_scores_backward)


def row_sums(
    model: Transformer, params: PyTree, batch: dict[str, jax.Array], rng: Any = None
) -> tuple[Sums, jax.Array]:
    """(sums over the rows of a batch, by place; sum of log(Z)^2 over all tokens)."""
    logits: Any = model.apply(
        {"params": params},
        batch["inputs"],
        decoder_segment_ids=batch["segments"],
        enable_dropout=rng is not None,
        rngs=None if rng is None else {"dropout": rng},
    )
    if "counts" in batch:
        logits = logits * batch["shares"][..., None] + _of_ids(batch["counts"], logits.shape[-1])
    log_z, target_logits, predicted = token_scores(logits, batch["targets"])
    weights = batch["weights"]
    nats = (log_z - target_logits) * weights
    correct = (predicted == batch["targets"]) * weights
    sums = Sums(*(jnp.sum(x, axis=0) for x in (nats, correct, weights)))
    return sums, jnp.sum(jnp.square(log_z) * weights)


def _of_ids(counts: jax.Array, vocab_size: int) -> jax.Array:
    """Logits of symbols, int16[..., 257] in 1/1,024 bit, as float32[..., V] of ids in nats."""
    logits = counts.astype(jnp.float32) * (math.log(2) / 1024)

    def none(number: int) -> jax.Array:
        return jnp.full((*logits.shape[:-1], number), -1e3)

    # Padding, EOS, unknown, bytes.
    parts = [none(1), logits[..., 256:], none(1), logits[..., :256], none(vocab_size - 259)]
    return jnp.concatenate(parts, axis=-1)


def batch_sums(
    model: Transformer, params: PyTree, batch: dict[str, jax.Array], z_loss: float, rng: Any = None
) -> tuple[jax.Array, Sums]:
    """(loss to minimise: nats + z-loss, summed over tokens; totals without z-loss)."""
    rows, log_z_squared = row_sums(model, params, batch, rng)
    sums = Sums(*map(jnp.sum, rows))
    return sums.nats + z_loss * log_z_squared, sums


def make_train_step(config: TrainConfig) -> Any:
    """(state, batch, step) -> (state, totals); gradients are of the mean loss per token.

    The state is donated.
    """
    model = _model(config.model)
    optimizer = make_optimizer(config.optimizer)

    def loss(params: PyTree, rows: dict[str, jax.Array], rng: Any) -> tuple[jax.Array, Sums]:
        return batch_sums(model, params, rows, config.z_loss, rng)

    @functools.partial(jax.jit, static_argnums=4)
    def gradients(
        params: PyTree, part: dict[str, jax.Array], step: jax.Array, number: jax.Array, each: int
    ) -> tuple[PyTree, Sums]:
        """Of part `number`, summed over tokens, `each` rows at a time."""
        base = jax.random.fold_in(jax.random.key(config.seed), step)
        micro = cores.pieces(part, each)
        first = number * len(micro["weights"])

        def one(carry: Any, piece: Any) -> tuple[Any, None]:
            index, rows = piece
            rng = jax.random.fold_in(base, index) if config.model.dropout_rate else None
            (_, sums), grads = jax.value_and_grad(loss, has_aux=True)(params, rows, rng)
            return jax.tree.map(jnp.add, carry, (grads, sums)), None

        zeros = jax.tree.map(jnp.zeros_like, params), Sums(*(jnp.zeros(()),) * 3)
        places = first + jnp.arange(len(micro["weights"]))
        return jax.lax.scan(one, zeros, (places, micro))[0]

    @functools.partial(jax.jit, donate_argnums=0)
    def update(state: State, parts: list[tuple[PyTree, Sums]]) -> tuple[State, Sums]:
        grads, sums = jax.tree.map(lambda *x: functools.reduce(jnp.add, x), *parts)
        grads = jax.tree.map(lambda g: g / jnp.maximum(sums.tokens, 1.0), grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        return State(optax.apply_updates(state.params, updates), opt_state), sums

    on_cores = cores.OnCores(gradients)

    def train_step(state: State, batch: Batch, step: int) -> tuple[State, Sums]:
        rows, length = batch.targets.shape
        parts = _parts(batch, state.params)
        each = cores.piece_rows(
            len(parts[0]["weights"]), length, config.model.vocab_size, rows // config.accumulate
        )
        arguments = [(state.params, part, step, i, each) for i, part in enumerate(parts)]
        return update(state, on_cores(arguments))

    return train_step


@jax.jit
def _all_finite(tree: PyTree) -> jax.Array:
    """Whether no number is NaN or infinite, bool[]."""
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(tree)]))


def _model(config: ModelConfig) -> Transformer:
    """The network as it is fastest on this device."""
    blocked = jax.default_backend() == "cpu" and config.dtype == "float32"
    return Transformer(config, blocked=blocked)


def _parts(batch: Batch, params: PyTree) -> list[dict[str, jax.Array]]:
    """What a model step needs of a batch, shared out to the cores."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "inputs": batch.inputs,
        "targets": batch.targets,
        "weights": batch.weights,
        "segments": batch.segments,
    }
    if batch.counts is not None and batch.shares is not None:
        arrays |= {"counts": batch.counts, "shares": batch.shares}
    param_bytes = sum(x.nbytes for x in jax.tree.leaves(params))
    return cores.split(arrays, cores.num_parts(len(batch.targets), param_bytes))


@functools.lru_cache(maxsize=8)
def _eval_step(model_config: ModelConfig) -> cores.OnCores:
    """OnCores of (params, part, rows at a time) -> `Sums` by place."""
    model = _model(model_config)

    @functools.partial(jax.jit, static_argnums=2)
    def step(params: PyTree, part: dict[str, jax.Array], each: int) -> Sums:
        sums = jax.lax.map(lambda rows: row_sums(model, params, rows)[0], cores.pieces(part, each))
        return jax.tree.map(lambda x: jnp.sum(x, axis=0), sums)

    return cores.OnCores(step)


def evaluate(
    model_config: ModelConfig,
    params: PyTree,
    batches: Batches,
    num_batches: int = 0,
    progress: bool = True,
) -> Evaluation:
    """Score batches from the first on.

    Args:
      model_config: of the model.
      params: its parameters.
      batches: validation data.
      num_batches: at most; 0: all of an epoch. No example is scored twice. Paper: 20 [3.8].
      progress: draw a bar.

    Raises:
      ValueError: all are wanted of batches that do not know how many they are.
    """
    whole = batches.batches_per_epoch
    num_batches = min(num_batches or whole or 0, whole or num_batches)
    if num_batches < 1:
        raise ValueError(
            f"num_batches={num_batches}, and the data does not tell its length. Set it above 0."
        )
    step = _eval_step(model_config)
    totals: Any = 0.0  # float64[3, L]
    num_bytes = 0
    for i in tqdm(range(num_batches), "eval", leave=False, disable=not progress, unit="batch"):
        batch = batches.batch(i)
        parts = _parts(batch, params)
        rows = len(parts[0]["weights"])
        each = cores.piece_rows(rows, batch.targets.shape[1], model_config.vocab_size, rows)
        results: list[Sums] = step([(params, part, each) for part in parts])
        for sums in results:
            totals += np.stack(sums).astype(np.float64)
        num_bytes += int(batch.num_bytes.sum())
    return Evaluation(totals, num_bytes)


def train(
    config: TrainConfig,
    batches: Batches,
    directory: Path,
    eval_batches: Batches | None = None,
    progress: bool = True,
    initial: PyTree | None = None,
    codec: Mapping[str, Any] | None = None,
) -> PyTree:
    """Train, or go on training, until `config.steps`.

    Args:
      config: the run.
      batches: training data.
      directory: of the run; an earlier run of the same config and data there is continued.
      eval_batches: validation data; its first `config.eval_batches` batches are scored, the same
        at every step.
      progress: draw a bar.
      initial: parameters to begin with, of the same architecture; None: random ones. A run that is
        continued says that it does not use them.
      codec: codec.json of the data, to be noted in the run: no other tokens are scored with it.

    Returns:
      The parameters.

    Raises:
      ValueError: the directory holds a run of another config or other data, or another process
        trains in it.
      FloatingPointError: the loss or the state is not finite; such a state is never saved.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with storage.alone(str(directory / ".lock")) as ours:
        if not ours:
            raise ValueError(f"another process trains in {directory}. Wait for it, or end it.")
        checkpoint.claim(directory, config, batches.fingerprint, codec)
        return _train(config, batches, directory, eval_batches, progress, initial)


def _train(
    config: TrainConfig,
    batches: Batches,
    directory: Path,
    eval_batches: Batches | None,
    progress: bool,
    initial: PyTree | None,
) -> PyTree:
    """See `train`."""
    model = Transformer(config.model)
    params = init_params(model, config.seed) if initial is None else initial
    state = State(params, make_optimizer(config.optimizer).init(params))
    manager = checkpoint.Checkpoints(directory / checkpoint.CHECKPOINTS)
    step, state = manager.restore_newest(state, set_aside=True)
    if step and initial is not None:
        tqdm.write(
            f"{directory} goes on from step {step}: the parameters to begin with (--init_from) are "
            "not used.",
            file=sys.stderr,
        )

    train_step = make_train_step(config)
    start = time.monotonic()
    last = step
    with (
        contextlib.closing(MetricsWriter(directory, first_step=step)) as writer,
        tqdm(
            total=config.steps, initial=step, desc="train", disable=not progress, unit="step"
        ) as bar,
    ):
        since = (time.monotonic(), step)
        while step < config.steps:
            batch = batches.batch(step)
            state, sums = train_step(state, batch, step)
            step += 1
            bar.update()
            out_of_time = config.max_seconds and time.monotonic() - start > config.max_seconds
            end = step == config.steps or out_of_time
            logs = step % config.log_every == 0 or step == config.steps
            saves = step % config.checkpoint_every == 0 or end
            if (logs or saves) and not _all_finite((state, sums)):
                loss = float(sums.nats) / max(1.0, float(sums.tokens))
                saved = f"The last checkpoint is step {last}" if last else "There is no checkpoint"
                raise FloatingPointError(
                    f"loss ({loss}), parameters or optimizer state are not finite at step {step}. "
                    f"{saved} in {directory}. Lower learning_rate or raise warmup_steps."
                )
            if logs:
                totals = np.array([[float(x)] for x in sums])
                scores = Evaluation(totals, int(batch.num_bytes.sum()))
                now = time.monotonic()
                rate = float(sums.tokens) * (step - since[1]) / (now - since[0])
                since = (now, step)
                writer.write(step, scores.line("train") | {"train/tokens_per_second": rate})
                bar.set_postfix_str(
                    f"loss {scores.loss:.3f} nats/token, {scores.bits_per_byte:.3f} bits/byte"
                )
            if eval_batches is not None and (step % config.eval_every == 0 or end):
                result = evaluate(
                    config.model, state.params, eval_batches, config.eval_batches, progress=False
                )
                writer.write(step, result.line("eval", config.tokens_per_window))
            if saves:
                manager.save(step, state)
                last = step
            if out_of_time:
                break
    manager.close()
    return state.params


def load_params(directory: Path) -> tuple[ModelConfig, PyTree, int]:
    """(model, parameters, step) of the newest checkpoint of a run directory that can be read."""
    directory = Path(directory)
    config = checkpoint.read_identity(directory)["config"]
    model_config = ModelConfig.from_json(config["model"])
    params = init_params(Transformer(model_config), 0)
    state = State(params, make_optimizer(OptimizerConfig(**config["optimizer"])).init(params))
    manager = checkpoint.Checkpoints(directory / checkpoint.CHECKPOINTS)
    step, state = manager.restore_newest(state)
    manager.close()
    if step == 0:
        raise FileNotFoundError(f"{directory / checkpoint.CHECKPOINTS} holds no checkpoint yet.")
    return model_config, state.params, step


def load_model(directory: Path) -> tuple[ModelConfig, PyTree, int]:
    """(model, parameters, step) of a run directory of `equalinfo train`, or a T5X checkpoint.

    Raises:
      FileNotFoundError: neither.
      ValueError: a checkpoint of another architecture.
    """
    if not directory.is_dir():
        raise FileNotFoundError(f"{directory} is not a directory.")
    if (directory / "config.json").exists():
        return load_params(directory)
    from equalinfo.lm.t5x_checkpoint import load_t5x_params

    return load_t5x_params(directory)
