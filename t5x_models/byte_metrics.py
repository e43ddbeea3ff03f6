"""Metrics over bytes of text for T5X's trainer: sums over batches, devices and hosts.

A mean over batches of (bits / bytes) would not be bits/byte [paper 3.8]: batches differ in bytes.
"""

from typing import Any

import clu.metrics
import flax.struct
import jax
import jax.numpy as jnp

_LIMB_BITS = 20


@flax.struct.dataclass
class PerByte(clu.metrics.Metric):
    """total / bytes, such as bits/byte; the bytes are exact up to 2^51.

    T5X adds up the metrics of all steps between two summaries, within jit, where integers have 32
    bits and float32 counts by steps of one up to 2^24 only: a batch of the paper has 600,000 bytes.

    Attributes:
      total: float32[].
      high, low: int32[], bytes = high * 2^20 + low, low < 2^20.
    """

    total: Any
    high: Any
    low: Any

    @classmethod
    def from_sums(cls, total: jax.Array, num_bytes: jax.Array) -> "PerByte":
        """The metric of one batch.

        Args:
          total: float32[], of the batch.
          num_bytes: int32[B], bytes of each row, fewer than 2^31 in all.
        """
        return cls(jnp.asarray(total, jnp.float32), *_carry(0, jnp.sum(num_bytes)))

    def merge(self, other: "PerByte") -> "PerByte":
        """The metric of both."""
        high, low = _carry(self.high + other.high, self.low + other.low)
        return type(self)(self.total + other.total, high, low)

    def compute(self) -> jax.Array:
        """float32[]; NaN where there are no bytes."""
        num_bytes = self.high * float(1 << _LIMB_BITS) + self.low
        return jnp.where(num_bytes > 0, self.total / jnp.maximum(num_bytes, 1), jnp.nan)


def _carry(high: Any, low: Any) -> tuple[Any, Any]:
    return high + (low >> _LIMB_BITS), low & ((1 << _LIMB_BITS) - 1)
