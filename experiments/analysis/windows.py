"""What happens inside windows: texts of tokens, accuracy by place, bits of characters, codes used.

Texts are bytes as `equalinfo.alphabet.to_bytes` writes them: EOS is FF, which UTF-8 never has.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from equalinfo.alphabet import Symbols, to_bytes
from equalinfo.codebook import Codebook
from equalinfo.ids import ID_OFFSET

Ends = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Segment(NamedTuple):
    """Characters, and the bits that lie over them.

    Attributes:
      text: they need not be whole characters of UTF-8; empty for tokens at the end of a stream that
        complete nothing (a checksum, say).
      start, end: first bit, and the one after the last, from the start of the stream.
    """

    text: bytes
    start: int
    end: int


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
    """Which bits lie over which characters [paper Fig 9].

    For any codec. A segment ends with each token that completes characters, so it is as fine as
    windows or tokens are, whichever is longer; `symbol_map` tells the bits of single characters.

    Args:
      symbols: uint16[n], an example.
      ends: int64[tokens], as `Encoded.ends`.
      token_bits: N.

    Returns:
      Segments without gaps; their texts joined are the example, their bits the whole stream.
    """
    data, places = _bytes_and_places(symbols)
    segments = []
    first = done = 0
    for token, end in enumerate(ends.tolist()):
        if end > done or token == len(ends) - 1:
            text = data[places[done] : places[end]]
            segments.append(Segment(text, first * token_bits, (token + 1) * token_bits))
            first, done = token + 1, end
    return segments


def symbol_map(codebook: Codebook, codes: Iterable[int]) -> list[Segment]:
    """Which bits of its window each symbol decides [paper Fig 9].

    Codes are in the order of their texts, so those that begin with the same symbols lie in one
    range. The leading bits in which the range's ends agree are decided by these symbols; a symbol
    has those that the ones before it left open. The last one, with the window's end, has the rest.

    Args:
      codebook: that of the codec, of an M1 plan, W bits a window.
      codes: int[windows] of an example.

    Returns:
      One segment a symbol, without gaps. A likely symbol may decide no bit: its start is its end.
    """
    segments = []
    for window, code in enumerate(map(int, codes)):
        text = codebook.text(code)
        start, window_end = window * codebook.window_bits, (window + 1) * codebook.window_bits
        for depth in range(1, len(text) + 1):
            end = window_end
            if depth < len(text):
                first, last = _codes_with_prefix(codebook, code, depth)
                end -= (first ^ last).bit_length()
            text_of_one = to_bytes(text[depth - 1 : depth])
            segments.append(Segment(text_of_one, start, end))
            start = end
    return segments


def used_codes(counts: npt.NDArray[np.int64]) -> dict[str, int | float]:
    """How many codes a text uses, and how evenly.

    Args:
      counts: int64[vocab], tokens of each id, as `score.token_counts` gives them; the three special
        ids at the start are no codes and are left out.

    Returns:
      "codes" that exist, those "used", and "entropy_bits" of the empirical distribution, a token:
      log2(codes) at most.
    """
    codes = np.asarray(counts)[ID_OFFSET:]
    entropy = float(stats.entropy(codes, base=2))
    return {"codes": len(codes), "used": int(np.count_nonzero(codes)), "entropy_bits": entropy}


def beyond_trivial(
    steps: npt.NDArray[np.int64], accuracy: Floats, trivial_steps: int = 2000
) -> Floats:
    """Accuracy above what is learned at once: minus the best of the first steps [paper 6.2].

    Args:
      steps: int64[k] of the evaluations.
      accuracy: float64[k, positions].
      trivial_steps: evaluations up to this step, one or more, are "trivial".

    Returns:
      float64[k, positions].
    """
    early = steps <= trivial_steps
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
    escaped = (symbols == 0xFE) | (symbols == 0xFF)
    return to_bytes(symbols), np.append(0, np.cumsum(1 + escaped, dtype=np.int64))
