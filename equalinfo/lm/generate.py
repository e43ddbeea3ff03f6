"""Sample tokens from a trained model, step by step, for many texts at once.

A token is drawn with a key made of the seed, the text's number and the token's place: the same seed
continues the same beginning in the same way, also where the beginning is the model's own.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from equalinfo.ids import EOS_ID, ID_OFFSET
from equalinfo.lm.config import ModelConfig, Sampling
from equalinfo.lm.model import Transformer

Int32 = npt.NDArray[np.int32]
PyTree = Any


def generate(
    config: ModelConfig,
    params: PyTree,
    prompts: Sequence[Int32],
    sampling: Sampling,
    *,
    vocab_size: int,
    allow_eos: bool = False,
) -> Iterator[Int32]:
    """Tokens one after the other, int32[B] each: first the rest of the prompts, then new ones.

    The first `max(len(prompt)) - min(len(prompt))` steps still give tokens of the longer prompts:
    what is yielded at step i is token `min(len(prompt)) + i` of each text.

    Args:
      config: of the model.
      params: of the model.
      prompts: B times int32[>= 0] ids that the texts begin with.
      sampling: how many, and how.
      vocab_size: ids that the codec has; the model may have more, for padding. They are not drawn.
      allow_eos: draw id 1 too, which ends a document in method `bytes`.

    Raises:
      ValueError: no prompts, or one with an id that the codec has not.
    """
    _check(config, prompts, vocab_size)
    lengths = np.array([len(prompt) for prompt in prompts])
    total = int(lengths.max()) + sampling.tokens
    known = np.zeros((len(prompts), total), np.int32)
    for row, prompt in zip(known, prompts, strict=True):
        row[: len(prompt)] = prompt
    allowed = np.zeros(config.vocab_size, np.bool_)
    allowed[ID_OFFSET:vocab_size] = True
    allowed[EOS_ID] = allow_eos
    step = _step(config, sampling.temperature, sampling.top_k)
    cache = _empty_cache(config, len(prompts), min(sampling.context, total))
    tokens = jnp.zeros(len(prompts), jnp.int32)  # what stands before a text, as in training
    key = jax.random.key(sampling.seed)
    for place in range(total):
        cache, drawn = step(params, cache, tokens, jnp.asarray(allowed), key, np.int32(place))
        given = lengths > place
        tokens = jnp.where(jnp.asarray(given), jnp.asarray(known[:, place]), drawn)
        if place >= lengths.min():
            yield np.asarray(tokens)


@functools.cache
def _step(config: ModelConfig, temperature: float, top_k: int) -> Any:
    model = Transformer(config)

    def draw(logits: jax.Array, key: jax.Array) -> jax.Array:
        if temperature == 0:
            return jnp.argmax(logits)
        if top_k:
            kth = jax.lax.top_k(logits, min(top_k, config.vocab_size))[0][-1]
            logits = jnp.where(logits >= kth, logits, -jnp.inf)
        return jax.random.categorical(key, logits / temperature)

    @functools.partial(jax.jit, donate_argnums=1)
    def step(
        params: PyTree,
        cache: PyTree,
        tokens: jax.Array,
        allowed: jax.Array,
        key: jax.Array,
        place: jax.Array,
    ) -> tuple[PyTree, jax.Array]:
        logits, changed = model.apply(
            {"params": params, "cache": cache}, tokens[:, None], decode=True, mutable=["cache"]
        )
        logits = jnp.where(allowed, logits[:, 0], -jnp.inf)
        keys = jax.vmap(lambda text: jax.random.fold_in(jax.random.fold_in(key, text), place))(
            jnp.arange(tokens.shape[0])
        )
        return changed["cache"], jax.vmap(draw)(logits, keys).astype(jnp.int32)

    return step


def _empty_cache(config: ModelConfig, batch: int, slots: int) -> PyTree:
    model = Transformer(config)
    shapes = jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((batch, slots), jnp.int32), decode=True)
    )
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes["cache"])


def _check(config: ModelConfig, prompts: Sequence[Int32], vocab_size: int) -> None:
    if not prompts:
        raise ValueError("there are no prompts. For no beginning, give an empty prompt.")
    if vocab_size > config.vocab_size:
        raise ValueError(
            f"the codec has {vocab_size} ids, the model {config.vocab_size}: it was trained on "
            "other tokens."
        )
    for number, prompt in enumerate(prompts):
        wrong = np.flatnonzero((prompt < 1) | (prompt >= vocab_size))
        if len(wrong):
            raise ValueError(
                f"prompt {number}, token {wrong[0]}: id {prompt[wrong[0]]} is not in "
                f"1..{vocab_size - 1}."
            )
