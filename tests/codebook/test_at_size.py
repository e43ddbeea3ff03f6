"""What `test_parses` shows on small codebooks, on a codebook of the package and much text.

`pytest -m slow tests/codebook/test_at_size.py --size 50 --text 'train/*.json.gz'` takes 50 times
the text, from files; the default is some MB, from the demo's.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from equalinfo import Tokenizer
from equalinfo.alphabet import Symbols, cut
from equalinfo.codebook import Codebook
from equalinfo.codebook.limits import PARSES
from equalinfo.coding.drive import encode_windows
from equalinfo.coding.exact import ExactCode
from equalinfo.m1.counts import CountModel

pytestmark = pytest.mark.slow
PIECE = 1 << 18
KINDS = ("text", "random bytes", "periodic", "glued codes", "text with noise")


@pytest.fixture(scope="module", params=PARSES)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return Tokenizer.default(parse=request.param)


def mixture(tokenizer: Tokenizer, text: Symbols, pieces: int, seed: int) -> Iterator[bytes]:
    """256 kB at a time, of each kind by turns."""
    rng = np.random.default_rng(seed)
    only_bytes = text[text < 256].astype(np.uint8)
    for number in range(pieces):
        start = int(rng.integers(max(1, len(only_bytes) - PIECE)))
        piece = np.resize(only_bytes[start : start + PIECE], PIECE).copy()
        match KINDS[number % len(KINDS)]:
            case "random bytes":
                piece = rng.integers(256, size=PIECE, dtype=np.uint8)
            case "periodic":
                parts = [
                    np.resize(rng.integers(256, size=int(period), dtype=np.uint8), int(size))
                    for period, size in rng.integers(1, (40, 20_000), size=(50, 2))
                ]
                piece = np.resize(np.concatenate(parts), PIECE)
            case "glued codes":
                ids = rng.integers(3, tokenizer.vocab_size, size=PIECE // 5)
                piece = np.frombuffer(tokenizer.decode_bytes(ids), np.uint8)
            case "text with noise":
                places = rng.random(PIECE) < 0.05
                piece[places] = rng.integers(256, size=int(places.sum()), dtype=np.uint8)
        yield piece.tobytes()


def test_codes_are_those_of_the_plain_parse(
    tokenizer: Tokenizer, much_text: Symbols, size: int
) -> None:
    book, parse = tokenizer.codebook, tokenizer.parse
    pieces = [np.frombuffer(x, np.uint8) for x in mixture(tokenizer, much_text, len(KINDS), seed=2)]
    for part in [*pieces, *np.split(much_text[: size << 20], range(PIECE, size << 20, PIECE))]:
        symbols = part.astype(np.uint16)
        assert book.encode(symbols, parse).tolist() == book.plain.encode(symbols, parse)


def test_everything_is_restored(tokenizer: Tokenizer, much_text: Symbols, size: int) -> None:
    for number, piece in enumerate(mixture(tokenizer, much_text, 20 * size, seed=0)):
        assert tokenizer.decode_bytes(tokenizer.encode(piece)) == piece, number


def test_chunks_cut_anywhere_give_the_whole(
    tokenizer: Tokenizer, much_text: Symbols, size: int
) -> None:
    rng = np.random.default_rng(1)
    for number, piece in enumerate(mixture(tokenizer, much_text, 5 * size, seed=1)):
        for longest in (7, 500, 70_000):
            part = piece[: 20_000 * longest]
            steps = rng.integers(longest + 1, size=2 * len(part) // longest + 10)
            cuts = [0, *np.minimum(np.cumsum(steps), len(part)).tolist(), len(part)]
            encoder = tokenizer.stream_encoder()
            ids = [encoder.feed(part[start:end]) for start, end in pairwise(cuts)]
            found = np.concatenate([*ids, encoder.finish()])
            np.testing.assert_array_equal(found, tokenizer.encode(part), f"{number}, {longest}")


def test_plan_interval_is_the_exact_code(much_text: Symbols, size: int) -> None:
    """Codes and lengths of the compiled code against the coder that asks M1 at each step."""
    symbols = much_text[: size << 20]
    model = CountModel.from_symbols(much_text)
    context = model.max_context
    book = Codebook.compile(model, plan="interval", context=context, progress=False)
    coder, examples = ExactCode(16, model.precision), cut(symbols, 10_240)
    for start in range(0, len(examples), 1024):
        some = examples[start : start + 1024]
        for example, expected in zip(
            some, encode_windows(some, model, coder, context=context), strict=True
        ):
            codes = book.encode(example)
            assert codes.tolist() == list(expected.codes)
            assert book.lengths(codes).tolist() == expected.lengths.tolist()
