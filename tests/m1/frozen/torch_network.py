"""The frozen M1 in PyTorch: an independent second implementation, for tests.

Written from what the format says, not from the reference's code: whole batches of texts at once,
every product in float64 (exact below 2^53), everything else in int64.
"""

import decimal
import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import torch  # type: ignore[import-not-found, unused-ignore]

from equalinfo.m1.frozen.file import FrozenM1

Tensor = Any  # torch.Tensor, where there is one
START = 257


class TorchNetwork:
    """Runs a frozen M1 on whole texts."""

    def __init__(self, model: FrozenM1) -> None:
        self.model = model
        self.tensors = {
            name: torch.from_numpy(value.astype(np.int64)) for name, value in model.tensors.items()
        }

    def logits(self, texts: npt.ArrayLike, context: int) -> npt.NDArray[np.int64]:
        """int64[B, n + 1, 257] after each prefix of texts int[B, n]."""
        symbols = torch.from_numpy(np.asarray(texts, np.int64))
        marker = torch.full((len(symbols), 1), START)
        x = self.tensors["embedding"][torch.cat([marker, symbols], dim=1)]
        for layer in range(self.model.shape.num_layers):
            x = (x + self.attention(f"{layer}.", x, context)).clamp(-(2**20), 2**20)
            x = (x + self.gated(f"{layer}.", x)).clamp(-(2**20), 2**20)
        out = self.multiply(self.norm(x, "final_norm"), "logits")
        return np.asarray(out.clamp(-32767, 32767).numpy())

    def norm(self, x: Tensor, name: str) -> Tensor:
        """int8 from the residual stream, whatever its size."""
        width = self.model.shape.embed_dim
        bits = (30 - (width - 1).bit_length()) // 2
        x = drop(x, (bit_length(x.abs().amax(-1, keepdim=True)) - bits).clamp(min=0))
        root = x.square().sum(-1, keepdim=True).double().sqrt().floor().long().clamp(min=1)
        unit = drop(x * ((1 << 30) // root), 15)
        return to_int8(drop(unit * self.tensors[name], self.model.shifts[name]))

    def multiply(self, x: Tensor, name: str) -> Tensor:
        """By a matrix, then by a multiplier for each column."""
        sums = product(x, self.tensors[name])
        return drop(sums * self.tensors[f"{name}_scale"], self.model.shifts[name])

    def attention(self, layer: str, x: Tensor, context: int) -> Tensor:
        """What each symbol takes from those it sees, [B, T, E]."""
        shape = self.model.shape
        batch, length, _ = x.shape
        y = self.norm(x, f"{layer}attention_norm")
        query, key, value = (
            to_int8(self.multiply(y, layer + name))
            .reshape(batch, length, shape.num_heads, shape.head_dim)
            .transpose(1, 2)
            for name in ("query", "key", "value")
        )
        scores = product(query, key.transpose(2, 3)) * self.tensors[f"{layer}score_scale"].reshape(
            -1, 1, 1
        )
        place = torch.arange(length)
        age = place[:, None] - place[None, :]
        scores = drop(scores, self.model.shifts[f"{layer}score"])
        scores = scores + self.tensors[f"{layer}bias"][:, age.clamp(0, shape.max_distance)]
        hidden = (age < 0) | (age >= context)
        below = scores.masked_fill(hidden, -(2**60)).amax(-1, keepdim=True) - scores
        weights = half_to_the(below.clamp(min=0)).masked_fill(hidden, 0)
        total = weights.sum(-1, keepdim=True)
        # Both with 15 bits before they are divided.
        bits = bit_length(total) - 15
        up, down = (-bits).clamp(min=0), bits.clamp(min=0)
        sums = (product(weights, value) << up) >> down
        mean = drop(sums * (2**29 // ((total << up) >> down)), 22)
        mean = mean.transpose(1, 2).reshape(batch, length, shape.inner_dim)
        mean = mean * self.tensors[f"{layer}attention_scale"]
        return self.multiply(
            to_int8(drop(mean, self.model.shifts[f"{layer}attention"])), f"{layer}out"
        )

    def gated(self, layer: str, x: Tensor) -> Tensor:
        """The gated layer, [B, T, E]; each symbol's hidden numbers share an exponent."""
        y = self.norm(x, f"{layer}mlp_norm")
        gate = self.multiply(y, f"{layer}gate").clamp(0, 4095)
        hidden = gate * self.multiply(y, f"{layer}up").clamp(-4095, 4095)
        exponent = (bit_length(hidden.abs().amax(-1, keepdim=True)) - 7).clamp(min=0)
        sums = product(to_int8(drop(hidden, exponent)), self.tensors[f"{layer}down"])
        # The lowest 12 bits are cut off, not rounded.
        high = (sums * self.tensors[f"{layer}down_scale"]) >> 12
        return drop(high, self.model.shifts[f"{layer}down"] - 12 - exponent)


def frequencies(logits: npt.NDArray[Any], precision: int) -> npt.NDArray[np.int64]:
    """Share 2^precision by weights 2^(logit / 1,024): int64[..., 257]."""
    x = torch.from_numpy(np.asarray(logits, np.int64))
    below = x.amax(-1, keepdim=True) - x
    weights = torch.tensor(fractions())[below & 1023] >> (below >> 10).clamp(max=62)
    points = 2**precision - x.shape[-1]
    total = weights.sum(-1, keepdim=True)
    shares = weights * points // total
    left = points - shares.sum(-1, keepdim=True)
    # Those with the largest remainders get one more; sorting keeps the lower symbol first.
    order = torch.sort(weights * points % total, dim=-1, descending=True, stable=True).indices
    more = torch.zeros_like(x).scatter(-1, order, (torch.arange(x.shape[-1]) < left).long())
    return np.asarray((1 + shares + more).numpy())


@functools.cache
def fractions() -> list[int]:
    """round(2^(20 - i / 1,024)) for i below 1,024."""
    with decimal.localcontext(decimal.Context(prec=60)):
        return [
            int((decimal.Decimal(2) ** (20 - decimal.Decimal(i) / 1024)).to_integral_value())
            for i in range(1024)
        ]


def half_to_the(x: Tensor) -> Tensor:
    """About 127 * 2^(-x / 256), by a parabola between powers of two."""
    part, whole = x % 256, (x // 256).clamp(max=15)
    curve = 2**15 - ((part * (21951 - ((part * 5567) >> 8))) >> 8)
    return drop((curve * 127) >> 7, 8 + whole)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product of small integers; float64 adds them exactly."""
    return (a.double() @ b.double()).long()


def drop(x: Tensor, bits: int | Tensor) -> Tensor:
    """x / 2^bits to the nearest integer, halves up; no bits leave x alone."""
    half = torch.as_tensor(2).pow(torch.as_tensor(bits)) // 2
    return torch.div(x + half, 2 * half.clamp(min=1), rounding_mode="floor").where(half > 0, x)


def to_int8(x: Tensor) -> Tensor:
    """Clipped to the numbers whose products are counted on."""
    return x.clamp(-127, 127)


def bit_length(x: Tensor) -> Tensor:
    """Of integers from 0 to 2^53: the exponent of a float."""
    return torch.frexp(x.double()).exponent.long()
