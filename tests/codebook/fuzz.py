"""Run by test_fuzz, with numba's bounds checks on: damaged and hostile codebook files.

Bits, ranges and ends of a file are changed, fields of its header, and elements of its tables under
a checksum that is right again, so that the checks behind it are reached. Files of formats 2 and 3,
of texts with and without all their prefixes. One that loads must encode, by both parses and in
chunks, as the plain ones do, and decode what was encoded.
"""

import json
import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from equalinfo import container
from equalinfo.alphabet import NUM_SYMBOLS
from equalinfo.codebook import Codebook, file
from equalinfo.codebook.limits import FEWEST, MAX_FEWEST_SYMBOLS, PARSES
from tests.codebook.books import codebook_of, random_codebook
from tests.models import HashModel

_SECONDS_A_FILE = 10


def fuzz(files: int, seed: int) -> None:
    """Print a JSON line: how many files there were of each outcome."""

    rng = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "fuzzed.eqi"
        books = _books()
        originals = []
        for book in books:
            book.save(path)
            originals.append(path.read_bytes())
            for parse in PARSES:
                _check(book, parse, rng)  # compiles the kernels, which is not timed
        for number in range(files):
            which = number % len(books)
            if number // len(books) % 2:
                _mutate_tables(books[which], path, rng)
            else:
                path.write_bytes(_mutate_bytes(originals[which], rng))
            start = time.process_time()
            try:
                book = Codebook.load(path)
            except ValueError as error:
                outcomes[_kind(str(error), path)] += 1
            else:
                try:
                    for parse in PARSES:
                        _check(book, parse, rng)
                except Exception as error:
                    raise AssertionError(f"file {number} of seed {seed}") from error
                outcomes[f"format {book.format_version} loaded, and works"] += 1
            longest = max(longest, time.process_time() - start)
            if longest > _SECONDS_A_FILE:
                raise AssertionError(f"file {number} took {longest:.0f} seconds")
    print(json.dumps(outcomes))


def _books() -> list[Codebook]:
    """Of both formats; prefix-closed and not."""
    model = HashModel(order=1, precision=16, peak=14)
    closed = [
        Codebook.compile(model, size, plan=plan, progress=False)
        for size, plan in ((257, "best_first"), (700, "best_first"), (512, "interval"))
    ]
    of_format_2 = [
        Codebook(
            replace(book.info, made_of={**book.info.made_of, "float_border": False}),
            book.texts,
            book.offsets,
            book.information,
            entries=np.arange(99, dtype=np.uint64),
        )
        for book in closed[1:]
    ]
    runs = codebook_of([b"a" * size for size in (2, 3, 5, 64)], information=300)
    return [*closed, *of_format_2, runs, *(random_codebook(seed, number=200) for seed in range(4))]


def _check(book: Codebook, parse: str, rng: np.random.Generator) -> None:
    """Raise unless a text of the codebook's texts and noise is parsed as it should be."""
    if parse == FEWEST and int(book.symbol_lengths.max()) > MAX_FEWEST_SYMBOLS:
        return
    text = book.decode(rng.integers(book.num_codes, size=300))[: int(rng.integers(900))].copy()
    noise = rng.random(len(text)) < 0.1
    text[noise] = rng.integers(NUM_SYMBOLS, size=int(noise.sum()))
    expected = book.plain.encode(text, parse)
    if book.encode(text, parse).tolist() != expected:
        raise AssertionError(f"{parse} parses differently")
    if not np.array_equal(book.decode(expected), text):
        raise AssertionError(f"{parse} does not restore")
    stream = book.parser(parse).stream(0)
    parts = [stream.feed(chunk) for chunk in np.array_split(text, 3)]
    if np.concatenate([*parts, stream.finish()]).tolist() != expected:
        raise AssertionError(f"{parse} parses chunks differently")


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


def _mutate_tables(book: Codebook, path: Path, rng: np.random.Generator) -> None:
    """Change elements, lengths or fields, and write a file whose checksum is right."""
    info = book.info
    tables = {name: table.copy() for name, table in book._tensors().items()}
    for _ in range(int(rng.integers(1, 4))):
        name = sorted(tables)[int(rng.integers(len(tables)))]
        table = tables[name]
        place = int(rng.integers(len(table))) if len(table) else 0
        match int(rng.integers(8)):
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
            case 6:
                info = replace(info, num_codes=int(rng.integers(250, 1200)))
            case _:
                parse = str(rng.choice([*PARSES, "other"]))
                info = replace(info, parse=parse, token_cost=int(rng.integers(-9, 70_000)))
    header = info.header(book.format_version)
    container.write(
        path, container.CODEBOOK, {**header, "sha256": file.content_sha256(header, tables)}, tables
    )


def _kind(message: str, path: Path) -> str:
    """The beginning of a message, up to what differs from file to file."""
    words = message.replace(f"codebook {path}", "FILE").replace(str(path), "FILE")
    return re.split(r"['{:]|-?\d", words.replace("damaged: ", "damaged, "))[0].strip()


if __name__ == "__main__":
    fuzz(int(sys.argv[1]), int(sys.argv[2]))
