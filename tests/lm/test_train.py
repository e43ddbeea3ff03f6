import dataclasses
import gc
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equalinfo.data import storage
from equalinfo.ids import symbols_to_ids
from equalinfo.lm import checkpoint, metrics
from equalinfo.lm.config import ModelConfig, OptimizerConfig, TrainConfig
from equalinfo.lm.data import OrderedBatches, RowBatches, TokenRows, make_batch
from equalinfo.lm.model import Transformer
from equalinfo.lm.optimizer import learning_rate
from equalinfo.lm.train import (
    Evaluation,
    State,
    batch_sums,
    evaluate,
    init_params,
    load_params,
    make_optimizer,
    make_train_step,
    row_sums,
    token_scores,
    train,
)

MODEL = ModelConfig(
    vocab_size=128,
    embed_dim=16,
    num_heads=2,
    num_layers=1,
    head_dim=8,
    mlp_dim=32,
    dtype=jnp.float32,
)
CONFIG = TrainConfig(
    model=MODEL,
    optimizer=OptimizerConfig(warmup_steps=50),
    steps=12,
    eval_every=6,
    eval_batches=2,
    checkpoint_every=4,
    log_every=1,
)


def text_rows(number: int = 64, length: int = 16) -> TokenRows:
    """Rows in which each token but the first is the one before plus one."""
    starts = np.random.default_rng(0).integers(3, 60, (number, 1))
    targets = (starts + np.arange(length)[None, :]).astype(np.int32)
    targets[::4, 12:] = 0
    return TokenRows(targets, np.full(number, 2 * length, np.int64))


def losses(directory) -> list[float]:
    return [line["train/loss"] for line in metrics.read(directory) if "train/loss" in line]


def test_it_learns(tmp_path):
    config = dataclasses.replace(CONFIG, steps=60)
    train(config, RowBatches(text_rows(), 8), tmp_path, progress=False)
    curve = losses(tmp_path)
    assert curve[0] > 4.0 and curve[-1] < 0.6 * curve[0]


