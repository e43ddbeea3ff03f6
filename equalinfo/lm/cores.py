"""A batch on the cores of a CPU: each takes a part of the rows, and does it in small pieces.

XLA's own threads share out one operation at a time, which a small model's are too short for, and
through a whole batch each operation goes to memory and back. A core's part takes neither.
"""

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from equalinfo.cores import num_cores

PyTree = Any
Result = TypeVar("Result")
_PIECE = 1024  # tokens; more leave the cache, fewer make products small
_LOGITS = 2**22  # of a piece, float32: more leave the cache that all cores share
_GRADIENTS = 2**30  # bytes that the gradients of all parts may take


def num_parts(rows: int, param_bytes: int) -> int:
    """Parts of a batch, one a thread; 1 where the device is no CPU.

    Args:
      rows: of the batch.
      param_bytes: of the parameters; each part has gradients of its own.
    """
    if jax.default_backend() != "cpu":
        return 1
    return max(1, min(num_cores(), rows, _GRADIENTS // max(1, param_bytes)))


def split(batch: dict[str, np.ndarray], parts: int) -> list[dict[str, jax.Array]]:
    """Arrays [B, ...] as `parts` times arrays [ceil(B / parts), ...], the last filled with zeros.

    Rows of zeros have weight 0: they add nothing to any sum.
    """
    rows = len(batch["weights"])
    each = -(-rows // parts)

    def part(x: np.ndarray, number: int) -> jax.Array:
        piece = x[number * each : (number + 1) * each]
        return jnp.asarray(np.pad(piece, ((0, each - len(piece)), *((0, 0),) * (x.ndim - 1))))

    return [{name: part(x, i) for name, x in batch.items()} for i in range(parts)]


def piece_rows(rows: int, length: int, vocab_size: int, most: int) -> int:
    """Rows that a part goes through at a time.

    Args:
      rows: of the part.
      length: L, tokens of a row.
      vocab_size: V, logits of a token.
      most: rows that there is memory for.

    Returns:
      A divisor of `rows`.
    """
    if jax.default_backend() == "cpu":
        most = min(most, max(1, min(_PIECE, _LOGITS // vocab_size) // length))
    return next(each for each in range(min(most, rows), 0, -1) if rows % each == 0)


def pieces(part: PyTree, rows: int) -> PyTree:
    """Arrays [R, ...] -> [R / rows, rows, ...], to scan over."""
    return jax.tree.map(lambda x: x.reshape(-1, rows, *x.shape[1:]), part)


class OnCores:
    """Calls a compiled function for each part, in a thread each."""

    def __init__(self, function: Callable[..., Result]) -> None:
        self._function = function
        self._compiled = False

    def __call__(self, parts: Sequence[tuple[Any, ...]]) -> list[Result]:
        """The results for the arguments of each part, in their order."""
        call = lambda arguments: jax.block_until_ready(self._function(*arguments))  # noqa: E731
        if len(parts) == 1:
            return [call(parts[0])]
        # The first alone: threads that meet a function that is not compiled each compile it.
        first = [] if self._compiled else [call(parts[0])]
        self._compiled = True
        return first + list(_threads(len(parts)).map(call, parts[len(first) :]))


@functools.cache
def _threads(number: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(number, thread_name_prefix="equalinfo-rows")
