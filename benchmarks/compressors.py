"""Claim: `ac` codes C4 below what general compressors reach: one text, bits/byte and kB/s each.

    python -m benchmarks.compressors --text 'C4/validation/*.json.gz' --train 'C4/train/*.json.gz'

Every compressor gets the text as `ac` does, in examples of 10,240 bytes that are restored alone,
and all of it at once. zstd's dictionary is made of training text; PPMd, primed, reads --prime_mb of
it first (its bytes are the difference of two files, its time is for both). `ac` uses all threads,
the others one, and decodes everything again. Needs brotli and pyppmd (benchmarks/requirements.txt).
"""

import argparse
import json
import lzma
import sys
import time
from collections.abc import Callable, Sequence

import brotli
import numpy as np
import pyppmd
import zstandard

from equalinfo import codecs
from equalinfo.alphabet import EOS, cut, join, to_bytes
from equalinfo.data.options import TextOptions
from equalinfo.m1.shipped import DEFAULT_M1

_EXAMPLE = 10_240
_DICTIONARY = 1 << 20


def main(argv: Sequence[str] | None = None) -> int:
    """Print one JSON line for each compressor."""
    options = _parser().parse_args(argv)
    symbols = join(TextOptions().documents(options.text))
    if options.bytes:
        symbols = symbols[: options.bytes]
    examples = cut(symbols, _EXAMPLE)
    size = int(np.count_nonzero(symbols != EOS))
    parts, whole = [to_bytes(x) for x in examples], to_bytes(symbols)
    prime = to_bytes(join(TextOptions().documents(options.train))[: options.prime_mb * 10**6])
    pieces: list[bytes | bytearray | memoryview[int]] = [
        prime[i : i + _EXAMPLE] for i in range(0, len(prime), _EXAMPLE)
    ]
    trained = zstandard.train_dictionary(_DICTIONARY, pieces, level=19)
    plain = zstandard.ZstdCompressor(level=22)
    primed = zstandard.ZstdCompressor(level=22, dict_data=trained)
    before = len(_ppmd(prime))
    peers: dict[str, tuple[Callable[[bytes], int], bool]] = {
        "xz -9e": (lambda x: len(lzma.compress(x, preset=9 | lzma.PRESET_EXTREME)), True),
        "brotli 11": (lambda x: len(brotli.compress(x, quality=11, lgwin=24)), True),
        "zstd --ultra -22": (lambda x: len(plain.compress(x)), True),
        "zstd --ultra -22, dictionary": (lambda x: len(primed.compress(x)), True),
        "PPMd 8, 256 MB": (lambda x: len(_ppmd(x)), True),
        "PPMd 8, 256 MB, primed": (lambda x: len(_ppmd(prime + x)) - before, False),
    }
    for name, (compressed, alone) in peers.items():
        line: dict[str, object] = {"compressor": name}
        for what, texts in (("examples", parts), ("at once", [whole])):
            if what == "examples" and not alone:
                continue  # it would read the priming text for each
            start = time.perf_counter()
            total = sum(map(compressed, texts))
            line[f"{what}: bits/byte"] = round(8 * total / size, 4)
            line[f"{what}: kB/s"] = round(size / (time.perf_counter() - start) / 1000, 1)
        print(json.dumps(line), flush=True)
    bad = 0
    for name in options.m1:
        codec = codecs.create("ac", model=name)
        codec.encode(examples[:1])  # compiled, loaded
        start = time.perf_counter()
        encoded = codec.encode(examples)
        took = time.perf_counter() - start
        total = sum(len(x.ids) for x in encoded) * codec.options()["token_bits"]
        start = time.perf_counter()
        decoded = codec.decode([x.ids for x in encoded], [len(x) for x in examples])
        back = time.perf_counter() - start
        wrong = sum(not np.array_equal(a, b) for a, b in zip(examples, decoded, strict=True))
        bad += wrong
        line = {
            "compressor": f"ac, {name}",
            "examples: bits/byte": round(total / size, 4),
            "examples: kB/s": round(size / took / 1000, 1),
            "decoding: kB/s": round(size / back / 1000, 1),
            "examples": len(examples),
            "not restored": wrong,
        }
        print(json.dumps(line), flush=True)
    return int(bad > 0)


def _ppmd(text: bytes) -> bytes:
    return bytes(pyppmd.compress(text, max_order=8, mem_size=256 << 20, variant="I"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--text", nargs="+", required=True, help="files of text to compress")
    add("--train", nargs="+", required=True, help="files of text for dictionary and priming")
    add("--bytes", type=int, default=0, help="of the text; default: all")
    add("--prime_mb", type=int, default=20, help="of --train")
    add("--m1", nargs="*", default=["english-3m-v1", "counts", DEFAULT_M1], help="M1s of `ac`")
    return parser


if __name__ == "__main__":
    sys.exit(main())
