"""Encode on one setting, decode on another: errors, speed, and what windows and coder waste.

    python -m benchmarks.m1_round_trips --text 'validation/*.json.gz' --bytes 1000000

For each method: text is coded by the CPU engine (fastest kernel, all threads, many lanes) and read
back by other steps: one thread of the network, other lanes, no memo, and another kernel
(`--decoder kernel`), the same kernel (`threads`, faster) or JAX (`jax`); counts alone have no
kernels to choose from.
"information" is -log2 of the frequencies the coder was given; "gap" is what the code adds to it;
`--no_information` leaves that third pass out.
"""

import argparse
import itertools
import json
import time
from typing import Any

import numpy as np

from equalinfo.alphabet import EOS, Symbols, cut, join
from equalinfo.codecs.base import M1_HELP
from equalinfo.coding.drive import decode_texts, decode_windows, encode_texts, encode_windows
from equalinfo.coding.exact import ExactCode
from equalinfo.coding.fewest import encode_fewest_windows
from equalinfo.data.options import TextOptions
from equalinfo.m1.base import AC_PRECISION, MAX_PRECISION
from equalinfo.m1.frozen.counts.engine import CountsEngine
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.cpu.tiles import able
from equalinfo.m1.frozen.model import FrozenModel
from equalinfo.m1.load import resolve_model
from equalinfo.m1.shipped import DEFAULT_M1

METHODS = ("ac", "24", "32", "64", "128")


def information(model: FrozenModel, texts: list[Symbols], context: int) -> float:
    """Bits of all symbols under the model, each text by itself."""
    sizes = np.concatenate([size for _, size in model.intervals(texts, context)])
    return float(model.precision * len(sizes) - np.log2(sizes.astype(np.float64)).sum())


def decoder_of(model: FrozenModel, name: str) -> FrozenModel:
    """The same M1 on other settings than the encoder's."""
    if name == "jax" and model.frozen is not None:
        return FrozenModel(model.frozen, model.precision, "jax", model.counts)
    other = FrozenModel(model.frozen, model.precision, "cpu", model.counts)
    engine: Any = None
    if model.frozen is not None:
        kernels = able()
        kernel = kernels[name == "kernel" and len(kernels) > 1]
        engine = CpuEngine(model.frozen, kernel, threads=1)
    other.engine = engine if model.counts is None else CountsEngine(model.counts, engine)
    return other


def run_ac(
    m1: str | None, texts: list[Symbols], decoder: str, context: int, informed: bool
) -> dict[str, Any]:
    """Method `ac` at its usual precision."""
    model: Any = resolve_model(m1, None, AC_PRECISION, MAX_PRECISION)
    start = time.perf_counter()
    coded = encode_texts(texts, model, context=context)
    encoding = time.perf_counter() - start
    lengths = [len(text) for text in texts]
    other = decoder_of(model, decoder)
    start = time.perf_counter()
    decoded = decode_texts([x.bits for x in coded], lengths, other, context=context, lanes=197)
    decoding = time.perf_counter() - start
    bits = sum(len(x.bits) for x in coded)
    return {
        "errors": count_errors(texts, decoded),
        "seconds": (encoding, decoding),
        "bits": bits,
        "information": information(model, texts, context) if informed else None,
        "windows": len(texts),
    }


def run_windows(
    m1: str | None,
    texts: list[Symbols],
    decoder: str,
    window_bits: int,
    fewest: bool,
    informed: bool,
) -> dict[str, Any]:
    """Method `equal_info` with W-bit windows."""
    model: Any = resolve_model(m1, None, 16)
    coder, context = ExactCode(window_bits, 16), 4 * window_bits
    encode = encode_fewest_windows if fewest else encode_windows
    start = time.perf_counter()
    coded = encode(texts, model, coder, context=context, lanes=1024)
    encoding = time.perf_counter() - start
    other = decoder_of(model, decoder)
    start = time.perf_counter()
    decoded = decode_windows([x.codes for x in coded], other, coder, context=context, lanes=384)
    decoding = time.perf_counter() - start
    windows = [
        part
        for text, x in zip(texts, coded, strict=True)
        for part in np.split(text, np.cumsum(x.lengths)[:-1])
    ]
    network = getattr(model.engine, "inner", model.engine)
    return {
        "errors": count_errors(texts, [x.symbols for x in decoded]),
        "seconds": (encoding, decoding),
        "bits": len(windows) * window_bits,
        "information": information(model, windows, context) if informed else None,
        "windows": len(windows),
        "memo_hits": network.hits / network.steps if hasattr(network, "hits") else None,
    }


def count_errors(texts: list[Symbols], decoded: list[Symbols]) -> int:
    """Texts that came back different."""
    return sum(not np.array_equal(a, b) for a, b in zip(texts, decoded, strict=True))


def main() -> None:
    """Run the methods; exit code 1 if anything came back different."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--text", nargs="+", required=True, metavar="GLOB")
    parser.add_argument("--documents", default=":", help="of the text, as a slice: 500:1000:8")
    parser.add_argument("--bytes", type=int, default=20_000_000, help="of those, at most")
    parser.add_argument("--skip_bytes", type=int, default=0, help="of those, before")
    parser.add_argument("--m1", nargs="+", default=[None], help=M1_HELP)
    parser.add_argument("--methods", nargs="+", default=METHODS, help="ac, W, or W-fewest")
    parser.add_argument("--decoder", choices=("kernel", "threads", "jax"), default="kernel")
    parser.add_argument("--no_information", action="store_true")
    parser.add_argument("--context", type=int, default=1024, help="of ac")
    parser.add_argument("--example_bytes", type=int, default=10_240)
    arguments = parser.parse_args()
    wanted = slice(*(int(x) if x else None for x in arguments.documents.split(":")))
    symbols = join(list(TextOptions().documents(arguments.text))[wanted])
    symbols = symbols[arguments.skip_bytes :][: arguments.bytes]
    texts = cut(symbols, arguments.example_bytes)
    num_bytes = int(np.count_nonzero(symbols != EOS))
    wrong, informed = 0, not arguments.no_information
    for m1, method in itertools.product(arguments.m1, arguments.methods):
        if method == "ac":
            found = run_ac(m1, texts, arguments.decoder, arguments.context, informed)
        else:
            bits, fewest = int(method.removesuffix("-fewest")), method.endswith("-fewest")
            found = run_windows(m1, texts, arguments.decoder, bits, fewest, informed)
        wrong += found["errors"]
        encoding, decoding = found.pop("seconds")
        found |= {"m1": m1 or DEFAULT_M1, "method": method if method == "ac" else f"W={method}"}
        found["first_byte"], found["bytes"] = arguments.skip_bytes, num_bytes
        found["bytes_per_16_bits"] = 16 * num_bytes / found["bits"]
        found["bits_per_byte"] = found["bits"] / num_bytes
        if informed:
            found["information_per_window"] = found["information"] / found["windows"]
            found["gap"] = found["bits"] / found["information"] - 1
        found["encode_bytes_per_second"] = num_bytes / encoding
        found["decode_bytes_per_second"] = num_bytes / decoding
        found["decoder"] = arguments.decoder
        print(json.dumps(found), flush=True)
    if wrong:
        raise SystemExit(f"{wrong} texts came back different")


if __name__ == "__main__":
    main()
