import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from equalinfo import frequencies
from equalinfo.alphabet import EOS, join
from equalinfo.lm.config import ModelConfig
from equalinfo.lm.data import symbols_to_ids
from equalinfo.lm.model import Transformer
from equalinfo.lm.train import init_params
from equalinfo.m1.neural import NeuralModel

CONFIG = ModelConfig(
    vocab_size=384,
    embed_dim=16,
    num_heads=2,
    num_layers=2,
    head_dim=8,
    mlp_dim=32,
    dtype=jnp.float32,
)
TEXT = join([b"The quick brown fox jumps over it.", "naïve café\x00\xff".encode("latin-1")])


@pytest.fixture(scope="module")
def model():
    return NeuralModel(CONFIG, init_params(Transformer(CONFIG), 3), max_context=32)


def whole_sequence(model: NeuralModel, symbols: np.ndarray, context: int) -> np.ndarray:
    """Frequencies before each symbol and after the last, by one forward pass."""
    inputs = np.concatenate([[0], symbols_to_ids(symbols)])[None].astype(np.int32)
    logits = Transformer(CONFIG).apply({"params": model.params}, inputs, attention_span=context)[0]
    columns = symbols_to_ids(np.arange(257, dtype=np.uint16))
    return frequencies.from_logits(np.asarray(logits)[:, columns], model.precision)


def steps(model, state, symbols, lanes):
    no_reset = np.zeros(lanes, np.bool_)
    return [model.step(state, np.full(lanes, s, np.int32), no_reset) for s in symbols]


@pytest.mark.parametrize("context", [64, 8])
def test_steps_give_the_frequencies_of_a_forward_pass(model, context):
    got = [model.root()[None].repeat(2, axis=0)]
    got += steps(model, model.start(2, context), TEXT, 2)
    expected = whole_sequence(model, TEXT, context).astype(np.int64)
    for i, frequency in enumerate(got):
        # Not equal: the last bits of floats differ, which is why coders use steps only.
        assert np.abs(frequency[1].astype(np.int64) - expected[i]).max() <= 2


def test_symbols_reach_the_right_logits(model):
    # Make one column of the logits large: the symbol it stands for must become likely.
    for symbol, column in ((0, 3), (65, 68), (255, 258), (EOS, 1)):
        params = jax.tree.map(jnp.zeros_like, model.params)
        params["decoder"]["logits_dense"]["kernel"] = jnp.zeros((16, 384)).at[:, column].set(1.0)
        params["decoder"]["decoder_norm"]["scale"] = jnp.ones(16)
        params["decoder"]["token_embedder"] = jnp.ones((384, 16))
        root = NeuralModel(CONFIG, params, 32).root()
        assert int(np.argmax(root)) == symbol


def test_an_emptied_lane_is_like_a_new_one(model):
    state = model.start(3, 16)
    steps(model, state, TEXT[:20], 3)
    reset = np.array([False, True, False])
    first = model.step(state, np.full(3, TEXT[0], np.int32), reset)
    fresh = model.start(3, 16)
    expected = model.step(fresh, np.full(3, TEXT[0], np.int32), np.zeros(3, np.bool_))
    np.testing.assert_array_equal(first[1], expected[1])
    assert np.any(first[0] != expected[0])
    after = model.step(state, np.full(3, TEXT[1], np.int32), np.zeros(3, np.bool_))
    again = model.step(fresh, np.full(3, TEXT[1], np.int32), np.zeros(3, np.bool_))
    np.testing.assert_array_equal(after[1], again[1])


def test_frequencies_do_not_depend_on_the_number_of_lanes(model):
    # 300 lanes are two blocks of the model's internal batch.
    one = steps(model, model.start(1, 16), TEXT[:12], 1)
    many = steps(model, model.start(300, 16), TEXT[:12], 300)
    for a, b in zip(one, many, strict=True):
        assert b.shape == (300, 257)
        np.testing.assert_array_equal(b, np.repeat(a, 300, axis=0))


def test_self_test_refuses_a_model_whose_lanes_differ(model, monkeypatch):
    bad = NeuralModel(CONFIG, model.params, 32)
    good_step = bad._step

    def step(params, cache, ids, positions, reset):
        cache, logits = good_step(params, cache, ids, positions, reset)
        return cache, logits.at[17].add(0.3 * jnp.arange(257) / 257)

    monkeypatch.setitem(bad.__dict__, "_step", step)
    with pytest.raises(RuntimeError, match=r"not deterministic here.*place in the batch"):
        bad.start(4, 16)


def test_file_round_trip_and_identity(model, tmp_path):
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    model.save(one)
    loaded = NeuralModel.load(one)
    loaded.save(two)
    assert one.read_bytes() == two.read_bytes()
    assert loaded.sha256 == model.sha256
    np.testing.assert_array_equal(loaded.root(), model.root())
    assert NeuralModel.load(one, precision=14).sha256 != model.sha256
    assert int(NeuralModel.load(one, precision=14).root().sum()) == 1 << 14


def test_damaged_files_are_refused(model, tmp_path):
    path = tmp_path / "m1.safetensors"
    model.save(path)
    tensors = load_file(path)
    save_file(tensors, path, {"equalinfo": '{"kind": "static"}'})
    with pytest.raises(ValueError, match="kind='static', expected 'neural'"):
        NeuralModel.load(path)
    header = dataclasses.replace(CONFIG, num_layers=1)
    NeuralModel(header, model.params, 32).save(path)
    with pytest.raises(ValueError, match=r"layers_1.*the architecture in its header needs None"):
        NeuralModel.load(path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"kind": "neural"}',
        '{"kind": "neural", "format_version": 1}',
        '{"kind": "neural", "format_version": 1, "config": {}, "max_context": 32}',
    ],
)
def test_damaged_headers_are_refused(model, tmp_path, text):
    path = tmp_path / "m1.safetensors"
    save_file({"x": np.zeros(1, np.float32)}, path, {"equalinfo": text})
    with pytest.raises(ValueError, match=r"m1\.safetensors"):
        NeuralModel.load(path)
    path.write_bytes(b"no safetensors file")
    with pytest.raises(ValueError, match="not a frozen M1"):
        NeuralModel.load(path)


def test_a_context_of_one_token_is_refused(model):
    with pytest.raises(ValueError, match="context=1 is too short"):
        model.start(1, 1)
