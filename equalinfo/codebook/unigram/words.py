"""Where words begin and end, in bytes.

A word is a run of letters (with apostrophes inside), of digits, of other signs, or of white space;
a single space belongs to the word behind it. What UTF-8 writes with bytes from 0x80 on counts as
letters, but for the punctuation of Latin-1 and of U+2000 to U+203F.
"""

import numpy as np
import numpy.typing as npt

from equalinfo.jit import njit

Bytes = npt.NDArray[np.uint8]

SPACE, BLANK, DIGIT, SIGN, LETTER = range(5)


def _classes() -> npt.NDArray[np.uint8]:
    classes = np.full(256, SIGN, np.uint8)
    classes[:33] = BLANK
    classes[32] = SPACE
    classes[0x80:] = LETTER
    for first, last in (b"09", b"az", b"AZ"):
        classes[first : last + 1] = DIGIT if first == ord("0") else LETTER
    return classes


_CLASSES = _classes()


def is_boundary(byte: int) -> bool:
    """Whether a character of UTF-8 may begin with this byte."""
    return byte & 0xC0 != 0x80


@njit(cache=True, nogil=True)
def _class_at(text: Bytes, place: int, end: int) -> tuple[int, int]:
    """(class, bytes) of the character at `place`."""
    byte = text[place]
    if byte == 0xE2 and place + 2 < end and text[place + 1] == 0x80:
        return SIGN, 3
    if byte == 0xC2 and place + 1 < end and text[place + 1] < 0xC0:
        return SIGN, 2
    return _CLASSES[byte], 1


@njit(cache=True, nogil=True)
def _is_apostrophe(text: Bytes, place: int, size: int) -> bool:
    return text[place] == 0x27 or (
        size == 3 and text[place + 1] == 0x80 and text[place + 2] == 0x99
    )


@njit(cache=True, nogil=True)
def word_end(text: Bytes, start: int, end: int) -> int:
    """Where the word that begins at `start` ends, in a document that ends at `end`."""
    place = start
    kind, size = _class_at(text, place, end)
    if kind == SPACE and place + 1 < end:
        behind, behind_size = _class_at(text, place + 1, end)
        if behind > BLANK:
            place, kind, size = place + 1, behind, behind_size
    if kind <= BLANK:
        while place < end and _CLASSES[text[place]] <= BLANK:
            place += 1
        # The last space of several belongs to the word behind.
        return place - 1 if place < end and text[place - 1] == 32 and place - 1 > start else place
    while True:
        place += size
        if place >= end:
            return place
        found, size = _class_at(text, place, end)
        if found == kind:
            continue
        if kind == LETTER and _is_apostrophe(text, place, size) and place + size < end:
            behind, _ = _class_at(text, place + size, end)
            if behind == LETTER:
                continue
        return place
