"""Texts to streams of token ids and back, piece by piece: in memory is never more than a piece.

In the streams here EOS_ID (1) ends a text: in decimal it is the end of a line, in arrays it stands
as it is. The last text of a stream may be open; so text without a newline at its end comes back as
it was. (Data sets have the end of a document as a symbol *inside* windows; these ids do not.)
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from equalinfo.data import decompress, storage
from equalinfo.ids import EOS_ID, PAD_ID
from equalinfo.streams import groups
from equalinfo.tokenizer import Ids, Tokenizer

DTYPES = {name: np.dtype(name).newbyteorder("<") for name in ("uint16", "uint32", "int32")}

_BLOCK_BYTES = 1 << 20
_BLOCK_TOKENS = 1 << 18
_END = np.array([EOS_ID], np.int32)
_DIGITS = b"0123456789"
_SPACES = (b" ", b"\t", b"\r", b"\n")
_LONGEST_WORD = 1000  # of digits, most of them 0


def plain_blocks(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The bytes of a stream, decompressed where they are gzip or Zstandard.

    Raises:
      ValueError: it is cut off or damaged.
    """
    try:
        yield from decompress.chunks(stream, name)
    except decompress.DamagedStreamError as error:
        raise ValueError(f"{name} is damaged: {error}.") from error


def encode_lines(tokenizer: Tokenizer, blocks: Iterable[bytes], threads: int = 1) -> Iterator[Ids]:
    """Ids of a stream of bytes, each line a text without its newline: int32[tokens] a piece."""
    encoder = tokenizer.stream_encoder()  # of the line that a block cuts, as long as it may be
    for block in blocks:
        first, *lines = block.split(b"\n")
        yield encoder.feed(first)
        if lines:
            last = lines.pop()
            yield np.concatenate([encoder.finish(), _END])
            yield _ended(tokenizer.encode_batch(lines, num_threads=threads))
            yield encoder.feed(last)
    yield encoder.finish()


def encode_whole(tokenizer: Tokenizer, blocks: Iterable[bytes]) -> Iterator[Ids]:
    """Ids of a stream of bytes as one text, which stays open: int32[tokens] a piece."""
    encoder = tokenizer.stream_encoder()
    yield from map(encoder.feed, blocks)
    yield encoder.finish()


def encode_documents(
    tokenizer: Tokenizer, documents: Iterable[bytes], threads: int = 1
) -> Iterator[Ids]:
    """Ids of texts, each ended: int32[tokens] a piece."""
    for group in groups(documents, _BLOCK_BYTES):
        yield _ended(tokenizer.encode_batch(group, num_threads=threads))


def _ended(texts: list[Ids]) -> Ids:
    """Ids of texts, EOS_ID after each."""
    parts = [part for ids in texts for part in (ids, _END)]
    return np.concatenate(parts) if parts else np.empty(0, np.int32)


def write_lines(out: BinaryIO, pieces: Iterable[Ids], names: list[bytes]) -> None:
    """A text a line, tokens with a space between.

    Args:
      out: opened for writing.
      pieces: ids.
      names: what to write for each id; without white space.
    """
    parts = [b" " + name for name in names]
    parts[EOS_ID] = b"\n"
    fresh = True  # at the beginning of a line
    for ids in pieces:
        if ids.size:
            text = b"".join(map(parts.__getitem__, ids.tolist())).replace(b"\n ", b"\n")
            out.write(text[1:] if fresh and text[:1] == b" " else text)
            fresh = text.endswith(b"\n")


def write_array(
    out: BinaryIO, pieces: Iterable[Ids], dtype: str, vocab_size: int, *, npy: bool = False
) -> None:
    """One array of all ids: its bytes, little-endian, or a `.npy` file.

    Args:
      out: opened for writing; for `.npy` it must be seekable.
      pieces: ids.
      dtype: a key of DTYPES.
      vocab_size: ids are below it.
      npy: write the header too.

    Raises:
      ValueError: the type cannot hold the ids.
    """
    kind = DTYPES[dtype]
    if vocab_size - 1 > np.iinfo(kind).max:
        raise ValueError(
            f"ids reach {vocab_size - 1}, and {dtype} {np.iinfo(kind).max}. Use --dtype uint32 or "
            "int32, or a codebook of at most 65,533 codes."
        )
    count = 0
    start = _npy_header(out, kind, count) if npy else 0
    for ids in pieces:
        out.write(ids.astype(kind).tobytes())
        count += len(ids)
    if npy:
        out.seek(0)
        if _npy_header(out, kind, count) != start:
            raise RuntimeError(f"NumPy's header of {count} ids is longer than its reserve.")


def _npy_header(out: BinaryIO, kind: np.dtype[np.integer], count: int) -> int:
    """Write it; NumPy leaves room in it for larger counts. Its bytes."""
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False}
    np.lib.format.write_array_header_1_0(out, {**header, "shape": (count,)})
    return out.tell()


