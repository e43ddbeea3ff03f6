"""Many examples as one array and back, so that a batch is one call of a kernel."""

from collections.abc import Sequence, Sized
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import EOS, EOS_BYTE, NUM_SYMBOLS, Symbols
from equalinfo.codecs.base import Encoded, Ends, Ids, check_examples, check_ids

T = TypeVar("T", bound=np.generic)


class Joined(list[Symbols]):
    """Examples of UTF-8, each a view of one array: what works on many at once takes that.

    Attributes:
      text: of all examples, as `alphabet.to_bytes` writes them: a byte a symbol.
      symbols: uint16[n], the same.
      ends: int64[examples], where each ends in both.
      eos: int64[documents], where EOS is in both.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        """Join the texts of examples.

        Raises:
          ValueError: a byte that UTF-8 has not, and that would be escaped.
        """
        self.text = b"".join(texts)
        if b"\xfe" in self.text:
            raise ValueError("the text of an example has the byte FE, which UTF-8 never has.")
        values = np.frombuffer(self.text, np.uint8)
        self.eos = np.flatnonzero(values == EOS_BYTE[0])
        self.symbols = values.astype(np.uint16)
        self.symbols[self.eos] = EOS
        self.ends = _ends(texts)
        super().__init__(parts(self.symbols, self.ends))


def join_examples(examples: Sequence[Symbols]) -> tuple[Symbols, Ends]:
    """All examples as one array, and where each ends in it.

    Raises:
      ValueError: names the example that is none.
    """
    if isinstance(examples, Joined):
        return examples.symbols, examples.ends
    if not _all_are(np.uint16, examples):
        examples = check_examples(examples)
    symbols, ends = _join(np.uint16, examples)
    if len(symbols) and int(symbols.max()) >= NUM_SYMBOLS:
        check_examples([*examples, symbols])  # raises: at the example, by its place
    return symbols, ends


class JoinedTokens(list[Encoded]):
    """Examples as tokens, each a view of two arrays.

    Attributes:
      ids: int32[tokens] of all examples.
      ends: int64[tokens], symbols of its example complete after each token.
      id_ends: int64[examples], where the tokens of each end.
    """

    def __init__(self, ids: Ids, ends: Ends, id_ends: Ends, *, windows: bool) -> None:
        """Take the arrays; with `windows` each token is one."""
        self.ids, self.ends, self.id_ends = ids, ends, id_ends
        of_each = zip(parts(ids, id_ends), parts(ends, id_ends), strict=True)
        super().__init__(Encoded(some, read, len(some) * windows) for some, read in of_each)

    @classmethod
    def of(cls, encoded: Sequence[Encoded]) -> "JoinedTokens":
        """What a codec gave, joined where it is not.

        Raises:
          ValueError: an example has not one end for each token.
        """
        if isinstance(encoded, cls):
            return encoded
        ids, id_ends = _join(np.int32, [one.ids for one in encoded])
        ends, end_ends = _join(np.int64, [one.ends for one in encoded])
        if not np.array_equal(id_ends, end_ends):
            raise ValueError("the codec is at fault: an example has not one end for each token.")
        return cls(ids, ends, id_ends, windows=False)


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
    return np.concatenate([np.empty(0, dtype), *arrays]), _ends(arrays)


def _ends(texts: Sequence[Sized]) -> Ends:
    return np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
