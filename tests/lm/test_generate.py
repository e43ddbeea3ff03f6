"""Sampled tokens are the model's own, legal for the codec, and the same every time."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equalinfo import cli, codecs
from equalinfo.alphabet import EOS
from equalinfo.lm.config import ModelConfig, OptimizerConfig, Sampling, TrainConfig
from equalinfo.lm.generate import generate
from equalinfo.lm.model import Transformer
from sentencepiece_models import train_usual

CONFIG = ModelConfig(384, 16, 2, 1, 8, 32, dtype=jnp.float32)
EMPTY = np.empty(0, np.int32)


@pytest.fixture(scope="module")
def params():  # type: ignore[no-untyped-def]
    tokens = jnp.zeros((1, 8), jnp.int32)
    return Transformer(CONFIG).init(jax.random.key(3), tokens)["params"]


def _ids(params, prompts, num_tokens, **options) -> np.ndarray:  # type: ignore[no-untyped-def]
    codec = {name: options.pop(name) for name in ("vocab_size", "allow_eos") if name in options}
    sampling = Sampling(num_tokens, **options)
    codec = {"vocab_size": 290, **codec}
    return np.stack(list(generate(CONFIG, params, prompts, sampling, **codec)), 1)


def test_greedy_tokens_are_the_likeliest_of_the_whole_sequence(params) -> None:  # type: ignore[no-untyped-def]
    found = _ids(params, [EMPTY], 40, temperature=0)
    inputs = np.concatenate([[[0]], found[:, :-1]], 1)
    logits = np.array(Transformer(CONFIG).apply({"params": params}, jnp.asarray(inputs)))
    logits[..., :3] = logits[..., 290:] = -np.inf
    assert found.tolist() == logits.argmax(-1).tolist()
    assert len(set(found[0].tolist())) > 1


@pytest.mark.parametrize("options", [{}, {"top_k": 5}, {"temperature": 0.7, "seed": 9}])
def test_ids_fed_back_give_the_same_ids(params, options: dict[str, float]) -> None:  # type: ignore[no-untyped-def]
    whole = _ids(params, [EMPTY, EMPTY], 30, **options)
    assert whole[0].tolist() != whole[1].tolist()
    again = _ids(params, [whole[0, :12], whole[1, :20]], 10, **options)
    assert again[:, 0].tolist() == [whole[0, 12], whole[1, 12]]
    assert again[0].tolist() == whole[0, 12:].tolist()
    assert again[1].tolist() == whole[1, 12:].tolist()


def test_only_ids_of_the_codec(params) -> None:  # type: ignore[no-untyped-def]
    found = _ids(params, [EMPTY] * 64, 20, temperature=50.0)
    assert found.min() == 3 and 280 < found.max() < 290
    with_eos = _ids(params, [EMPTY] * 64, 20, temperature=50.0, allow_eos=True)
    assert (with_eos == 1).any() and not (with_eos == 2).any() and not (with_eos == 0).any()


def test_top_k_draws_from_k(params) -> None:  # type: ignore[no-untyped-def]
    found = _ids(params, [EMPTY] * 200, 1, top_k=4, temperature=50.0)
    assert len(np.unique(found)) == 4
    assert (
        _ids(params, [EMPTY], 9, top_k=1).tolist()
        == _ids(params, [EMPTY], 9, temperature=0).tolist()
    )


def test_beyond_the_context_it_goes_on(params) -> None:  # type: ignore[no-untyped-def]
    found = _ids(params, [EMPTY], 30, temperature=0, context=8)
    inputs = jnp.asarray(np.concatenate([[[0]], found[:, :-1]], 1))
    model = Transformer(CONFIG)
    logits = np.array(model.apply({"params": params}, inputs, attention_span=8))
    logits[..., :3] = logits[..., 290:] = -np.inf
    assert found.tolist() == logits.argmax(-1).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompts": []}, "no prompts"),
        ({"num_tokens": 0}, "tokens=0 must be at least 1"),
        ({"temperature": -1.0}, r"temperature=-1\.0 must be 0"),
        ({"vocab_size": 385}, "the codec has 385 ids, the model 384"),
        (
            {"prompts": [np.array([5, 290], np.int32)]},
            r"prompt 0, token 1: id 290 is not in 1\.\.289",
        ),
    ],
)
def test_wrong_options(params, change: dict[str, object], message: str) -> None:  # type: ignore[no-untyped-def]
    options = {"prompts": [EMPTY], "num_tokens": 3, **change}
    with pytest.raises(ValueError, match=message):
        _ids(params, **options)


def _saved_run(tmp_path: Path, params) -> Path:  # type: ignore[no-untyped-def]
    """A run that has saved these parameters."""
    from equalinfo.lm.checkpoint import Checkpoints
    from equalinfo.lm.optimizer import make_optimizer
    from equalinfo.lm.train import State

    config = TrainConfig(CONFIG, OptimizerConfig(), steps=1)
    run = tmp_path / "run"
    run.mkdir()
    content = {"config": dataclasses.asdict(config), "data": {}}
    (run / "config.json").write_text(json.dumps(content))
    manager = Checkpoints(run / "checkpoints")
    manager.save(1, State(params, make_optimizer(config.optimizer).init(params)))
    manager.close()
    return run


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str], params) -> None:  # type: ignore[no-untyped-def]
    """Its text is what the codec makes of its ids."""
    run = _saved_run(tmp_path, params)
    codec = codecs.create("bytes")
    codec.save(tmp_path / "codec")
    command = ["generate", "--run", str(run), "--codec", str(tmp_path / "codec"), "--tokens=25"]
    command += ["--prompt", "Ünd ", "--seed=4"]
    assert cli.main([*command, "--ids"]) == 0
    ids = np.array(capfd.readouterr().out.splitlines(), np.int32)
    assert len(ids) == 25
    assert cli.main(command) == 0
    captured = capfd.readouterr()
    (symbols,) = codec.decode([ids])
    data = b"".join(b"\n\n" if symbol == EOS else bytes([symbol]) for symbol in symbols.tolist())
    text = data.decode("utf-8", "replace")
    assert captured.out == f"Ünd {text}\n"
    assert "tokens/s" in captured.err and "bytes/s" in captured.err


def test_text_goes_on_where_the_prompt_ends(  # type: ignore[no-untyped-def]
    tmp_path: Path, capfd: pytest.CaptureFixture[str], params
) -> None:
    """Of SentencePiece's usual models a text that begins with a space has none: the seam has."""
    sentences = ["the cat sat on the mat and ran off with a hat"] * 20
    model = train_usual(sentences, tmp_path / "sp", 40)
    codec = codecs.create("sentencepiece", model=model)
    assert not codec.lossless
    codec.save(tmp_path / "codec")
    command = ["generate", "--run", str(_saved_run(tmp_path, params)), "--tokens=8"]
    command += ["--codec", str(tmp_path / "codec"), "--prompt", "the cat"]
    (prompt,) = codec.encode_bytes([b"the cat"])
    spaces = 0
    for seed in range(6):
        assert cli.main([*command, f"--seed={seed}", "--ids"]) == 0
        ids = np.array(capfd.readouterr().out.splitlines(), np.int32)
        assert len(ids) == 8 and cli.main([*command, f"--seed={seed}"]) == 0
        (whole,) = codec.decode([np.concatenate([prompt, ids])], allow_errors=True)
        text = bytes(whole[whole != EOS].astype(np.uint8)).decode("utf-8", "replace")
        assert capfd.readouterr().out.replace("\n\n", "") == f"{text}\n"
        spaces += text.startswith("the cat ")
    assert spaces, "no seed begins a word, nothing shown"
