"""Many examples as one array and back, so that a batch is one call of a kernel."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS, Symbols
from equalinfo.codecs.base import Ends, Ids, check_examples, check_ids

T = TypeVar("T", bound=np.generic)


def join_examples(examples: Sequence[Symbols]) -> tuple[Symbols, Ends]:
    """All examples as one array, a copy, and where each ends in it.

    Raises:
      ValueError: names the example that is none.
    """
    if not _all_are(np.uint16, examples):
        examples = check_examples(examples)
    symbols, ends = _join(np.uint16, examples)
    if len(symbols) and int(symbols.max()) >= NUM_SYMBOLS:
        check_examples([*examples, symbols])  # raises: at the example, by its place
    return symbols, ends


def join_ids(ids: Sequence[Ids], vocab_size: int, lowest: int) -> tuple[Ids, Ends]:
    """All arrays of ids as one, a copy, and where each ends in it.

    Raises:
      ValueError: names the first id that is not in lowest..vocab_size - 1.
    """
    if not _all_are(np.int32, ids):
        ids = check_ids(ids, vocab_size, lowest)
    joined, ends = _join(np.int32, ids)
    if len(joined) and not lowest <= int(joined.min()) <= int(joined.max()) < vocab_size:
        check_ids([*ids, joined], vocab_size, lowest)  # raises: at the array, by its place
    return joined, ends


def parts(array: npt.NDArray[T], ends: Ends) -> list[npt.NDArray[T]]:
    """Views of the parts of `array` that end at `ends`."""
    return [array[start:end] for start, end in pairwise([0, *ends.tolist()])]


def _all_are(dtype: type[np.generic], arrays: Sequence[npt.NDArray[T]]) -> bool:
    return all(
        isinstance(array, np.ndarray) and array.dtype == dtype and array.ndim == 1
        for array in arrays
    )


def _join(dtype: type[T], arrays: Sequence[npt.NDArray[T]]) -> tuple[npt.NDArray[T], Ends]:
    ends = np.cumsum(np.fromiter(map(len, arrays), np.int64, len(arrays)))
    return np.concatenate([np.empty(0, dtype), *arrays]), ends
