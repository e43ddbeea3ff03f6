"""Text to token ids and back through a compiled codebook: what most users need, and all they need.

    >>> from equalinfo import Tokenizer
    >>> tokenizer = Tokenizer.default()
    >>> ids = tokenizer.encode("Neural compression, at memory speed.")
    >>> tokenizer.decode(ids)
    'Neural compression, at memory speed.'

Any bytes come back, UTF-8 or not. Ids are codes + 3: 0 is padding, 1 the end of a sequence, 2
unknown (never produced); they stand for no text. Arrays of int32 come out, any integers go in.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from equalinfo import alphabet
from equalinfo.alphabet import as_bytes
from equalinfo.codebook import Codebook, plain
from equalinfo.codebook.limits import check_parse
from equalinfo.codebook.plain import FIRST_TEXTS
from equalinfo.codebook.shipped import DEFAULT_CODEBOOK, shipped_codebook
from equalinfo.ids import EOS_ID, ID_OFFSET, PAD_ID, UNK_ID
from equalinfo.streams import StreamDecoder, StreamEncoder, groups

Ids = npt.NDArray[np.int32]
T = TypeVar("T")

_GROUP_BYTES = 1 << 18  # of text, that one thread works on at a time
_GROUP_TOKENS = 1 << 16


class Tokenizer:
    """Text to token ids and back. It does not change, and any number of threads may use it.

    Attributes:
      codebook: its texts and codes.
      parse: how text is cut into tokens: longest or fewest (see `equalinfo.codebook`).
      pad_id, eos_id, unk_id: 0, 1, 2; they stand for no text.
    """

    pad_id, eos_id, unk_id = PAD_ID, EOS_ID, UNK_ID

    def __init__(self, codebook: Codebook, parse: str | None = None) -> None:
        """A tokenizer of a codebook; `parse` None: the codebook's own."""
        self.codebook = codebook
        self.parse = codebook.info.parse if parse is None else parse
        check_parse(self.parse, int(codebook.symbol_lengths.max()))
        self._name: str | None = None  # in the package

    @classmethod
    def default(cls, name: str = DEFAULT_CODEBOOK, parse: str | None = None) -> "Tokenizer":
        """A tokenizer that comes with the package, loaded once: English, 65,536 codes.

        Args:
          name: of a file in `equalinfo/codebooks`, with or without .eqi: older ones stay there when
            a better one comes.
          parse: longest or fewest; None: the codebook's own.
        """
        return _shipped(name, parse)

    @classmethod
    def load(cls, path: str | os.PathLike[str], parse: str | None = None) -> Self:
        """The tokenizer of a `.eqi` file.

        Raises:
          FileNotFoundError, ValueError: see `Codebook.load`.
        """
        return cls(Codebook.load(path), parse)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the `.eqi` file; its own parse is that of this tokenizer."""
        book = self.codebook
        if self.parse != book.info.parse:
            info = replace(book.info, parse=self.parse)
            book = Codebook(info, book.texts, book.offsets, book.information)
        book.save(path)

    @property
    def vocab_size(self) -> int:
        """Ids run from 0 to this, exclusive: 3 special ids and V codes."""
        return ID_OFFSET + self.codebook.num_codes

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        info = self.codebook.info
        return (
            f"Tokenizer({info.num_codes} codes, {info.plan}, {self.parse}, "
            f"sha256:{self.codebook.sha256[:12]})"
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Tokenizer)
            and self.codebook.sha256 == other.codebook.sha256
            and self.parse == other.parse
        )

    def __hash__(self) -> int:
        return hash((self.codebook.sha256, self.parse))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        if self._name is None:
            return type(self), (self.codebook, self.parse)
        return _same_shipped, (self._name, self.codebook.sha256, self.parse)

    def encode(self, text: str | bytes) -> Ids:
        """Ids of one text, int32[tokens].

        Raises:
          UnicodeEncodeError: a str with surrogates, which has no bytes.
        """
        data = as_bytes(text)
        if FIRST_TEXTS.take(len(data) * int(self.codebook.symbol_lengths.max())):
            symbols = np.frombuffer(data, np.uint8).astype(np.uint16)
            return np.array(self.codebook.plain.encode(symbols, self.parse), np.int32) + ID_OFFSET
        return self._encode(data, np.array([len(data)]))[0]

    def encode_batch(self, texts: Iterable[str | bytes], *, num_threads: int = 1) -> list[Ids]:
        """Ids of many texts, each by itself: a list of int32[tokens].

        Args:
          texts: any that have an order: a list, a generator, a column of Arrow or pandas.
          num_threads: that work on them.

        Raises:
          TypeError, UnicodeEncodeError: what is no text, or has no bytes; names which.
        """
        listed = _listed(texts)

        def encode(group: Sequence[str | bytes]) -> list[Ids]:
            data = [as_bytes(text) for text in group]
            ends = np.cumsum(np.fromiter(map(len, data), np.int64, len(data)))
            ids, id_ends = self._encode(b"".join(data), ends)
            # Copies: a view of one text would keep those of the others.
            return [ids[start:end].copy() for start, end in pairwise([0, *id_ends.tolist()])]

        try:
            return _in_groups(encode, listed, _GROUP_BYTES, num_threads)
        except (TypeError, UnicodeEncodeError):
            for _ in _bytes_of_each(listed):  # which one is it?
                pass
            raise

    def encode_with_offsets(self, text: str | bytes) -> tuple[Ids, npt.NDArray[np.int64]]:
        """Ids, and where in the bytes each token ends: int32[tokens], int64[tokens].

        Token i stands for bytes ends[i - 1] to ends[i] (from 0, for the first). It may begin or end
        inside a character.
        """
        ids = self.encode(text)
        return ids, np.cumsum(self.codebook.byte_lengths[ids - ID_OFFSET], dtype=np.int64)

    def encode_documents(self, documents: Iterable[str | bytes]) -> Ids:
        """Ids of documents joined with EOS after each, as data sets have them: int32[tokens].

        A window may run on into the next document.
        """
        symbols = alphabet.join(_bytes_of_each(_listed(documents)))
        return (self.codebook.encode(symbols, self.parse).astype(np.int32)) + np.int32(ID_OFFSET)

    def decode(self, ids: npt.ArrayLike, errors: str = "replace") -> str:
        """Text of ids, as `bytes.decode` makes it.

        Args:
          ids: integers[tokens].
          errors: what to do with bytes that are no UTF-8: replace, strict, ignore, ...

        Raises:
          ValueError: an id out of range.
          UnicodeDecodeError: with errors="strict".
        """
        return str(self._decode(ids), "utf-8", errors)

    def decode_bytes(self, ids: npt.ArrayLike) -> bytes:
        """Bytes of ids. Special ids stand for none, nor does the end of a document."""
        return bytes(self._decode(ids))

    def decode_batch(
        self, batch: Iterable[npt.ArrayLike], *, num_threads: int = 1, errors: str = "replace"
    ) -> list[str]:
        """Texts of many arrays of ids.

        Raises:
          ValueError: an id out of range; names the text.
          UnicodeDecodeError: with errors="strict".
        """

        def decode(group: Sequence[npt.ArrayLike]) -> list[str]:
            arrays = [_integers(ids) for ids in group]
            arrays = [ids if ids.dtype == np.int32 else self._checked(ids) for ids in arrays]
            ends = np.cumsum(np.fromiter(map(len, arrays), np.int64, len(arrays)))
            data, byte_ends = self._copy(np.concatenate(arrays), ends)
            return [
                str(data[start:end], "utf-8", errors)
                for start, end in pairwise([0, *byte_ends.tolist()])
            ]

        listed = _listed(batch)
        try:
            return _in_groups(decode, listed, _GROUP_TOKENS, num_threads)
        except TypeError:
            for index, ids in enumerate(listed):
                if not hasattr(ids, "__len__"):
                    raise ValueError(
                        f"text {index} is {type(ids).__name__}, expected integers[tokens]. Use "
                        "`decode` for one text."
                    ) from None
            raise
        except ValueError:
            for index, ids in enumerate(listed):
                try:
                    self._checked(ids)
                except ValueError as error:
                    raise ValueError(f"text {index}: {error}") from None
            raise

    def decode_documents(self, ids: npt.ArrayLike) -> list[bytes]:
        """Undo `encode_documents`; the last document may be unfinished."""
        checked = self._checked(ids)
        return alphabet.split(self.codebook.decode(checked[checked >= ID_OFFSET] - ID_OFFSET))

    def token_bytes(self, id: int) -> bytes:
        """Bytes that one id stands for; none for special ids. EOS is no byte."""
        return self.decode_bytes([id])

    def token_bits(self, ids: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Information of each token, float64[tokens] bits: see `Codebook.information`.

        In steps of 1/256 bit; special ids have none.
        """
        checked = self._checked(ids)
        bits = np.zeros(len(checked))
        real = checked >= ID_OFFSET
        bits[real] = self.codebook.information[checked[real] - ID_OFFSET] / 256
        return bits

    def stream_encoder(self) -> StreamEncoder:
        """An encoder of a text that comes in chunks."""
        return StreamEncoder(self.codebook, self.parse)

    def stream_decoder(self) -> StreamDecoder:
        """A decoder of ids that come one after the other, as from a model."""
        return StreamDecoder(self.decode_bytes)

    def _encode(
        self, data: bytes, ends: npt.NDArray[np.int64]
    ) -> tuple[Ids, npt.NDArray[np.int64]]:
        """Ids of texts that end at `ends`, and where those of each end."""
        text = np.frombuffer(data, np.uint8)
        codes, id_ends = self.codebook.parser(self.parse).encode(text, ends, ID_OFFSET)
        return codes.view(np.int32), id_ends

    def _decode(self, ids: npt.ArrayLike) -> bytes | memoryview:
        array = _integers(ids)
        if FIRST_TEXTS.take(8 * len(array)):
            checked = self._checked(array)
            codes = checked[checked >= ID_OFFSET] - ID_OFFSET
            return plain.decode(self.codebook.texts, self.codebook.offsets, codes)
        # A copy: the kernels check first and use then, without the GIL.
        private = np.array(array) if array.dtype == np.int32 else self._checked(array)
        return self._copy(private, np.array([len(array)]))[0]

    def _copy(
        self, ids: Ids, ends: npt.NDArray[np.int64]
    ) -> tuple[memoryview, npt.NDArray[np.int64]]:
        """Bytes of texts whose ids end at `ends`, and where those of each end."""
        from equalinfo.codebook import lookup

        table = self.codebook.byte_texts
        byte_ends, wrong = lookup.count_bytes(ids, ends, ID_OFFSET, table.lengths)
        if wrong >= 0:
            before = int(np.max(ends, where=ends <= wrong, initial=0))
            raise self._out_of_range(ids[before:], wrong - before)
        size = int(byte_ends[-1])
        out = np.empty(size + lookup.SPARE_BYTES, np.uint8)
        lookup.copy_texts(ids, ID_OFFSET, table, out)
        return out[:size].data, byte_ends

    def _checked(self, ids: npt.ArrayLike) -> Ids:
        """Ids in range, contiguous."""
        array = _integers(ids)
        if array.size and (array.min() < 0 or array.max() >= self.vocab_size):
            wrong = (array < 0) | (array >= self.vocab_size)
            raise self._out_of_range(array, int(np.argmax(wrong)))
        return np.ascontiguousarray(array, np.int32)

    def _out_of_range(self, ids: npt.NDArray[np.integer], place: int) -> ValueError:
        return ValueError(f"id {ids[place]} at place {place} is not in 0..{self.vocab_size - 1}.")


