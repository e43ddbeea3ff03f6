"""What T5X samples, in this process: the local sampler gives the same ids."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equalinfo.lm.config import ModelConfig, Sampling
from equalinfo.lm.generate import generate
from equalinfo.lm.model import Transformer
from equalinfo.lm.train import init_params

pytest.importorskip("t5x.train")

from t5x import adafactor, models

from t5x_models import from_task
from t5x_models.language_model import LanguageModel
from tasks.registration import register

VOCAB = 259
NEW = 12
ROWS = 128
PROMPTS = [[5, 9, 250], [], [7] * 8, [258]]
Sample = Callable[..., np.ndarray]


@pytest.fixture(autouse=True)
def as_t5x_runs() -> Iterator[None]:
    with jax.numpy_rank_promotion("allow"):  # T5X promotes
        yield


@pytest.fixture(scope="module")
def task(dataset: Path) -> str:
    return register(dataset)


def make_model(task: str, **arguments: Any) -> LanguageModel:
    vocabulary = from_task.vocabulary(task)
    config = ModelConfig(384, 16, 2, 1, 8, 16, dtype="float32")
    return LanguageModel(Transformer(config), vocabulary, adafactor.Adafactor(), **arguments)


def to_batch(prompts: list[list[int]], length: int) -> dict[str, jnp.ndarray]:
    """As `seqio.PrefixLMFeatureConverter` makes it, without targets."""
    inputs = np.zeros((len(prompts), length), np.int32)
    causal = np.zeros_like(inputs)
    for row, prompt in enumerate(prompts):
        inputs[row, 1 : 1 + len(prompt)] = prompt
        causal[row, : 1 + len(prompt)] = 1
    return {
        "decoder_input_tokens": jnp.asarray(inputs),
        "decoder_causal_attention": jnp.asarray(causal),
    }


def sampler(model: LanguageModel) -> Sample:
    """sample(prompts, temperature, top_k): int32[prompts, NEW]; compiled once for all of them."""
    params = init_params(model.module, 3)

    @jax.jit
    def predict(batch: Any, rng: jax.Array, temperature: jax.Array, top_k: jax.Array) -> jax.Array:
        options = {"temperature": temperature, "topk": top_k, "max_decode_steps": NEW}
        return model.predict_batch_with_aux(params, batch, rng, decoder_params=options)[0]

    def sample(prompts: list[list[int]], temperature: float = 1.0, top_k: int = 0) -> np.ndarray:
        batch = to_batch(prompts + [[]] * (ROWS - len(prompts)), 8 + NEW)
        ids = predict(batch, jax.random.key(0), jnp.float32(temperature), jnp.int32(top_k))
        return np.asarray(ids)[: len(prompts), :NEW]

    return sample


@pytest.fixture(scope="module")
def of_windows(task: str) -> LanguageModel:
    """Windows hold EOS as a symbol."""
    return make_model(task, ends_with_eos=False)


@pytest.fixture(scope="module")
def sample(of_windows: LanguageModel) -> Sample:
    return sampler(of_windows)


def test_greedy_tokens_are_those_of_the_local_sampler(
    of_windows: LanguageModel, sample: Sample
) -> None:
    """For prompts of several lengths in one batch, the empty one and the longest among them."""
    found = sample(PROMPTS, temperature=0.0)
    stream = generate(
        of_windows.module.config,
        init_params(of_windows.module, 3),
        [np.array(prompt, np.int32) for prompt in PROMPTS],
        Sampling(NEW, temperature=0, context=64),
        vocab_size=VOCAB,
    )
    local = np.stack(list(stream), 1)  # from the end of the shortest prompt, which is empty
    for row, prompt in enumerate(PROMPTS):
        assert found[row].tolist() == local[row, len(prompt) :][:NEW].tolist(), prompt
    assert len({tuple(ids) for ids in found.tolist()}) == len(PROMPTS)
    again = sample([[*PROMPTS[0], *found[0, :5].tolist()]], temperature=0.0)
    assert again[0, : NEW - 5].tolist() == found[0, 5:].tolist()  # fed back, the same ids


def test_only_ids_with_a_meaning_are_sampled(sample: Sample) -> None:
    found = sample([[]] * ROWS, temperature=1e4)
    assert found.min() == 3 and found.max() == VOCAB - 1


def test_top_k(sample: Sample) -> None:
    assert len(np.unique(sample([[]] * ROWS, 1e4, top_k=4)[:, 0])) == 4


def test_nothing_comes_after_the_end(task: str) -> None:
    found = sampler(make_model(task))([[]] * ROWS, temperature=1e4)
    assert 1 in found and 2 not in found and found.max() < VOCAB
    for row in found.tolist():
        assert set(row[row.index(1) + 1 :] if 1 in row else []) <= {0}
        assert 0 not in row or 1 in row


def test_seeds(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        models.DecoderOnlyModel, "predict_batch_with_aux", lambda self, params, batch, rng: rng
    )
    key = jax.random.key(0)
    keys = [
        make_model(task, sampling_seed=seed).predict_batch_with_aux({}, {}, key) for seed in (0, 1)
    ]
    assert not (jax.random.key_data(keys[0]) == jax.random.key_data(keys[1])).all()


def test_which_tasks_end_with_eos(task: str) -> None:
    assert not from_task.ends_with_eos(task)
