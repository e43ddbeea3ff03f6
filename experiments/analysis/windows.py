"""What happens inside windows: texts of tokens, accuracy by place, bits of characters, codes used.

Texts are bytes as `equalinfo.alphabet.to_bytes` writes them: EOS is FF, which UTF-8 never has.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from equalinfo.alphabet import Symbols, as_symbols, to_bytes
from equalinfo.codebook import Codebook
from equalinfo.ids import ID_OFFSET

Ends = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CodeSpace:
    """How evenly codes are used.

    Attributes:
      codes: that exist.
      used: seen at least once.
      share_of_tokens_in_top_1_percent: tokens that are of the most frequent 1% of codes (rounded
        up), of all tokens; 0.01 where all are equally frequent.
      entropy_bits: of the empirical distribution, bits a token; log2(codes) at most.
    """

    codes: int
    used: int
    share_of_tokens_in_top_1_percent: float
    entropy_bits: float


@dataclass(frozen=True)
class Segment:
    """Characters, and the bits and tokens that lie over them.

    Attributes:
      text: they need not be whole characters of UTF-8; empty for tokens at the end of a stream that
        complete nothing (a checksum, say).
      bit_start, bit_end: first bit, and the one after the last, from the start of the stream.
      token: first of the tokens; others follow where bit_end > (token + 1) N.
    """

    text: bytes
    bit_start: int
    bit_end: int
    token: int


def texts_of_tokens(
    ids: npt.NDArray[np.int32],
    ends: Ends,
    symbols: Symbols,
    tokens_per_window: int,
    token_ids: Iterable[int],
) -> dict[int, list[Counter[bytes]]]:
    """The texts that stood behind some token ids, by place in the window [paper Table 8, 14].

    What counts as a token's text is the text of the whole window it stands in, at every place: only
    a window has a text of its own, a token in its middle completes none (`Encoded.ends`), and a
    character's bits may lie on both sides of a token's border. So in windows of two tokens an id at
    place 1 has texts that begin alike, and at place 2 texts with nothing in common: what that token
    means depends on the one before it.

    Args:
      ids: int32[tokens] of an example, which begins with a window.
      ends: int64[tokens], as `Encoded.ends`.
      symbols: uint16[n], the example.
      tokens_per_window: 1 or more; `Codec.tokens_per_unit`. Where tokens cross windows (W=24, N=16)
        that is the fewest windows that end with a token, and the text is theirs together.
      token_ids: to look for.

    Returns:
      For each of `token_ids`, `tokens_per_window` counts of texts. Add up those of many examples
      with `Counter.update`.
    """
    ids = np.asarray(ids)
    _check_tokens_per_window(tokens_per_window)
    _check_ends(len(ids), ends, symbols)
    data, places = _bytes_and_places(symbols)
    # Symbols complete before the first window, and after each; the last may have fewer tokens.
    done = np.append(0, ends[tokens_per_window - 1 :: tokens_per_window])
    if len(ids) % tokens_per_window:
        done = np.append(done, ends[-1])
    out: dict[int, list[Counter[bytes]]] = {}
    for token_id in token_ids:
        counts: list[Counter[bytes]] = [Counter() for _ in range(tokens_per_window)]
        for token in np.flatnonzero(ids == token_id).tolist():
            window, place = divmod(token, tokens_per_window)
            counts[place][data[places[done[window]] : places[done[window + 1]]]] += 1
        out[int(token_id)] = counts
    return out


def character_map(symbols: Symbols, ends: Ends, token_bits: int) -> list[Segment]:
    """Which bits and tokens lie over which characters [paper Fig 9].

    For any codec. A segment ends with each token that completes characters, so it is as fine as
    windows or tokens are, whichever is longer; `symbol_map` tells the bits of single characters.

    Args:
      symbols: uint16[n], an example.
      ends: int64[tokens], as `Encoded.ends`.
      token_bits: N.

    Returns:
      Segments without gaps; their texts joined are the example, their bits the whole stream.
    """
    _check_ends(len(ends), ends, symbols)
    data, places = _bytes_and_places(symbols)
    segments = []
    first = done = 0
    for token, end in enumerate(ends.tolist()):
        if end > done or token == len(ends) - 1:
            text = data[places[done] : places[end]]
            segments.append(Segment(text, first * token_bits, (token + 1) * token_bits, first))
            first, done = token + 1, end
    return segments


def symbol_map(codebook: Codebook, symbols: Symbols, token_bits: int) -> list[Segment]:
    """Which bits of its window each symbol decides [paper Fig 9].

    Codes are in the order of their texts, so those that begin with the same symbols lie in one
    range. The leading bits in which the range's ends agree are decided by these symbols; a symbol
    has those that the ones before it left open. The last one, with the window's end, has the rest.

    Args:
      codebook: that of the codec, W bits a window.
      symbols: uint16[n], an example.
      token_bits: N; the stream of bits is cut into tokens of it.

    Returns:
      One segment a symbol, without gaps. A likely symbol may decide no bit: its start is its end.
    """
    segments = []
    for window, code in enumerate(codebook.encode(symbols).tolist()):
        text = codebook.text(code)
        start, window_end = window * codebook.window_bits, (window + 1) * codebook.window_bits
        for depth in range(1, len(text) + 1):
            end = window_end
            if depth < len(text):
                first, last = _codes_with_prefix(codebook, code, depth)
                end -= (first ^ last).bit_length()
            text_of_one = to_bytes(text[depth - 1 : depth])
            segments.append(Segment(text_of_one, start, end, start // token_bits))
            start = end
    return segments


def used_codes(counts: npt.NDArray[np.int64]) -> CodeSpace:
    """How many codes a text uses, and how evenly.

    Args:
      counts: int64[vocab], tokens of each id, as `score.token_counts` gives them; the three special
        ids at the start are no codes and are left out.
    """
    codes = np.asarray(counts)[ID_OFFSET:]
    total = int(codes.sum())
    if not total:
        raise ValueError("counts are all zero: there is no code to look at. Count some text first.")
    top = math.ceil(len(codes) / 100)
    return CodeSpace(
        codes=len(codes),
        used=int(np.count_nonzero(codes)),
        share_of_tokens_in_top_1_percent=int(np.sort(codes)[-top:].sum()) / total,
        entropy_bits=float(stats.entropy(codes, base=2)),
    )


def beyond_trivial(
    steps: npt.NDArray[np.int64], accuracy: Floats, trivial_steps: int = 2000
) -> Floats:
    """Accuracy above what is learned at once: minus the best of the first steps [paper 6.2].

    Args:
      steps: int64[k] of the evaluations.
      accuracy: float64[k, positions].
      trivial_steps: evaluations up to this step are "trivial".

    Returns:
      float64[k, positions].
    """
    steps, accuracy = np.asarray(steps), np.asarray(accuracy, np.float64)
    if accuracy.ndim != 2 or len(steps) != len(accuracy):
        raise ValueError(
            f"steps are {list(steps.shape)}, accuracy is {list(accuracy.shape)}: expected [k] and "
            "[k, positions]."
        )
    early = steps <= trivial_steps
    if not early.any():
        raise ValueError(
            f"no evaluation lies within trivial_steps={trivial_steps}: the first is at step "
            f"{int(steps.min()) if len(steps) else None}. Evaluate earlier, or raise trivial_steps."
        )
    return accuracy - accuracy[early].max(axis=0)


def _codes_with_prefix(codebook: Codebook, code: int, depth: int) -> tuple[int, int]:
    """First and last code whose text begins with the first `depth` symbols of the code's text.

    In preorder, a prefix stands before all that it begins, and the next text that is no longer than
    it begins otherwise.
    """
    lengths = codebook.symbol_lengths
    first = int(np.flatnonzero(lengths[: code + 1] == depth)[-1])
    others = np.flatnonzero(lengths[code + 1 :] <= depth)
    last = code + int(others[0]) if others.size else codebook.num_codes - 1
    return first, last


def _bytes_and_places(symbols: Symbols) -> tuple[bytes, npt.NDArray[np.int64]]:
    """`to_bytes`, and where in it each symbol begins (and the last ends): int64[n + 1]."""
    symbols = as_symbols(symbols)
    escaped = (symbols == 0xFE) | (symbols == 0xFF)
    return to_bytes(symbols), np.append(0, np.cumsum(1 + escaped, dtype=np.int64))


def _check_ends(tokens: int, ends: Ends, symbols: Symbols) -> None:
    last = int(ends[-1]) if len(ends) else 0
    if len(ends) != tokens or last != len(symbols) or np.any(np.diff(ends, prepend=0) < 0):
        raise ValueError(
            f"{tokens} tokens with {len(ends)} ends up to {last}, but the example has "
            f"{len(symbols)} symbols: expected an end for each token, none below the one before, "
            "the last at that number. Give ids, ends and symbols of the same example."
        )


def _check_tokens_per_window(tokens_per_window: int) -> None:
    if tokens_per_window < 1:
        raise ValueError(f"tokens_per_window={tokens_per_window}: expected 1 or more.")
