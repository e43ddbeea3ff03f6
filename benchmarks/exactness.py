"""Claim: the tokenizer loses nothing, both parses are right, and plan interval is the exact code.

    python -m benchmarks.exactness --text 'train/*.json.gz' --validation 'validation/*.json.gz'

The parses are compared with straightforward ones over a trie of hashed prefixes, which share no
code with them. Prints one JSON line a check, with what was compared and how many differences were
found; exits with 1 if there was any. Takes some minutes: most of them go to the streaming coder.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numba import types
from numba.typed import Dict

from equalinfo import Tokenizer
from equalinfo.alphabet import cut
from equalinfo.codebook import FEWEST, PARSES, Codebook
from equalinfo.codebook.plain import MAX_COST, PIECE
from equalinfo.coding.exact_lanes import ExactCode
from equalinfo.coding.lanes import encode_windows
from equalinfo.jit import njit
from equalinfo.m1.counts import CountModel
from equalinfo.text_files import expand, read_documents, read_symbols

_PIECE = 1 << 24


def main(argv: Sequence[str] | None = None) -> int:
    """Run the checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--text", nargs="+", required=True, help="files of training text")
    add("--validation", nargs="*", default=[], help="files restored document by document")
    add("--codebook", help="default: the one of the package")
    add("--round_trip_mb", type=int, default=1000)
    add("--stream_mb", type=int, default=100)
    add("--parse_mb", type=int, default=50)
    add("--interval_mb", type=int, default=50)
    arguments = parser.parse_args(argv)
    default = Tokenizer.default()
    book = Codebook.load(arguments.codebook) if arguments.codebook else default.codebook
    tokenizers = [Tokenizer(book, parse) for parse in PARSES]
    symbols = read_symbols(arguments.text)
    text = symbols[symbols < 256].astype(np.uint8)
    differences = []
    for tokenizer in tokenizers:
        differences += [
            _parses(tokenizer, symbols, arguments.parse_mb),
            _round_trips(tokenizer, text, arguments.round_trip_mb // len(PARSES)),
            _streams(tokenizer, text, arguments.stream_mb // len(PARSES)),
        ]
        if arguments.validation:
            differences.append(_documents(tokenizer, arguments.validation))
    differences.append(_interval(symbols[: arguments.interval_mb * 10**6]))
    return int(any(differences))


def mixture(
    tokenizer: Tokenizer, text: np.ndarray, megabytes: int, seed: int
) -> Iterator[tuple[str, bytes]]:
    """(kind, bytes), 16 MB at a time: text, random bytes, runs, periods, texts of the codebook."""
    rng = np.random.default_rng(seed)
    kinds = ("text", "random bytes", "periodic", "glued codes", "text with noise")
    for number in range(-(-megabytes * 10**6 // _PIECE)):
        kind = kinds[number % len(kinds)]
        start = int(rng.integers(max(1, len(text) - _PIECE)))
        piece = np.resize(text[start : start + _PIECE], _PIECE).copy()
        if kind == "random bytes":
            piece = rng.integers(256, size=_PIECE, dtype=np.uint8)
        elif kind == "periodic":
            parts: list[np.ndarray] = []
            while sum(len(part) for part in parts) < _PIECE:
                period = rng.integers(256, size=int(rng.integers(1, 40)), dtype=np.uint8)
                parts.append(np.resize(period, int(rng.integers(1, 100_000))))
            piece = np.concatenate(parts)[:_PIECE]
        elif kind == "glued codes":
            ids = rng.integers(3, tokenizer.vocab_size, size=_PIECE // 5)
            piece = np.frombuffer(tokenizer.decode_bytes(ids), np.uint8)
        elif kind == "text with noise":
            places = rng.random(_PIECE) < 0.05
            piece[places] = rng.integers(256, size=int(places.sum()), dtype=np.uint8)
        yield kind, piece.tobytes()


def _parses(tokenizer: Tokenizer, symbols: np.ndarray, megabytes: int) -> int:
    """Codes of text, and of what is hard to parse, against the straightforward parses."""
    book, parse = tokenizer.codebook, tokenizer.parse
    prefixes = prefixes_of(book.texts, book.offsets)
    costs = np.minimum(book.information.astype(np.int64) + book.info.token_cost, MAX_COST)
    wrong = size = tokens = 0
    hard = (piece for _, piece in mixture(tokenizer, symbols[symbols < 256], 80, seed=2))
    parts = [np.frombuffer(piece[: 1 << 20], np.uint8) for piece in hard]
    for start in range(0, megabytes * 10**6, _PIECE):
        parts.append(symbols[start : min(start + _PIECE, megabytes * 10**6)])
    for part in parts:
        text = part.astype(np.uint16)
        codes = book.encode(text, parse)
        expected = spell(prefixes, costs, text, parse == FEWEST)
        wrong += not np.array_equal(codes, expected)
        size, tokens = size + len(text), tokens + len(codes)
    return _report(f"{parse} against a straightforward parse", size, wrong, tokens=tokens)


def prefixes_of(texts: np.ndarray, offsets: np.ndarray) -> Any:
    """(node << 9 | symbol) -> child of all prefixes, and the code of each node or -1."""
    children = Dict.empty(types.int64, types.int64)
    codes = np.full(len(texts) + 1, -1, np.int64)
    _fill(texts, offsets, children, codes)
    return children, codes


@njit(nogil=True)
def _fill(texts: np.ndarray, offsets: np.ndarray, children: Any, codes: np.ndarray) -> None:
    for code in range(len(offsets) - 1):
        node = 0
        for place in range(offsets[code], offsets[code + 1]):
            key = (node << 9) | np.int64(texts[place])
            if key not in children:
                children[key] = len(children) + 1
            node = children[key]
        codes[node] = code


def spell(prefixes: Any, costs: np.ndarray, text: np.ndarray, fewest: bool) -> np.ndarray:
    """Codes of a text, by `fewest` or by `longest`."""
    if not fewest:
        return _longest(*prefixes, text)
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    return np.concatenate([_fewest(*prefixes, costs, piece) for piece in pieces])


@njit(nogil=True)
def _longest(children: Any, codes: np.ndarray, text: np.ndarray) -> np.ndarray:
    out = np.empty(len(text), np.int64)
    count = start = 0
    while start < len(text):
        node, place, end = 0, start, start
        while place < len(text):
            key = (node << 9) | np.int64(text[place])
            if key not in children:
                break
            node = children[key]
            place += 1
            if codes[node] >= 0:
                out[count], end = codes[node], place
        start = end
        count += 1
    return out[:count]


@njit(nogil=True)
def _fewest(children: Any, codes: np.ndarray, costs: np.ndarray, text: np.ndarray) -> np.ndarray:
    size = len(text)
    best = np.full(size + 1, 1 << 60)  # cost of the best way to each place
    begin, last = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)  # and its last token
    best[0] = 0
    for start in range(size):
        node = 0
        for place in range(start, size):
            key = (node << 9) | np.int64(text[place])
            if key not in children:
                break
            node = children[key]
            code, end = codes[node], place + 1
            # Of equal ways the first has the longest last token.
            if code >= 0 and best[start] + costs[code] < best[end]:
                best[end] = best[start] + costs[code]
                begin[end], last[end] = start, code
    out = np.empty(size, np.int64)
    count, place = 0, size
    while place > 0:
        out[count] = last[place]
        count, place = count + 1, begin[place]
    return out[:count][::-1]


def _round_trips(tokenizer: Tokenizer, text: np.ndarray, megabytes: int) -> int:
    tokens: dict[str, int] = {}
    sizes: dict[str, int] = {}
    wrong = 0
    for kind, piece in mixture(tokenizer, text, megabytes, seed=0):
        ids = tokenizer.encode(piece)
        wrong += tokenizer.decode_bytes(ids) != piece
        tokens[kind] = tokens.get(kind, 0) + len(ids)
        sizes[kind] = sizes.get(kind, 0) + len(piece)
    ratios = {kind: round(sizes[kind] / tokens[kind], 3) for kind in sizes}
    return _report(
        f"{tokenizer.parse}: round trips", sum(sizes.values()), wrong, bytes_per_token=ratios
    )


def _streams(tokenizer: Tokenizer, text: np.ndarray, megabytes: int) -> int:
    """Chunks of 0 to 7, 500 and 70,000 bytes, cut anywhere."""
    rng = np.random.default_rng(1)
    wrong = size = 0
    for _, piece in mixture(tokenizer, text, megabytes, seed=1):
        whole = tokenizer.encode(piece)
        for longest in (7, 500, 70_000):
            part = piece[: min(len(piece), 20_000 * longest)]
            expected = whole if len(part) == len(piece) else tokenizer.encode(part)
            steps = rng.integers(longest + 1, size=2 * len(part) // longest + 10)
            cuts = [0, *np.minimum(np.cumsum(steps), len(part)).tolist(), len(part)]
            encoder = tokenizer.stream_encoder()
            ids = [encoder.feed(part[start:end]) for start, end in pairwise(cuts)]
            wrong += not np.array_equal(np.concatenate([*ids, encoder.finish()]), expected)
            size += len(part)
    return _report(f"{tokenizer.parse}: streams", size, wrong)


def _interval(symbols: np.ndarray) -> int:
    """Codes and lengths of the compiled exact code against the coder that asks M1 at each step."""
    model = CountModel.from_symbols(symbols)
    context = model.max_context
    book = Codebook.compile(model, plan="interval", context=context, progress=False)
    examples = cut(symbols, 10_240)
    wrong = windows = 0
    for start in range(0, len(examples), 1024):
        some = examples[start : start + 1024]
        coded = encode_windows(some, model, ExactCode(16, model.precision), context=context)
        for example, expected in zip(some, coded, strict=True):
            codes = book.encode(example)
            wrong += codes.tolist() != list(expected.codes)
            wrong += book.lengths(codes).tolist() != expected.lengths.tolist()
            windows += len(codes)
    return _report(
        "interval codebook against the streaming coder", len(symbols), wrong, windows=windows
    )


def _documents(tokenizer: Tokenizer, names: Sequence[str]) -> int:
    documents = [document for name in expand(names) for document in read_documents(name)]
    batch = tokenizer.encode_batch(documents, num_threads=2)
    wrong = sum(
        tokenizer.decode_bytes(ids) != text for ids, text in zip(batch, documents, strict=True)
    )
    size = sum(map(len, documents))
    return _report(
        f"{tokenizer.parse}: validation documents",
        size,
        wrong,
        documents=len(documents),
        bytes_per_token=round(size / sum(map(len, batch)), 4),
    )


def _report(check: str, size: int, differences: int, **more: object) -> int:
    print(
        json.dumps({"check": check, "bytes": size, "differences": differences, **more}), flush=True
    )
    return differences


if __name__ == "__main__":
    sys.exit(main())
