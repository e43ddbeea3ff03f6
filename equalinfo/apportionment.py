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
def threshold(remainders: npt.NDArray[np.int32], left: int) -> tuple[int, int]:
    """Return (t, ties): every remainder > t wins, and the first `ties` of those equal to t.

    A few passes, of vectors.

    Args:
      remainders: int32[n], each in [0, 2^30).
      left: how many win, 0 <= left <= n.

    Returns:
      t, ties. Where nobody wins, t = 2^30 and ties = 0.
    """
    if left <= 0:
        return 1 << 30, 0
    # `reach` remainders are low or more, at least `left`; `beyond`, fewer, are high or more.
    low, reach = np.int32(0), np.int32(remainders.size)
    high, beyond = np.int32(0), np.int32(0)
    for index in range(remainders.size):
        high = max(high, remainders[index])
    high += np.int32(1)
    passes = 0
    while reach > left and high - low > 1:
        # Where they would be if spread evenly; by halves now and then, for they may not be.
        part = np.int64(high - low) * (reach - left) // (reach - beyond)
        middle = low + np.int32((high - low) >> 1 if passes & 3 == 3 else part)
        middle = min(max(middle, np.int32(low + 1)), np.int32(high - 1))
        found = np.int32(0)
        for index in range(remainders.size):
            found += np.int32(remainders[index] >= middle)
        if found >= left:
            low, reach = middle, found
        else:
            high, beyond = middle, found
        passes += 1
    limit, above = np.int32(1 << 30), np.int32(0)
    for index in range(remainders.size):
        limit = min(limit, remainders[index] if remainders[index] >= low else np.int32(1 << 30))
    for index in range(remainders.size):
        above += np.int32(remainders[index] > limit)
    return int(limit), int(left - above)