@cache
def _shipped(name: str, parse: str | None) -> Tokenizer:
    tokenizer = Tokenizer(shipped_codebook(name), parse)
    tokenizer._name = name
    return tokenizer


def _same_shipped(name: str, sha256: str, parse: str) -> Tokenizer:
    """What a pickle of a shipped one holds: the name of the file, not its content."""
    tokenizer = _shipped(name, parse)
    if tokenizer.codebook.sha256 != sha256:
        raise ValueError(
            f"{name} is codebook sha256:{tokenizer.codebook.sha256[:12]}.., but the pickle was "
            f"made with sha256:{sha256[:12]}..: its tokens mean something else. Use the same "
            "version of equalinfo."
        )
    return tokenizer


def _listed(items: Iterable[T]) -> Sequence[T]:
    """Items in their order, to be read more than once."""
    # A str is a sequence of texts, too, but hardly what was meant.
    if isinstance(items, str | bytes | bytearray):
        raise TypeError(
            f"expected a list of texts, got one {type(items).__name__} of {len(items)}. Use "
            "`encode(text)`, or put it in a list."
        )
    if hasattr(items, "columns"):
        raise TypeError(f"a {type(items).__name__} is a table: give one of its columns.")
    if isinstance(items, Set | Mapping):
        raise TypeError(f"a {type(items).__name__} has no order. Put its texts in a list.")
    if hasattr(items, "to_pylist"):  # a column of Arrow, whose own elements are no str
        return items.to_pylist()
    return items if isinstance(items, Sequence) else list(items)


