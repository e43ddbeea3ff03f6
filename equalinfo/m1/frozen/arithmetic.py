"""Constants and tables of the integer network; `reference` says how they are used.

Everything is an integer in a known range, so that int32 never overflows and a matrix product, which
adds fewer than 2^24, is exact in any order and in any of int8 -> int32, float32, or bfloat16 inputs
with float32 sums.
"""

from equalinfo.frequencies import LOG2_BITS

INT8 = 127
"""Weights and the inputs of matrix products lie in [-INT8, INT8]."""

MAX_SUM = 1 << 24
"""Sums of products stay below: float32 holds every integer up to here."""

MULTIPLIER_BITS = 15
"""Multipliers lie in [0, 2^15]."""

RESIDUAL_LIMIT = 1 << 20
"""The residual stream is clipped to [-RESIDUAL_LIMIT, RESIDUAL_LIMIT]."""

HIDDEN_BITS = 12
"""Both factors of the gated layer lie below 2^12, their product below 2^24."""

DOWN_SHIFT = 12 + (2 * HIDDEN_BITS - 7) + 1
"""Least shift after the gated layer: 12 bits first, and an exponent up to 2 HIDDEN_BITS - 7."""

SCORE_BITS = 8
"""Attention scores count 1/256 bit: a weight is 2^(score / 256)."""

LOGIT_BITS = LOG2_BITS
"""Logits count 1/1,024 bit."""

LOGIT_LIMIT = (1 << 15) - 1
"""Logits are clipped to [-LOGIT_LIMIT, LOGIT_LIMIT], 32 bits either way."""

MASKED = -(1 << 30)
"""Score of a symbol out of sight."""

# 2^-x for x in [0, 1) is 1 - B x + C x^2, right at both ends and within 0.3% between; in 2^-15.
EXP2_LINEAR = 21951
EXP2_SQUARE = 5567


def norm_bits(width: int) -> int:
    """Bits to which `width` numbers are cut so that the sum of their squares stays below 2^30."""
    return (30 - (width - 1).bit_length()) // 2


def max_attention_multiplier(head_dim: int) -> int:
    """Largest multiplier of a sum of `head_dim` products that stays below 2^31 - 2^25."""
    return ((1 << 31) - (1 << 25)) // (head_dim * INT8 * INT8)
