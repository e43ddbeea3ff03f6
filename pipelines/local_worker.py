"""A local worker process: Beam's, but one that ends when its launcher does, however that ends.

Else a worker whose launcher was killed goes on for seconds, writing shards beside those of the next
job, and ends in 300 lines of stack; one that has just started waits for a minute.
"""

import io
import os
import socket
import sys
import threading
from contextlib import suppress


def _end_with_launcher(port: int) -> None:
    try:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.recv(1)  # nothing is ever sent: returns when the other side is gone
    except OSError:
        pass
    os._exit(1)


class _Stderr(io.TextIOWrapper):
    """Does without a reader: Beam prints an error first, and only then tells the launcher of it."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def main(port: int) -> None:
    """Work for the launcher that listens at `port`; Beam takes the rest from the environment."""
    sys.stderr = _Stderr(sys.stderr.buffer, errors="backslashreplace", line_buffering=True)
    threading.Thread(target=_end_with_launcher, args=(port,), daemon=True).start()
    from apache_beam.runners.worker import sdk_worker_main  # seconds

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main(int(sys.argv[1]))
