"""Claim: a damaged or hostile codebook file is refused, or works; it never leads out of bounds.

    python -m benchmarks.fuzz_codebook --files 100000

Mutates codebook files: bits, ranges and ends of the file, fields of its header, and elements of
its tables under a checksum that is right again, so that the checks behind it are reached.
Each is loaded; one that loads must encode and decode as the plain reference does. Runs with numba's
bounds checks on, in a process of its own: an index out of bounds is an error, and a crash is seen.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SECONDS_A_FILE = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Start the process that fuzzes, and watch it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.worker:
        return _fuzz(arguments.files, arguments.seed)
    command = [sys.executable, "-m", "benchmarks.fuzz_codebook", "--worker"]
    command += [f"--files={arguments.files}", f"--seed={arguments.seed}"]
    with tempfile.TemporaryDirectory() as cache:
        # Kernels with bounds checks must not land in the cache of those without.
        checked = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": cache}
        done = subprocess.run(command, env=checked)
    if done.returncode not in (0, 1):
        print(json.dumps({"crashed": done.returncode}))
    return done.returncode


def _fuzz(files: int, seed: int) -> int:
    from equalinfo.codebook import Codebook
    from equalinfo.codebook.plain import encode_reference
    from tests.models import HashModel

    rng = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "fuzzed.eqi"
        books = [
            Codebook.compile(
                HashModel(order=1, precision=16, peak=14), size, plan=plan, progress=False
            )
            for size, plan in ((257, "best_first"), (700, "best_first"), (512, "interval"))
        ]
        originals = []
        for book in books:
            book.save(path)
            originals.append(path.read_bytes())
        text = rng.integers(257, size=2000).astype(np.uint16)
        for number in range(files):
            which = number % len(books)
            if number % 2:
                _mutate_tables(books[which], path, rng)
            else:
                path.write_bytes(_mutate_bytes(originals[which], rng))
            start = time.monotonic()
            try:
                book = Codebook.load(path)
            except ValueError as error:
                outcomes[_kind(str(error), path)] += 1
            else:
                codes = {tuple(book.text(c).tolist()): c for c in range(book.num_codes)}
                encoded = book.encode(text)
                if encoded.tolist() != encode_reference(text, codes):
                    raise AssertionError(f"file {number} encodes differently")
                if not np.array_equal(book.decode(encoded), text):
                    raise AssertionError(f"file {number} does not restore")
                outcomes["loaded, and works"] += 1
            longest = max(longest, time.monotonic() - start)
            if longest > _SECONDS_A_FILE:
                raise AssertionError(f"file {number} took {longest:.0f} seconds")
    print(json.dumps({"files": files, "longest_seconds": round(longest, 3), "outcomes": outcomes}))
    return 0


def _mutate_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    out = bytearray(content)
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(int(rng.integers(1, 4))):
        end = header if rng.random() < 0.5 else len(out)
        place = int(rng.integers(max(1, min(end, len(out)))))
        match int(rng.integers(6)):
            case 0 if out:
                out[place % len(out)] ^= 1 << int(rng.integers(8))
            case 1:
                out[place : place + 8] = rng.bytes(8)
            case 2:
                del out[place:]
            case 3:
                out[place:place] = rng.bytes(int(rng.integers(1, 20)))
            case 4:
                del out[place : place + int(rng.integers(1, 20))]
            case _:
                # Digits of the header: sizes, offsets, versions.
                digits = [i for i, byte in enumerate(out[:header]) if 48 <= byte <= 57]
                if digits:
                    out[digits[int(rng.integers(len(digits)))]] = 48 + int(rng.integers(10))
    return bytes(out)


def _mutate_tables(book: Any, path: Path, rng: np.random.Generator) -> None:
    """Change elements, lengths or fields, and write a file whose checksum is right."""
    from dataclasses import replace

    from equalinfo.codebook import file

    info = book.info
    tables = {name: table.copy() for name, table in book._tensors().items()}
    for _ in range(int(rng.integers(1, 4))):
        name = sorted(tables)[int(rng.integers(len(tables)))]
        table = tables[name]
        place = int(rng.integers(len(table))) if len(table) else 0
        match int(rng.integers(7)):
            case 0 | 1 if len(table):
                table[place] ^= table.dtype.type(1) << table.dtype.type(
                    rng.integers(table.itemsize * 8)
                )
            case 2 if len(table):
                table[place] = np.frombuffer(rng.bytes(8), table.dtype)[0]
            case 3 if len(table):
                table[place] = table[int(rng.integers(len(table)))]
            case 4:
                tables[name] = table[:place].copy()
            case 5:
                tables[name] = np.concatenate([table, table[place:]])
            case _:
                info = replace(info, num_codes=int(rng.integers(250, 1200)))
    header = file.header_of(info)
    file.write(path, {**header, "sha256": file.content_sha256(header, tables)}, tables)


def _kind(message: str, path: Path) -> str:
    """The beginning of a message, up to what differs from file to file."""
    words = message.replace(f"codebook {path}", "FILE").replace(str(path), "FILE")
    return re.split(r"['{:]|-?\d", words.replace("damaged: ", "damaged, "))[0].strip()


if __name__ == "__main__":
    sys.exit(main())
