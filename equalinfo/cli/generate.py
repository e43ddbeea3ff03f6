"""Command generate: text from a trained model."""

import argparse
import sys
import time
from typing import Any

from equalinfo.cli.command import add_command
from equalinfo.data import storage
from equalinfo.data.options import local_path
from equalinfo.flags import add_flags, flags_of
from equalinfo.lm.config import Sampling


def add(commands: Any) -> None:
    """Register the command."""
    parser = add_command(
        commands, "generate", _generate, "sample text from a trained model, as it comes"
    )
    add = parser.add_argument
    add(
        "--run", type=local_path, required=True, help="of `equalinfo train`, or a checkpoint of T5X"
    )
    add("--dataset", help="it was trained on: its codec makes text of the tokens")
    add("--codec", help="codec directory, in place of --dataset")
    add("--prompt", default="", help="what the text begins with")
    add_flags(parser, Sampling)
    add("--ids", action="store_true", help="print the ids instead of the text")


def _generate(arguments: argparse.Namespace) -> None:
    sampling = Sampling(**flags_of(Sampling, arguments))
    prompt_bytes = _utf8(arguments.prompt)
    if (arguments.dataset is None) == (arguments.codec is None):
        raise ValueError("give one of --dataset and --codec.")

    import numpy as np

    from equalinfo import codecs
    from equalinfo.alphabet import EOS
    from equalinfo.data.manifest import CODEC_DIRECTORY
    from equalinfo.lm.evaluate import check_trained_on
    from equalinfo.lm.generate import generate
    from equalinfo.lm.train import load_model
    from equalinfo.streams import StreamDecoder

    directory = arguments.codec or storage.join(arguments.dataset, CODEC_DIRECTORY)
    codec = codecs.load(directory)
    if not codec.beginnings_decode and not arguments.ids:
        raise ValueError(
            f"tokens of method {codec.method!r} decode as whole examples only, and what a model "
            "writes is none. Use --ids to see the tokens."
        )
    check_trained_on(arguments.run, codecs.describe(directory), directory)
    config, params, step = load_model(arguments.run)
    symbols = np.frombuffer(prompt_bytes, np.uint8).astype(np.uint16)
    prompt = codec.encode([symbols])[0].ids
    if not codec.goes_on_after(len(prompt)):
        raise ValueError(
            f"the prompt is {len(prompt)} tokens, whose last bits are padding: what follows would "
            "be read from the wrong bit. Make the prompt longer or shorter by a window, or empty."
        )
    unit = codec.tokens_per_unit
    tokens = generate(
        config, params, [prompt], sampling, vocab_size=codec.vocab_size, allow_eos=codec.eos_is_id
    )
    num_bytes = 0

    # Where tokens do not decode by themselves they are decoded behind those of the prompt.
    before = prompt[:0] if unit else prompt

    def to_symbols(ids: Any) -> Any:
        ids = np.concatenate([before, np.asarray(ids, np.int32)])
        return codec.decode([ids], allow_errors=True)[0]

    skipped = 0 if arguments.ids else len(to_symbols([]))

    def to_bytes(ids: Any) -> bytes:
        nonlocal num_bytes
        decoded = to_symbols(ids)[skipped:]
        num_bytes += len(decoded)
        # An end of a document, as one reads it.
        parts = np.split(decoded, np.flatnonzero(decoded == EOS))
        return b"\n\n".join(part[part != EOS].astype(np.uint8).tobytes() for part in parts)

    stream = StreamDecoder(to_bytes)
    decoder = f"; decoded with M1 on {codec.engine}" if codec.engine else ""
    print(f"model of step {step:,}; prompt of {len(prompt)} tokens{decoder}", file=sys.stderr)
    if not arguments.ids:
        print(arguments.prompt, end="", flush=True)
    waiting: list[int] = []
    start, timed = time.monotonic(), 0
    for count, (token,) in enumerate(tokens):
        if count == 1:  # the first took the time to compile
            start, num_bytes = time.monotonic(), 0
        timed = max(1, count)
        if arguments.ids:
            print(int(token), flush=True)
            continue
        waiting.append(int(token))
        if unit and len(waiting) == unit:
            print(stream.feed(waiting), end="", flush=True)
            waiting = []
    if waiting and unit is None:
        print(stream.feed(waiting), end="")
    seconds = max(time.monotonic() - start, 1e-9)
    if not arguments.ids:
        print(stream.finish(), flush=True)
    speed = f"{timed / seconds:,.1f} tokens/s"
    if num_bytes:
        speed += f", {num_bytes / seconds:,.1f} bytes/s"
    print(speed, file=sys.stderr)


def _utf8(prompt: str) -> bytes:
    """Its bytes; those of an argument that are no UTF-8 are lone surrogates in it."""
    try:
        return prompt.encode()
    except UnicodeEncodeError as error:
        data = prompt.encode(errors="surrogateescape")
        place = len(prompt[: error.start].encode())
        raise ValueError(
            f"--prompt is not UTF-8: byte 0x{data[place]:02x} at place {place}. Give it in UTF-8."
        ) from None
