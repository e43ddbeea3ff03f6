"""What the paper measures, from counts: bits/byte, FLOPs/byte, bytes/step [paper 3.8, Table 3].

All functions take exact counts (bytes of text, tokens that are not padding) and give floats. Bytes
are bytes of the source text: EOS symbols are coded and predicted, but they are not bytes.
"""

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from equalinfo.ids import PAD_ID

Counts = npt.NDArray[np.int64]


def bytes_per_token(num_bytes: int, num_tokens: int) -> float:
    """The token compression ratio L_iT / L_oT, in bytes of text per token [paper 3.8].

    Args:
      num_bytes: bytes of text.
      num_tokens: tokens that stand for them, padding not counted.
    """
    _check_positive(num_bytes=num_bytes, num_tokens=num_tokens)
    return num_bytes / num_tokens


def bits_per_byte(total_nats: float, num_bytes: int) -> float:
    """A model's score: total code length of the tokens over the bytes they stand for.

    Equal to (L_oT / L_iT) * loss / ln 2 [paper 3.8] with both lengths exact, not averaged.

    Args:
      total_nats: sum of -ln p over all tokens that are not padding, in nats.
      num_bytes: bytes of text that these tokens stand for.

    Returns:
      bits per byte; NaN where `total_nats` is NaN, so that a diverged model shows.
    """
    _check_positive(num_bytes=num_bytes)
    return float(total_nats) / math.log(2) / num_bytes


def uniform_bits_per_byte(vocab: int, bytes_per_token: float) -> float:
    """What a model that has learned nothing pays: log2(vocab) bits a token [paper Table 3].

    Args:
      vocab: number of ids that can occur. The paper counts codes only (2^N for N-bit tokens), not
        pad, eos and unk.
      bytes_per_token: bytes of text per token.
    """
    _check_positive(vocab=vocab, bytes_per_token=bytes_per_token)
    return math.log2(vocab) / bytes_per_token


def token_counts(ids: Iterable[npt.ArrayLike], vocab_size: int) -> Counts:
    """Count token ids, padding left out.

    Args:
      ids: arrays of token ids, of any shape; pad (0) is ignored.
      vocab_size: ids are in [0, vocab_size).

    Returns:
      int64[vocab_size], zero at pad.
    """
    counts = np.zeros(vocab_size, np.int64)
    for number, piece in enumerate(ids):
        values = np.asarray(piece).reshape(-1)
        if not values.size:
            continue
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= vocab_size:
            raise ValueError(
                f"array {number} holds token id {low if low < 0 else high}, outside "
                f"[0, {vocab_size}). Take vocab_size from the manifest that these tokens came with."
            )
        counts += np.bincount(values, minlength=vocab_size)
    counts[PAD_ID] = 0
    return counts


def unigram_bits_per_byte(train_counts: Counts, counts: Counts, num_bytes: int) -> float:
    """What a model that has learned only token frequencies pays, out of sample.

    The distribution is estimated on `train_counts` with one added to every id that can occur, so
    that a token never seen in training costs log2(total + vocab) bits and not infinitely many:
    p(t) = (train[t] + 1) / (sum of train + vocab). It is then scored on other text, `counts`.

    Args:
      train_counts: int64[vocab], tokens of the training text. Ids that cannot occur (pad, unk)
        weigh little, but cut them off both arrays for the exact figure.
      counts: int64[vocab], tokens of the validation text.
      num_bytes: bytes of text that the tokens in `counts` stand for.
    """
    train, valid = _counts("train_counts", train_counts), _counts("counts", counts)
    if train.shape != valid.shape:
        raise ValueError(
            f"train_counts has {len(train)} ids and counts has {len(valid)}: they come from "
            "different vocabularies. Count both with the same codec."
        )
    _check_positive(num_bytes=num_bytes)
    seen = valid > 0
    total = int(train.sum()) + len(train)
    bits = math.log2(total) - np.log2(train[seen].astype(np.float64) + 1.0)
    return float(np.dot(valid[seen].astype(np.float64), bits)) / num_bytes


def unigram_entropy_bits_per_byte(counts: Counts, num_bytes: int) -> float:
    """What token frequencies alone would cost if they were known: the text's own empirical entropy.

    In sample, hence never above `unigram_bits_per_byte` of the same text and biased low by about
    (ids seen - 1) / (2 ln 2) bits in all (Miller, Madow): take it on many tokens per id. The paper
    does not say which of the two its "unigram" column [Table 3] is; on long text they agree.

    Args:
      counts: int64[vocab], tokens of the text.
      num_bytes: bytes of text that these tokens stand for.
    """
    values = _counts("counts", counts)
    _check_positive(num_bytes=num_bytes)
    seen = values[values > 0].astype(np.float64)
    if not seen.size:
        raise ValueError("counts are all zero: there is no token to score. Count some text first.")
    bits = math.log2(seen.sum()) - np.log2(seen)
    return float(np.dot(seen, bits)) / num_bytes


def flops_per_byte(parameters: float, bytes_per_token: float, m1_parameters: float = 0) -> float:
    """Inference cost: M2's 2 * parameters each token, M1's each byte [paper 3.8].

    Args:
      parameters: M2's parameters, embeddings left out.
      bytes_per_token: bytes of text per token.
      m1_parameters: M1's parameters, embeddings left out, wherever M1 runs (3.0e6 in the paper); 0
        for methods without M1 and for a compiled codebook, which runs no M1 (not in the paper).

    Returns:
      FLOPs per byte of text.
    """
    _check_positive(bytes_per_token=bytes_per_token)
    if parameters < 0 or m1_parameters < 0:
        raise ValueError(f"parameters={parameters}, m1_parameters={m1_parameters}: must be >= 0.")
    return 2 * parameters / bytes_per_token + 2 * m1_parameters


def _counts(name: str, counts: npt.ArrayLike) -> Counts:
    values = np.asarray(counts)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise ValueError(
            f"{name} is {values.dtype}{list(values.shape)}, expected a vector of integers. "
            "Make it with token_counts(ids, vocab_size)."
        )
    if values.size and int(values.min()) < 0:
        raise ValueError(f"{name} holds {int(values.min())}: counts are >= 0.")
    return values.astype(np.int64)


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name}={value}: must be > 0. Is the text, or the split, empty?")