def _bytes_of_each(texts: Iterable[str | bytes]) -> Iterator[bytes]:
    """`as_bytes` of each text; an error says which it is."""
    for index, text in enumerate(texts):
        try:
            yield as_bytes(text)
        except TypeError:
            raise TypeError(
                f"text {index} is {type(text).__name__}, expected str or bytes."
            ) from None
        except UnicodeEncodeError as error:
            reason = f"{error.reason} (text {index}; give bytes, or text.encode(errors='replace'))"
            args = (error.encoding, error.object, error.start, error.end, reason)
            raise UnicodeEncodeError(*args) from None


def _integers(ids: npt.ArrayLike) -> npt.NDArray[np.integer]:
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        several = " Use decode_batch for several texts." * (array.ndim > 1)
        raise ValueError(
            f"ids are {array.dtype}{list(array.shape)}, expected integers[tokens].{several}"
        )
    return array if array.size else np.empty(0, np.int32)


def _in_groups(
    work: Callable[[Sequence[Any]], list[T]], items: Sequence[Any], size: int, num_threads: int
) -> list[T]:
    """`work` on pieces of `items` that hold about `size` bytes or tokens, in order."""
    if num_threads < 1:
        raise ValueError(f"num_threads={num_threads} is less than 1.")
    found = list(groups(items, size))
    if num_threads == 1 or len(found) < 2:
        return [result for group in found for result in work(group)]
    with ThreadPoolExecutor(num_threads) as pool:
        return [result for results in pool.map(work, found) for result in results]
