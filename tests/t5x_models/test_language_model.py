"""The model class and its data, in this process."""

import collections
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equalinfo.lm.config import model_config
from equalinfo.lm.data import OrderedBatches, TokenRows
from equalinfo.lm.model import Transformer
from equalinfo.lm.t5x_checkpoint import load_t5x_params, save_t5x_params
from equalinfo.lm.train import evaluate, init_params

pytest.importorskip("t5x.train")

from t5x import adafactor, trainer, utils
from t5x import train_state as train_state_lib

from t5x_models import from_task
from t5x_models.byte_metrics import PerByte
from t5x_models.data import whole_epochs
from t5x_models.language_model import LanguageModel, accuracy_by_position
from tasks.features import ByteCountingLMFeatureConverter
from tasks.registration import register

pytestmark = pytest.mark.filterwarnings("ignore:.with mesh.:DeprecationWarning")  # T5X's

LENGTH = 64


@pytest.fixture(autouse=True)
def as_t5x_runs() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):  # T5X promotes
        yield


@pytest.fixture(scope="module")
def task(dataset: Path) -> str:
    return register(dataset)


@pytest.fixture(scope="module")
def rows(dataset: Path) -> TokenRows:
    return TokenRows.load(dataset, "validation", progress=False)


def make_model(task: str, **arguments: Any) -> LanguageModel:
    vocabulary = from_task.vocabulary(task)
    config = model_config("tiny", vocabulary.vocab_size, jnp.float32)
    return LanguageModel(
        Transformer(config), vocabulary, adafactor.Adafactor(), z_loss=1e-4, **arguments
    )


def to_batch(rows: TokenRows, examples: np.ndarray, size: int) -> dict[str, jnp.ndarray]:
    """As T5X pads a batch that is not full: rows of zeros."""
    missing = size - len(examples)
    targets = np.pad(rows.targets[examples], ((0, missing), (0, 0)))
    return {
        "decoder_target_tokens": jnp.asarray(targets),
        "decoder_input_tokens": jnp.asarray(np.pad(targets, ((0, 0), (1, 0)))[:, :-1]),
        "decoder_loss_weights": jnp.asarray(targets != 0, jnp.int32),
        "num_bytes": jnp.asarray(np.pad(rows.num_bytes[examples], (0, missing)), jnp.int32),
    }


@pytest.mark.parametrize("factor", [None, 100.0, "NUM_REAL_TARGET_TOKENS"])
def test_bits_per_byte_are_exact_over_uneven_batches(
    task: str, rows: TokenRows, factor: Any
) -> None:
    """Sums over batches of 40 and 3 rows and padding; the local trainer's figure, not a mean."""
    model = make_model(task, loss_normalizing_factor=factor)
    params = init_params(model.module, 0)
    last = len(rows.targets)  # the last rows hold the ends of examples, and are short
    metrics: dict[str, Any] = {}
    for examples in (np.arange(last - 43, last - 3), np.arange(last - 3, last)):
        _, new = model.loss_fn(params, to_batch(rows, examples, 40), None)
        metrics = {name: metrics[name].merge(new[name]) if metrics else new[name] for name in new}
    these = TokenRows(rows.targets[-43:], rows.num_bytes[-43:])
    ours = evaluate(model.module.config, params, OrderedBatches(these, 43), 1, progress=False)
    assert float(metrics["bits_per_byte"].compute()) == pytest.approx(ours.bits_per_byte, rel=1e-5)
    assert float(metrics["accuracy"].compute()) == pytest.approx(ours.accuracy)
    ratio = ours.num_bytes / ours.tokens
    assert float(metrics["bytes_per_token"].compute()) == pytest.approx(ratio)
    flops = 2 * model.module.config.num_parameters / ratio
    assert float(metrics["flops_per_byte"].compute()) == pytest.approx(flops)


def test_microbatches_add_up(task: str, rows: TokenRows) -> None:
    model = make_model(task, tokens_per_window=2)
    variables = {**model.module.init(jax.random.key(0), jnp.zeros((1, 8), jnp.int32))}
    state = train_state_lib.FlaxOptimTrainState.create(model.optimizer_def, variables)
    batch = to_batch(rows, np.arange(16), 16)
    computed = {}
    for number in (1, 4):
        _, metrics, _ = trainer.accumulate_grads_microbatched(
            model, state, batch, jax.random.key(0), number
        )
        names = ("bits_per_byte", "flops_per_byte", "accuracy/window_position_2")
        computed[number] = [float(metrics[name].compute()) for name in names]
    assert computed[1] == pytest.approx(computed[4], rel=1e-5)


def test_score_batch_gives_what_the_metrics_need(task: str, rows: TokenRows) -> None:
    model = make_model(task)
    params = init_params(model.module, 0)
    batch = to_batch(rows, np.arange(len(rows.targets) - 5, len(rows.targets)), 8)
    scores, auxiliary = model.score_batch(params, batch)
    assert scores[5:].tolist() == [0, 0, 0]  # padded rows
    _, metrics = model.loss_fn(params, batch, None)
    bits = -float(scores.sum()) / math.log(2) / float(batch["num_bytes"].sum())
    assert bits == pytest.approx(float(metrics["bits_per_byte"].compute()), rel=1e-5)
    tokens = int(batch["decoder_loss_weights"].sum())
    correct = int(auxiliary["correct_tokens"].sum()) / tokens
    assert correct == pytest.approx(float(metrics["accuracy"].compute()))


