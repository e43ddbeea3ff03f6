"""Text from local files, all of it or an error: for what needs no data set.

For corpora, with rejects and resume, there is `python -m pipelines.compress`.
"""

import glob
import os
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from equalinfo.alphabet import Symbols, join
from equalinfo.data.text import DamagedInputError, InputFile, Reject, format_of, read


def read_symbols(patterns: Sequence[str], progress: bool = True) -> Symbols:
    """All documents of the files, each followed by EOS: uint16[n].

    Args:
      patterns: file names or globs.
      progress: draw a bar over the files.

    Raises:
      FileNotFoundError: a pattern that matches nothing.
      ValueError: a file that cannot be read to its end, or a line without text.
    """
    bar = tqdm(expand(patterns), "read", unit="file", disable=not progress)
    return join(document for name in bar for document in read_documents(name))


def expand(patterns: Sequence[str]) -> list[str]:
    """The files that names or globs stand for; a FileNotFoundError for one that has none."""
    names: list[str] = []
    for pattern in patterns:
        found = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern, recursive=True))
        if not found:
            raise FileNotFoundError(f"no file matches {pattern!r}.")
        names += found
    return list(dict.fromkeys(names))


def read_documents(name: str, field: str = "text") -> Iterator[bytes]:
    """Documents of one local file, of any format of `equalinfo.data.text` but those of TFDS.

    Args:
      name: its suffix says which format: .json, .jsonl or .txt, also .gz or .zst; .parquet.
      field: field of JSON or column of Parquet that holds the text.

    Raises:
      OSError: it cannot be read.
      ValueError: its suffix is not known, it breaks off, or it holds a line or row without text.
    """
    try:
        for document in read(InputFile(name, format_of(name), field)):
            if isinstance(document, Reject):
                raise ValueError(f"{document.place}: {document.reason}.")
            yield document
    except DamagedInputError as error:
        raise ValueError(f"{name} is damaged: {error}.") from error
