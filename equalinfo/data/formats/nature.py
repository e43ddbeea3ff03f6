"""What a file really is, from its first bytes, where it is not the text it is taken for."""

import re

from equalinfo.data import decompress
from equalinfo.data.inputs import InputError, InputFile

HEAD_BYTES = 4096
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_MARKS = (  # the longer first: UTF-32's begins with UTF-16's
    (b"\xff\xfe\0\0", "UTF-32LE"),
    (b"\0\0\xfe\xff", "UTF-32BE"),
    (b"\xff\xfe", "UTF-16LE"),
    (b"\xfe\xff", "UTF-16BE"),
)
# Which of four bytes are NUL in text of Latin letters.
_NULS: dict[tuple[bool, ...], str] = {
    (False, True, True, True): "UTF-32LE",
    (True, True, True, False): "UTF-32BE",
    (False, True, False, True): "UTF-16LE",
    (True, False, True, False): "UTF-16BE",
}
_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml|error)\b", re.IGNORECASE)
_POINTER = b"version https://git-lfs.github.com/spec/"
_PRETTY = re.compile(rb"\s*\{[^\n]*[,{:\[]?\s*\n\s+[\"}\]]")


def check(head: bytes, file: InputFile) -> None:
    """Refuse what cannot be the text of this file.

    Args:
      head: its first bytes, decompressed; HEAD_BYTES, or all there are.
      file: which file.

    Raises:
      InputError: says what it is, and what to do.
    """
    nature = _nature(head, file)
    if nature:
        raise InputError(f"{file.path} {nature}")


def _nature(head: bytes, file: InputFile) -> str:
    if file.format == "parquet" and head.startswith(b"PAR1"):
        return ""  # its numbers may look like letters of four bytes
    if encoding := _wide_encoding(head):
        return (
            f"is {encoding}, and text must be UTF-8. Convert it: "
            f"`iconv -f {encoding} -t UTF-8 {file.name} > converted`."
        )
    if suffix := decompress.packing_of(head):
        return f"is compressed twice: its content is again {suffix}. Decompress it once."
    if head.startswith(_POINTER):
        return "is a Git LFS pointer, not the file itself. Fetch it: `git lfs pull`."
    if head.startswith(b"PK\x03\x04"):
        return "is a zip archive. Unpack it, and name the files inside."
    if head[257:262] == b"ustar":
        return "is a tar archive. Unpack it, and name the files inside."
    if file.format != "text" and (page := _PAGE.match(head)):
        kind = page[0].decode().strip()
        return f"is a web page or XML ({kind}...), such as a saved error message. Fetch it again."
    if file.format == "json":
        return _json_nature(head, file.name)
    return ""


def _wide_encoding(head: bytes) -> str:
    """The encoding of several bytes a letter that text is in, by its mark or its NULs."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    words = len(head) // 4
    if words < 2:
        return ""
    shares = [head[first : 4 * words : 4].count(0) / words for first in range(4)]
    if all(share < 0.2 or share > 0.6 for share in shares):
        return _NULS.get(tuple(share > 0.6 for share in shares), "")
    return ""


def _json_nature(head: bytes, name: str) -> str:
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    if start.startswith(b"["):
        return (
            "is one JSON array, expected an object a line. Convert it: "
            f"`jq -c '.[]' {name} > lines.jsonl`."
        )
    if _PRETTY.match(start):
        return (
            "has its JSON objects spread over lines, expected one a line. Convert it: "
            f"`jq -c . {name} > lines.jsonl`."
        )
    return ""
