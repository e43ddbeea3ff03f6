"""Who gets the points left over: the largest-remainder rule, ties to the lower index, in integers.

Frequencies (`equalinfo.frequencies`) and the exact code (`equalinfo.coding.exact`) both share a
whole number of points by "floor, then one more to each of the largest remainders". A full sort of
257 remainders per symbol would cost more than the rest of the coder, so the fast code finds only
where the winners end.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from equalinfo.jit import njit


def winners(remainders: Sequence[int], left: int) -> list[bool]:
    """Reference: mark the `left` largest remainders, the lower index first among equals."""
    order = sorted(range(len(remainders)), key=lambda index: (-remainders[index], index))
    marked = [False] * len(remainders)
    for index in order[:left]:
        marked[index] = True
    return marked


@njit(cache=True, nogil=True)
def threshold(remainders: npt.NDArray[np.int64], left: int, bits: int) -> tuple[int, int]:
    """Return (t, ties): every remainder > t wins, and the first `ties` of those equal to t.

    Args:
      remainders: int64[n], each in [0, 2^bits).
      left: how many win, 0 <= left <= n.
      bits: width of a remainder, 8..62.

    Returns:
      t, ties. Where nobody wins, t = 2^bits and ties = 0.
    """
    if left <= 0:
        return 1 << bits, 0
    # One pass by the top eight bits finds the bucket that holds the last winner ...
    shift = bits - 8
    buckets = np.zeros(256, np.int64)
    for index in range(remainders.size):
        buckets[remainders[index] >> shift] += 1
    bucket = 255
    while buckets[bucket] < left:
        left -= buckets[bucket]
        bucket -= 1
    # ... and within it (usually one to three remainders) each candidate is compared with the rest.
    members = np.empty(buckets[bucket], np.int64)
    count = 0
    for index in range(remainders.size):
        if remainders[index] >> shift == bucket:
            members[count] = remainders[index]
            count += 1
    if count > 16:
        members.sort()
        last = members[count - left]
        above = 0
        for index in range(count):
            if members[index] > last:
                above += 1
        return last, left - above
    for index in range(count):
        above = 0
        equal = 0
        for other in range(count):
            if members[other] > members[index]:
                above += 1
            elif members[other] == members[index]:
                equal += 1
        if above < left <= above + equal:
            return members[index], left - above
    return 1 << bits, 0


@njit(cache=True, nogil=True)
def narrow_threshold(remainders: npt.NDArray[np.int32], left: int, bits: int) -> tuple[int, int]:
    """`threshold` for remainders of few bits: a pass for each bit, but passes of vectors.

    Args:
      remainders: int32[n], each in [0, 2^bits).
      left: how many win, 0 <= left <= n.
      bits: width of a remainder, at most 30.
    """
    if left <= 0:
        return 1 << bits, 0
    # The largest t that `left` remainders or more reach, from its highest bit down.
    limit = np.int32(0)
    for bit in range(bits - 1, -1, -1):
        higher = np.int32(limit | np.int32(1 << bit))
        reach = np.int32(0)
        for index in range(remainders.size):
            reach += np.int32(remainders[index] >= higher)
        if reach >= left:
            limit = higher
    above = 0
    for index in range(remainders.size):
        above += int(remainders[index] > limit)
    return int(limit), left - above
