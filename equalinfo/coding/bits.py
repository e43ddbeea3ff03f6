"""Codes of W bits <-> tokens of N bits, through one big-endian stream of bits [paper 3.3].

Tokens may cross window borders (W=24, N=16). The last token is padded with zero bits. Token values
here are plain numbers below 2^N; the three special ids are added by `equalinfo.codecs`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from equalinfo.alphabet import NUM_SYMBOLS

Bits = npt.NDArray[np.uint8]
Tokens = npt.NDArray[np.int32]

MIN_WINDOW_BITS, MAX_WINDOW_BITS = 9, 128
MAX_TOKEN_BITS = 16
MAX_WHOLE_BITS = 20
"""Of tokens that are one window each."""
NARROW_BITS = 62
"""Codes of up to this many bits are kept in int64 arrays, wider ones as Python integers."""


def codes_to_tokens(
    codes: Sequence[int] | npt.NDArray[np.integer], window_bits: int, token_bits: int
) -> Tokens:
    """Concatenate W-bit codes and cut the stream in N-bit tokens.

    Args:
      codes: numbers in [0, 2^window_bits).
      window_bits: W, 9..128.
      token_bits: N, 1..16, at most W.

    Returns:
      int32[ceil(len(codes) * W / N)], each in [0, 2^N).

    Raises:
      ValueError: a width out of range, or a code that does not fit W bits.
    """
    check_widths(window_bits, token_bits)
    if len(codes) == 0:
        return np.empty(0, np.int32)
    if window_bits == token_bits:
        return _narrow(codes, window_bits).astype(np.int32)
    return bits_to_tokens(_codes_to_bits(codes, window_bits), token_bits)


def tokens_to_codes(
    tokens: npt.NDArray[np.integer], token_bits: int, window_bits: int
) -> npt.NDArray[np.int64] | list[int]:
    """Undo `codes_to_tokens`.

    Args:
      tokens: int[n], each in [0, 2^token_bits).
      token_bits: N, 1..16, at most W.
      window_bits: W, 9..128.

    Returns:
      The codes: int64[floor(n * N / W)] up to W = 62, a list of Python integers above.

    Raises:
      ValueError: a width or token out of range; more pad bits than a token can hold; or a pad bit
        that is not zero (the tokens are cut off, or were made with other widths).
    """
    check_widths(window_bits, token_bits)
    tokens = np.asarray(tokens)
    if window_bits == token_bits:
        _check_range(tokens, token_bits, "token")
        return tokens.astype(np.int64)
    bits = tokens_to_bits(tokens, token_bits)
    count = len(bits) // window_bits
    pad = bits[count * window_bits :]
    if len(pad) >= token_bits or pad.any():
        raise ValueError(
            f"{len(tokens)} tokens of {token_bits} bits hold {count} codes of {window_bits} bits "
            f"and {len(pad)} bits more, {int(pad.sum())} of them set; expected fewer than "
            f"{token_bits} bits, all zero. The tokens are cut off, or were made with other widths."
        )
    return _bits_to_codes(bits[: count * window_bits], window_bits)


def bits_to_tokens(bits: Bits, token_bits: int) -> Tokens:
    """Cut uint8[n] of 0 and 1 in N-bit tokens, the last padded with zeros: int32[ceil(n / N)]."""
    check_token_bits(token_bits)
    count = -(-len(bits) // token_bits)
    padded = np.zeros(count * token_bits, np.uint8)
    padded[: len(bits)] = bits
    if token_bits in (8, 16):
        return np.packbits(padded).view(f">u{token_bits // 8}").astype(np.int32)
    weights = (1 << np.arange(token_bits - 1, -1, -1)).astype(np.int32)
    return (padded.reshape(count, token_bits).astype(np.int32) @ weights).astype(np.int32)


def tokens_to_bits(tokens: npt.NDArray[np.integer], token_bits: int) -> Bits:
    """Write int[n] tokens as uint8[n * N] of 0 and 1, pad bits included.

    Raises:
      ValueError: a token outside [0, 2^token_bits).
    """
    check_token_bits(token_bits)
    tokens = np.asarray(tokens)
    _check_range(tokens, token_bits, "token")
    wide = np.unpackbits(tokens.astype(">u2").view(np.uint8))
    return np.ascontiguousarray(wide.reshape(-1, 16)[:, 16 - token_bits :]).reshape(-1)


def _codes_to_bits(codes: Sequence[int] | npt.NDArray[np.integer], window_bits: int) -> Bits:
    if window_bits <= NARROW_BITS:
        data = _narrow(codes, window_bits).astype(">u8").view(np.uint8)
        width = 64
    else:
        width = 128
        parts = []
        for place, code in enumerate(codes):
            value = int(code)
            if not 0 <= value < 1 << window_bits:
                raise _out_of_range("code", value, place, window_bits)
            parts.append(value.to_bytes(16, "big"))
        data = np.frombuffer(b"".join(parts), np.uint8)
    bits = np.unpackbits(data).reshape(-1, width)[:, width - window_bits :]
    return np.ascontiguousarray(bits).reshape(-1)


def _bits_to_codes(bits: Bits, window_bits: int) -> npt.NDArray[np.int64] | list[int]:
    count = len(bits) // window_bits
    width = 64 if window_bits <= NARROW_BITS else 128
    padded = np.zeros((count, width), np.uint8)
    padded[:, width - window_bits :] = bits.reshape(count, window_bits)
    packed = np.packbits(padded, axis=1)
    if width == 64:
        return packed.reshape(-1).view(">u8").astype(np.int64)
    return [int.from_bytes(row.tobytes(), "big") for row in packed]


def _narrow(
    codes: Sequence[int] | npt.NDArray[np.integer], window_bits: int
) -> npt.NDArray[np.int64]:
    # Not `np.asarray(codes, np.int64)` first: that would raise OverflowError, without place or fix.
    array = np.asarray(codes)
    _check_range(array, window_bits, "code")
    return array.astype(np.int64)


def _check_range(values: npt.NDArray[np.integer], width: int, what: str) -> None:
    if len(values) == 0:
        return
    bad = np.flatnonzero((values < 0) | (values >= 1 << width))
    if bad.size:
        raise _out_of_range(what, int(values[bad[0]]), int(bad[0]), width)


def _out_of_range(what: str, value: int, place: int, width: int) -> ValueError:
    return ValueError(
        f"{what} {value} at index {place} does not fit {width} bits: expected 0 <= {what} < "
        f"2^{width}. Was it made with another width?"
    )


def check_token_bits(token_bits: int) -> None:
    """Raise ValueError unless 1 <= token_bits <= 16."""
    if not 1 <= token_bits <= MAX_TOKEN_BITS:
        raise ValueError(
            f"token_bits={token_bits} is outside 1..{MAX_TOKEN_BITS}. "
            "Use 8 (v=256) or 16 (v=65,536)."
        )


def check_window_bits(window_bits: int) -> None:
    """Raise ValueError unless 9 <= window_bits <= 128."""
    if not MIN_WINDOW_BITS <= window_bits <= MAX_WINDOW_BITS:
        raise ValueError(
            f"window_bits={window_bits} is outside {MIN_WINDOW_BITS}..{MAX_WINDOW_BITS}: fewer "
            f"bits cannot tell {NUM_SYMBOLS} symbols apart. Use one of 16, 24, 32, 64, 128."
        )


def check_widths(window_bits: int, token_bits: int) -> None:
    """Raise ValueError unless codes come back: 9 <= W <= 128, N <= W, N in 1..16 or W itself."""
    if not (token_bits == window_bits <= MAX_WHOLE_BITS):
        check_token_bits(token_bits)
    check_window_bits(window_bits)
    if token_bits > window_bits:
        raise ValueError(
            f"token_bits={token_bits} is more than window_bits={window_bits}: padding of the "
            "last token could hold a whole window. Use token_bits <= window_bits."
        )
