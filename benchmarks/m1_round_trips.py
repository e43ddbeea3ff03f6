"""Encode on one setting, decode on another: errors, speed, and what windows and coder waste.

    python -m benchmarks.m1_round_trips --text 'validation/*.json.gz' --bytes 1000000

For each method: text is coded by the CPU engine (fastest kernel, all threads, many lanes) and read
back by other steps: one thread, other lanes, no memo, and another kernel (`--decoder kernel`), the
same kernel (`threads`, faster) or JAX (`jax`). "information" is -log2 of the frequencies the coder
was given; "gap" is what the code adds to it; `--no_information` leaves that third pass out.
"""

import argparse
import json
import time
from typing import Any

import numpy as np

from equalinfo.alphabet import EOS, Symbols, cut, join
from equalinfo.coding.drive import decode_texts, decode_windows, encode_texts, encode_windows
from equalinfo.coding.exact import ExactCode
from equalinfo.data.options import TextOptions
from equalinfo.m1.frozen.cpu.engine import CpuEngine
from equalinfo.m1.frozen.cpu.tiles import able
from equalinfo.m1.frozen.file import FrozenM1
from equalinfo.m1.frozen.model import FrozenModel
from equalinfo.m1.shipped import shipped_m1

METHODS = ("ac", "24", "32", "64", "128")


def information(model: FrozenModel, texts: list[Symbols], context: int) -> float:
    """Bits of all symbols under the model, each text by itself."""
    sizes = np.concatenate([size for _, size in model.intervals(texts, context)])
    return float(model.precision * len(sizes) - np.log2(sizes.astype(np.float64)).sum())


def decoder_of(frozen: FrozenM1, precision: int, name: str) -> FrozenModel:
    """A model on other settings than the encoder's."""
    if name == "jax":
        return FrozenModel(frozen, precision, "jax")
    model = FrozenModel(frozen, precision, "cpu")
    kernels = able()
    model.engine = CpuEngine(frozen, kernels[name == "kernel" and len(kernels) > 1], threads=1)
    return model


def run_ac(
    frozen: FrozenM1, texts: list[Symbols], decoder: str, context: int, informed: bool
) -> dict[str, Any]:
    """Method `ac`, precision 14 as in the paper."""
    model = FrozenModel(frozen, 14, "cpu")
    start = time.perf_counter()
    coded = encode_texts(texts, model, context=context)
    encoding = time.perf_counter() - start
    lengths = [len(text) for text in texts]
    other = decoder_of(frozen, 14, decoder)
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
    frozen: FrozenM1, texts: list[Symbols], decoder: str, window_bits: int, informed: bool
) -> dict[str, Any]:
    """Method `equal_info` with W-bit windows."""
    model = FrozenModel(frozen, 16, "cpu")
    coder, context = ExactCode(window_bits, 16), 4 * window_bits
    start = time.perf_counter()
    coded = encode_windows(texts, model, coder, context=context, lanes=1024)
    encoding = time.perf_counter() - start
    other = decoder_of(frozen, 16, decoder)
    start = time.perf_counter()
    decoded = decode_windows([x.codes for x in coded], other, coder, context=context, lanes=384)
    decoding = time.perf_counter() - start
    windows = [
        part
        for text, x in zip(texts, coded, strict=True)
        for part in np.split(text, np.cumsum(x.lengths)[:-1])
    ]
    engine: Any = model.engine
    return {
        "errors": count_errors(texts, [x.symbols for x in decoded]),
        "seconds": (encoding, decoding),
        "bits": len(windows) * window_bits,
        "information": information(model, windows, context) if informed else None,
        "windows": len(windows),
        "memo_hits": engine.hits / engine.steps,
    }


def count_errors(texts: list[Symbols], decoded: list[Symbols]) -> int:
    """Texts that came back different."""
    return sum(not np.array_equal(a, b) for a, b in zip(texts, decoded, strict=True))


def main() -> None:
    """Run the methods; exit code 1 if anything came back different."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--text", nargs="+", required=True, metavar="GLOB")
    parser.add_argument("--bytes", type=int, default=20_000_000, help="of text, at most")
    parser.add_argument("--skip_bytes", type=int, default=0, help="of text, before those")
    parser.add_argument("--m1", help=".eqm file; default: that of the package")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="ac, or W")
    parser.add_argument("--decoder", choices=("kernel", "threads", "jax"), default="kernel")
    parser.add_argument("--no_information", action="store_true")
    parser.add_argument("--context", type=int, default=1024, help="of ac")
    parser.add_argument("--example_bytes", type=int, default=10_240)
    arguments = parser.parse_args()
    frozen = FrozenM1.load(arguments.m1) if arguments.m1 else shipped_m1().network
    symbols = join(TextOptions().documents(arguments.text))
    symbols = symbols[arguments.skip_bytes :][: arguments.bytes]
    texts = cut(symbols, arguments.example_bytes)
    num_bytes = int(np.count_nonzero(symbols != EOS))
    wrong, informed = 0, not arguments.no_information
    for method in arguments.methods:
        if method == "ac":
            found = run_ac(frozen, texts, arguments.decoder, arguments.context, informed)
        else:
            found = run_windows(frozen, texts, arguments.decoder, int(method), informed)
        wrong += found["errors"]
        encoding, decoding = found.pop("seconds")
        found["method"] = method if method == "ac" else f"equal_info W={method}"
        found["first_byte"], found["bytes"] = arguments.skip_bytes, num_bytes
        found["bytes_per_16_bits"] = 16 * num_bytes / found["bits"]
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