def test_a_killed_run_goes_on_with_the_same_losses(tmp_path):
    batches = RowBatches(text_rows(), 8, seed=1)
    validation = OrderedBatches(text_rows(8), 4)
    train(CONFIG, batches, tmp_path / "whole", validation, progress=False)

    class Killed(Exception):
        pass

    class DiesAtStep7:
        fingerprint = batches.fingerprint

        def batch(self, step):
            if step == 7:
                raise Killed
            return batches.batch(step)

    with pytest.raises(Killed):
        train(CONFIG, DiesAtStep7(), tmp_path / "killed", validation, progress=False)
    assert len(losses(tmp_path / "killed")) == 7
    train(CONFIG, batches, tmp_path / "killed", validation, progress=False)

    def lines(name):
        return [
            {k: v for k, v in line.items() if k != "train/tokens_per_second"}
            for line in metrics.read(tmp_path / name)
        ]

    assert lines("killed") == lines("whole")
    for a, b in zip(
        *(jax.tree.leaves(load_params(tmp_path / name)[1]) for name in ("killed", "whole")),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_a_finished_run_goes_on_to_more_steps(tmp_path, capsys):
    batches = RowBatches(text_rows(), 8)
    for steps in (4, 9):
        train(dataclasses.replace(CONFIG, steps=steps), batches, tmp_path / "two", progress=False)
    train(dataclasses.replace(CONFIG, steps=9), batches, tmp_path / "one", progress=False)
    for a, b in zip(
        *(jax.tree.leaves(load_params(tmp_path / name)[1]) for name in ("one", "two")), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    train(dataclasses.replace(CONFIG, steps=9), batches, tmp_path / "one", progress=False)
    assert capsys.readouterr().err == ""
    params = init_params(Transformer(MODEL), 1)
    nine = dataclasses.replace(CONFIG, steps=9)
    train(nine, batches, tmp_path / "one", progress=False, initial=params)
    assert re.search(r"one goes on from step 9: .*--init_from.* not used", capsys.readouterr().err)


def test_another_config_in_the_same_directory_is_refused(tmp_path):
    batches = RowBatches(text_rows(), 8)
    train(dataclasses.replace(CONFIG, steps=4), batches, tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"holds a run with seed=0, but this one has seed=1"):
        train(dataclasses.replace(CONFIG, steps=4, seed=1), batches, tmp_path, progress=False)
    four = dataclasses.replace(CONFIG, steps=4)
    with pytest.raises(ValueError, match=r"with batch_size=8, but this one has batch_size=4\."):
        train(four, RowBatches(text_rows(), 4), tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"holds a run with rows=\w+, but"):
        train(four, RowBatches(text_rows(63), 8), tmp_path, progress=False)
    # What the command checks before it reads the data.
    checkpoint.check(tmp_path, four, {"batch_size": 8, "seed": 0}, partly=True)
    with pytest.raises(ValueError, match="batch_size=8, but this one has batch_size=16"):
        checkpoint.check(tmp_path, four, {"batch_size": 16, "seed": 0}, partly=True)


def test_a_run_that_saved_nothing_may_be_deleted(tmp_path):
    """It may also be one that has just begun: it is not simply written over."""
    checkpoint.claim(tmp_path, CONFIG, {})
    with pytest.raises(ValueError, match=r"seed=1\. .* delete it, .* has no checkpoint"):
        checkpoint.claim(tmp_path, dataclasses.replace(CONFIG, seed=1), {})


@pytest.fixture
def orbax_fails():
    """Orbax's threads outlive a restore that fails, and complain as they end: here, not later."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("orbax_fails")
@pytest.mark.parametrize("damage", ["cut", "gone", "flip", "cut, of before"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, capsys, damage):
    batches = RowBatches(text_rows(), 8)
    whole = train(CONFIG, batches, tmp_path, progress=False)
    newest = tmp_path / "checkpoints" / "12"
    files = [path for path in newest.rglob("*") if path.is_file()]
    for path in files:
        if "cut" in damage:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif damage == "gone" and "manifest" in path.name:
            path.unlink()
    if damage == "flip":  # a bit of the arrays, which Orbax does not notice
        largest = max(files, key=lambda path: path.stat().st_size)
        data = bytearray(largest.read_bytes())
        data[len(data) // 2] ^= 1
        largest.write_bytes(data)
    if "before" in damage:
        (newest / "sha256.json").unlink()
    assert load_params(tmp_path)[2] == 8
    assert re.search(r"checkpoints/12 is damaged \(.*going on from step 8", capsys.readouterr().err)
    again = train(CONFIG, batches, tmp_path, progress=False)
    assert (tmp_path / "damaged-12").is_dir()
    assert "damaged-12" in capsys.readouterr().err
    for a, b in zip(*map(jax.tree.leaves, (whole, again)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert load_params(tmp_path)[2] == 12


def test_a_run_whose_checkpoints_are_all_damaged_is_not_begun_again(tmp_path):
    batches = RowBatches(text_rows(), 8)
    train(CONFIG, batches, tmp_path, progress=False)
    for path in (tmp_path / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"no checkpoint can be read, of steps \[8, 12\]"):
        train(CONFIG, batches, tmp_path, progress=False)


def test_accumulated_gradients_are_those_of_the_whole_batch():
    batch = RowBatches(text_rows(), 8).batch(0)
    results = []
    for accumulate in (1, 4):
        config = dataclasses.replace(CONFIG, accumulate=accumulate)
        params = init_params(Transformer(MODEL), 0)
        state = State(params, make_optimizer(config.optimizer).init(params))
        state, sums = make_train_step(config)(state, batch, 0)
        results.append((state.params, [float(x) for x in sums]))
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-5)
    for a, b in zip(*(jax.tree.leaves(params) for params, _ in results), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_muon_moves_attentions_biases_at_their_own_rate():
    """Adam's first step is as long for every gradient: times its rate."""
    rates = {"adam_learning_rate": 0.003, "bias_learning_rate": 0.03}
    optimizer = make_optimizer(OptimizerConfig(name="muon", warmup_steps=1, **rates))
    params = init_params(Transformer(MODEL), 0)
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    decoder = updates["decoder"]
    biases = decoder["layers_0"]["self_attention"]["relpos_bias"]["rel_embedding"]
    longest = jnp.max(jnp.abs(decoder["decoder_norm"]["scale"]))
    np.testing.assert_allclose(jnp.max(jnp.abs(biases)), 10 * longest, rtol=1e-3)
    with pytest.raises(ValueError, match=r"bias_learning_rate=0\.0 must be above 0"):
        OptimizerConfig(bias_learning_rate=0.0)


def test_counts_are_added_to_a_share_of_the_logits():
    model = Transformer(dataclasses.replace(MODEL, vocab_size=384))
    params = init_params(model, 0)
    rng = np.random.default_rng(0)
    symbols = rng.integers(0, 257, (2, 8)).astype(np.uint16)
    batch = make_batch(symbols_to_ids(symbols), np.array([8, 8]), np.array([8, 8]))
    rows = {name: getattr(batch, name) for name in ("inputs", "targets", "weights", "segments")}
    counts = rng.integers(-9000, 0, (2, 8, 257)).astype(np.int16)
    found, _ = row_sums(model, params, {**rows, "counts": counts, "shares": np.zeros((2, 8))})
    bits = counts / 1024
    own = np.take_along_axis(bits, symbols[..., None].astype(np.int64), -1)[..., 0]
    wanted = np.log2(np.exp2(bits).sum(-1)) - own
    np.testing.assert_allclose(found.nats / math.log(2), wanted.sum(0), rtol=1e-5)
    # Without counts' word, the network's: the same for all ids but those that no symbol has.
    same = np.zeros((2, 8, 257), np.int16)
    found, _ = row_sums(model, params, {**rows, "counts": same, "shares": np.ones((2, 8))})
    logits = model.apply({"params": params}, rows["inputs"], decoder_segment_ids=rows["segments"])
    ids = [1, *range(3, 259)]
    log_z = jax.nn.logsumexp(logits[..., jnp.array(ids)], axis=-1)
    own = jnp.take_along_axis(logits, rows["targets"][..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(found.nats, (log_z - own).sum(0), rtol=1e-5)


def test_padding_adds_no_loss_and_no_bytes():
    params = init_params(Transformer(MODEL), 0)
    rows = text_rows(6)
    short = evaluate(MODEL, params, OrderedBatches(rows, 6), 1, progress=False)
    padded = evaluate(MODEL, params, OrderedBatches(rows, 4), 2, progress=False)
    assert short.tokens == padded.tokens == np.count_nonzero(rows.targets)
    assert short.num_bytes == padded.num_bytes
    assert short.nats == pytest.approx(padded.nats, rel=1e-5)


def test_accuracy_by_position_of_a_window():
    right, tokens = np.array([2.0, 1.0, 4.0, 0.0]), np.array([4.0, 4.0, 4.0, 0.0])
    scores = Evaluation(np.stack([tokens, right, tokens]), 9)
    assert scores.accuracy_by_position(2).tolist() == [6 / 8, 1 / 4]
    assert scores.accuracy == 7 / 12
    assert np.isnan(scores.accuracy_by_position(4)[3])
    with pytest.raises(ValueError, match="rows of 4 tokens are not whole windows of 3"):
        scores.accuracy_by_position(3)


def test_no_example_is_scored_twice():
    params = init_params(Transformer(MODEL), 0)
    rows = text_rows(6)
    whole = evaluate(MODEL, params, OrderedBatches(rows, 4), progress=False)
    assert whole.num_bytes == rows.num_bytes.sum()
    more = evaluate(MODEL, params, OrderedBatches(rows, 4), 20, progress=False)
    assert (more.num_bytes, more.nats) == (whole.num_bytes, whole.nats)
    first = evaluate(MODEL, params, OrderedBatches(rows, 4), 1, progress=False)
    assert first.num_bytes == rows.num_bytes[:4].sum()


def test_bits_per_byte_from_totals():
    params = jax.tree.map(jnp.zeros_like, init_params(Transformer(MODEL), 0))
    rows = text_rows(4)
    result = evaluate(MODEL, params, OrderedBatches(rows, 4), 1, progress=False)
    # All logits are equal: log2(128) = 7 bits a token.
    assert result.loss == pytest.approx(math.log(128), rel=1e-6)
    expected = 7 * np.count_nonzero(rows.targets) / rows.num_bytes.sum()
    assert result.bits_per_byte == pytest.approx(expected, rel=1e-6)


def test_z_loss_is_added_to_what_is_minimised_only():
    params = init_params(Transformer(MODEL), 0)
    rows = make_batch(text_rows(4).targets, np.ones(4), np.full(4, 16))
    names = ("inputs", "targets", "weights", "segments")
    batch = {name: jnp.asarray(getattr(rows, name)) for name in names}
    plain, sums = batch_sums(Transformer(MODEL), params, batch, 0.0)
    with_z, same = batch_sums(Transformer(MODEL), params, batch, 1e-2)
    assert float(plain) == float(sums.nats) == float(same.nats)
    assert float(with_z) > float(plain)


@pytest.mark.parametrize("vocab_size", [7, 128, 384])
def test_token_scores_are_those_of_logits(vocab_size):
    rng = np.random.default_rng(vocab_size)
    logits = jnp.asarray(rng.integers(-3, 4, (2, 9, vocab_size)), jnp.float32)  # many are equal
    targets = jnp.asarray(rng.integers(0, vocab_size, (2, 9)))
    factors = rng.normal(size=(2, 2, 9)).astype(np.float32)

    def plain(logits, targets):
        chosen = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
        return jax.nn.logsumexp(logits, axis=-1), chosen, jnp.argmax(logits, axis=-1)

    def loss(scores):
        return lambda x: sum(
            jnp.sum(a * b) for a, b in zip(scores(x, targets)[:2], factors, strict=True)
        )

    np.testing.assert_array_equal(token_scores(logits, targets)[2], plain(logits, targets)[2])
    for ours, expected in zip(
        jax.tree.leaves((token_scores(logits, targets)[:2], jax.grad(loss(token_scores))(logits))),
        jax.tree.leaves((plain(logits, targets)[:2], jax.grad(loss(plain))(logits))),
        strict=True,
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_learning_rate_is_the_paper_s():
    rate = learning_rate(OptimizerConfig())
    assert float(rate(0)) == pytest.approx(0.01)
    assert float(rate(10_000)) == pytest.approx(0.01)
    assert float(rate(40_000)) == pytest.approx(0.005)


def test_cooldown_ends_at_zero():
    rate = learning_rate(OptimizerConfig(warmup_steps=100, total_steps=400, cooldown_steps=100))
    assert float(rate(300)) == pytest.approx(1 / math.sqrt(300))
    assert float(rate(350)) == pytest.approx(0.5 / math.sqrt(350))
    assert float(rate(400)) == 0


def test_cooldown_longer_than_the_run_is_refused():
    with pytest.raises(ValueError, match=r"cooldown_steps=5 is not in 0\.\.4"):
        OptimizerConfig(total_steps=4, cooldown_steps=5)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    """Nothing that is not is saved, nor recommended."""
    config = dataclasses.replace(CONFIG, checkpoint_every=1, log_every=4)
    broken = jax.tree.map(lambda x: x * np.nan, init_params(Transformer(CONFIG.model), 0))
    with pytest.raises(FloatingPointError, match=r"at step 1\. .*no checkpoint.*Lower learning_r"):
        train(config, RowBatches(text_rows(), 8), tmp_path, progress=False, initial=broken)
    with pytest.raises(FileNotFoundError, match="no checkpoint yet"):
        load_params(tmp_path)


def test_two_do_not_train_in_one_directory(tmp_path):
    """Each would write over the other's checkpoints and metrics."""
    with (
        storage.alone(str(tmp_path / ".lock")) as ours,
        pytest.raises(ValueError, match="another process trains in"),
    ):
        assert ours
        train(CONFIG, RowBatches(text_rows(), 8), tmp_path, progress=False)
    train(
        dataclasses.replace(CONFIG, steps=1), RowBatches(text_rows(), 8), tmp_path, progress=False
    )
    assert not (tmp_path / ".lock").exists()


def test_a_half_written_line_of_metrics_does_not_hurt(tmp_path):
    batches = RowBatches(text_rows(), 8)
    train(dataclasses.replace(CONFIG, max_seconds=1e-9), batches, tmp_path, progress=False)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "train/lo')
    assert all(line["step"] < 2 for line in metrics.read(tmp_path))
    train(CONFIG, batches, tmp_path, progress=False)
    steps = [line["step"] for line in metrics.read(tmp_path)]
    assert steps == sorted(steps) and steps[-1] == CONFIG.steps


def test_a_directory_without_a_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a run of the local trainer"):
        load_params(tmp_path)
