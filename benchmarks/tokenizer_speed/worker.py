"""One tokenizer in one process, which waits while the others are measured.

A process each keeps memory apart, lets Hugging Face's threads be set, and lets rounds go in turns:
what else the machine does in a minute then hits all of them.
"""

import gc
import importlib
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.tokenizer_speed.adapters import ADAPTERS, Adapter

MODES = ("document", "batch", "joined")
LOADS = 5


class Bench:
    """Runs in the worker.

    Args:
      kind: of the tokenizer.
      path: its file.
      threads: the most that will be asked for.
    """

    def __init__(self, kind: str, path: Path, threads: int) -> None:
        # Before the library starts its thread pool.
        os.environ["RAYON_NUM_THREADS"] = str(threads)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self._module, self._adapter = ADAPTERS[kind]
        self._path = path
        self._tokenizer: Adapter
        self._texts: list[str] = []
        self._joined = ""

    def load(self, text: str) -> dict[str, float]:
        """Import, load, encode and decode for the first time in this process, then load again.

        Returns:
          Seconds (`load` is the median of five later loads) and bytes of resident memory.
        """
        bare = _resident()
        importlib.import_module(self._module)
        imported = _resident()
        start = time.perf_counter()
        self._tokenizer = self._adapter(self._path)
        first_load = time.perf_counter() - start
        self._tokenizer.decode(self._tokenizer.encode(text))
        ready = _resident()
        times = []
        for _ in range(LOADS):
            start = time.perf_counter()
            again = self._adapter(self._path)
            times.append(time.perf_counter() - start)
            del again
            gc.collect()
        return {
            "load": sorted(times)[LOADS // 2],
            "first_load": first_load,
            "memory_import": imported - bare,
            "memory_load": ready - imported,
        }

    def first_pass(self, texts: list[str]) -> float:
        """MB/s of text that this process has not seen, in one call: caches of words are empty."""
        start = time.perf_counter()
        self._tokenizer.encode_batch(texts, 1)
        return sum(len(text.encode()) for text in texts) / 1e6 / (time.perf_counter() - start)

    def count(self, texts: list[str], threads: int) -> tuple[int, int]:
        """Bytes of some texts, and tokens they become."""
        ids = self._tokenizer.encode_batch(texts, threads)
        return sum(len(text.encode()) for text in texts), sum(map(len, ids))

    def restored(self, texts: list[str]) -> int:
        """Texts that come back exactly."""
        return sum(self._tokenizer.decode(self._tokenizer.encode(text)) == text for text in texts)

    def prepare(self, texts: list[str]) -> dict[str, int]:
        """Take the text to time, and check what the tokenizer makes of it.

        That calls everything which `time` will call: from here on, it is warm.

        Returns:
          restored: texts that come back exactly.
          differing: texts that the three calls (document, batch, threads) encode differently.
        """
        self._texts, self._joined = texts, "\n\n".join(texts)
        self._ids = [self._tokenizer.encode(text) for text in texts]
        self._joined_ids = self._tokenizer.encode(self._joined)
        self._tokenizer.decode(self._joined_ids)
        decoded = [self._tokenizer.decode(ids) for ids in self._ids]
        batches = [self._tokenizer.encode_batch(texts, threads) for threads in (1, 2)]
        decoded_batches = [self._tokenizer.decode_batch(self._ids, threads) for threads in (1, 2)]
        differing = sum(
            any(list(other[place]) != list(ids) for other in batches)
            or any(other[place] != decoded[place] for other in decoded_batches)
            for place, ids in enumerate(self._ids)
        )
        restored = sum(map(str.__eq__, decoded, texts))
        return {"restored": restored, "differing": differing}

    def has_bytes(self) -> bool:
        """Whether ids decode to bytes, too."""
        return hasattr(self._tokenizer, "decode_bytes")

    def time(self, action: str, mode: str, threads: int, seconds: float) -> dict[str, float]:
        """Repeat one pass over the text for at least `seconds`.

        Returns:
          MB/s of text, the mean over the passes; cores that this process kept busy, and cores that
          all others did.
        """
        run, num_bytes = self._pass(action, mode, threads)
        gc.collect()
        gc.disable()
        try:
            passes, all_used = 0, _busy()
            used, start = time.process_time(), time.perf_counter()
            while (elapsed := time.perf_counter() - start) < seconds or not passes:
                run()
                passes += 1
            used = time.process_time() - used
            all_used = _busy() - all_used
        finally:
            gc.enable()
        return {
            "speed": num_bytes * passes / elapsed / 1e6,
            "cores": used / elapsed,
            "others": max(0.0, all_used - used) / elapsed,
        }

    def _pass(self, action: str, mode: str, threads: int) -> tuple[Callable[[], object], int]:
        tokenizer: Any = self._tokenizer
        call = {"encode": "encode", "decode": "decode", "decode_bytes": "decode_bytes"}[action]
        inputs = self._texts if action == "encode" else self._ids
        if mode == "joined":
            joined = self._joined if action == "encode" else self._joined_ids
            one = getattr(tokenizer, call)
            return lambda: one(joined), len(self._joined.encode())
        num_bytes = sum(len(text.encode()) for text in self._texts)
        if mode == "batch":
            many = getattr(tokenizer, f"{call}_batch")
            return lambda: many(inputs, threads), num_bytes
        one = getattr(tokenizer, call)

        def each() -> None:
            for item in inputs:
                one(item)

        return each, num_bytes


class Worker:
    """A `Bench` in a process of its own: `call` runs one of its methods there."""

    def __init__(self, kind: str, path: Path, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, kind, path, threads), daemon=True
        )
        self._process.start()
        theirs.close()

    def call(self, method: str, *arguments: Any) -> Any:
        """The result of the method; an error there is raised here."""
        self._connection.send((method, arguments))
        result = self._connection.recv()
        if isinstance(result, BaseException):
            raise result
        return result

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


def _serve(connection: Connection, kind: str, path: Path, threads: int) -> None:
    bench = Bench(kind, path, threads)
    while True:
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send(getattr(bench, method)(*arguments))
        except Exception as error:
            connection.send(error)


def _resident() -> int:
    """Bytes of this process that are in memory."""
    import psutil

    gc.collect()
    return int(psutil.Process().memory_info().rss)


def _busy() -> float:
    """Seconds that all cores together have worked since the machine started, to 0.01 s."""
    import psutil

    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Linux counts guests' time twice.
    return float(
        sum(times) - idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    )
