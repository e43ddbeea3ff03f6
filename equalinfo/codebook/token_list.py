"""The tokens of a codebook as a list to read, or for another implementation."""

import os
import re
from itertools import pairwise

from equalinfo.alphabet import EOS
from equalinfo.codebook.book import Codebook
from equalinfo.codebook.file import INFORMATION_UNIT_BITS
from equalinfo.data import storage

_SPECIAL = ("<pad>", "</s>", "<unk>")
_ESCAPED = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029<]|[\udc80-\udcff]")


def write(codebook: Codebook, path: str | os.PathLike[str]) -> None:
    """Write a line `token TAB score` for each id, in order, as SentencePiece's `.vocab` has them.

    Score: minus what the token costs parse `fewest`, in bits, exact. Tokens are UTF-8. A byte that
    is no part of a whole character there, a control character, a line break or `<` is written as
    `<0xNN>` for each byte, and EOS as `<eos>`, so every token can be read back.

    Raises:
      FileExistsError: there is such a file.
    """
    if storage.exists(os.fspath(path)):
        raise FileExistsError(f"{os.fspath(path)} is there already.")
    lines = [f"{name}\t0" for name in _SPECIAL]
    costs = (codebook.costs * INFORMATION_UNIT_BITS).tolist()
    symbols = codebook.texts.tolist()
    for cost, (begin, end) in zip(costs, pairwise(codebook.offsets.tolist()), strict=True):
        lines.append(f"{_token(symbols[begin:end])}\t{-cost!r}")
    storage.write_text(os.fspath(path), "".join(line + "\n" for line in lines))


def _token(symbols: list[int]) -> str:
    parts: list[bytearray] = [bytearray()]
    for symbol in symbols:
        if symbol == EOS:
            parts.append(bytearray())
        else:
            parts[-1].append(symbol)
    texts = (part.decode("utf-8", "surrogateescape") for part in parts)
    return "<eos>".join(_ESCAPED.sub(_escape, text) for text in texts)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"<0x{byte:02X}>" for byte in match[0].encode("utf-8", "surrogateescape"))
