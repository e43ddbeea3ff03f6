"""The bytes of a file, decompressed where its first bytes are those of gzip, zstd, bzip2 or xz.

The formats are runs of parts (members, frames, streams), each of which knows its end, so a cut
inside a part is always noticed. A changed bit is noticed by the part's checksum, which zstd frames
may lack. Of a file that is cut off, all text before is given first; of a damaged one, the text up
to the _ZIPPED_CHUNK_BYTES in which the damage shows.
"""

import bz2
import lzma
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, cast

import zstandard
from isal import isal_zlib

_HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 18
# Decompressed, they still fit in a processor's cache, and the worst that zstd can make of one
# (128 KiB of every 4 bytes) in a worker's memory.
_ZIPPED_CHUNK_BYTES = 1 << 14
_GZIP_WBITS = 31
_ZSTD_WINDOW_BYTES = 1 << 31  # zstd --long=31, the most there is; a frame says how much it needs
# Block size, then what begins a block, or ends a stream without one: "BZh" alone may be a word.
_BZIP2_MAGICS = tuple(
    b"BZh%d" % size + follows for size in range(1, 10) for follows in (b"1AY&SY", b"\x17rE8P\x90")
)
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f"))


class DamagedStreamError(ValueError):
    """A compressed file is cut off or damaged."""


@dataclass(frozen=True)
class _Packing:
    """A compressed format.

    Attributes:
      suffix: of its files.
      magics: first bytes of a part.
      start: what decompresses the next part.
      padding: may follow a part (tapes and some stores fill up with it).
    """

    suffix: str
    magics: tuple[bytes, ...]
    start: Callable[[], Any]
    padding: bytes = b""


_PACKINGS = (
    _Packing(
        ".gz",
        (b"\x1f\x8b",),
        partial(isal_zlib.decompressobj, wbits=_GZIP_WBITS),
        padding=b"\0",
    ),
    # A frame, or one to skip: pzstd starts files with these.
    _Packing(
        ".zst",
        (b"\x28\xb5\x2f\xfd", *(bytes([low]) + b"\x2a\x4d\x18" for low in range(80, 96))),
        lambda: zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj(),
    ),
    _Packing(".bz2", _BZIP2_MAGICS, bz2.BZ2Decompressor),
    _Packing(".xz", (b"\xfd7zXZ\0",), lzma.LZMADecompressor, padding=b"\0"),
)
SUFFIXES = tuple(packing.suffix for packing in _PACKINGS)
_Fault = (cast(type[Exception], isal_zlib.error), zstandard.ZstdError, OSError, lzma.LZMAError)


def packing_of(head: bytes) -> str:
    """The suffix of the compressed format whose files start so; empty where it is none."""
    return next((one.suffix for one in _PACKINGS if head.startswith(one.magics)), "")


def chunks(raw: BinaryIO, path: str) -> Iterator[bytes]:
    """A file's text in pieces.

    The first bytes decide, not the suffix: stores may decompress objects on the way.

    Args:
      raw: the file, opened for reading bytes.
      path: only its suffix matters.

    Raises:
      DamagedStreamError: the file is cut off or damaged; all sound pieces have been given.
    """
    head = raw.read(_HEAD_BYTES)
    for packing in _PACKINGS:
        if head.startswith(packing.magics):
            yield from _parts(raw, head, packing)
            return
    if path.lower().endswith(SUFFIXES):
        _check_plain(head)
    yield head
    while chunk := raw.read(_CHUNK_BYTES):
        yield chunk


def _parts(raw: BinaryIO, head: bytes, packing: _Packing) -> Iterator[bytes]:
    """Decompress parts until the end."""
    part = packing.start()
    place = 0
    for zipped in chain([head], iter(partial(raw.read, _ZIPPED_CHUNK_BYTES), b"")):
        place += len(zipped)
        rest = zipped
        while rest:
            if part.eof:
                rest = rest.lstrip(packing.padding)
                if not rest:
                    break
                _check_next(rest, place - len(rest), packing)
                part = packing.start()
            try:
                chunk = part.decompress(rest)
            except _Fault as error:
                raise DamagedStreamError(f"{type(error).__name__}: {error}") from error
            yield chunk
            rest = part.unused_data if part.eof else b""
    if not part.eof:
        raise DamagedStreamError("the compressed file was cut off")


def _check_next(rest: bytes, place: int, packing: _Packing) -> None:
    """Refuse what follows a part and does not begin like another."""
    if not any(rest.startswith(magic[: len(rest)]) for magic in packing.magics):
        raise DamagedStreamError(
            f"after the end of its {packing.suffix} data, from byte {place} on, come bytes that "
            f"are none: {rest[:4].hex(' ')}. Something was appended, or that place is damaged. "
            "Decompressed and compressed again it is sound, without what comes there"
        )


def _check_plain(head: bytes) -> None:
    """Refuse what is called .gz or the like and starts neither so nor like text."""
    if not head:
        raise DamagedStreamError("the compressed file has no bytes at all: it was cut off")
    if any(magic.startswith(head) for packing in _PACKINGS for magic in packing.magics):
        raise DamagedStreamError(f"the compressed file has {len(head)} bytes: it was cut off")
    # UTF-16 has NULs; what reads the text says so.
    if head.translate(None, _CONTROL_BYTES[1:]) != head:
        raise DamagedStreamError(
            f"it starts with the bytes {head[:4].hex(' ')}: neither {', '.join(SUFFIXES)} nor text"
        )