def read_lines(stream: BinaryIO, name: str, vocab_size: int) -> Iterator[Ids]:
    """Ids in decimal, a text a line; an EOS_ID that is written out ends nothing.

    Raises:
      ValueError: something that is no id; says where.
    """
    number, rest = 1, b""
    while True:
        read = stream.read(_BLOCK_BYTES)
        block = rest + read
        # An id may go on in the next block.
        cut = len(block) if not read else max(block.rfind(space) for space in _SPACES) + 1
        block, rest = block[:cut], block[cut:]
        if len(rest) > _LONGEST_WORD or block.translate(None, _DIGITS + b"".join(_SPACES)):
            raise _no_id(block + rest, number, name, vocab_size)
        # -1 cannot be in the text; numbers above 63 bits become the largest.
        words = block.replace(b"\n", b" -1 ").strip()
        ids = np.fromstring(words, np.int64, sep=" ") if words else np.empty(0, np.int64)
        ends = ids < 0
        if ids.size and ids.max() >= vocab_size:
            raise _no_id(block, number, name, vocab_size)
        yield np.where(ends, EOS_ID, np.where(ids == EOS_ID, PAD_ID, ids)).astype(np.int32)
        number += int(np.count_nonzero(ends))
        if not read:
            return


def _no_id(block: bytes, number: int, name: str, vocab_size: int) -> ValueError:
    """The error for the first word of a block that is no id; the block begins in line `number`."""
    for line in block.split(b"\n"):
        for word in line.split():
            if (
                word.translate(None, _DIGITS)
                or len(word) > _LONGEST_WORD
                or int(word) >= vocab_size
            ):
                shown = word[:40].decode("utf-8", "replace")
                return _error(f"{name}:{number}", repr(shown), vocab_size)
        number += 1
    raise RuntimeError(f"{name}:{number}: every word is an id.")


def read_npy(path: str, vocab_size: int) -> Iterator[Ids]:
    """Ids of a `.npy` file, which is mapped into memory.

    Raises:
      OSError: it cannot be read.
      ValueError: it is no such file, not of integers[tokens], or an id is out of range.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is no .npy file of numbers: {error}") from error
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{path} has {array.dtype}{list(array.shape)}, expected integers[tokens]. Flatten it."
        )
    for start in range(0, len(array), _BLOCK_TOKENS):
        yield _checked(array[start : start + _BLOCK_TOKENS], start, path, vocab_size)


def read_raw(stream: BinaryIO, name: str, dtype: str, vocab_size: int) -> Iterator[Ids]:
    """Ids of a file that is an array and nothing else, little-endian.

    Raises:
      ValueError: it ends inside an id, or an id is out of range.
    """
    kind = DTYPES[dtype]
    place, rest = 0, b""
    while read := stream.read(_BLOCK_BYTES):
        block = rest + read
        cut = len(block) - len(block) % kind.itemsize
        block, rest = block[:cut], block[cut:]
        ids = np.frombuffer(block, kind)
        yield _checked(ids, place, name, vocab_size)
        place += len(ids)
    if rest:
        raise ValueError(
            f"{name} has {place * kind.itemsize + len(rest)} bytes, which is no whole number of "
            f"{dtype}. Is --dtype another?"
        )


def _checked(ids: npt.NDArray[np.integer], place: int, name: str, vocab_size: int) -> Ids:
    wrong = (ids < 0) | (ids >= vocab_size)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise _error(f"{name}, place {place + first}", str(ids[first]), vocab_size)
    return ids.astype(np.int32)


def _error(place: str, found: str, vocab_size: int) -> ValueError:
    return ValueError(
        f"{place}: {found} is no id from 0 to {vocab_size - 1}. Name the codebook that the ids "
        "were made with, and their format."
    )


def decode_stream(
    tokenizer: Tokenizer, pieces: Iterable[Ids], *, whole: bool = False
) -> Iterator[bytes]:
    """Bytes of ids, with a newline where a text ends; nothing there if all are one text."""
    (newline,) = tokenizer.encode(b"\n")
    end = PAD_ID if whole else newline
    for ids in pieces:
        yield tokenizer.decode_bytes(np.where(ids == EOS_ID, end, ids))


def decode_texts(
    tokenizer: Tokenizer, pieces: Iterable[Ids], *, whole: bool = False
) -> Iterator[bytes]:
    """Bytes of each text; one at a time is in memory.

    Args:
      tokenizer: made the ids.
      pieces: ids.
      whole: all are one text, whatever ends in between.
    """
    held: list[bytes] = []
    for ids in pieces:
        places = [] if whole else np.flatnonzero(ids == EOS_ID).tolist()
        start = 0
        for end in places:
            held.append(tokenizer.decode_bytes(ids[start:end]))
            yield b"".join(held)
            held, start = [], end + 1
        if start < len(ids):
            held.append(tokenizer.decode_bytes(ids[start:]))
    if held:
        yield b"".join(held)


@contextmanager
def replacing(name: str) -> Iterator[BinaryIO]:
    """A local file to write, as `storage.create` does, but one that can be written anywhere."""
    path = Path(os.path.realpath(name))
    if storage.is_special(str(path)):
        with path.open("wb") as file:
            yield file
        return
    unfinished = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    try:
        with unfinished.open("wb") as file:
            yield file
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def expand(patterns: Sequence[str]) -> list[str]:
    """The files that names and globs stand for; "-", standard input, where there are none.

    Raises:
      OSError: one stands for no file.
    """
    names: list[str] = []
    for pattern in patterns or ["-"]:
        found = [pattern] if pattern == "-" or storage.exists(pattern) else storage.match(pattern)
        if not found and os.path.isdir(pattern):
            raise IsADirectoryError(f"{pattern} is a directory: name its files.")
        if not found:
            raise FileNotFoundError(f"there is no file {pattern!r} (looked from {os.getcwd()!r}).")
        names += found
    return names
