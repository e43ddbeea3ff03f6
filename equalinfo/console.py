"""What commands print gets out, whatever the locale."""

import codecs
import sys
from typing import TextIO

INTERRUPTED = 130
"""Exit status after Ctrl-C, as of a shell: 128 and SIGINT."""


def print_any_text() -> None:
    """Let standard output and error take any text.

    Where the locale says ASCII (LC_ALL=C, in many containers and cron jobs), it is UTF-8, as Python
    itself has it unless it was told not to (PYTHONUTF8=0); in other charsets what they lack is "?".
    File names of any bytes come out as they are.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is None or _is_utf8(stream):  # what replaces it in tests or notebooks
            continue
        if codecs.lookup(stream.encoding).name == "ascii":
            reconfigure(encoding="utf-8", errors="surrogateescape")
        else:
            reconfigure(errors="replace")


def _is_utf8(stream: TextIO) -> bool:
    return codecs.lookup(stream.encoding).name == "utf-8"