def test_bytes_do_not_round() -> None:
    step = PerByte.from_sums(jnp.float32(1), jnp.full((2,), (1 << 29) + 1, jnp.int32))
    total = step
    for _ in range(9):
        total = jax.jit(lambda a, b: a.merge(b))(total, step)
    exact = 10 * 2 * ((1 << 29) + 1)  # float32 holds multiples of 1,024 only, int32 no such number
    assert int(total.high) * (1 << 20) + int(total.low) == exact
    assert float(total.compute()) == pytest.approx(10 / exact)


def test_accuracy_by_position_counts_each_place() -> None:
    weights = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]], np.float32)
    correct = np.array([[1, 0, 0, 1, 1, 0], [1, 0, 1, 0, 0, 0]], np.float32)
    got = accuracy_by_position(jnp.asarray(correct), jnp.asarray(weights), 3)
    values = [float(metric.compute()) for _, metric in sorted(got.items())]
    assert values == pytest.approx([3 / 3, 1 / 3, 1 / 3])
    assert accuracy_by_position(jnp.asarray(correct), jnp.asarray(weights), 4) == {}


def test_what_a_model_takes_from_its_task(task: str) -> None:
    assert from_task.padded_vocab_size(task) == 384  # 259 ids
    assert from_task.tokens_per_window(task) == 2
    assert from_task.m1_parameters(task) == 0  # compiled


def test_a_network_that_does_not_know_all_ids_is_refused(task: str) -> None:
    vocabulary = from_task.vocabulary(task)
    network = Transformer(model_config("tiny", 100, jnp.float32))
    with pytest.raises(ValueError, match="knows 128 ids, but the task's vocabulary has 259"):
        LanguageModel(network, vocabulary, adafactor.Adafactor())
    with pytest.raises(ValueError, match="does not weigh all tokens alike"):
        make_model(task, loss_normalizing_factor="AVERAGE_PER_SEQUENCE")


def data_config(task: str, batch_size: int) -> utils.DatasetConfig:
    return utils.DatasetConfig(task, {"targets": LENGTH}, "validation", batch_size, True, 3)


def first_rows(task: str, batch_size: int, number: int, host: int = 0, hosts: int = 1) -> list[Any]:
    data = whole_epochs(data_config(task, batch_size), host, hosts, ByteCountingLMFeatureConverter)
    batches = data.take(number).as_numpy_iterator()
    return [[tuple(row) for row in batch["decoder_target_tokens"]] for batch in batches]


def test_epochs_are_whole_and_differ(task: str, rows: TokenRows) -> None:
    number = len(rows.targets)
    assert number % 32  # a batch is shared by two epochs
    read = [row for batch in first_rows(task, 32, 2 * number // 32) for row in batch]
    everything = collections.Counter(tuple(row) for row in rows.targets)
    assert collections.Counter(read[:number]) == everything
    assert collections.Counter(read[number:]) <= everything
    assert read[number : number + 50] != read[:50]


def test_hosts_share_the_batches_of_one(task: str) -> None:
    one = first_rows(task, 32, 5)
    shares = [first_rows(task, 32, 5, host, 4) for host in range(4)]
    for step, batch in enumerate(one):
        together = [row for share in shares for row in share[step]]
        assert collections.Counter(together) == collections.Counter(batch)
    with pytest.raises(ValueError, match="batch_size=30 is not a multiple of the 4 hosts"):
        whole_epochs(data_config(task, 30), 0, 4, ByteCountingLMFeatureConverter)


def test_t5x_restores_what_the_local_trainer_saves(task: str, tmp_path: Path) -> None:
    from t5x import partitioning

    model = make_model(task)
    params = init_params(model.module, 5)
    folder = save_t5x_params(tmp_path, params, 7)
    with pytest.raises(ValueError, match="checkpoint_7 exists"):
        save_t5x_params(tmp_path, params, 7)
    _, back, step = load_t5x_params(tmp_path)
    assert step == 7
    jax.tree.map(np.testing.assert_array_equal, back, params)

    for optimizer in (None, model.optimizer_def):  # as t5x.eval restores, and as t5x.train
        initializer = utils.TrainStateInitializer(
            optimizer_def=optimizer,
            init_fn=model.get_initial_variables,
            input_shapes={"decoder_input_tokens": (2, 8)},
            partitioner=partitioning.PjitPartitioner(1),
        )
        config = utils.RestoreCheckpointConfig(str(folder), "specific", strict=False)
        if optimizer is not None:
            config = utils.RestoreCheckpointConfig(
                str(folder),
                "specific",
                assignment_map=[(r"state/param_states.*", None)],
                fallback_to_scratch=True,
            )
        state, manager = utils.create_checkpoint_manager_and_restore(
            initializer,
            partitioning.PjitPartitioner(1),
            config,
            str(folder),
            jax.random.PRNGKey(1),
            use_orbax=True,
        )
        manager.close()
        assert int(state.step) == 7
        jax.tree.map(np.testing.assert_array_equal, flax.core.unfreeze(state.params), params)
