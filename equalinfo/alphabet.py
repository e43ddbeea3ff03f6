"""The 257 symbols every coder works on: the bytes 0..255 and EOS, the end of a document.

A *sequence* is many documents, each followed by EOS; an *example* is a piece of a sequence that one
coder run compresses [paper 3.1, 3.3]. Both are arrays of symbols, uint16.
"""

import re
from collections.abc import Iterable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

EOS = 256
NUM_SYMBOLS = 257

Symbols = npt.NDArray[np.uint16]

EOS_BYTE = b"\xff"
"""EOS among bytes, see `to_bytes`."""

# UTF-8 never contains the bytes 0xFE and 0xFF; other byte strings may, so both are escaped.
_ESCAPE, _EOS_BYTE = 0xFE, EOS_BYTE[0]

_Text = TypeVar("_Text", Symbols, bytes)


def as_symbols(values: npt.ArrayLike, what: str = "text") -> Symbols:
    """Return `values` as contiguous uint16[n], nothing changed on the way.

    Args:
      values: integers[n]; an empty array may have any type.
      what: their name in errors.

    Raises:
      ValueError: not one-dimensional, not of integers, or a value outside 0..256.
    """
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(
            f"{what} is {array.dtype}{list(array.shape)}, expected uint16[n]. "
            "Make symbols of documents with equalinfo.alphabet.join."
        )
    # Before the cast, which would take 65,633 for 97.
    if array.size and (
        int(array.max()) >= NUM_SYMBOLS or (array.dtype.kind == "i" and int(array.min()) < 0)
    ):
        place = int(np.flatnonzero((array >= NUM_SYMBOLS) | (array < 0))[0])
        raise ValueError(
            f"{what}, place {place}: symbol {int(array[place])} is not in "
            f"0..{NUM_SYMBOLS - 1} (bytes and EOS)."
        )
    return np.ascontiguousarray(array, np.uint16)


def join(documents: Iterable[bytes]) -> Symbols:
    """Concatenate documents, each followed by EOS.

    Args:
      documents: any bytes, UTF-8 or not.

    Returns:
      uint16[total bytes + number of documents].
    """
    texts = list(documents)
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)
    # One pass over the bytes, and one to widen them: a byte where each EOS goes.
    symbols = np.frombuffer(b"\0".join([*texts, b""]), np.uint8).astype(np.uint16)
    symbols[ends - 1] = EOS
    return symbols


def split(symbols: Symbols) -> list[bytes]:
    """Undo `join`; what follows the last EOS, if anything, is the last (unfinished) document."""
    data = symbols.astype(np.uint8).tobytes()
    documents = []
    start = 0
    for end in np.flatnonzero(symbols == EOS).tolist():
        documents.append(data[start:end])
        start = end + 1
    if start < len(data):
        documents.append(data[start:])
    return documents


def cut(symbols: _Text, size: int) -> list[_Text]:
    """Cut a sequence into examples of at most `size` symbols, never inside a UTF-8 character.

    A cut that would fall inside a character moves back to its first byte (by at most three bytes),
    so that each example of valid text is valid text. In other byte strings, where no character
    starts in those three bytes, the cut stays.

    Args:
      symbols: uint16[n]; or UTF-8 as `to_bytes` writes it, a byte a symbol.
      size: symbols per example, at least 4 (a UTF-8 character has up to 4 bytes).
    """
    if size < 4:
        raise ValueError(
            f"example size {size} is too small: a UTF-8 character takes up to 4 bytes. "
            "Use 4 or more."
        )
    examples = []
    start = 0
    while start < len(symbols):
        end = min(start + size, len(symbols))
        if end < len(symbols):
            for candidate in range(end, end - 4, -1):
                # 0b10xxxxxx continues a character; anything else (EOS too) may start an example.
                if symbols[candidate] >> 6 != 0b10:
                    end = candidate
                    break
        examples.append(symbols[start:end])
        start = end
    return examples


def as_bytes(text: str | bytes) -> bytes:
    """UTF-8 of a str; bytes as they are.

    Raises:
      TypeError: neither.
      UnicodeEncodeError: a str with surrogates, which has no bytes.
    """
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(f"text is {type(text).__name__}, expected str or bytes.")


def to_bytes(symbols: Symbols) -> bytes:
    """Write symbols as bytes, reversibly: EOS as FF; the bytes FE and FF as FE FE and FE FF.

    Valid UTF-8 has neither byte, so text keeps its length plus one byte per document.
    """
    low = symbols.astype(np.uint8)  # EOS as 0
    plain = low.tobytes()
    low -= (symbols == EOS).view(np.uint8)  # EOS as FF
    if b"\xfe" not in plain and b"\xff" not in plain:
        return low.tobytes()
    escaped = (symbols == _ESCAPE) | (symbols == _EOS_BYTE)
    places = np.arange(len(symbols)) + np.cumsum(escaped)
    out = np.full(int(places[-1]) + 1, _ESCAPE, np.uint8)
    out[places] = low
    return out.tobytes()


def from_bytes(data: bytes) -> Symbols:
    """Undo `to_bytes`.

    Raises:
      ValueError: `data` is not the output of `to_bytes` (an escape followed by something else).
    """
    values = np.frombuffer(data, np.uint8).astype(np.uint16)
    escapes = []
    for match in re.finditer(b"\xfe.?", data, re.DOTALL):
        if match[0][1:] not in (b"\xfe", b"\xff"):
            raise ValueError(
                f"byte {match.start()}: the escape FE is not followed by FE or FF. "
                "The data is damaged, or was not written by alphabet.to_bytes."
            )
        escapes.append(match.start())
    places = np.array(escapes, np.int64)
    symbols = np.where(values == _EOS_BYTE, np.uint16(EOS), values)
    symbols[places + 1] = values[places + 1]
    return np.delete(symbols, places)
