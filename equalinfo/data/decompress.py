"""The bytes of a file, decompressed where its first bytes are those of gzip or Zstandard.

Both formats are runs of parts (gzip: members, zstd: frames), each of which knows its end, so a cut
inside a part is always noticed. A changed bit is noticed by the part's checksum, which zstd frames
may lack. Of a file that is cut off, all text before is given first; of a damaged one, the text up
to the _ZIPPED_CHUNK_BYTES in which the damage shows.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import BinaryIO, Protocol, cast

import zstandard
from isal import isal_zlib

SUFFIXES = (".gz", ".zst")

_HEAD_BYTES = 4096
_CHUNK_BYTES = 1 << 18
# Decompressed, they still fit in a processor's cache, and the worst that zstd can make of one
# (128 KiB of every 4 bytes) in a worker's memory.
_ZIPPED_CHUNK_BYTES = 1 << 14

_GZIP_WBITS = 31
_GZIP_MAGIC = b"\x1f\x8b"
# A frame, or one to skip: pzstd starts files with these.
_ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", *(bytes([low]) + b"\x2a\x4d\x18" for low in range(80, 96)))
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f"))
_GzipError = cast(type[Exception], isal_zlib.error)


class DamagedStreamError(ValueError):
    """A compressed file is cut off or damaged."""


class _Part(Protocol):
    """What decompresses one gzip member or one zstd frame."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


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
    if head.startswith(_GZIP_MAGIC):
        yield from _parts(raw, head, _gzip_member, padding=b"\0")
        return
    if head.startswith(_ZSTD_MAGICS):
        yield from _parts(raw, head, _zstd_frame, padding=b"")
        return
    if path.lower().endswith(SUFFIXES):
        _check_plain(head)
    yield head
    while chunk := raw.read(_CHUNK_BYTES):
        yield chunk


def _gzip_member() -> _Part:
    return cast(_Part, isal_zlib.decompressobj(wbits=_GZIP_WBITS))


def _zstd_frame() -> _Part:
    return cast(_Part, zstandard.ZstdDecompressor().decompressobj())


def _parts(
    raw: BinaryIO, head: bytes, start: Callable[[], _Part], padding: bytes
) -> Iterator[bytes]:
    """Decompress members or frames until the end; `padding` may follow each of them."""
    part = start()
    for zipped in chain([head], iter(partial(raw.read, _ZIPPED_CHUNK_BYTES), b"")):
        rest = zipped
        while rest:
            if part.eof:
                rest = rest.lstrip(padding)
                if not rest:
                    break
                part = start()
            try:
                chunk = part.decompress(rest)
            except (_GzipError, zstandard.ZstdError) as error:
                raise DamagedStreamError(f"{type(error).__name__}: {error}") from error
            yield chunk
            rest = part.unused_data if part.eof else b""
    if not part.eof:
        raise DamagedStreamError("the compressed file was cut off")


def _check_plain(head: bytes) -> None:
    """Refuse what is called .gz or .zst and starts neither so nor like text."""
    if not head:
        raise DamagedStreamError("the compressed file has no bytes at all: it was cut off")
    if any(magic.startswith(head) for magic in (_GZIP_MAGIC, *_ZSTD_MAGICS)):
        raise DamagedStreamError(f"the compressed file has {len(head)} bytes: it was cut off")
    if head.translate(None, _CONTROL_BYTES) != head:
        raise DamagedStreamError(
            f"it starts with the bytes {head[:4].hex(' ')}: neither gzip, zstd nor text"
        )
