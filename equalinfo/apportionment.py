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
    none, all_of = np.int32(-1), np.int32(1 << 30)
    low, high = all_of, none
    for index in range(remainders.size):
        low, high = min(low, remainders[index]), max(high, remainders[index])
    high += np.int32(1)
    # `reach` remainders are low or more, at least `left`; `beyond`, fewer, are high or more. Both
    # move to remainders that there are: many may be equal.
    reach, beyond = np.int32(remainders.size), np.int32(0)
    passes = 0
    while reach > left and high - low > 1:
        # Where they would be if spread evenly; by halves now and then, for they may not be.
        part = np.int64(high - low) * (reach - left) // (reach - beyond)
        middle = low + np.int32((high - low) >> 1 if passes & 3 == 3 else part)
        middle = min(max(middle, np.int32(low + 1)), np.int32(high - 1))
        found, above, below = np.int32(0), all_of, none
        for index in range(remainders.size):
            value = remainders[index]
            found += np.int32(value >= middle)
            above = min(above, value if value >= middle else all_of)
            below = max(below, value if value < middle else none)
        if found >= left:
            low, reach = above, found
        else:
            high, beyond = np.int32(below + 1), found
        passes += 1
    won = np.int32(0)
    for index in range(remainders.size):
        won += np.int32(remainders[index] > low)
    return int(low), int(left - won)
